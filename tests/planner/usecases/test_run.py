"""Answers by a plan or by strategies, as a library asks for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.problem import Problem
from executor.strategy import Greedy, Majority
from planner.plans.serialization import save_plan
from planner.usecases.run import KIND, run
from tests.helpers.simulated_session import SimulatedSession
from tests.planner.service.answering.test_planned import CHANCE, PROBLEMS, plan_of


def test_a_plan_routes_every_problem(session: SimulatedSession, tmp_path: Path) -> None:
    session.chance = CHANCE
    file = tmp_path / "plan.json"
    save_plan(plan_of(), file)
    by_file = run(PROBLEMS[:4], plan=str(file), session=session)
    (one,) = by_file.runs
    assert one.summary.name == "plan" and one.spec.kind == KIND
    assert len({stored.note["strategy"] for stored in one.outcomes}) > 1
    again = run(PROBLEMS[:4], plan=plan_of(), session=session).runs[0]
    assert again.outcomes == one.outcomes
    assert again.summary.engine is not None and again.summary.engine["solved"] == 0


def test_strategies_answer_questions_without_known_answers(session: SimulatedSession) -> None:
    questions = [Problem(p.id, p.text) for p in PROBLEMS[:3]]
    found = run(questions, strategies=[Greedy(), Majority(4)], policy="any", session=session)
    document = found.to_dict()
    assert json.loads(json.dumps(document)) == document
    greedy, majority = document["runs"]
    assert [answer["id"] for answer in greedy["answers"]] == [p.id for p in questions]
    assert majority["name"] == "majority(n=4)" and majority["accuracy"] is None
    assert set(greedy["answers"][0]) == {
        "id", "answer", "correct", "difficulty", "estimate", "strategy", "ledger", "seconds",
    }  # fmt: skip


@pytest.mark.parametrize("both", [True, False])
def test_either_a_plan_or_strategies(session: SimulatedSession, both: bool) -> None:
    with pytest.raises(InputError, match="give either --plan FILE, or --strategy NAME"):
        run(
            PROBLEMS,
            plan=plan_of() if both else None,
            strategies=[Greedy()] if both else [],
            policy="any",
            session=session,
        )


def test_strategies_need_a_policy(session: SimulatedSession) -> None:
    with pytest.raises(InputError, match="--strategy needs a policy; give one with --policy"):
        run(PROBLEMS, strategies=[Greedy()], session=session)


def test_a_plan_whose_prm_is_gone_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its PRM lay at /gone/prm, which is gone"):
        run(PROBLEMS, plan=plan_of(prm="/gone/prm"), store=f"sqlite:///{tmp_path}/store.db")
    assert not list(tmp_path.iterdir())
