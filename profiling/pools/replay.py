"""Replay: expected accuracy of smaller budgets from one pool of samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

import numpy as np

from executor.answers.grader import Grader
from executor.answers.voting import Vote, group
from executor.outcome import SampleRecord, ballots, scores_of
from executor.search import State
from executor.strategy import FIRST, Score
from profiling.arrays import Bools, Floats, Ints
from profiling.pools.ballots import Ballots, among
from profiling.pools.best_counting import best_in_class
from profiling.pools.class_part import ClassPart
from profiling.pools.first_finished import ranks, short_m_of_k
from profiling.pools.ranked import RankedVote, ranked
from profiling.pools.votes import Curve, majority, weighted

ORDERS = 64
"""Number of random orders of a pool.

Over hundreds of problems, the noise of the orders is far below that of the problems."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The samples of one problem.

    A step is identified by all tokens up to its end; samples with the same tokens share it. A PRM
    scores a shared step once.

    Attributes:
        correct: whether each sample is right, shape `(n,)`.
        answer_class: index of each sample's class of equal answers, -1 without an answer; shape
            `(n,)`. If another program gave equal answers different grades, a class is partly right.
        scores: values of each score, shape `(n,)`; empty if no PRM scored the samples.
        tokens: length of each sample in tokens, shape `(n,)`.
        step_tokens: length of each distinct step in tokens, shape `(distinct steps,)`.
        step_samples: number of samples that share each step, shape `(distinct steps,)`.
        cut: whether a limit cut each sample, shape `(n,)`; None: none.
        further: rules by rank to replay besides those that every score has.
        executed: number of samples that share each answer that was run, shape `(such answers,)`.
    """

    correct: Bools
    answer_class: Ints
    scores: dict[Score, Floats]
    tokens: Ints
    step_tokens: Ints
    step_samples: Ints
    cut: Bools | None = None
    further: tuple[Rule, ...] = ()
    executed: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.correct)

    @classmethod
    def of(
        cls,
        samples: tuple[SampleRecord, ...],
        grader: Grader,
        *,
        rules: Sequence[Score] = (),
        grouped: dict[tuple[str | None, ...], list[int]] | None = None,
        further: tuple[Rule, ...] = (),
    ) -> Pool:
        """Return the pool of graded samples.

        Args:
            samples: all samples of a problem.
            grader: decides which answers are equal.
            rules: rules that turn rewards into scores; none if no scorer scored the samples. A
                sample without steps has the score 0, as in the executor; if it were dropped, the
                votes with a score would lack its problem.
            grouped: cache of answer classes, keyed by the tuple of answers; this call adds to it.
                With a cache, samples that several PRMs scored are grouped once.
            further: see `Pool`.
        """
        counted, comparer = ballots(samples, grader)
        answers = tuple(counted)
        classes_by_answers = {} if grouped is None else grouped
        if answers not in classes_by_answers:
            classes_by_answers[answers] = group(answers, comparer)
        steps = _distinct_steps(samples)
        ran = Counter(one.answer for one in samples if one.execution and not one.execution.is_empty)
        return cls(
            correct=np.array([bool(sample.correct) for sample in samples]),
            answer_class=np.array(classes_by_answers[answers]),
            scores={rule: np.array(scores_of(samples, rule)) for rule in rules},
            tokens=np.array([sample.n_tokens for sample in samples]),
            step_tokens=np.array([length for _, length in steps], dtype=np.int64),
            step_samples=np.array(list(steps.values()), dtype=np.int64),
            cut=np.array([sample.state == State.CUT.value for sample in samples]),
            further=further,
            executed=np.array(list(ran.values()), dtype=np.int64),
        )

    @property
    def lengths_known(self) -> bool:
        """Whether the length of every sample is known; a known one is at least 1."""
        return len(self.tokens) == len(self) and bool((self.tokens > 0).all())

    @property
    def finished(self) -> Bools:
        """Whether the policy ended each sample, shape `(n,)`."""
        return np.ones(len(self), dtype=np.bool_) if self.cut is None else ~self.cut

    def scored_share(self, ks: Ints) -> Floats:
        """Return the expected share of the pool's distinct step tokens in k samples, shape `(ks,)`.

        k samples drawn without replacement contain a step that m of n samples share, unless all k
        are among the other n - m. The result is the cost of scoring k samples, relative to the
        cost of scoring the pool.
        """
        n, total = len(self), self.step_tokens.sum()
        by_others = np.bincount(n - self.step_samples, self.step_tokens, minlength=n + 1)
        missed = by_others @ among(n, ks)
        return np.asarray(1 - missed / total if total else np.zeros(len(ks)))

    def executions(self, ks: Ints) -> Floats:
        """Return the expected number of answers to run among k samples, shape `(ks,)`.

        Samples with the same answer share its run, as they share steps (`scored_share`).
        """
        n = len(self)
        by_others = np.bincount(n - self.executed, minlength=n + 1)
        return np.asarray(len(self.executed) - by_others @ among(n, ks))


def _distinct_steps(samples: tuple[SampleRecord, ...]) -> Counter[tuple[tuple[int, ...], int]]:
    """Count the samples of each step, keyed by `(all tokens up to its end, its length)`."""
    counts: Counter[tuple[tuple[int, ...], int]] = Counter()
    for sample in samples:
        end = sample.visible_from
        for length in sample.steps:
            end += length
            counts[sample.token_ids[:end], length] += 1
    return counts


@dataclass(frozen=True, slots=True)
class Rule:
    """Rule that chooses one of k samples.

    Attributes:
        vote: the vote among the samples; None for pass@k, which any right sample satisfies.
        score: the score that the vote uses; None for pass@k and majority.
        first: number of samples that vote, the first of the k to finish; None: all k.
        keep, power: see `BestOfN`.
    """

    vote: Vote | None
    score: Score | None = None
    first: int | None = None
    keep: float = 1.0
    power: float = 1.0

    def __str__(self) -> str:
        if self.first is not None:
            return f"short {self.first}"
        vote = "pass" if self.vote is None else self.vote.value
        if self.vote is Vote.BORDA:
            vote += f" p={self.power:g}"
        if self.keep < 1:
            vote = f"best {self.keep:.0%} {vote}"
        return vote if self.score is None else f"{vote} {self.score.value}"


PASS = Rule(None)
MAJORITY = Rule(Vote.MAJORITY)
SHORT = tuple(Rule(Vote.MAJORITY, first=m) for m in (1, FIRST))
"""Votes of the first samples to finish, with the numbers of voters of the paper (short-m@k)."""


def replay(
    pool: Pool,
    ks: Ints,
    *,
    orders: int = ORDERS,
    random_state: int = 0,
    part: ClassPart | None = None,
) -> dict[Rule, Curve]:
    """Return the expected accuracy of each rule at each k.

    Rules with a score are included if the pool has scores, and votes of the first samples to finish
    if all lengths are known; those are NaN at a k below their number of voters. pass@k and `max`
    are closed forms; `majority` and the votes of the first are counted; a `weighted` vote is exact
    or has the variance of its draws (`profiling.pools.votes.weighted`), and so have the pool's
    `further` rules.

    Args:
        pool: n samples.
        ks: sizes of the draws, each from 1 to n, or to `part.largest`; shape `(ks,)`.
        orders: number of random orders of the pool for weighted votes.
        random_state: seed of the orders; each pool should have its own (`seed_of`), so that the
            errors of many pools do not add up.
        part: class part of the pool, for accuracies in the problem's class: the draws are those of
            the other samples, over all splits that give this class; None: the draws are from the
            whole pool.

    Raises:
        ValueError: a k is below 1 or above the number of samples that can be drawn.
    """
    if part is not None and (ks > part.largest).any():
        raise ValueError(f"k is {ks.max()}; expected at most {part.largest}: others give the class")
    if part is not None and part.certain:
        part = None
    levels = Ballots.by_worth(pool.answer_class, pool.correct)
    votes = partial(majority, ks=ks, orders=orders, random_state=random_state, part=part)
    curves = {
        PASS: Curve.exact(pass_at_k(pool.correct, ks, part)),
        MAJORITY: Curve.total([(worth, votes(ballots)) for worth, ballots in levels]),
    }
    if pool.lengths_known:
        curves |= {rule: Curve.exact(_short(pool, rule, ks, part)) for rule in SHORT}
    has_answer = pool.answer_class >= 0
    for score, values in pool.scores.items():
        rankable = np.where(has_answer, values, -np.inf)
        if part is None:
            accuracy = best_of_k(pool.correct & has_answer, rankable, ks)
        else:
            accuracy = best_in_class(part, rankable, ks)
        curves[Rule(Vote.MAX, score)] = Curve.exact(accuracy)
    if pool.scores:
        weights = np.stack(list(pool.scores.values()))
        curves_by_worth = [
            (
                worth,
                weighted(ballots, weights, ks, orders=orders, random_state=random_state, part=part),
            )
            for worth, ballots in levels
        ]
        curves |= {
            Rule(Vote.WEIGHTED, score): Curve.total(
                [(worth, rows[row]) for worth, rows in curves_by_worth]
            )
            for row, score in enumerate(pool.scores)
        }
    votes_by_rank = partial(ranked, ks=ks, orders=orders, random_state=random_state, part=part)
    for rule in pool.further:
        if rule.vote is not None and rule.score in pool.scores:
            by_rank = RankedVote(rule.vote, rule.keep, rule.power)
            curves[rule] = Curve.total(
                [
                    (worth, votes_by_rank(ballots, pool.scores[rule.score], rule=by_rank))
                    for worth, ballots in levels
                ]
            )
    return curves


def _short(pool: Pool, rule: Rule, ks: Ints, part: ClassPart | None) -> Floats:
    """Return the accuracy of the vote of the first to finish, NaN if k is below their number."""
    assert rule.first is not None
    enough = ks >= rule.first
    accuracy = np.full(len(ks), np.nan)
    # Another program may have read an answer from a sample that was cut; it does not vote.
    answers = np.where(pool.finished, pool.answer_class, -1)
    places = ranks(pool.tokens, pool.finished)
    accuracy[enough] = short_m_of_k(answers, pool.correct, places, rule.first, ks[enough], part)
    return accuracy


def replay_in_class(
    pool: Pool,
    ks: Ints,
    whole: dict[Rule, Curve],
    part: ClassPart,
    *,
    orders: int = ORDERS,
    random_state: int = 0,
) -> dict[Rule, Curve]:
    """Return the expected accuracy of each rule in the problem's class.

    Args:
        pool: n samples.
        ks: sizes of the draws in rising order; those above `part.largest` are left out.
        whole: curves of the whole pool at `ks`; they hold in the class if it is certain.
        part: class part of the pool.
        orders, random_state: see `replay`.

    Returns:
        Curves of shape `(ks up to part.largest,)`.
    """
    drawn = ks[ks <= part.largest]
    if part.certain or not len(drawn):
        first = slice(len(drawn))
        return {rule: Curve(c.accuracy[first], c.variance[first]) for rule, c in whole.items()}
    return replay(pool, drawn, orders=orders, random_state=random_state, part=part)


def seed_of(problem: str) -> int:
    """Return the seed of a problem; it depends on the uid alone, not on the other problems."""
    return int(problem, 16)


def pass_at_k(correct: Bools, ks: Ints, part: ClassPart | None = None) -> Floats:
    """Return P(at least one of k samples is right), shape `(ks,)`.

    For draws without replacement from n samples, c of them right, it is 1 - C(n-c, k) / C(n, k).
    With a class part it is the probability given the class.
    """
    if part is not None:
        return 1 - part.without(correct, ks)
    n = len(correct)
    return np.asarray(1 - among(n, ks)[n - int(correct.sum())])


def best_of_k(correct: Bools, scores: Floats, ks: Ints) -> Floats:
    """Return the expected correctness of the best-scored of k samples, shape `(ks,)`.

    The k samples are drawn without replacement. With samples sorted by score, the i-th worst of n
    is the best of a random k-subset with probability C(i-1, k-1) / C(n, k) = k/i C(i, k) / C(n, k);
    samples with equal scores share their probability evenly.
    """
    chance = _chance_of_best(len(correct), tuple(ks.tolist()))
    order = np.argsort(scores, kind="stable")
    _, tie = np.unique(scores[order], return_inverse=True)
    right = np.bincount(tie, correct[order]) / np.bincount(tie)
    return np.asarray(right[tie] @ chance)


@lru_cache(maxsize=8)
def _chance_of_best(n: int, ks: tuple[int, ...]) -> Floats:
    """Return P(a sample is the best of k), worst sample first, shape `(n, ks)`."""
    drawn = np.array(ks)
    return np.asarray(among(n, drawn)[1:] * drawn / np.arange(1, n + 1)[:, None])
