"""Cells: all rows of a policy, PRM, difficulty and strategy as one row of counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from executor.strategy import (
    Strategy,
    from_key,
)
from planner.evidence.layout import FEEDBACK, UNKNOWN
from profiling.pass_rate import ALL, Difficulty


def cells(frame: pd.DataFrame, difficulty: str | None = None) -> pd.DataFrame:
    """Aggregate evidence by cell: policy, PRM, difficulty and strategy.

    The difficulty `all` covers every problem (`of_all`). The columns besides the keys are
    `successes` and `squares` (sums of accuracies and of their squares), `problems` and `rows`
    (counts), mean tokens, mean `pass_at_1`, `prm_auc` and `sources`.

    Args:
        frame: evidence.
        difficulty: the only difficulty whose cells are wanted; None: every one and `all`.
    """
    keys = ["policy", "prm", "difficulty", "strategy", "name", "n", "width", "score", "vote"]
    if difficulty is None:
        known = frame[frame["difficulty"] != UNKNOWN]
        wanted = pd.concat([known, rows_of(frame, ALL)], ignore_index=True)
    else:
        wanted = rows_of(frame, difficulty)
    wanted = wanted.assign(square=wanted["accuracy"] ** 2)
    return wanted.groupby(keys, sort=True, as_index=False).agg(
        successes=("accuracy", "sum"),
        squares=("square", "sum"),
        problems=("problem", "nunique"),
        rows=("accuracy", "size"),
        generated_tokens=("generated_tokens", "mean"),
        prompt_tokens=("prompt_tokens", "mean"),
        prm_tokens=("prm_tokens", "mean"),
        cached_tokens=("cached_tokens", "mean"),
        prm_cached_tokens=("prm_cached_tokens", "mean"),
        pass_at_1=("pass_at_1", "mean"),
        prm_auc=("prm_auc", "first"),
        sources=("source", lambda s: "+".join(sorted(s.unique()))),
    )


def rows_of(frame: pd.DataFrame, difficulty: str) -> pd.DataFrame:
    """Return the rows that count for a difficulty or for `all`, with their accuracies in it.

    In a class the accuracy of a replayed row is that of samples which did not give the class; of
    `all` problems it is that of the whole pool.
    """
    if difficulty != ALL:
        return frame[frame["difficulty"] == difficulty]
    rows = frame[of_all(frame)]
    return rows.assign(difficulty=ALL, accuracy=rows["all_accuracy"].fillna(rows["accuracy"]))


def of_all(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Return whether each row counts for the difficulty `all`, shape `(rows,)`.

    Feedback does not, because a service chooses the strategy by the question.
    """
    return (frame["source"] != FEEDBACK).to_numpy(bool)


def strategy_of(cell: Any) -> Strategy:
    """Return the strategy of a row or cell from its key, which has all parameters."""
    return from_key(cell["strategy"])


def kinds(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the kinds of evidence as plain values: source, kind of strategy, PRM, and counts.

    If there are several policies, each has its own kinds.
    """
    if frame.empty:
        return []
    keys = ["source", "name", "prm"]
    if frame["policy"].nunique() > 1:
        keys = ["policy", *keys]
    groups = frame.groupby(keys, as_index=False).agg(
        rows=("accuracy", "size"), problems=("problem", "nunique")
    )
    return [{str(k): v for k, v in record.items()} for record in groups.to_dict("records")]


def difficulty_counts(frame: pd.DataFrame) -> dict[str, int]:
    """Return the number of problems of each difficulty, without those of unknown difficulty."""
    known = frame[frame["difficulty"] != UNKNOWN].drop_duplicates("problem")
    counts = known["difficulty"].value_counts()
    return {level.value: int(counts.get(level.value, 0)) for level in Difficulty}


def benchmark_counts(frame: pd.DataFrame) -> dict[str, int]:
    """Return the number of problems of each benchmark; an empty name means no benchmark."""
    counts = frame.groupby("benchmark", sort=True)["problem"].nunique()
    return {str(name): int(problems) for name, problems in counts.items()}


def level_pass_rates(frame: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return the mean pass@1 over distinct problems, by policy and difficulty (also `all`)."""
    rated = frame[frame["pass_at_1"].notna()]
    known = rated[rated["difficulty"] != UNKNOWN]
    both = pd.concat([known, rated.assign(difficulty=ALL)], ignore_index=True)
    both = both.drop_duplicates(["policy", "problem", "difficulty"])
    means = both.groupby(["policy", "difficulty"], as_index=False)["pass_at_1"].mean()
    keys = zip(means["policy"], means["difficulty"], strict=True)
    return dict(zip(keys, means["pass_at_1"].astype(float), strict=True))
