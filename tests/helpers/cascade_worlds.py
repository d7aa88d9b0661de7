"""Worlds of two models whose best cascade is known."""

from __future__ import annotations

import numpy as np

from executor.strategy import Majority
from planner.cascades.evidence import ModelsEvidence, Option
from planner.cascades.signals import Signals
from planner.choice.estimate import Models
from profiling.arrays import Floats

SMALL, LARGE = Models("small"), Models("large")


def vote(models: Models, n: int, right: Floats, agreement: Floats, cost: float) -> Option:
    """A vote whose draws are given, shape `(problems, draws)` each."""
    features = np.array([
        Signals(one, agrees, None).features(n) for one, agrees in zip(right, agreement, strict=True)
    ])  # fmt: skip
    spent = np.full(len(right), cost)
    return Option(models, Majority(n), right.mean(axis=1), spent, features, right)


def two_models(problems: int = 100, draws: int = 8, *, hopeless: float = 0.0) -> ModelsEvidence:
    """The small model agrees and is right on half of the problems, and is wrong on the others.

    The large one is right on all but a hopeless share, on which the small one is wholly split. It
    costs ten times as much.
    """
    easy = np.arange(problems) % 2 == 0
    lost = ~easy & (np.arange(problems) % 100 < 100 * hopeless)
    agreement = np.where(easy, 1.0, np.where(lost, 0.25, 0.5))[:, None] * np.ones(draws)
    right = easy[:, None] * np.ones(draws)
    theirs = (~lost)[:, None] * np.ones(draws)
    options = (
        vote(SMALL, 4, right, agreement, 1.0),
        vote(LARGE, 4, theirs, np.ones_like(theirs), 10.0),
    )
    return ModelsEvidence(tuple(f"{at:012x}" for at in range(problems)), options, "flops")
