"""Splits that judge a model: on held-out problems, and on left-out policies and PRMs.

Problems are split into folds. If the evidence covers several policies or PRMs, each of them is also
left out in turn. With held-out problems a model may use other outcomes of the same cell; with a
left-out policy or PRM it must transfer from others. Splits consist of cells, because all rows of a
cell have one prediction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from executor.errors import InputError
from planner.evidence.cells import cells, of_all, rows_of
from planner.evidence.layout import UNKNOWN
from planner.prediction.coverage import covered
from planner.prediction.features import describe
from planner.prediction.outcome_model import variation
from profiling.arrays import Floats
from profiling.pass_rate import ALL

FOLDS = 5
CELL = ["policy", "prm", "difficulty", "strategy"]
_COUNTS = ["successes", "squares", "problems", "rows"]


class Kind(StrEnum):
    """The kind of thing that a split leaves out."""

    PROBLEMS = "problems"
    POLICY = "policy"
    PRM = "prm"


@dataclass(frozen=True, slots=True)
class Split:
    """Cells to learn from, and cells to predict.

    Attributes:
        kind: kind of thing that is left out.
        train: cells of the remaining evidence, described by that evidence alone.
        test: cells to predict, with the remaining evidence on them (none if a policy or a PRM is
            left out). Columns `asked`, `right` and `right_squares`: number of left-out rows, the
            sum of their accuracies, and the sum of the squares.
    """

    kind: Kind
    train: pd.DataFrame
    test: pd.DataFrame

    def held_out(self) -> pd.DataFrame:
        """Return the left-out outcomes in the columns of `planner.evidence.cells.cells`."""
        names = {"right": "successes", "right_squares": "squares", "asked": "rows"}
        return self.test[list(names)].rename(columns=names)

    def covered(self, a: Floats, b: Floats) -> Floats:
        """Return the covered share of each cell's held-out mean, shape `(cells,)`.

        See `planner.prediction.coverage`. The variance of outcomes in a cell is estimated from all
        of them, because the left-out ones may be few.

        Args:
            a, b: posterior parameters, shape `(cells,)`.
        """
        held_out = self.held_out()
        varied = variation(held_out + self.test[list(held_out)], a / (a + b))
        return covered(a, b, varied, held_out)


def problem_folds(problems: pd.Series, random_state: int) -> Iterator[NDArray[np.bool_]]:
    """Yield the mask of held-out rows of each fold, shape `(rows,)`.

    All rows of a problem are in one fold.

    Raises:
        InputError: there are fewer problems than folds.
    """
    if (count := problems.nunique()) < FOLDS:
        raise InputError(
            f"there is evidence on {count} problems; expected at least {FOLDS}, to fit a model; "
            "run profile and measure on more"
        )
    return _held_out(problems, FOLDS, random_state)


def splits(frame: pd.DataFrame, random_state: int) -> list[Split]:
    """Return every split of some evidence: by problems, then by policies, then by PRMs.

    Up to `FOLDS` policies are left out one by one; more are left out in `FOLDS` groups. The same
    holds for PRMs.

    Raises:
        InputError: there are too few problems.
    """
    counts = _Counts(frame)
    every_split = [
        counts.by_problem(frame, held_out)
        for held_out in problem_folds(frame["problem"], random_state)
    ]
    whole = describe(counts.cells, frame)
    for kind in (Kind.POLICY, Kind.PRM):
        names = whole[kind.value][whole[kind.value] != ""].drop_duplicates()
        if len(names) < 2:
            continue
        for test in _held_out(names, min(len(names), FOLDS), random_state):
            left_out = whole[kind.value].isin(names[test])
            every_split.append(_transferred(kind, whole[~left_out], whole[left_out]))
    return every_split


def hold_out(frame: pd.DataFrame, held_out: NDArray[np.bool_]) -> Split:
    """Return the split that holds out some rows.

    Args:
        frame: evidence rows.
        held_out: mask of rows, shape `(rows,)`; it has all rows of a problem or none.
    """
    return _Counts(frame).by_problem(frame, held_out)


def _held_out(groups: pd.Series, folds: int, random_state: int) -> Iterator[NDArray[np.bool_]]:
    splitter = GroupKFold(folds, shuffle=True, random_state=random_state)
    for _, test in splitter.split(groups, groups=groups):
        mask = np.zeros(len(groups), dtype=bool)
        mask[test] = True
        yield mask


class _Counts:
    """The outcomes of each cell on some of the problems.

    Attributes:
        cells: every cell of the evidence, over all problems.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.cells = cells(frame)
        with_level = np.flatnonzero(frame["difficulty"] != UNKNOWN)
        every = np.flatnonzero(of_all(frame))
        # Every row counts for `all`; a row of known difficulty counts for that difficulty too.
        self._row = np.concatenate([every, with_level])
        rows = frame.iloc[self._row][CELL].reset_index(drop=True)
        rows.loc[: len(every) - 1, "difficulty"] = ALL
        at = pd.MultiIndex.from_frame(self.cells[CELL])
        self._cell = at.get_indexer(pd.MultiIndex.from_frame(rows))
        self._accuracy = np.concatenate(
            [rows_of(frame, ALL)["accuracy"], frame["accuracy"].iloc[with_level]]
        ).astype(float)
        problems = pd.factorize(frame["problem"])[0][self._row]
        pairs = pd.DataFrame({"cell": self._cell, "problem": problems})
        self._first = ~pairs.duplicated().to_numpy()

    def over(self, rows: NDArray[np.bool_]) -> dict[str, Floats]:
        """Return the sums over the rows of a mask, each of shape `(cells,)`."""
        chosen = rows[self._row]
        cell, accuracy = self._cell[chosen], self._accuracy[chosen]

        def total(at: NDArray[np.intp], weights: Floats | None = None) -> Floats:
            return np.bincount(at, weights, minlength=len(self.cells)).astype(float)

        return {
            "successes": total(cell, accuracy),
            "squares": total(cell, accuracy**2),
            "problems": total(self._cell[chosen & self._first]),
            "rows": total(cell),
        }

    def by_problem(self, frame: pd.DataFrame, held_out: NDArray[np.bool_]) -> Split:
        """Return the split that learns from some problems and predicts the held-out ones."""
        described = describe(self.cells, frame[~held_out]).assign(**self.over(~held_out))
        asked = self.over(held_out)
        test = described.assign(
            right=asked["successes"], right_squares=asked["squares"], asked=asked["rows"]
        )
        return Split(Kind.PROBLEMS, described[described["rows"] > 0], test[test["asked"] > 0])


def _transferred(kind: Kind, train: pd.DataFrame, test: pd.DataFrame) -> Split:
    asked = test.assign(right=test["successes"], right_squares=test["squares"], asked=test["rows"])
    return Split(kind, train, asked.assign(**dict.fromkeys(_COUNTS, 0.0)))
