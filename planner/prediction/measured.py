"""Estimates of cells with outcomes: one policy, PRM and difficulty at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from planner.evidence.cells import cells, rows_of
from planner.evidence.comparable import for_pair
from planner.prediction.features import describe, expected
from planner.prediction.joint import Joint, joint

if TYPE_CHECKING:  # scikit-learn takes a fifth of a second to import; most answers need none
    from planner.prediction.outcome_model import OutcomeModel


def measured(table: pd.DataFrame, rows: pd.DataFrame, model: OutcomeModel | None = None) -> Joint:
    """Estimate the cells of one policy, PRM and difficulty from their outcomes.

    The estimates are shrunk toward what a model predicts that learnt from other policies, or else
    toward formulas: neither has read an outcome of this policy, so none counts twice.

    Args:
        table: cells that `planner.prediction.features.describe` described. The outcomes of a cell
            with 0 `problems` are not read; at least one cell has outcomes.
        rows: evidence of this policy and PRM.
        model: a fitted outcome model; None: there is none.
    """
    of_level = rows_of(rows, table["difficulty"].iloc[0])
    by_problem = of_level.groupby(["problem", "strategy"])["accuracy"].mean().unstack()
    unseen = table["problems"].to_numpy() == 0
    outcomes = np.where(unseen, np.nan, by_problem.reindex(columns=table["strategy"]))
    taught = None if model is None else model.expected_by_others(table)
    return joint(expected(table) if taught is None else taught, outcomes)


def predicted(
    frame: pd.DataFrame, policy: str, prm: str | None, model: OutcomeModel | None = None
) -> pd.DataFrame:
    """Return the cells of a policy and PRM, every difficulty, with a column `predicted`.

    Args:
        frame: evidence.
        policy, prm: names as the evidence has them; None means no PRM.
        model: see `measured`.
    """
    rows = for_pair(frame, policy, prm)
    if rows.empty:
        return pd.DataFrame()
    about = (frame["policy"] == policy) & frame["prm"].isin(["", prm or ""])
    table = describe(cells(rows), frame[about])
    parts = [
        part.assign(predicted=measured(part, rows, model).mean)
        for _, part in table.groupby("difficulty")
    ]
    return pd.concat(parts, ignore_index=True)
