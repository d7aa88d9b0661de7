"""Evidence that comes with the project: recorded rows of its own policies."""

from __future__ import annotations

import json

import pandas as pd

from executor.files import data_folder
from planner.evidence.layout import COLUMNS, no_rows
from profiling.profiles.profiler import BENCHMARK


def bundled_rows(policy: str | None = None) -> pd.DataFrame:
    """Return the evidence that ships with this project, for one policy or (None) for all."""
    wanted = None if policy is None else [("policy", "==", policy)]
    frames = [
        pd.read_parquet(path, filters=wanted)
        for path in sorted((data_folder() / "measured").glob("*.parquet"))
    ]
    # The problems are the laboratory's own and belong to no benchmark.
    frames = [frame.assign(**{BENCHMARK: ""}) for frame in frames if len(frame)]
    if not frames:
        return no_rows()
    rows = pd.concat(frames, ignore_index=True).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    return rows.assign(all_accuracy=rows["all_accuracy"].fillna(rows["accuracy"]))


def bundled_policies() -> tuple[str, ...]:
    """Return the policies of the bundled evidence, which has one file per policy."""
    return tuple(path.stem for path in sorted((data_folder() / "measured").glob("*.parquet")))


def bundled_sizes() -> dict[str, int]:
    """Return the numbers of parameters of the models in the bundled evidence, by name."""
    sizes: dict[str, int] = {}
    for path in sorted((data_folder() / "measured").glob("*.models.json")):
        sizes |= json.loads(path.read_text(encoding="utf-8"))
    return sizes
