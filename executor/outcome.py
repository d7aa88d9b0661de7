"""What is known of a problem after a strategy ran: its responses graded, its answer, its ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from executor.answers.grader import Grader
from executor.answers.voting import Vote, group, vote
from executor.ledger import Ledger
from executor.problem import Problem
from executor.search import Response, State, aggregate
from executor.strategy import (
    AdaptiveMajority,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Score,
    Strategy,
)


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """One response as stored.

    Attributes:
        text: the response.
        answer: the answer extracted from it; None where it has none or was cut by a limit.
        correct: whether the answer is the reference; None where no reference is known.
        state: `finished` or `cut`.
        n_tokens: its length in tokens.
        logprob: log-probability of its tokens, in nats.
        rewards: the PRM's reward of each step, empty where it was not scored.
        steps: how many tokens each step has.
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished problem.

    Attributes:
        problem: the problem.
        answer: the answer given; None where no response has one.
        correct: whether it is the reference answer; None where no reference is known.
        chosen: index of the response the answer was taken from; None without responses.
        samples: the final responses.
        ledger: the tokens it was charged.
        seconds: from its start to its answer, other problems running beside it.
        unknown: counts that nobody knows, though they stand as 0: names of the ledger's, and
            `n_tokens` and `logprob` of the samples. Other programs' runs have them, ours none.
    """

    problem: Problem
    answer: str | None
    correct: bool | None
    chosen: int | None
    samples: tuple[SampleRecord, ...]
    ledger: Ledger = field(default_factory=Ledger)
    seconds: float = 0.0
    unknown: frozenset[str] = frozenset()


def grade(responses: Sequence[Response], problem: Problem, grader: Grader) -> list[SampleRecord]:
    """The responses as records; a response cut by a limit has no answer."""
    records = []
    # Of hundreds of samples many are equal, and their answers more so.
    answers: dict[str, str | None] = {}
    verdicts: dict[str | None, bool | None] = {}
    for response in responses:
        text, token_ids = response.text, tuple(response.token_ids)
        if text not in answers:
            answers[text] = grader.extract(text)
        answer = answers[text] if response.state is State.FINISHED else None
        if answer not in verdicts:
            verdicts[answer] = (
                None if problem.answer is None else grader.correct(answer, problem.answer)
            )
        correct = verdicts[answer]
        records.append(
            SampleRecord(
                text=text,
                answer=answer,
                correct=correct,
                state=response.state.value,
                n_tokens=len(token_ids),
                logprob=response.logprob,
                rewards=response.rewards,
                steps=tuple(len(step.token_ids) for step in response.steps),
                token_ids=token_ids,
            )
        )
    return records


def choose(strategy: Strategy, samples: Sequence[SampleRecord], grader: Grader) -> int | None:
    """Index of the response whose answer the strategy gives; None without responses."""
    if not samples:
        return None
    answers = [sample.answer for sample in samples]
    match strategy:
        case Greedy():
            return 0
        case Majority() | AdaptiveMajority():
            return vote(answers, None, Vote.MAJORITY, grader)
        case BestOfN() | BeamSearch() | Dvts() | ParticleFilter():
            scores = [aggregate(sample.rewards, strategy.score) for sample in samples]
            return vote(answers, scores, strategy.vote, grader)


def best(strategy: Strategy, samples: Sequence[SampleRecord], n: int, grader: Grader) -> list[int]:
    """Indices of the `n` best responses by a strategy's own vote, the first as `choose` has it.

    Each next one is chosen from those that give another answer. Where there are no more, what is
    left is chosen from by its wording; fewer than `n` come out where all that is left was said.
    """
    found: list[int] = []
    for told in (group([one.answer for one in samples], grader), [one.text for one in samples]):
        said = {told[index] for index in found}
        left = [index for index in range(len(samples)) if told[index] not in said]
        while left and len(found) < n:
            chosen = choose(strategy, [samples[index] for index in left], grader)
            assert chosen is not None
            found.append(left[chosen])
            left = [index for index in left if told[index] != told[found[-1]]]
    return found


def scores_of(samples: Sequence[SampleRecord], score: Score) -> list[float]:
    """One score a sample."""
    return [aggregate(sample.rewards, score) for sample in samples]
