"""Sample once, replay everything: expected accuracy of smaller budgets from one pool of samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from executor.answers.grader import Grader
from executor.answers.voting import Vote, group
from executor.outcome import SampleRecord, scores_of
from executor.strategy import Score
from profiling.arrays import Bools, Floats, Ints
from profiling.pools.ballots import Ballots, among
from profiling.pools.votes import Curve, majority, weighted

ORDERS = 64
"""Random orders of a pool: over hundreds of problems their noise is far below the problems' own."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The samples of one problem, as arrays of shape `(n,)`.

    Attributes:
        correct: whether each sample is right.
        answer_class: index of each sample's class of equal answers, -1 without an answer. Another
            program may have graded equal answers unlike: such a class is right in part.
        scores: for every score, one number a sample; empty where nothing was scored.
        tokens: length of each sample.
        step_tokens, step_samples: shape `(distinct steps,)`. A step is distinct by all that is
            written up to its end; how long it is, and how many samples have it. A PRM scores it
            once, however many have it.
    """

    correct: Bools
    answer_class: Ints
    scores: dict[Score, Floats]
    tokens: Ints
    step_tokens: Ints
    step_samples: Ints

    def __len__(self) -> int:
        return len(self.correct)

    @classmethod
    def of(
        cls,
        samples: tuple[SampleRecord, ...],
        grader: Grader,
        *,
        scored: bool,
        grouped: dict[tuple[str | None, ...], list[int]] | None = None,
    ) -> Pool:
        """The pool of graded samples.

        Args:
            samples: all of a problem's.
            grader: says which answers are equal.
            scored: whether a PRM was asked; a sample without steps is then worth 0, as it is to the
                executor. Left out, its problem would be missing from the rules with a score alone.
            grouped: classes of answers that were grouped before, which these are added to: samples
                that several PRMs scored are grouped once.
        """
        answers = tuple(sample.answer for sample in samples)
        known = {} if grouped is None else grouped
        if answers not in known:
            known[answers] = group(answers, grader)
        steps = _distinct_steps(samples)
        return cls(
            correct=np.array([bool(sample.correct) for sample in samples]),
            answer_class=np.array(known[answers]),
            scores={s: np.array(scores_of(samples, s)) for s in Score} if scored else {},
            tokens=np.array([sample.n_tokens for sample in samples]),
            step_tokens=np.array([length for _, length in steps], dtype=np.int64),
            step_samples=np.array(list(steps.values()), dtype=np.int64),
        )

    def scored_share(self, ks: Ints) -> Floats:
        """The share of the pool's distinct step tokens that k of its samples are expected to have.

        A step of m of n samples is among k drawn without replacement unless all k are among the
        n - m others; so this is what scoring k samples costs, the pool being 1. Shape `(ks,)`.
        """
        n, total = len(self), self.step_tokens.sum()
        by_others = np.bincount(n - self.step_samples, self.step_tokens, minlength=n + 1)
        missed = by_others @ among(n, ks)
        return np.asarray(1 - missed / total if total else np.zeros(len(ks)))


def _distinct_steps(samples: tuple[SampleRecord, ...]) -> Counter[tuple[tuple[int, ...], int]]:
    """`(all tokens up to a step's end, the step's length)`, with how many samples have it."""
    found: Counter[tuple[tuple[int, ...], int]] = Counter()
    for sample in samples:
        end = 0
        for length in sample.steps:
            end += length
            found[sample.token_ids[:end], length] += 1
    return found


@dataclass(frozen=True, slots=True)
class Rule:
    """How one of k samples is chosen.

    Attributes:
        vote: the vote among them; None for none, any right sample counts (pass@k).
        score: the score the vote goes by; None for pass@k and majority.
    """

    vote: Vote | None
    score: Score | None = None

    def __str__(self) -> str:
        vote = "pass" if self.vote is None else self.vote.value
        return vote if self.score is None else f"{vote} {self.score.value}"


PASS = Rule(None)
MAJORITY = Rule(Vote.MAJORITY)


def replay(
    pool: Pool, ks: Ints, *, orders: int = ORDERS, random_state: int = 0
) -> dict[Rule, Curve]:
    """Expected accuracy of every rule at every k; those with a score where the pool has scores.

    pass@k and `max` are closed forms, `majority` is counted; `weighted` votes are exact or come
    with the variance of their draws (`profiling.pools.votes.weighted`).

    Args:
        pool: n samples.
        ks: shape `(ks,)`, each from 1 to n.
        orders: random orders of the pool that weighted votes are held in.
        random_state: of the orders; a pool should have its own (`seed_of`), so that errors of
            many pools do not add up.
    """
    levels = Ballots.by_worth(pool.answer_class, pool.correct)
    drawing = {"orders": orders, "random_state": random_state}
    curves = {
        PASS: Curve.exact(pass_at_k(pool.correct, ks)),
        MAJORITY: Curve.total(
            [(worth, majority(ballots, ks, **drawing)) for worth, ballots in levels]
        ),
    }
    answered = pool.answer_class >= 0
    for score, values in pool.scores.items():
        accuracy = best_of_k(pool.correct & answered, np.where(answered, values, -np.inf), ks)
        curves[Rule(Vote.MAX, score)] = Curve.exact(accuracy)
    if pool.scores:
        weights = np.stack(list(pool.scores.values()))
        held = [(worth, weighted(ballots, weights, ks, **drawing)) for worth, ballots in levels]
        curves |= {
            Rule(Vote.WEIGHTED, score): Curve.total([(worth, rows[row]) for worth, rows in held])
            for row, score in enumerate(pool.scores)
        }
    return curves


def seed_of(problem: str) -> int:
    """A random state of a problem's own, from its uid: whatever else is replayed beside it."""
    return int(problem, 16)


def pass_at_k(correct: Bools, ks: Ints) -> Floats:
    """P(at least one of k drawn without replacement is right) = 1 - C(n-c, k) / C(n, k)."""
    n = len(correct)
    return np.asarray(1 - among(n, ks)[n - int(correct.sum())])


def best_of_k(correct: Bools, scores: Floats, ks: Ints) -> Floats:
    """Expected correctness of the highest scored of k samples drawn without replacement.

    With samples sorted by score, the i-th worst of n is the best of a random k-subset with
    probability C(i-1, k-1) / C(n, k) = k/i C(i, k) / C(n, k); samples with equal scores share
    theirs evenly.
    """
    chance = _chance_of_best(len(correct), tuple(ks.tolist()))
    order = np.argsort(scores, kind="stable")
    _, tie = np.unique(scores[order], return_inverse=True)
    right = np.bincount(tie, correct[order]) / np.bincount(tie)
    return np.asarray(right[tie] @ chance)


@lru_cache(maxsize=8)
def _chance_of_best(n: int, ks: tuple[int, ...]) -> Floats:
    """Shape `(n, ks)`: of each sample, worst first; pools of one size share it."""
    drawn = np.array(ks)
    return np.asarray(among(n, drawn)[1:] * drawn / np.arange(1, n + 1)[:, None])
