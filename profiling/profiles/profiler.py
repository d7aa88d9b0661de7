"""Profiling of a policy: a pool of graded and scored samples for each problem, and its pass@1."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from executor.answers.account import grading_account
from executor.answers.grader import Grader
from executor.answers.voting import Vote, vote
from executor.concurrency import in_thread
from executor.errors import InputError
from executor.ledger import Ledger
from executor.models.stopping import Finish
from executor.outcome import Outcome, SampleRecord, ballots, grade, scores_of
from executor.policies.base import ChatPolicy, Written
from executor.problem import Problem, problem_uid
from executor.run.admission import Admission
from executor.run.runner import (
    CONTEXT_EXCEEDED,
    PRM_TRAINED_ON,
    Executor,
    Models,
    Progress,
    Solved,
    run_problems,
)
from executor.scorers.fused import FusedScorer
from executor.scorers.loading import score_rules
from executor.search import (
    Context,
    Response,
    State,
    as_response,
    sample,
    sample_until,
    score_all,
)
from executor.store.store import RunSpec, Store
from executor.strategy import Score
from profiling.arrays import Floats
from profiling.pass_rate import RESOLVED_FROM, PassRate
from profiling.pools.replay import Pool
from profiling.reliability import Bin, reliability
from profiling.scorers.rewards import RewardStatistics, reward_statistics

KIND = "profile"
MEASURE = "measure"  # the kind of live runs of one strategy
STUDY = "study"  # the setting that names the study of an imported run; other runs lack it
BENCHMARK = "benchmark"  # the setting that names the problem set of an imported run
CONFIDENCE = "confidence"  # the setting of profiles that stop early


@dataclass(frozen=True, slots=True)
class ProblemProfile:
    """Profile of one problem."""

    outcome: Outcome
    pass_rate: PassRate
    held_out: bool = True
    """Whether the problem is absent from the PRM's training data."""
    resolved_from: float = RESOLVED_FROM
    """Least posterior probability of a resolved class."""
    about: Floats | None = None
    """Features of the problem's text (`profiling.difficulty.probes.TEXT`), if the text is gone."""

    @property
    def resolved(self) -> bool:
        """Whether the difficulty has at least the probability `resolved_from`."""
        return self.pass_rate.resolved(self.resolved_from)

    def to_dict(self) -> dict[str, Any]:
        """Return the record that `apportion profile --json` prints."""
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
    """Return the run of a profile; it includes the PRM, so that rewards of two PRMs never mix.

    Args:
        models: policy and PRM.
        max_samples: largest number of samples per problem.
        template: prompt template.
        confidence: posterior probability of the class, in [0.5, 1), at which sampling of a problem
            stops; None always draws `max_samples`.

    Raises:
        InputError: `max_samples` or `confidence` is out of range.
    """
    if max_samples < 1:
        raise InputError(f"--max-samples is {max_samples}; expected at least 1")
    if confidence is not None and not 0.5 <= confidence < 1:
        raise InputError(f"--confidence is {confidence}; expected at least 0.5 and below 1")
    settings = models.settings(template, max_samples=max_samples)
    settings.pop("early_stop", None)  # a profile holds no vote that could settle early
    if confidence is not None:
        settings[CONFIDENCE] = confidence
    return RunSpec(KIND, models.policy_name, models.prm_name, settings)


def rules_of(spec: RunSpec) -> tuple[Score, ...]:
    """Return the rules that turn the rewards of a run's samples into scores; none if it has none.

    Runs of other programs do not tell the scorer's kind: their scorers are PRMs.
    """
    if spec.prm is None:
        return ()
    return score_rules(spec.settings.get("models", {}).get("prm", ""))


