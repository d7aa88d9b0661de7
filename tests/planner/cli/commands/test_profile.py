"""What `apportion profile` says: unresolved problems are named, PRMs are judged in words."""

from __future__ import annotations

import asyncio
import io
import json

import pytest
from rich.console import Console

from executor.answers.grader import MathGrader
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.run.runner import Executor
from executor.store.store import Store
from executor.strategy import Sampling
from planner.cli.commands.profile import coverage, document, show, unresolved
from profiling.profiler import (
    ProblemProfile,
    profile,
    profile_rewards,
    profile_spec,
    read_profile,
)

PROBLEMS = simulated_problems(16)
CHANCE = {p.text: (0.98, 0.3, 0.0, 0.5)[i % 4] for i, p in enumerate(PROBLEMS)}


def profiled(
    grader: MathGrader,
    n: int,
    confidence: float | None = None,
    prm: SimulatedPrm | None = None,
    chance: float | dict[str, float] = CHANCE,
) -> list[ProblemProfile]:
    executor = Executor(SimulatedPolicy(chance, 1), prm, grader, Sampling())
    spec = profile_spec(executor, n, {}, confidence)
    with Store.open("sqlite://") as store:
        asyncio.run(profile(executor, PROBLEMS, store, spec))
        return read_profile(store, spec)


def shown(found: list[ProblemProfile], grader: MathGrader, prm: str | None = None) -> str:
    page = io.StringIO()
    console = Console(file=page, width=200)
    show(console, prm, found, profile_rewards(found, grader))
    return page.getvalue()


@pytest.mark.parametrize("confidence", [None, 0.8])
def test_unresolved_problems_are_named_as_such(
    grader: MathGrader, confidence: float | None
) -> None:
    found = profiled(grader, 16, confidence)
    level = confidence or 0.95
    expected = [one.outcome.problem.id for one in found if one.pass_rate.confidence < level]
    assert 0 < len(expected) < len(found)
    told = document("policy", None, found, None)
    assert told["unresolved"] == expected
    assert [one["id"] for one in told["problems"] if not one["resolved"]] == expected
    assert json.loads(json.dumps(told)) == told
    page = shown(found, grader)
    assert f"less than {level:.0%} sure: {len(expected)} problems" in page
    assert all(name in page for name in expected[:10])
    assert page.count(", unresolved") == len(expected)


def test_where_all_are_sure_it_is_said(grader: MathGrader) -> None:
    sure = [one for one in profiled(grader, 64) if one.resolved]
    assert unresolved(sure) == "every problem's difficulty is at least 95% sure"


def test_of_many_unresolved_problems_the_first_are_named(grader: MathGrader) -> None:
    few = profiled(grader, 1)
    assert unresolved(few).count("sim-") <= 10
    assert "and 6 more" in unresolved(few)


def test_pools_that_were_stopped_have_no_coverage(grader: MathGrader) -> None:
    assert coverage(profiled(grader, 64, 0.95)) == {}
    assert list(coverage(profiled(grader, 16))) == [1, 4, 16]


def test_the_prm_is_judged_in_words_and_numbers(grader: MathGrader) -> None:
    # The right answer is no more frequent than each of the wrong ones.
    found = profiled(grader, 16, prm=SimulatedPrm(0.95), chance=0.2)
    rewards = profile_rewards(found, grader)
    assert rewards is not None
    told = document("policy", "judge", found, rewards)["rewards"]
    assert told["verdict"] == "helps"
    assert told["votes_at"] == 16
    assert set(told["length_bias"]) == {"value", "low", "high"}
    page = shown(found, grader, "judge")
    assert "The PRM tells right from wrong well within a problem" in page
    assert "A vote weighted by judge beats a plain one: among 16 samples" in page
