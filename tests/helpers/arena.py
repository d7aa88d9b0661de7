"""A synthetic arena: strategies with known accuracies, and plans that expect known ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from executor.strategy import Strategy, key
from planner.choice.estimate import StrategyEstimate
from planner.costs.cost import Cost
from planner.evaluation.crossfit import Arena

Accuracies = Mapping[str, Mapping[Strategy, float]]


def expectation(strategy: Strategy, accuracy: float) -> StrategyEstimate:
    """What is expected of a strategy; a sample has 100 tokens."""
    cost = Cost(100.0 * strategy.n, 20.0, 0.0, flops=100.0 * strategy.n)
    beta = (20 * accuracy + 0.5, 20 * (1 - accuracy) + 0.5)
    return StrategyEstimate(strategy, accuracy, (accuracy, accuracy), beta, cost, 20, "measured")


def arena_of(
    truth: Accuracies,
    problems: Mapping[str, int],
    expected: Sequence[Accuracies],
    *,
    policy: str = "policy",
    prm: str | None = "prm",
    parameters: int | None = 1000,
    prefix: str = "",
    seed: int = 0,
) -> Arena:
    """Problems of each difficulty, right with the chance of each strategy; one fold a plan.

    Args:
        truth: by difficulty and strategy.
        problems: how many of each difficulty.
        expected: what each fold's plan expects, by difficulty (and `all`) and strategy.
        policy, prm, parameters: of which.
        prefix: of the problems' names.
        seed: of the outcomes.
    """
    rng = np.random.default_rng(seed)
    levels = np.array([level for level, count in problems.items() for _ in range(count)])
    strategies = list(dict.fromkeys(s for chances in truth.values() for s in chances))
    chances = np.array([[truth[level][s] for s in strategies] for level in levels])
    accuracy = (rng.random(chances.shape) < chances).astype(float)
    tokens = np.array([100.0 * s.n for s in strategies]) * np.ones_like(accuracy)
    return Arena(
        policy,
        prm,
        parameters,
        tuple(f"{prefix}{index}" for index in range(len(levels))),
        levels,
        np.arange(len(levels)) % len(expected),
        tuple(map(key, strategies)),
        np.array([s.n for s in strategies]),
        accuracy,
        accuracy,
        tokens,
        2 * tokens,
        tuple(
            {level: [expectation(s, p) for s, p in known.items()] for level, known in by.items()}
            for by in expected
        ),
    )
