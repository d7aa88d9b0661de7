"""What routing each question by a few probes would have done, replayed from pools of samples.

Probes are drawn from a problem's pool. A vote that can use them goes on from them with further
samples of the pool; a search or a greedy answer starts anew and pays for them. So probes that
mislead also mislead the vote that counts them, as they would online.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from executor.answers.grader import Vote
from executor.strategy import BestOfN, Majority, Strategy
from planner.choice.constraint import Constraint
from planner.choice.probe_cost import uses_probes
from planner.choice.recommend import choose
from planner.evaluation.crossfit import Arena, Indices
from profiling.arrays import Floats
from profiling.difficulty.pass_rate import ALL, Difficulty
from profiling.pools.ballots import Ballots
from profiling.pools.replay import Pool

LEVELS = tuple(level.value for level in Difficulty)
# P(easy), P(medium), P(hard) of a problem, shape `(draws, 3)`, by sets of samples of its pool, of
# shape `(draws, probes)`.
Estimator = Callable[[str, Indices], Floats]


@dataclass
class Probed:
    """The questions of an arena, each probed some times.

    Attributes:
        arena: of which policy and PRM.
        pools: of its problems, in their order.
        probes: samples that are looked at.
        order: shape `(problems, draws, pool)`, the order in which samples are drawn.
        chances: shape `(problems, draws, 3)`, of each difficulty by the probes.
        allowed: the strategies that may be run, indices into the arena's.
    """

    arena: Arena
    pools: Sequence[Pool]
    probes: int
    order: Indices
    chances: Floats
    allowed: Indices
    _seen: dict[tuple[int, int, int], tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._strategies = self.arena.parsed
        folds = sorted(set(self.arena.folds))
        self._expected = {fold: self.expected(fold) for fold in folds}
        self._options = {fold: self.options(fold) for fold in folds}

    @classmethod
    def draw(
        cls,
        arena: Arena,
        pools: Mapping[str, Pool],
        estimators: Sequence[Estimator],
        *,
        probes: int,
        draws: int,
        budget: int,
        random_state: int = 0,
    ) -> Probed:
        """Probe every question.

        Args:
            arena: of which policy and PRM.
            pools: by problem, all of one size.
            estimators: for each fold, one that has seen nothing of its problems.
            probes: samples to look at.
            draws: how often each question is probed.
            budget: most generations of what is then run.
            random_state: of the draws.
        """
        rng = np.random.default_rng(random_state)
        mine = [pools[problem] for problem in arena.problems]
        size = len(mine[0])
        order = rng.random((len(mine), draws, size)).argsort(axis=2)
        chances = np.array([
            estimators[fold](problem, order[i, :, :probes])
            for i, (problem, fold) in enumerate(zip(arena.problems, arena.folds, strict=True))
        ])  # fmt: skip
        allowed = np.flatnonzero(arena.n <= min(budget, size))
        return cls(arena, mine, probes, order, chances, allowed)

    def expected(self, fold: int) -> tuple[Floats, Floats]:
        """Accuracy and generated tokens expected in each difficulty, probes included.

        Shapes `(3, allowed)`; a difficulty that a fold's evidence has nothing on counts as all.
        """
        strategies = [self._strategies[s] for s in self.allowed]
        accuracy = np.empty((len(LEVELS), len(strategies)))
        tokens = np.empty_like(accuracy)
        for row, level in enumerate(LEVELS):
            found = self.arena.found[fold]
            known = {c.strategy: c for c in found.get(level) or found[ALL]}
            accuracy[row] = [known[s].predicted_accuracy for s in strategies]
            tokens[row] = [known[s].cost.generated_tokens for s in strategies]
            one = known.get(Majority(1))
            sample = 0.0 if one is None else one.cost.generated_tokens
            extra = [0.0 if uses_probes(s, self.probes) else self.probes for s in strategies]
            tokens[row] += sample * np.array(extra)
        return accuracy, tokens

    def options(self, fold: int) -> Indices:
        """Between which strategies is routed: for each budget, the one planned for all problems.

        The more of them, the likelier the one that looks best for some probes does so by luck.
        Indices into `allowed`.
        """
        found = self.arena.found[fold][ALL]
        at = {self._strategies[s]: index for index, s in enumerate(self.allowed)}
        known = [choice for choice in found if choice.strategy in at]
        best = (choose(ALL, known, Constraint(budget=int(n))).choice.strategy
                for n in set(self.arena.n[self.allowed]))  # fmt: skip
        return np.array(sorted({at[strategy] for strategy in best}))

    def by_expectation(self, price: float) -> Indices:
        """For each probing the option of most expected accuracy, less a price for its tokens.

        What is expected is the mean over difficulties by their chances. Shape `(problems, draws)`,
        indices into `allowed`.
        """
        return self._routed(self.chances, price)

    def by_name(self, price: float) -> Indices:
        """The same with the most probable difficulty taken for certain."""
        return self._routed(np.eye(len(LEVELS))[self.chances.argmax(axis=2)], price)

    def by_truth(self, price: float) -> Indices:
        """The same with the profile's difficulty, which has seen labels."""
        true = np.array([LEVELS.index(level) for level in self.arena.levels])
        known = np.eye(len(LEVELS))[true]
        return self._routed(np.repeat(known[:, None, :], self.order.shape[1], axis=1), price)

    def _routed(self, chances: Floats, price: float) -> Indices:
        picked = np.empty(chances.shape[:2], dtype=np.intp)
        for fold, options in self._options.items():
            accuracy, tokens = self._expected[fold]
            mine = self.arena.folds == fold
            worth = chances[mine] @ (accuracy - price * tokens)[:, options]
            picked[mine] = options[worth.argmax(axis=2)]
        return picked

    def outcomes(self, picked: Indices) -> tuple[Floats, Floats]:
        """Accuracy and generated tokens on each problem, means over probings.

        Args:
            picked: shape `(problems, draws)`, indices into `allowed`.
        """
        both = np.array([
            [self._outcome(i, d, int(self.allowed[s])) for d, s in enumerate(row)]
            for i, row in enumerate(picked)
        ])  # fmt: skip
        return both[..., 0].mean(axis=1), both[..., 1].mean(axis=1)

    def _outcome(self, problem: int, draw: int, strategy: int) -> tuple[float, float]:
        """What a strategy solves and generates after these probes, probes included."""
        at = problem, draw, strategy
        if at not in self._seen:
            self._seen[at] = self._run(*at)
        return self._seen[at]

    def _run(self, problem: int, draw: int, strategy: int) -> tuple[float, float]:
        pool, order = self.pools[problem], self.order[problem, draw]
        parsed = self._strategies[strategy]
        if uses_probes(parsed, self.probes):
            drawn = _part(pool, order[: parsed.n])
            return _voted(drawn, parsed), float(drawn.tokens.sum())
        spent = float(pool.tokens[order[: self.probes]].sum())
        return (
            float(self.arena.accuracy[problem, strategy]),
            float(self.arena.tokens[problem, strategy]) + spent,
        )


