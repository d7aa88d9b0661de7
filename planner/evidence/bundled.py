"""Evidence that comes with the project: recorded rows and samples of its own policies."""

from __future__ import annotations

import json

import pandas as pd

from executor.files import data_folder
from executor.problem import problem_uid
from planner.evidence.layout import COLUMNS, no_rows
from profiling.problems.files import load_problems
from profiling.profiles.pool_files import load_pools, prms_in, saved_policies, saved_profiles
from profiling.profiles.profiler import BENCHMARK, ProblemProfile


def bundled_rows(policy: str | None = None) -> pd.DataFrame:
    """Return the evidence that ships with this project, for one policy or (None) for all."""
    wanted = None if policy is None else [("policy", "==", policy)]
    frames = [
        pd.read_parquet(path, filters=wanted)
        for path in sorted((data_folder() / "measured").glob("*.parquet"))
    ]
    frames = [_with_benchmark(frame) for frame in frames if len(frame)]
    if not frames:
        return no_rows()
    rows = pd.concat(frames, ignore_index=True).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    return rows.assign(all_accuracy=rows["all_accuracy"].fillna(rows["accuracy"]))


def _with_benchmark(frame: pd.DataFrame) -> pd.DataFrame:
    """Return evidence with its benchmarks; the laboratory's own problems belong to none."""
    if BENCHMARK not in frame:
        return frame.assign(**{BENCHMARK: ""})
    return frame.fillna({BENCHMARK: ""})


def bundled_benchmarks(policy: str) -> tuple[str, ...]:
    """Return the names of the benchmarks that the bundled evidence on a policy is of."""
    return tuple(sorted(set(bundled_rows(policy)[BENCHMARK]) - {""}))


def bundled_policies() -> tuple[str, ...]:
    """Return the policies of the bundled evidence, which has one file per policy."""
    return tuple(path.stem for path in sorted((data_folder() / "measured").glob("*.parquet")))


def bundled_profiles(policy: str, prm: str | None) -> dict[str, ProblemProfile]:
    """Return the bundled profile of a policy as a PRM scored it, by problem; empty without one."""
    folder = data_folder()
    if policy not in saved_policies(folder / "measured" / "pools"):
        return {}
    samples, _ = load_pools(folder / "measured" / "pools", policy)
    if prm is not None and prm not in prms_in(samples):
        return {}
    problems = load_problems(folder / "problems" / "laboratory" / "profile.jsonl")
    texts = {problem_uid(problem): problem.text for problem in problems}
    return {one.outcome.problem.id: one for one in saved_profiles(samples, prm, texts)}


def bundled_sizes() -> dict[str, int]:
    """Return the numbers of parameters of the models in the bundled evidence, by name."""
    sizes: dict[str, int] = {}
    for path in sorted((data_folder() / "measured").glob("*.models.json")):
        sizes |= json.loads(path.read_text(encoding="utf-8"))
    return sizes
