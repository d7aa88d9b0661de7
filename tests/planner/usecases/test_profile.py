"""Profiles as a library makes them: typed in, typed out, and stored once."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from executor.errors import InputError
from executor.policies.simulated import simulated_problems
from executor.problem import Problem
from planner.cli.commands.profile import show
from planner.usecases.profile import profile
from profiling.profiles.profiler import KIND
from tests.helpers.simulated_session import SimulatedSession

PROBLEMS = simulated_problems(6)
CHANCE = {p.text: (0.97, 0.3, 0.0)[i % 3] for i, p in enumerate(PROBLEMS)}
KEYS = {
    "policy", "prm", "problems", "difficulties", "unresolved", "pass_at_k", "rewards", "ledger",
    "context_exceeded", "isolation", "only_thoughts", "thinking",
}  # fmt: skip


@pytest.fixture(autouse=True)
def known_chances(session: SimulatedSession) -> None:
    session.chance = CHANCE


def test_a_profile_is_typed_and_stays_in_the_store(session: SimulatedSession) -> None:
    found = profile(PROBLEMS, policy="any", prm="judge", max_samples=16, session=session)
    assert (found.policy, found.prm) == ("simulated-policy", "simulated-prm")
    assert [one.outcome.problem for one in found.problems] == PROBLEMS
    assert sum(found.difficulties.values()) == 6
    assert list(found.pass_at_k) == [1, 4, 16]
    assert found.rewards is not None and found.rewards.samples == 96
    (spec,) = session.store.runs()
    assert (spec.kind, spec.policy, spec.settings["max_samples"]) == (KIND, found.policy, 16)


def test_its_document_is_the_command_s(session: SimulatedSession) -> None:
    document = profile(PROBLEMS, policy="any", max_samples=4, session=session).to_dict()
    assert set(document) == KEYS
    assert document["rewards"] is None
    assert document["ledger"]["generated"] > 0
    assert json.loads(json.dumps(document)) == document


@pytest.mark.parametrize("all_of_them", [True, False])
def test_a_question_that_fills_the_context_is_counted_and_said(
    session: SimulatedSession, all_of_them: bool
) -> None:
    long = Problem("long", "1 + " * 500, "1")
    session.chance, session.max_context = {**CHANCE, long.text: 1.0}, 1000
    problems = [long] if all_of_them else [*PROBLEMS, long]
    found = profile(problems, policy="any", max_samples=4, session=session)
    document = found.to_dict()
    assert document["context_exceeded"] == ["long"]
    assert len(document["problems"]) == len(problems) - 1
    page = io.StringIO()
    show(Console(file=page, width=200), found)
    assert "1 question fills the policy's context: nothing was drawn" in page.getvalue()
    assert "(long)" in page.getvalue()


def test_a_second_profile_draws_nothing(session: SimulatedSession) -> None:
    first = profile(PROBLEMS, policy="any", max_samples=4, session=session)
    session.chance = 0.0
    assert profile(PROBLEMS, policy="any", max_samples=4, session=session) == first


def test_it_opens_and_closes_a_session_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planner.usecases.open_session.Session", SimulatedSession)
    monkeypatch.setattr("planner.usecases.open_session.find_models", lambda *_: [])
    file = tmp_path / "problems.jsonl"
    file.write_text('{"question": "simulated problem 0: what is x?", "answer": "1"}\n')
    url = f"sqlite:///{tmp_path}/own.db"
    found = profile(str(file), policy="any", store=url, max_samples=4)
    assert [one.pass_rate.trials for one in found.problems] == [4]
    assert (tmp_path / "own.db").is_file()


def test_an_unknown_policy_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="policy nope: no such model"):
        profile(PROBLEMS, policy="nope", store=f"sqlite:///{tmp_path}/own.db")
    assert not (tmp_path / "own.db").exists()


def test_problems_need_answers(session: SimulatedSession, tmp_path: Path) -> None:
    (tmp_path / "bare.jsonl").write_text('{"question": "a?"}\n')
    with pytest.raises(InputError, match="--answer-field"):
        profile(tmp_path / "bare.jsonl", policy="any", session=session)
