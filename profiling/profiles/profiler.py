"""Profiles a policy: a pool of graded, scored samples for every problem, and what it says."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from executor.answers.grader import Grader
from executor.answers.voting import Vote, vote
from executor.errors import InputError
from executor.ledger import Ledger
from executor.outcome import Outcome, SampleRecord, grade, scores_of
from executor.problem import Problem, problem_uid
from executor.run.admission import Admission
from executor.run.runner import (
    PRM_TRAINED_ON,
    Executor,
    Models,
    Progress,
    Solved,
    run_problems,
)
from executor.search import Context, Response, State, sample, sample_until, score_all
from executor.store.store import RunSpec, Store
from executor.strategy import Score
from profiling.pass_rate import RESOLVED_FROM, PassRate
from profiling.pools.replay import Pool
from profiling.reliability import Bin, reliability
from profiling.scorers.rewards import RewardStatistics, reward_statistics

KIND = "profile"
MEASURE = "measure"  # the kind of live runs of one strategy
STUDY = "study"  # the setting that says whose runs these are; only imported ones have it
BENCHMARK = "benchmark"  # the setting that names the problem set of an imported run
CONFIDENCE = "confidence"  # the setting of profiles that stop early


@dataclass(frozen=True, slots=True)
class ProblemProfile:
    """What a profile says of one problem."""

    outcome: Outcome
    pass_rate: PassRate
    held_out: bool = True
    """Whether the PRM has not seen the problem in its training."""
    resolved_from: float = RESOLVED_FROM
    """How sure a class must be; less is called unresolved."""

    @property
    def resolved(self) -> bool:
        """Whether the difficulty is told surely enough."""
        return self.pass_rate.resolved(self.resolved_from)

    def to_dict(self) -> dict[str, Any]:
        """The record `apportion profile --json` prints."""
        low, high = self.pass_rate.interval()
        return {
            "id": self.outcome.problem.id,
            "pass_at_1": self.pass_rate.pass_at_1,
            "interval": [low, high],
            "difficulty": self.pass_rate.difficulty.value,
            "confidence": self.pass_rate.confidence,
            "resolved": self.resolved,
            "samples": self.pass_rate.trials,
        }


def profile_spec(
    models: Models,
    max_samples: int,
    template: Mapping[str, Any],
    confidence: float | None = None,
) -> RunSpec:
    """The run a profile is; the PRM is part of it, so that rewards are never mixed.

    With `confidence`, sampling of a problem stops as soon as its class is so sure.
    """
    if max_samples < 1:
        raise InputError(f"--max-samples {max_samples}: must be at least 1")
    if confidence is not None and not 0.5 <= confidence < 1:
        raise InputError(f"--confidence {confidence}: must be at least 0.5 and below 1")
    settings = models.settings(template, max_samples=max_samples)
    settings.pop("early_stop", None)  # no vote is held that could be settled early
    if confidence is not None:
        settings[CONFIDENCE] = confidence
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
    n, confidence = spec.settings["max_samples"], spec.settings.get(CONFIDENCE)

    async def solve(problem: Problem) -> Solved:
        job = BySampling(n, drawn.get(problem_uid(problem)), confidence)
        return await models.run(job, problem)

    return await run_problems(problems, solve, store, spec, progress=progress, admission=admission)


@dataclass(frozen=True, slots=True)
class BySampling:
    """The job of drawing `n` samples, or of scoring those drawn `before`.

    With `confidence`, no more are drawn than it takes for the class to be so sure.
    """

    n: int
    before: Outcome | None = None
    confidence: float | None = None

    async def __call__(self, executor: Executor, problem: Problem) -> Solved:
        """The samples, graded; their majority's answer."""
        return await _solve(executor, problem, self)


async def _solve(executor: Executor, problem: Problem, job: BySampling) -> Solved:
    started = time.perf_counter()
    context = executor.context(problem, job.n)
    if job.before is not None:
        context.ledger = dataclasses.replace(job.before.ledger)
        responses = [restore(context, record) for record in job.before.samples]
    elif job.confidence is None:
        responses = await sample(context, job.n, where="profile")
    else:
        missing = _Settling(executor.grader, problem, job.confidence)
        responses = await sample_until(context, job.n, missing, where="profile")
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


class _Settling:
    """Grades samples as they come, and says how many more could settle the class."""

    def __init__(self, grader: Grader, problem: Problem, confidence: float) -> None:
        self._grader, self._problem, self._confidence = grader, problem, confidence
        self._correct: list[bool] = []

    async def __call__(self, known: Sequence[Response], left: int) -> int:
        new = known[len(self._correct) :]
        records = await asyncio.to_thread(grade, new, self._problem, self._grader)
        self._correct += [bool(record.correct) for record in records]
        right, drawn = sum(self._correct), len(self._correct)
        return PassRate.fewest_to_settle(right, drawn, self._confidence, left)


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
    confidence = spec.settings.get(CONFIDENCE) or RESOLVED_FROM
    for stored in store.outcomes(spec, problems=problems):
        samples = stored.outcome.samples
        if samples:
            right = sum(bool(record.correct) for record in samples)
            seen = bool(stored.note.get(PRM_TRAINED_ON))
            rate = PassRate(right, len(samples))
            profiles.append(ProblemProfile(stored.outcome, rate, not seen, confidence))
    return profiles


def profile_rewards(
    profiles: Sequence[ProblemProfile], grader: Grader | None = None, score: Score = Score.LAST
) -> RewardStatistics | None:
    """Reward statistics of scored samples, or None where nothing was scored.

    Votes are held with a grader, and only where all pools are as large as each other: how large one
    that was stopped early is depends on what came.
    """
    scored = _scored(profiles)
    if not scored:
        return None
    samples = [record for each in scored for record in each]
    even = len({len(each) for each in scored}) == 1
    return reward_statistics(
        np.array(scores_of(samples, score)),
        np.array([bool(record.correct) for record in samples]),
        _places(scored),
        lengths=np.array([record.n_tokens for record in samples]),
        pools=(
            [Pool.of(tuple(each), grader, scored=True) for each in scored]
            if grader and even
            else ()
        ),
        score=score,
    )


def profile_reliability(profiles: Sequence[ProblemProfile], score: Score = Score.LAST) -> list[Bin]:
    """How often samples were right, by their score; empty where nothing was scored."""
    scored = _scored(profiles)
    samples = [record for each in scored for record in each]
    correct = np.array([bool(record.correct) for record in samples])
    return reliability(np.array(scores_of(samples, score)), correct, _places(scored))


def _scored(profiles: Sequence[ProblemProfile]) -> list[list[SampleRecord]]:
    """The scored samples of each problem that has any.

    Problems the PRM was trained on are left out: its rewards there would flatter it.
    """
    found = (
        [record for record in one.outcome.samples if record.rewards]
        for one in profiles
        if one.held_out
    )
    return [samples for samples in found if samples]


def _places(scored: Sequence[Sequence[SampleRecord]]) -> NDArray[np.int64]:
    """The index of each sample's problem."""
    return np.repeat(np.arange(len(scored)), [len(each) for each in scored])


def total_ledger(profiles: Sequence[ProblemProfile]) -> Ledger:
    """The tokens of a whole profile."""
    return sum((one.outcome.ledger for one in profiles), Ledger())
