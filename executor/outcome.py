"""Outcomes: the answer of a strategy to a problem, its graded responses and its ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from executor.answers.account import grading_account
from executor.answers.grader import Grader
from executor.answers.voting import Vote, group, vote
from executor.domains.execution import ByText, Execution, Executions
from executor.ledger import Ledger
from executor.problem import Problem
from executor.search import Response, State, aggregate, first_to_finish
from executor.strategy import (
    AdaptiveMajority,
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Score,
    ShortMOfK,
    Strategy,
)


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """One graded response, as stored.

    Attributes:
        text: text of the response, behind its thought.
        answer: extracted answer; None if it has none or a limit cut the response.
        correct: whether the answer is right; None without a reference.
        state: `finished` or `cut`.
        n_tokens: number of tokens.
        logprob: log-probability of its tokens, in nats.
        rewards: the PRM's reward of each step; empty if it was not scored.
        steps: number of tokens of each step.
        token_ids: its tokens; empty if a chat policy wrote it.
        confidences: confidence of each token (`executor.models.confidence`), in nats; empty if they
            were not recorded.
        execution: what the answer does on what everybody may see; None if it was not executed.
        certainty: sum of the certainties of its tokens, in nats (`FusedRows.certainty`); None if
            the policy did not say.
        visible_from: number of its first tokens that belong to its thought; `text` and `steps`
            begin behind them.
    """

    text: str
    answer: str | None
    correct: bool | None
    state: str
    n_tokens: int
    logprob: float
    rewards: tuple[float, ...] = ()
    steps: tuple[int, ...] = ()
    token_ids: tuple[int, ...] = ()
    confidences: tuple[float, ...] = ()
    execution: Execution | None = None
    certainty: float | None = None

    @property
    def behaviour(self) -> str | None:
        """See `Execution.behaviour`; None if the answer was not executed."""
        return None if self.execution is None else self.execution.behaviour

    visible_from: int = 0

    @property
    def only_thought(self) -> bool:
        """Whether nothing stands behind its thought, so that it has no answer."""
        return self.visible_from > 0 and not self.text.strip()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a strategy on one problem.

    Attributes:
        problem: the problem.
        answer: chosen answer; None if no response has one.
        correct: whether it is right; None without a reference.
        chosen: index of the chosen response; None without responses.
        samples: final responses.
        ledger: charged tokens.
        seconds: time from start to answer, with other problems in flight.
        unknown: names of counts that are 0 because they are unknown: counts of the ledger, and
            `n_tokens` and `logprob` of samples. Runs of other programs have them, and those of
            chat policies: their endpoints give no log-probabilities, and may not say what they
            bill.
        uncompared: number of pairs of answers that count as different because the grading time of
            the question was spent (`executor.answers.account`).
    """

    problem: Problem
    answer: str | None
    correct: bool | None
    chosen: int | None
    samples: tuple[SampleRecord, ...]
    ledger: Ledger = field(default_factory=Ledger)
    seconds: float = 0.0
    unknown: frozenset[str] = frozenset()
    uncompared: int = 0


def grade(
    responses: Sequence[Response],
    problem: Problem,
    grader: Grader,
    executions: Executions | None = None,
) -> list[SampleRecord]:
    """Grade responses; one that a limit cut has no answer.

    Args:
        responses: responses to the problem.
        problem: the problem.
        grader: grader of its domain.
        executions: runs the answers, and the records keep what they do; None: nothing runs but
            what the grade needs.
    """
    # Many of hundreds of samples are equal, and even more of their answers.
    texts = [response.text for response in responses]
    extracted = {text: grader.extract(problem.begun + text) for text in dict.fromkeys(texts)}
    answers = [
        extracted[text] if response.state is State.FINISHED else None
        for response, text in zip(responses, texts, strict=True)
    ]
    verdicts = _verdicts(answers, problem.answer, grader)
    ran: dict[str | None, Execution | None] = {
        answer: None if answer is None or executions is None else executions(answer)
        for answer in dict.fromkeys(answers)
    }
    records = []
    for response, text, answer in zip(responses, texts, answers, strict=True):
        token_ids = tuple(response.token_ids)
        records.append(
            SampleRecord(
                text=text,
                answer=answer,
                correct=verdicts[answer],
                state=response.state.value,
                n_tokens=response.n_tokens,
                logprob=response.logprob,
                rewards=response.rewards,
                steps=tuple(len(step.token_ids) for step in response.steps),
                token_ids=token_ids,
                confidences=response.confidences,
                execution=ran[answer],
                certainty=response.certainty,
                visible_from=len(response.thought),
            )
        )
    return records


