"""Profiles of a policy that thinks: budgets are told apart, and unclosed thoughts are said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from rich.console import Console

from executor.errors import InputError
from executor.policies.thinking import thinking_policy
from executor.problem import Problem
from executor.run.runner import Executor
from executor.strategy import Greedy, Majority, Sampling
from executor.thinking.budget import FREE, OFF, Thinking
from planner.cli.commands import profile as command
from planner.evidence.runs import current_runs
from planner.runtime.model_ref import ModelRef
from planner.runtime.reporter import SilentReporter
from planner.runtime.settings import SessionSettings
from planner.usecases import open_session
from planner.usecases.measure import measure
from planner.usecases.profile import Profile, profile
from planner.usecases.thinking_grid import profile_budgets
from profiling.profiles.profiler import restore
from tests.helpers.simulated_session import SimulatedSession, _Loaded
from tests.helpers.thinkers import Thinker

PROBLEMS = [Problem(f"p{i}", f"{i}: what is 3 + 4?", "7") for i in range(3)]


class ThinkingSession(SimulatedSession):
    """A session whose policy thinks."""

    ends = 0.05

    def executor(self, policy: ModelRef, prm: Any = None, **options: Any) -> Executor:
        sampling = options.get("sampling") or self.settings.sampling
        thinker = thinking_policy(Thinker(ends=self.ends), sampling.thinking, "think")
        sampling = replace(sampling, thinking=sampling.thinking or FREE, thinking_format="think")
        self._loaded = _Loaded(thinker, None)
        return Executor(thinker, None, self.grader, sampling, digests={"policy": "a"})


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ThinkingSession]:
    url = f"sqlite:///{tmp_path}/store.db"
    settings = SessionSettings(sampling=Sampling(max_tokens=200))
    with ThinkingSession(SilentReporter(), url, settings) as opened:
        yield opened


def made(session: ThinkingSession, thinking: Thinking | None) -> Profile:
    sampling = replace(session.settings.sampling, thinking=thinking)
    return profile(PROBLEMS, policy="thinker", max_samples=8, sampling=sampling, session=session)


def test_budgets_are_runs_of_their_own_and_resume(session: ThinkingSession) -> None:
    found = {value: made(session, value) for value in (OFF, Thinking(6), FREE)}
    assert [one.thinking for one in found.values()] == [0, 6, "free"]
    assert found[OFF].ledger.thought == 0
    assert 0 < found[Thinking(6)].ledger.thought < found[FREE].ledger.thought
    samples = [s for one in found[Thinking(6)].problems for s in one.outcome.samples]
    assert all(sample.visible_from and sample.correct for sample in samples)
    assert all("<think>" not in s.text and "aaa" not in s.text for s in samples)
    again = made(session, Thinking(6))
    assert [one.outcome for one in again.problems] == [
        one.outcome for one in found[Thinking(6)].problems
    ]
    runs = session.store.runs()
    assert len(runs) == 3 and len({spec.id for spec in runs}) == 3
    # Evidence of two budgets is never mixed: the newest profile decides.
    (current,) = current_runs(runs)
    assert current.settings["sampling"]["thinking"] == "free"
    # Silence means free for a policy that thinks.
    made(session, None)
    assert len(session.store.runs()) == 3


def test_a_stored_sample_is_restored_with_its_thought(session: ThinkingSession) -> None:
    found = made(session, Thinking(6))
    one = found.problems[0].outcome
    context = session.executor(session.find_policy("thinker")).context(one.problem, 1)
    for sample in one.samples:
        response = restore(context, sample)
        assert tuple(response.token_ids) == sample.token_ids
        assert len(response.thought) == sample.visible_from
        assert response.text == sample.text


def test_thoughts_that_never_end_are_said(session: ThinkingSession) -> None:
    session.ends = 0.0
    found = made(session, FREE)
    assert found.only_thoughts == 24 == found.to_dict()["only_thoughts"]
    assert all(one.pass_rate.successes == 0 for one in found.problems)
    console = Console(record=True, width=120)
    command.show(console, found)
    said = console.export_text()
    assert "24 responses ended inside the thought, without an answer" in said
    ran = measure(PROBLEMS, [Greedy(), Majority(2)], policy="thinker", session=session)
    assert [one.only_thoughts for one in ran.runs] == [3, 6]


def test_the_grid_is_replayed_from_a_pool_for_each_budget(tmp_path: Path) -> None:
    budgets = (OFF, Thinking(6), FREE)
    with (
        mock.patch.object(open_session, "Session", ThinkingSession),
        mock.patch.object(open_session, "find_models", return_value=[]),
    ):
        grid = profile_budgets(
            PROBLEMS, budgets, policy="thinker", max_samples=8,
            store=f"sqlite:///{tmp_path}/store.db",
            settings=SessionSettings(sampling=Sampling(max_tokens=200)),
        )  # fmt: skip
    assert [(one.thinking, one.n) for one in grid.points] == [
        (value, n) for value in (0, 6, "free") for n in (1, 2, 4, 8)
    ]
    for found in grid.profiles:
        of_it = [one for one in grid.points if one.thinking == found.thinking]
        whole = found.ledger.generated / len(PROBLEMS)
        assert of_it[-1].generated_tokens == pytest.approx(whole)
        assert of_it[0].generated_tokens == pytest.approx(whole / 8)
    # The thinker is always right, so that only the cheapest point is on the front.
    assert [one.on_front for one in grid.points] == [True] + [False] * 11
    console = Console(record=True, width=120)
    command.show_grid(console, grid)
    assert (
        "majority of N samples, thoughts of at most B tokens: 3 problems" in console.export_text()
    )
    json.dumps(grid.to_dict(), allow_nan=False)


def test_budgets_are_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    for budgets, clue in (((OFF, OFF), "given twice"), ((OFF, Thinking(8192)), "no room")):
        with pytest.raises(InputError, match=clue):
            profile_budgets(PROBLEMS, budgets, policy="thinker", store=f"sqlite:///{tmp_path}/a.db")
    assert not (tmp_path / "a.db").exists()
