"""What `apportion profile` says: unresolved problems are named, PRMs are judged in words."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json

import pytest
from rich.console import Console

from executor.answers.grader import MathGrader
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.run.runner import Executor
from executor.store.store import Store
from executor.strategy import Sampling
from planner.cli.commands.profile import show, unresolved
from planner.usecases.profile import Profile
from profiling.profiles.profiler import profile, profile_spec, read_profile

PROBLEMS = simulated_problems(16)
CHANCE = {p.text: (0.98, 0.3, 0.0, 0.5)[i % 4] for i, p in enumerate(PROBLEMS)}


def profiled(
    grader: MathGrader,
    n: int,
    confidence: float | None = None,
    prm: SimulatedPrm | None = None,
    chance: float | dict[str, float] = CHANCE,
) -> Profile:
    executor = Executor(SimulatedPolicy(chance, 1), prm, grader, Sampling())
    spec = profile_spec(executor, n, {}, confidence)
    with Store.open("sqlite://") as store:
        asyncio.run(profile(executor, PROBLEMS, store, spec))
        problems = read_profile(store, spec)
    return Profile.from_problems("policy", None if prm is None else "judge", problems, grader)


def shown(found: Profile) -> str:
    page = io.StringIO()
    show(Console(file=page, width=200), found)
    return page.getvalue()


@pytest.mark.parametrize("confidence", [None, 0.8])
def test_unresolved_problems_are_named_as_such(
    grader: MathGrader, confidence: float | None
) -> None:
    found = profiled(grader, 16, confidence)
    level = confidence or 0.95
    profiles = found.problems
    expected = [one.outcome.problem.id for one in profiles if one.pass_rate.confidence < level]
    assert 0 < len(expected) < len(profiles)
    told = found.to_dict()
    assert told["unresolved"] == expected
    assert [one["id"] for one in told["problems"] if not one["resolved"]] == expected
    assert json.loads(json.dumps(told)) == told
    page = shown(found)
    assert f"less than {level:.0%} sure: {len(expected)} problems" in page
    assert all(name in page for name in expected[:10])
    assert page.count(", unresolved") == len(expected)


def test_where_all_are_sure_it_is_said(grader: MathGrader) -> None:
    found = profiled(grader, 64)
    sure = tuple(one for one in found.problems if one.resolved)
    assert (
        unresolved(dataclasses.replace(found, problems=sure))
        == "every problem's difficulty is at least 95% sure"
    )


def test_of_many_unresolved_problems_the_first_are_named(grader: MathGrader) -> None:
    few = profiled(grader, 1)
    assert unresolved(few).count("sim-") <= 10
    assert "and 6 more" in unresolved(few)


def test_pools_that_were_stopped_have_no_coverage(grader: MathGrader) -> None:
    assert profiled(grader, 64, 0.95).pass_at_k == {}
    assert list(profiled(grader, 16).pass_at_k) == [1, 4, 16]


def test_the_prm_is_judged_in_words_and_numbers(grader: MathGrader) -> None:
    # The right answer is no more frequent than each of the wrong ones.
    found = profiled(grader, 16, prm=SimulatedPrm(0.95), chance=0.2)
    assert found.rewards is not None
    told = found.to_dict()["rewards"]
    assert told["verdict"] == "helps"
    assert told["votes_at"] == 16
    assert set(told["length_bias"]) == {"value", "low", "high"}
    page = shown(found)
    assert "The PRM tells right from wrong well within a problem" in page
    assert "A vote weighted by judge beats a plain one: among 16 samples" in page
