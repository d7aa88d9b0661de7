"""Profiles a policy: a pool of graded, scored samples for every problem, and what it says."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from executor.admission import Admission
from executor.answers import Vote, vote
from executor.errors import InputError
from executor.ledger import Ledger
from executor.outcome import Outcome, SampleRecord, grade, scores_of
from executor.problem import Problem, problem_uid
from executor.runner import (
    PRM_TRAINED_ON,
    Executor,
    Models,
    Progress,
    Solved,
    run_problems,
)
from executor.search import Context, Response, State, sample, score_all
from executor.store import RunSpec, Store
from executor.strategy import Score
from profiling.passrate import PassRate
from profiling.rewards import RewardStatistics, reward_statistics

KIND = "profile"
MEASURE = "measure"  # the kind of live runs of one strategy
STUDY = "study"  # the setting that says whose runs these are; only imported ones have it


@dataclass(frozen=True, slots=True)
class ProblemProfile:
    """What a profile says of one problem."""

    outcome: Outcome
    pass_rate: PassRate
    held_out: bool = True
    """Whether the PRM has not seen the problem in its training."""

    def to_dict(self) -> dict[str, Any]:
        """The record `apportion profile --json` prints."""
        low, high = self.pass_rate.interval()
        return {
            "id": self.outcome.problem.id,
            "pass_at_1": self.pass_rate.pass_at_1,
            "interval": [low, high],
            "difficulty": self.pass_rate.difficulty.value,
            "confidence": self.pass_rate.confidence,
            "samples": self.pass_rate.trials,
        }


def profile_spec(models: Models, max_samples: int, template: Mapping[str, Any]) -> RunSpec:
    """The run a profile is; the PRM is part of it, so that rewards are never mixed."""
    if max_samples < 1:
        raise InputError(f"--max-samples {max_samples}: must be at least 1")
    settings = models.settings(template, max_samples=max_samples)
    settings.pop("early_stop", None)  # a profile draws all its samples
    return RunSpec(KIND, models.policy_name, models.prm_name, settings)


async def profile(
    models: Models,
    problems: Sequence[Problem],
    store: Store,
    spec: RunSpec,
    *,
    progress: Progress = lambda finished: None,
    admission: Admission | None = None,
) -> int:
    """Sample, score and grade what the run `spec` has not finished; see `run_problems`.

    Where the same samples were drawn before without a PRM, they are scored, not drawn again.
    """
    for problem in problems:
        if problem.answer is None:
            raise InputError(f"problem {problem.id}: has no answer; a profile must grade samples")
    drawn = _drawn_before(store, spec) if models.prm_name is not None else {}
    n = spec.settings["max_samples"]

    async def solve(problem: Problem) -> Solved:
        return await models.run(BySampling(n, drawn.get(problem_uid(problem))), problem)

    return await run_problems(problems, solve, store, spec, progress=progress, admission=admission)


@dataclass(frozen=True, slots=True)
class BySampling:
    """The job of drawing `n` samples, or of scoring those drawn `before`."""

    n: int
    before: Outcome | None = None

    async def __call__(self, executor: Executor, problem: Problem) -> Solved:
        """The samples, graded; their majority's answer."""
        return await _solve(executor, problem, self.n, self.before)


async def _solve(executor: Executor, problem: Problem, n: int, before: Outcome | None) -> Solved:
    started = time.perf_counter()
    context = executor.context(problem, n)
    if before is None:
        responses = await sample(context, n, where="profile")
    else:
        context.ledger = dataclasses.replace(before.ledger)
        responses = [restore(context, record) for record in before.samples]
    if executor.prm is not None:
        responses = await score_all(context, responses)
    samples = await asyncio.to_thread(grade, responses, problem, executor.grader)
    chosen = None
    if samples:
        answers = [record.answer for record in samples]
        chosen = await asyncio.to_thread(vote, answers, None, Vote.MAJORITY, executor.grader)
    outcome = Outcome(
        problem=problem,
        answer=None if chosen is None else samples[chosen].answer,
        correct=bool(chosen is not None and samples[chosen].correct),
        chosen=chosen,
        samples=tuple(samples),
        ledger=context.ledger,
        seconds=time.perf_counter() - started,
    )
    return outcome, executor.note(problem)


def restore(context: Context, record: SampleRecord) -> Response:
    """The response a stored sample was, without its rewards."""
    steps = tuple(context.policy.tokens.steps(record.token_ids))
    return Response(steps=steps, state=State(record.state), logprob=record.logprob)


def _drawn_before(store: Store, spec: RunSpec) -> dict[str, Outcome]:
    models = {role: d for role, d in spec.settings["models"].items() if role != "prm"}
    plain = dataclasses.replace(spec, prm=None, settings=spec.settings | {"models": models})
    return {problem_uid(stored.outcome.problem): stored.outcome for stored in store.outcomes(plain)}


def read_profile(
    store: Store, spec: RunSpec, problems: Sequence[Problem] | None = None
) -> list[ProblemProfile]:
    """What a run says of each problem it has samples of.

    Args:
        store: where the run is.
        spec: the run.
        problems: only these, under the names they have here; all by default.
    """
    profiles = []
    for stored in store.outcomes(spec, problems=problems):
        samples = stored.outcome.samples
        if samples:
            right = sum(bool(record.correct) for record in samples)
            seen = bool(stored.note.get(PRM_TRAINED_ON))
            rate = PassRate(right, len(samples))
            profiles.append(ProblemProfile(stored.outcome, rate, held_out=not seen))
    return profiles


def profile_rewards(
    profiles: Sequence[ProblemProfile], score: Score = Score.LAST
) -> RewardStatistics | None:
    """Reward statistics of scored samples, or None where nothing was scored.

    Problems the PRM was trained on are left out: its rewards there would flatter it.
    """
    scores, correct, problem = [], [], []
    for number, one in enumerate(p for p in profiles if p.held_out):
        samples = [record for record in one.outcome.samples if record.rewards]
        scores += scores_of(samples, score)
        correct += [bool(record.correct) for record in samples]
        problem += [number] * len(samples)
    if not scores:
        return None
    return reward_statistics(np.array(scores), np.array(correct), np.array(problem))


def total_ledger(profiles: Sequence[ProblemProfile]) -> Ledger:
    """The tokens of a whole profile."""
    return sum((one.outcome.ledger for one in profiles), Ledger())