def _part(pool: Pool, chosen: Indices) -> Pool:
    """Some samples of a pool; what its steps cost is not asked of it."""
    nothing = np.zeros(0, dtype=np.int64)
    return Pool(
        correct=pool.correct[chosen],
        answer_class=pool.answer_class[chosen],
        scores={score: values[chosen] for score, values in pool.scores.items()},
        tokens=pool.tokens[chosen],
        step_tokens=nothing,
        step_samples=nothing,
    )


def _voted(drawn: Pool, strategy: Strategy) -> float:
    """Correctness of a vote among all of some samples; answers that are equally good share."""
    if not isinstance(strategy, BestOfN):
        return _shares(drawn, np.ones(len(drawn)))
    scores = drawn.scores[strategy.score]
    if strategy.vote is Vote.MAX:
        answered = drawn.answer_class >= 0
        best = np.where(answered, scores, -np.inf)
        right = drawn.correct & answered
        return float(right[best == best.max()].mean())
    return _shares(drawn, scores)


def _shares(drawn: Pool, weights: Floats) -> float:
    if not (drawn.answer_class >= 0).any():
        return 0.0
    every = np.ones((1, len(drawn)))
    levels = Ballots.by_worth(drawn.answer_class, drawn.correct)
    return sum(worth * float(ballots.won(weights, every)[0]) for worth, ballots in levels)


def tokens_for(target: float, accuracy: Floats, tokens: Floats) -> float:
    """The fewest tokens at which a curve reaches an accuracy; infinite if it never does.

    Args:
        target: the accuracy.
        accuracy, tokens: points of the curve in order, shape `(points,)`; straight between them.
    """
    found = [float(t) for a, t in zip(accuracy, tokens, strict=True) if a >= target]
    for i in range(len(accuracy) - 1):
        low, high = sorted((i, i + 1), key=lambda j: accuracy[j])
        if accuracy[low] < target <= accuracy[high]:
            part = (target - accuracy[low]) / (accuracy[high] - accuracy[low])
            found.append(float(tokens[low] + part * (tokens[high] - tokens[low])))
    return min(found, default=math.inf)
