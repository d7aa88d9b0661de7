"""Evidence that comes with the project: recorded rows and samples of its own policies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from pyarrow.parquet import read_schema

from executor.files import data_folder
from executor.models.architecture import Shape
from executor.problem import problem_uid
from planner.evidence.layout import COLUMNS, no_rows
from planner.notes import Note, NoteCode
from profiling.arrays import Floats
from profiling.difficulty.probes import TEXT
from profiling.problems.files import load_problems
from profiling.profiles.pool_files import has_rewards, load_pools, saved_policies, saved_profiles
from profiling.profiles.profiler import BENCHMARK, ProblemProfile


def bundled_rows(policy: str | None = None) -> pd.DataFrame:
    """Return the evidence that ships with this project, for one policy or (None) for all."""
    frames = [pd.read_parquet(path, filters=_of(policy)) for path in _files()]
    frames = [_with_benchmark(frame) for frame in frames if len(frame)]
    if not frames:
        return no_rows()
    rows = pd.concat(frames, ignore_index=True).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    return rows.assign(all_accuracy=rows["all_accuracy"].fillna(rows["accuracy"]))


def _of(policy: str | None) -> list[tuple[str, str, str]] | None:
    """Return the filter of the rows of a policy; None: of all."""
    return None if policy is None else [("policy", "==", policy)]


def _files() -> list[Path]:
    return sorted((data_folder() / "measured").glob("*.parquet"))


def bundled_note(code: NoteCode, rows: pd.DataFrame) -> Note:
    """Return a note that names the benchmarks that bundled rows are of; "": this project's own."""
    return Note.of(code, benchmarks=tuple(sorted(rows[BENCHMARK].unique())))


def _with_benchmark(frame: pd.DataFrame) -> pd.DataFrame:
    """Return evidence with its benchmarks; the laboratory's own problems belong to none."""
    if BENCHMARK not in frame:
        return frame.assign(**{BENCHMARK: ""})
    return frame.fillna({BENCHMARK: ""})


def bundled_benchmarks(policy: str) -> tuple[str, ...]:
    """Return the names of the benchmarks that the bundled evidence on a policy is of."""
    names: set[str] = set()
    for path in _files():
        if BENCHMARK in read_schema(path).names:  # to read all columns takes ten times as long
            column = pd.read_parquet(path, columns=[BENCHMARK], filters=_of(policy))[BENCHMARK]
            names |= set(column.dropna().unique())
    return tuple(sorted(names - {""}))


def bundled_policies() -> tuple[str, ...]:
    """Return the policies of the bundled evidence, which has one file per policy."""
    return tuple(path.stem for path in _files())


def bundled_profiles(policy: str, prm: str | None) -> dict[str, ProblemProfile]:
    """Return the bundled profile of a policy as a PRM scored it, by problem; empty without one."""
    folder = data_folder()
    if policy not in saved_policies(folder / "measured" / "pools"):
        return {}
    samples, _ = load_pools(folder / "measured" / "pools", policy)
    if prm is not None and not has_rewards(samples, prm):
        return {}
    problems = load_problems(folder / "problems" / "laboratory" / "profile.jsonl")
    texts = {problem_uid(problem): problem.text for problem in problems}
    profiles = saved_profiles(samples, prm, texts, _text_features())
    return {one.outcome.problem.id: one for one in profiles}


def _text_features() -> dict[str, Floats]:
    """Return the features of problems whose texts do not ship with this project, by problem."""
    path = data_folder() / "measured" / "problems" / "features.parquet"
    if not path.is_file():
        return {}
    frame = pd.read_parquet(path)
    return dict(zip(frame["problem"], frame[list(TEXT)].to_numpy(), strict=True))


def bundled_sizes() -> dict[str, int]:
    """Return the numbers of parameters of the models in the bundled evidence, by name."""
    return {name: int(model["parameters"]) for name, model in _models().items()}


def bundled_shape(name: str) -> Shape | None:
    """Return the shape of a model in the bundled evidence; None if it is not there or unusual."""
    shape = _models().get(name, {}).get("shape")
    return None if shape is None else Shape(**shape)


def _models() -> dict[str, dict[str, Any]]:
    models: dict[str, dict[str, Any]] = {}
    for path in sorted((data_folder() / "measured").glob("*.models.json")):
        models |= json.loads(path.read_text(encoding="utf-8"))
    return models
