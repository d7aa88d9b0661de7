"""Routing each question by a few probes, replayed from pools of samples.

Probes are drawn from a problem's pool. A vote that can use them adds further samples of the pool; a
search or a greedy answer starts anew and pays for them. So misleading probes also mislead the vote
that counts them, as they would online.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from executor.strategy import Majority
from planner.choice.constraint import Constraint
from planner.choice.probe_cost import uses_probes
from planner.choice.recommend import choose
from planner.evaluation.crossfit import Arena, Indices
from profiling.arrays import Floats
from profiling.pass_rate import ALL, Difficulty
from profiling.pools.drawn import part, voted
from profiling.pools.replay import Pool

LEVELS = tuple(level.value for level in Difficulty)
# P(easy), P(medium), P(hard) of a problem, shape `(draws, 3)`, by sets of samples of its pool, of
# shape `(draws, probes)`.
Estimator = Callable[[str, Indices], Floats]


@dataclass
class ProbedArena:
    """An arena whose questions are each probed several times.

    Attributes:
        arena: the arena.
        pools: pools of samples of its problems, in their order.
        probes: number of samples in one probing.
        order: the order in which samples are drawn, shape `(problems, draws, pool)`.
        chances: chances of the difficulties by the probes, shape `(problems, draws, 3)`.
        allowed: indices of the arena's strategies that may be run.
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
    ) -> ProbedArena:
        """Probe every question.

        Args:
            arena: the arena.
            pools: pools of samples by problem, all of one size.
            estimators: for each fold, one that was trained without its problems.
            probes: number of samples in one probing.
            draws: number of probings of each question.
            budget: most generations of the strategy that is then run.
            random_state: seed of the draws.
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
        """Expected accuracy and generated tokens in each difficulty, probes included.

        Returns:
            Two arrays of shape `(3, allowed)`. A difficulty without evidence in a fold counts as
            all.
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
        """The strategies that the router chooses between: for each budget, the plan's for all.

        The more there are, the likelier one looks best for some probes by luck.

        Returns:
            Indices into `allowed`.
        """
        found = self.arena.found[fold][ALL]
        at = {self._strategies[s]: index for index, s in enumerate(self.allowed)}
        known = [choice for choice in found if choice.strategy in at]
        best = (choose(ALL, known, Constraint(budget=int(n))).choice.strategy
                for n in set(self.arena.n[self.allowed]))  # fmt: skip
        return np.array(sorted({at[strategy] for strategy in best}))

    def by_expectation(self, price: float) -> Indices:
        """For each probing the option with the highest expected accuracy less its tokens' price.

        The expectation is the mean over the difficulties by their chances.

        Args:
            price: accuracy that one token must bring.

        Returns:
            Indices into `allowed`, shape `(problems, draws)`.
        """
        return self._routed(self.chances, price)

    def by_most_probable(self, price: float) -> Indices:
        """The same if the most probable difficulty is taken as certain."""
        return self._routed(np.eye(len(LEVELS))[self.chances.argmax(axis=2)], price)

    def by_truth(self, price: float) -> Indices:
        """The same if the profile's difficulty, which has seen labels, is taken as certain."""
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
        """Mean accuracy and generated tokens on each problem over its probings.

        Args:
            picked: shape `(problems, draws)`, indices into `allowed`.
        """
        both = np.array([
            [self._outcome(i, d, int(self.allowed[s])) for d, s in enumerate(row)]
            for i, row in enumerate(picked)
        ])  # fmt: skip
        return both[..., 0].mean(axis=1), both[..., 1].mean(axis=1)

    def _outcome(self, problem: int, draw: int, strategy: int) -> tuple[float, float]:
        """Accuracy and generated tokens of a strategy after these probes, probes included."""
        at = problem, draw, strategy
        if at not in self._seen:
            self._seen[at] = self._run(*at)
        return self._seen[at]

    def _run(self, problem: int, draw: int, strategy: int) -> tuple[float, float]:
        pool, order = self.pools[problem], self.order[problem, draw]
        parsed = self._strategies[strategy]
        if uses_probes(parsed, self.probes):
            drawn = part(pool, order[: parsed.n])
            return voted(drawn, parsed), float(drawn.tokens.sum())
        spent = float(pool.tokens[order[: self.probes]].sum())
        return (
            float(self.arena.accuracy[problem, strategy]),
            float(self.arena.tokens[problem, strategy]) + spent,
        )
