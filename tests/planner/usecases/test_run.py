"""Answers by a plan or by strategies, as a library asks for them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from executor.errors import InputError
from executor.problem import Problem
from executor.strategy import Greedy, Majority
from planner.cli.commands.run import show
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
        "context_exceeded",
    }  # fmt: skip


LONG = Problem("long", "simulated problem 9: " + "1 + " * 500 + "1?", "1")


@pytest.mark.parametrize("by_plan", [True, False])
def test_a_question_that_fills_the_context_is_counted_and_said(
    session: SimulatedSession, by_plan: bool
) -> None:
    session.chance, session.max_context = {**CHANCE, LONG.text: 1.0}, 1000
    problems = [PROBLEMS[0], LONG, PROBLEMS[1]]
    plan, strategies = (plan_of(), []) if by_plan else (None, [Majority(4)])
    found = run(problems, plan=plan, strategies=strategies, policy="any", session=session)
    (one,) = found.to_dict()["runs"]
    assert (one["problems"], one["context_exceeded"]) == (3, 1)
    assert [answer["context_exceeded"] for answer in one["answers"]] == [False, True, False]
    long = one["answers"][1]
    assert (long["answer"], long["correct"]) == (None, False)
    page = io.StringIO()
    show(Console(file=page, width=200), found)
    said = "1 question fills the policy's context: nothing was drawn, and it counts as wrong"
    assert said in page.getvalue()


def test_questions_that_fit_are_not_spoken_of(session: SimulatedSession) -> None:
    found = run(PROBLEMS[:2], strategies=[Greedy(), Majority(4)], policy="any", session=session)
    assert [one["context_exceeded"] for one in found.to_dict()["runs"]] == [0, 0]
    page = io.StringIO()
    show(Console(file=page, width=200), found)
    assert "context" not in page.getvalue()


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
