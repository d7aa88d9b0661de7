"""The layout of evidence: one tidy frame with a row for every strategy and problem."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from profiling.profiles.profiler import KIND as PROFILE
from profiling.profiles.profiler import MEASURE

BUDGETS = (1, 4, 16, 64, 256)
UNKNOWN = "unknown"
REPLAYED = "replayed"  # source of rows that come from the pools of a profile
IMPORTED = "imported"  # source of rows that another program measured
# Answers of a service that a client marked as right or wrong: FEEDBACK is the kind of their runs
# and the source of their rows; DIFFICULTY is the setting with the question's estimated difficulty.
FEEDBACK = "feedback"
DIFFICULTY = "difficulty"
# Kinds of runs whose problems have reference answers, so that they can judge strategies.
KINDS = (PROFILE, MEASURE)
# One row is one strategy on one problem. `benchmark` is empty unless an imported run names it.
# `accuracy` is 0 or 1 for a live run and an expectation for a replayed one, and so are the tokens.
# A replayed row of a difficulty has the accuracy of samples that did not give the difficulty
# (`profiling.pools.class_part`); `all_accuracy` is that of all samples, for the difficulty `all`.
# `prm_auc` is taken over all samples of the policy that the PRM scored; `prm_auc_within` and
# `prm_gap` over the row's own problem and score; `rival` over its problem
# (`profiling.scorers.separation`). They are NaN without a pool.
COLUMNS = {
    "policy": "str", "prm": "str", "problem": "str", "benchmark": "str", "difficulty": "str",
    "pass_at_1": "float64", "strategy": "str", "name": "str", "n": "int64", "width": "int64",
    "score": "str", "vote": "str", "accuracy": "float64", "all_accuracy": "float64",
    "generated_tokens": "float64", "discarded_tokens": "float64", "prompt_tokens": "float64",
    "cached_tokens": "float64", "prm_tokens": "float64", "prm_cached_tokens": "float64",
    "prm_auc": "float64", "prm_auc_within": "float64", "prm_gap": "float64", "rival": "float64",
    "source": "str",
}  # fmt: skip


def no_rows() -> pd.DataFrame:
    """Return a frame of evidence without rows."""
    return _no_rows().copy()


@cache  # to make it takes a hundredth of a second
def _no_rows() -> pd.DataFrame:
    return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)


def save(frame: pd.DataFrame, path: Path) -> None:
    """Write evidence as Parquet; equal rows give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = [column for column, kind in COLUMNS.items() if kind == "float64"]
    frame.round(dict.fromkeys(numbers, 6)).to_parquet(path, index=False, compression="zstd")
