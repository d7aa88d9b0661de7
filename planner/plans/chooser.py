"""A choice that is learnt directly: which strategy to run, by a question's text and its probes.

A difficulty is a detour. Two questions of one difficulty differ in whether the probes' leading
answer is right already, and that decides whether more compute can help. A chooser therefore
predicts the net value of each option itself: accuracy minus a price of its cost. The option with
the highest value runs. Before probing, drawing probes is one of the options; its value is that of
the choice after them. (Optimal stopping by regression: Longstaff and Schwartz 2001, Review of
Financial Studies 14(1), 113-147.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from executor.strategy import Strategy, from_dict, to_dict
from profiling.arrays import Floats
from profiling.difficulty.estimator import standardise
from profiling.difficulty.probes import NAMES, SCORED, SCORED_SEVERAL

PROBE = None
"""The option to draw probes and to choose then."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The choice with one number of probes drawn.

    Attributes:
        probes: number of samples that are seen.
        options: what can be chosen; None: draw probes.
        features: names of what is read, of `profiling.difficulty.probes.NAMES`.
        mean, scale: mean and standard deviation of each feature, shape `(features,)`.
        weights: shape `(options, features)`.
        intercepts: shape `(options,)`.
    """

    probes: int
    options: tuple[Strategy | None, ...]
    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    _arrays: tuple[NDArray[np.intp], Floats, Floats, Floats, Floats] = field(
        init=False, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        sizes = {len(self.mean), len(self.scale), *map(len, self.weights)}
        rows = {len(self.weights), len(self.intercepts)}
        if not self.options or sizes != {len(self.features)} or rows != {len(self.options)}:
            raise ValueError(
                f"weights of a choice do not fit; expected {len(self.options)} rows of "
                f"{len(self.features)}"
            )
        if unknown := set(self.features) - set(NAMES):
            raise ValueError(f"features {', '.join(sorted(unknown))} do not exist")
        if self.probes < 0 or (self.probes and PROBE in self.options):
            raise ValueError("probes cannot be drawn twice")
        at = np.array([NAMES.index(name) for name in self.features], dtype=np.intp)
        weights = np.array(self.weights).reshape(len(self.options), len(at))
        arrays = at, np.array(self.mean), np.array(self.scale), weights, np.array(self.intercepts)
        object.__setattr__(self, "_arrays", arrays)

    def values(self, x: Floats) -> Floats:
        """Net value of each option, shape `(questions, options)`.

        Args:
            x: features, shape `(questions, len(NAMES))`; NaN is replaced by the mean.
        """
        at, mean, scale, weights, intercepts = self._arrays
        return np.asarray(standardise(x[:, at], mean, scale) @ weights.T + intercepts)

    def choose(self, x: Floats) -> NDArray[np.intp]:
        """Index of the option for each question, shape `(questions,)`; of equal ones the first."""
        return np.asarray(self.values(x).argmax(axis=1))

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, for the plan."""
        return {
            "probes": self.probes,
            "options": [None if one is None else to_dict(one) for one in self.options],
            "features": list(self.features),
            "mean": list(self.mean),
            "scale": list(self.scale),
            "weights": [list(row) for row in self.weights],
            "intercepts": list(self.intercepts),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Stage:
        """Read the result of `to_dict`; raise ValueError if its numbers are inconsistent."""
        return cls(
            probes=int(record["probes"]),
            options=tuple(None if one is None else from_dict(one) for one in record["options"]),
            features=tuple(map(str, record["features"])),
            mean=tuple(map(float, record["mean"])),
            scale=tuple(map(float, record["scale"])),
            weights=tuple(tuple(map(float, row)) for row in record["weights"]),
            intercepts=tuple(map(float, record["intercepts"])),
        )


@dataclass(frozen=True, slots=True)
class Chooser:
    """The choice before probes, and the choice after them.

    Attributes:
        before: the choice by the text alone.
        after: the choice by the text and the probes.
        accuracy: expected accuracy of routing by it: that of the single strategy that it was
            compared with, and the gain on problems that the choice was not fitted to.
        price: what routing spent on these problems.
        problems: number of training problems.
    """

    before: Stage
    after: Stage
    accuracy: float
    price: float
    problems: int

    def __post_init__(self) -> None:
        if self.before.probes or not self.after.probes or PROBE not in self.before.options:
            raise ValueError("a choice goes from no probes to some, and must be able to draw them")

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        """All strategies that may be chosen."""
        both: Sequence[Strategy | None] = (*self.before.options, *self.after.options)
        return tuple(dict.fromkeys(one for one in both if one is not None))

    @property
    def scored(self) -> bool:
        """Whether it reads rewards, so that a PRM must score the probes."""
        return bool(set(self.after.features) & {*SCORED, *SCORED_SEVERAL})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for the plan."""
        return {
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "accuracy": self.accuracy,
            "price": self.price,
            "problems": self.problems,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Chooser:
        """Read the result of `to_dict`; raise ValueError if its numbers are inconsistent."""
        return cls(
            Stage.from_dict(record["before"]),
            Stage.from_dict(record["after"]),
            float(record["accuracy"]),
            float(record["price"]),
            int(record["problems"]),
        )
