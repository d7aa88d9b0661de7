"""Fit a chooser to the outcomes of a profile's problems, and judge it on problems it has not seen.

The net value of each option (accuracy minus a price of its cost) is a ridge regression on features
of the question and its probes. A problem counts once, however many sets of probes are drawn from
it, and the penalty is fixed in problems: few problems give a choice close to one strategy for all.

The price is fixed too. Choosing it by cross-fitted accuracy was tried, and the luck of the choice
cost more than the right price gained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import KFold

from executor.strategy import Strategy
from planner.plans.chooser import PROBE, Chooser, Stage
from profiling.arrays import Bools, Floats, Ints
from profiling.difficulty.estimator import standardise
from profiling.difficulty.probes import NAMES, TEXT

PENALTY = 40.0
"""Ridge penalty on standardised features, in problems."""

PRICE = 0.01
"""Accuracy that the whole cost of the dearest option must bring: one point."""

READ = (
    "agreement", "entropy", "right", "best_score", "weighted_margin", "weighted_share",
    "leader_score",
)  # fmt: skip
"""Features of probes that are read, beside those of the text: the fewer, the less is overfitted."""
_FOLDS = 5
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Choices:
    """Outcomes of the options on problems, before probes and after each of several sets of them.

    Attributes:
        before, after: the options; costs of those after probes include the probes.
        text: features of the text, shape `(problems, len(NAMES))`.
        probed: features of probes, shape `(problems, draws, len(NAMES))`.
        accuracy: of each option before probes, shape `(problems, len(before))`.
        accuracy_after: of each option after these probes, shape `(problems, draws, len(after))`.
        cost, cost_after: expected cost of one problem, shapes `(len(before),)`, `(len(after),)`.
        probes: number of samples in a set.
    """

    before: tuple[Strategy, ...]
    after: tuple[Strategy, ...]
    text: Floats
    probed: Floats
    accuracy: Floats
    accuracy_after: Floats
    cost: Floats
    cost_after: Floats
    probes: int

    def __len__(self) -> int:
        return len(self.text)

    @property
    def enough(self) -> bool:
        """Whether there is something to choose, before probes and after them."""
        return len(self.before) > 0 and len(self.after) > 1

    def among(self, options: Sequence[Strategy]) -> Choices:
        """Return the same with some of the options, in this order."""
        before = [self.before.index(one) for one in options if one in self.before]
        after = [self.after.index(one) for one in options if one in self.after]
        return replace(
            self,
            before=tuple(self.before[i] for i in before),
            after=tuple(self.after[i] for i in after),
            accuracy=self.accuracy[:, before],
            accuracy_after=self.accuracy_after[:, :, after],
            cost=self.cost[before],
            cost_after=self.cost_after[after],
        )


Select = Callable[[Bools], Sequence[Strategy]]
"""Selects the options by the problems of a mask of shape `(problems,)`, and by no others."""


def judge(
    choices: Choices, select: Select, alone: Floats, random_state: int = 0
) -> tuple[Floats, Floats]:
    """Accuracy and cost of routing on each problem, by choosers that have not seen it.

    All that is chosen by outcomes is chosen anew without each fold, the options too. If they were
    selected on all problems, the judged ones would speak for the options that they are lucky with
    (Cawley and Talbot 2010, Journal of Machine Learning Research 11, 2079-2107).

    Args:
        choices: outcomes of two problems or more, of every option that `select` may return.
        select: selects the options of a fold.
        alone: accuracy and cost of one strategy for all, shape `(2, problems)`; it counts if the
            options of a fold are not enough.
        random_state: seed of the folds.

    Returns:
        Two arrays of shape `(problems,)`.
    """
    rows = np.empty((2, len(choices)))
    for test in folds(len(choices), random_state):
        some = choices.among(select(~test))
        rows[:, test] = _play(some, test, *_fit(some, ~test)) if some.enough else alone[:, test]
    return rows[0], rows[1]


def fit(choices: Choices, accuracy: float, cost: float) -> Chooser:
    """Fit a chooser to all problems.

    Args:
        choices: outcomes.
        accuracy, cost: expected accuracy and cost of routing, which the chooser keeps.
    """
    before, after = _fit(choices, np.ones(len(choices), dtype=np.bool_))
    return Chooser(before, after, accuracy, cost, len(choices))


def folds(problems: int, random_state: int = 0) -> Iterator[Bools]:
    """Yield the mask of judged problems of each fold, shape `(problems,)`."""
    splitter = KFold(min(_FOLDS, problems), shuffle=True, random_state=random_state)
    for _, test in splitter.split(np.zeros(problems)):
        mask = np.zeros(problems, dtype=np.bool_)
        mask[test] = True
        yield mask


def _fit(choices: Choices, seen: Bools) -> tuple[Stage, Stage]:
    """Fit both stages to some problems: first the choice after probes, then the one before."""
    price = PRICE / max(choices.cost.max(), choices.cost_after.max())
    draws = choices.probed.shape[1]
    x = choices.probed[seen].reshape(-1, len(NAMES))
    net = choices.accuracy_after[seen] - price * choices.cost_after
    after = _stage(choices.probes, choices.after, x, net.reshape(len(x), -1), 1 / draws)
    chosen = after.choose(x).reshape(-1, draws, 1)
    probing = np.take_along_axis(net, chosen, axis=2)[..., 0].mean(axis=1)
    plain = choices.accuracy[seen] - price * choices.cost
    values = np.column_stack([plain, probing])
    return _stage(0, (*choices.before, PROBE), choices.text[seen], values, 1.0), after


def _stage(
    probes: int, options: Sequence[Strategy | None], x: Floats, values: Floats, weight: float
) -> Stage:
    """Fit net values by ridge regression; a row counts as `weight` problems."""
    kept = [i for i, name in enumerate(NAMES)
            if name in (*TEXT, *READ) and _varies(x[:, i])]  # fmt: skip
    at: Ints = np.array(kept, dtype=np.int64)
    mean = np.nanmean(x[:, at], axis=0) if kept else np.zeros(0)
    scale = np.nanstd(x[:, at], axis=0) if kept else np.zeros(0)
    design = standardise(x[:, at], mean, scale)
    centre = design.mean(axis=0)
    centred, level = design - centre, values.mean(axis=0)
    gram = weight * centred.T @ centred + PENALTY * np.eye(len(kept))
    weights = np.linalg.solve(gram, weight * centred.T @ (values - level)).T
    return Stage(
        probes=probes,
        options=tuple(options),
        features=tuple(NAMES[i] for i in kept),
        mean=_rounded(mean),
        scale=_rounded(scale),
        weights=tuple(map(_rounded, weights)),
        intercepts=_rounded(level - weights @ centre),
    )


def _varies(column: Floats) -> bool:
    known = column[~np.isnan(column)]
    return bool(len(known)) and bool(known.std() > 1e-9)


def _play(choices: Choices, test: Bools, before: Stage, after: Stage) -> Floats:
    """Mean accuracy and cost on each problem, shape `(2, problems)`."""
    draws = choices.probed.shape[1]
    first = before.choose(choices.text[test])
    then = after.choose(choices.probed[test].reshape(-1, len(NAMES))).reshape(-1, draws)
    rows = np.arange(len(first))
    probed = np.array([
        np.take_along_axis(choices.accuracy_after[test], then[..., None], axis=2)[..., 0]
        .mean(axis=1),
        choices.cost_after[then].mean(axis=1),
    ])  # fmt: skip
    at = np.minimum(first, len(choices.before) - 1)
    plain = np.array([choices.accuracy[test][rows, at], choices.cost[at]])
    return np.where(first == len(choices.before), probed, plain)


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)