async def profile(
    models: Models,
    problems: Sequence[Problem],
    store: Store,
    spec: RunSpec,
    *,
    progress: Progress = lambda finished: None,
    admission: Admission | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> int:
    """Sample, score and grade the problems that the run `spec` lacks; see `run_problems`.

    If the store has the same samples without a PRM, they are scored and not drawn again, unless the
    policy holds the PRM: its rewards come with the tokens, and cost a pass over them afterwards.

    Raises:
        InputError: a problem has no reference answer.
    """
    for problem in problems:
        if problem.answer is None:
            raise InputError(f"problem {problem.id}: has no answer; a profile must grade samples")
    drawn = _drawn_before(store, spec) if models.prm_name is not None else {}
    n, confidence = spec.settings["max_samples"], spec.settings.get(CONFIDENCE)

    async def solve(problem: Problem) -> Solved:
        job = BySampling(n, drawn.get(problem_uid(problem)), confidence)
        return await models.run(job, problem)

    return await run_problems(
        problems, solve, store, spec, progress=progress, admission=admission, say=say
    )


@dataclass(frozen=True, slots=True)
class BySampling:
    """Job that draws `n` samples, or scores the samples of the outcome `before`.

    If `confidence` is given, the job stops as soon as the class has this posterior probability.
    """

    n: int
    before: Outcome | None = None
    confidence: float | None = None

    async def __call__(self, executor: Executor, problem: Problem) -> Solved:
        """Return the graded samples with the answer of their majority."""
        return await _solve(executor, problem, self)


async def _solve(executor: Executor, problem: Problem, job: BySampling) -> Solved:
    started = time.perf_counter()
    context = executor.context(problem, job.n)
    before = None if isinstance(executor.prm, FusedScorer) else job.before
    if before is not None:
        context.ledger = dataclasses.replace(before.ledger)
        context.bill.unknown |= before.unknown
        responses = [restore(context, record) for record in before.samples]
        if context.executions is not None:
            context.executions.know((record.answer, record.execution) for record in before.samples)
    elif job.confidence is None:
        responses = await sample(context, job.n, where="profile")
    else:
        missing = _Settling(executor.grader, problem, job.confidence)
        responses = await sample_until(context, job.n, missing, where="profile")
    if executor.prm is not None:
        responses = await score_all(context, responses)
    with grading_account() as account:
        samples = await in_thread(
            partial(grade, responses, problem, executor.grader, context.executions)
        )
        chosen = None
        if samples:
            answers, grader = ballots(samples, executor.grader)
            chosen = await in_thread(partial(vote, answers, None, Vote.MAJORITY, grader))
    outcome = Outcome(
        problem=problem,
        answer=None if chosen is None else samples[chosen].answer,
        correct=bool(chosen is not None and samples[chosen].correct),
        chosen=chosen,
        samples=tuple(samples),
        ledger=context.ledger,
        seconds=time.perf_counter() - started,
        unknown=context.unknown,
        uncompared=account.uncompared,
    )
    return outcome, executor.note(context, outcome)


class _Settling:
    """Grader of new samples that returns how many more samples could settle the class."""

    def __init__(self, grader: Grader, problem: Problem, confidence: float) -> None:
        self._grader, self._problem, self._confidence = grader, problem, confidence
        self._correct: list[bool] = []

    async def __call__(self, responses: Sequence[Response], left: int) -> int:
        new = responses[len(self._correct) :]
        records = await in_thread(partial(grade, new, self._problem, self._grader))
        self._correct += [bool(record.correct) for record in records]
        right, drawn = sum(self._correct), len(self._correct)
        return PassRate.fewest_to_settle(right, drawn, self._confidence, left)


def restore(context: Context, record: SampleRecord) -> Response:
    """Return the response of a stored sample, without its rewards."""
    if isinstance(context.policy, ChatPolicy):
        finish = Finish.EOS if record.state == State.FINISHED.value else Finish.LENGTH
        return as_response(Written(record.text, finish, record.n_tokens))
    thought = record.token_ids[: record.visible_from]
    steps = tuple(context.tokens.tokens.steps(record.token_ids[record.visible_from :]))
    return Response(
        steps, state=State(record.state), logprob=record.logprob, confidences=record.confidences,
        certainty=record.certainty, thought=thought,
    )  # fmt: skip


def _drawn_before(store: Store, spec: RunSpec) -> dict[str, Outcome]:
    models = {role: d for role, d in spec.settings["models"].items() if role != "prm"}
    plain = dataclasses.replace(spec, prm=None, settings=spec.settings | {"models": models})
    return {problem_uid(stored.outcome.problem): stored.outcome for stored in store.outcomes(plain)}


def read_profile(
    store: Store, spec: RunSpec, problems: Sequence[Problem] | None = None
) -> list[ProblemProfile]:
    """Return the profile of each problem that a run has samples of.

    Args:
        store: store of the run.
        spec: the run.
        problems: problems to return, with the ids that they have here; None means all.
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


def beyond_context(
    store: Store, spec: RunSpec, problems: Sequence[Problem] | None = None
) -> list[str]:
    """Return the ids of the problems whose question fills the policy's context.

    Nothing can be drawn for them, so that a profile has no samples of them.

    Args:
        store: store of the run.
        spec: the run.
        problems: problems to look at, with the ids that they have here; None means all.
    """
    found = store.outcomes(spec, problems=problems, samples=False)
    return [one.outcome.problem.id for one in found if one.note.get(CONTEXT_EXCEEDED)]


def profile_rewards(
    profiles: Sequence[ProblemProfile], grader: Grader | None = None, score: Score = Score.LAST
) -> RewardStatistics | None:
    """Return reward statistics of scored samples; None if no sample has a score.

    The statistics include votes if there is a grader and all pools have the same size. Unequal
    sizes come from early stopping, and then the size of a pool depends on the outcomes.
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
            [Pool.of(tuple(each), grader, rules=(score,)) for each in scored]
            if grader and even
            else ()
        ),
        score=score,
    )


def profile_reliability(profiles: Sequence[ProblemProfile], score: Score = Score.LAST) -> list[Bin]:
    """Return the share of right samples by score; an empty list if no sample has a score."""
    scored = _scored(profiles)
    samples = [record for each in scored for record in each]
    correct = np.array([bool(record.correct) for record in samples])
    return reliability(np.array(scores_of(samples, score)), correct, _places(scored))


def _scored(profiles: Sequence[ProblemProfile]) -> list[list[SampleRecord]]:
    """Return the scored samples of each problem that has any.

    Problems in the PRM's training data are left out, because their rewards are too good.
    """
    by_problem = (
        [record for record in one.outcome.samples if record.rewards]
        for one in profiles
        if one.held_out
    )
    return [samples for samples in by_problem if samples]


def _places(scored: Sequence[Sequence[SampleRecord]]) -> NDArray[np.int64]:
    """Return the problem index of each sample, shape `(samples,)`."""
    return np.repeat(np.arange(len(scored)), [len(each) for each in scored])


def total_ledger(profiles: Sequence[ProblemProfile]) -> Ledger:
    """Return the sum of the ledgers of a profile."""
    return sum((one.outcome.ledger for one in profiles), Ledger())