def _verdicts(
    answers: Sequence[str | None], reference: str | None, grader: Grader
) -> dict[str | None, bool | None]:
    """Tell of each answer whether it is right; None without a reference."""
    with grading_account():
        return {
            answer: None if reference is None else grader.correct(answer, reference)
            for answer in dict.fromkeys(answers)
        }


def ballots(samples: Sequence[SampleRecord], grader: Grader) -> tuple[list[str | None], Grader]:
    """Return what votes count for each sample, and what compares it.

    It is the answer, or what the answer does, if the samples were executed on inputs: a program
    that gives no output casts no vote.
    """
    ran = [sample.execution for sample in samples if sample.answer is not None]
    if ran and all(one is not None and one.outputs for one in ran):
        return [one.behaviour for one in samples], ByText()
    return [sample.answer for sample in samples], grader


def choose(strategy: Strategy, samples: Sequence[SampleRecord], grader: Grader) -> int | None:
    """Return the index of the response that the strategy's vote chooses; None without responses."""
    if not samples:
        return None
    answers, grader = ballots(samples, grader)
    match strategy:
        case Greedy():
            return 0
        case Majority() | AdaptiveMajority() | Aggregate():
            return vote(answers, None, Vote.MAJORITY, grader)
        case ShortMOfK(m=m):
            return _vote_of_first(samples, answers, m, grader)
        case BestOfN():
            scores = scores_of(samples, strategy.score)
            return vote(answers, scores, strategy.vote, grader, keep=strategy.keep,
                        power=strategy.power)  # fmt: skip
        case BeamSearch() | Dvts() | ParticleFilter():
            return vote(answers, scores_of(samples, strategy.score), strategy.vote, grader)


def _vote_of_first(
    samples: Sequence[SampleRecord], answers: Sequence[str | None], m: int, grader: Grader
) -> int:
    """Return the choice of the first `m` samples to finish; 0 if none has."""
    lengths = [sample.n_tokens for sample in samples]
    finished = [sample.state == State.FINISHED.value for sample in samples]
    first = first_to_finish(lengths, finished, m)
    if not first:
        return 0
    # The shortest comes first, so that it wins ties.
    return first[vote([answers[index] for index in first], None, Vote.MAJORITY, grader)]


def best(strategy: Strategy, samples: Sequence[SampleRecord], n: int, grader: Grader) -> list[int]:
    """Return the indices of the `n` best responses by a strategy's vote; the first is `choose`'s.

    Each further one is chosen among those with another answer and, when there are none, among those
    with another text. Fewer than `n` come out if there are not that many different texts.
    """
    chosen_so_far: list[int] = []
    for labels in (group(*ballots(samples, grader)), [one.text for one in samples]):
        used = {labels[index] for index in chosen_so_far}
        left = [index for index in range(len(samples)) if labels[index] not in used]
        while left and len(chosen_so_far) < n:
            chosen = choose(strategy, [samples[index] for index in left], grader)
            assert chosen is not None
            chosen_so_far.append(left[chosen])
            left = [index for index in left if labels[index] != labels[chosen_so_far[-1]]]
    return chosen_so_far


def scores_of(samples: Sequence[SampleRecord], score: Score) -> list[float]:
    """Return the score of each sample."""
    return [aggregate(sample.rewards, score) for sample in samples]
