"""Estimates of cells with outcomes: one policy, PRM and difficulty at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner.evidence.cells import cells, rows_of
from planner.evidence.comparable import for_pair
from planner.prediction.features import describe, expected
from planner.prediction.joint import Joint, joint


def measured(table: pd.DataFrame, rows: pd.DataFrame) -> Joint:
    """Estimate the cells of one policy, PRM and difficulty from their outcomes.

    Args:
        table: cells that `planner.prediction.features.describe` described. The outcomes of a cell
            with 0 `problems` are not read; at least one cell has outcomes.
        rows: evidence of this policy and PRM.
    """
    of_level = rows_of(rows, table["difficulty"].iloc[0])
    by_problem = of_level.groupby(["problem", "strategy"])["accuracy"].mean().unstack()
    unseen = table["problems"].to_numpy() == 0
    outcomes = np.where(unseen, np.nan, by_problem.reindex(columns=table["strategy"]))
    return joint(expected(table), outcomes)


def predicted(frame: pd.DataFrame, policy: str, prm: str | None) -> pd.DataFrame:
    """Return the cells of a policy and PRM, every difficulty, with a column `predicted`.

    Args:
        frame: evidence.
        policy, prm: names as the evidence has them; None means no PRM.
    """
    rows = for_pair(frame, policy, prm)
    if rows.empty:
        return pd.DataFrame()
    about = (frame["policy"] == policy) & frame["prm"].isin(["", prm or ""])
    table = describe(cells(rows), frame[about])
    parts = [
        part.assign(predicted=measured(part, rows).mean) for _, part in table.groupby("difficulty")
    ]
    return pd.concat(parts, ignore_index=True)
