"""Published figures as evidence: the rows of `data/published`, each with its source.

What the columns and codes mean is said in `data/published/README.md`. A figure is the accuracy of
a whole benchmark, not of one problem: `cells` brings them into the layout of
`planner.evidence.cells`, where measured, imported and published evidence meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

import pandas as pd

from executor.resources import data_folder
from executor.strategy import STRATEGIES, Strategy, from_dict, key
from planner.costs import TOKENS
from profiling.passrate import ALL

# A source that was seen only through others is shown and not built on.
SECONDARY = "secondary"
# What a cell is of; with `study` and `source` it is one figure.
CELL = ["policy", "prm", "name", "n", "width", "score", "vote", "benchmark"]
SAMPLE = "majority"  # a vote of one is one sample
_ROUNDING = 1e-9


@cache
def rows() -> pd.DataFrame:
    """All published accuracies and coverages, a row a printed figure.

    Columns: `study, policy, prm, name, n, width, score, vote, benchmark, metric, accuracy, seed,
    error, reliability, note, source`. `accuracy` and `error` (how exactly it could be read) are
    fractions. `n` and `width` are 0, and `score` and `vote` empty, where they are not printed.
    """
    table = pd.read_csv(
        data_folder() / "published" / "accuracy.csv", dtype=str, keep_default_na=False
    )
    table = table.rename(columns={"strategy": "name"})
    for column in ("n", "width"):
        table[column] = table[column].replace("", "0").astype("int64")
    table["accuracy"] = table.pop("value").astype(float) / 100
    table["error"] = table["error"].replace("", "0").astype(float) / 100
    return table


@cache
def benchmarks() -> Mapping[str, int]:
    """Problems of each benchmark that figures can be asked for."""
    table = pd.read_csv(data_folder() / "published" / "benchmarks.csv")
    return dict(zip(table["benchmark"], table["problems"].astype(int), strict=True))


@cache
def tokens_per_response() -> tuple[float, str]:
    """Mean tokens of a sampled response, and where that is from; the only run that tells."""
    table = pd.read_csv(data_folder() / "published" / "facts.csv", keep_default_na=False)
    [found] = table[table["item"] == "tokens_per_response"].to_dict("records")
    return float(found["value"]), f"{found['policy']} on {found['benchmark']}, {found['source']}"


@cache
def cells() -> pd.DataFrame:
    """Published accuracies in the layout of `planner.evidence.cells`, a row a figure.

    Seeds are added up; a figure printed in two tables of one study counts once, two that disagree
    stay two rows. Further columns: `study`, `benchmark`, `runs`, `accuracy`, `reliability`, `note`,
    `source`. Nothing is said of difficulty, tokens, pass@1 and AUC: `all` and NaN.
    """
    table = rows()
    one = (table["metric"] == "coverage") & (table["name"] == "pass_at_n") & (table["n"] == 1)
    table = table[((table["metric"] == "accuracy") | one) & table["benchmark"].isin(benchmarks())]
    table = table.copy()
    # One sample is one sample, whatever it was printed as the first point of.
    sample = (table["n"] == 1) & table["name"].isin(["pass_at_n", "best_of_n", SAMPLE])
    table.loc[sample, "name"] = SAMPLE
    table.loc[sample, ["prm", "score", "vote"]] = ""
    found = table.groupby(["study", *CELL, "source"], sort=True, as_index=False).agg(
        accuracy=("accuracy", "mean"),
        runs=("seed", "nunique"),
        reliability=("reliability", "first"),
        note=("note", "first"),
    )
    found["printed"] = found["accuracy"].round(6)
    found = found.drop_duplicates(["study", *CELL, "printed"]).drop(columns="printed")
    found["problems"] = found["benchmark"].map(benchmarks()).astype("int64")
    found["rows"] = found["problems"] * found["runs"]
    found["successes"] = found["accuracy"] * found["rows"]
    found["squares"] = found["successes"]  # of answers that are right or wrong
    found["difficulty"], found["sources"] = ALL, "published"
    for column in (*TOKENS, "pass_at_1", "prm_auc"):
        found[column] = float("nan")
    strategies = [strategy_of(cell) for cell in found.to_dict("records")]
    names = zip(strategies, found["name"], strict=True)
    found["strategy"] = [name if strategy is None else key(strategy) for strategy, name in names]
    return found.reset_index(drop=True)


def strategy_of(cell: Mapping[Any, Any]) -> Strategy | None:
    """The strategy a cell is of, what is not printed being the default; None where it is not ours.

    None too where the budget is not printed.
    """
    kind = STRATEGIES.get(cell["name"])
    if kind is None or not cell["n"]:
        return None
    known = {field.name for field in fields(kind)}
    printed = {name: cell[name] for name in ("width", "score", "vote") if cell[name]}
    return from_dict(
        {"name": cell["name"], "n": int(cell["n"])}
        | {name: value for name, value in printed.items() if name in known}
    )


def contradictions(policy: str, benchmark: str) -> list[str]:
    """Figures of one cell that differ by more than they could be read to, a line a cell."""
    table = rows()
    table = table[(table["policy"] == policy) & (table["benchmark"] == benchmark)]
    table = table[table["metric"].isin(["accuracy", "coverage"])]
    by_source = table.groupby([*CELL, "metric", "source"], sort=True, as_index=False).agg(
        accuracy=("accuracy", "mean"), error=("error", "max")
    )
    said: dict[str, list[Any]] = {}
    for row in by_source.to_dict("records"):
        said.setdefault(_printed(row), []).append(row)
    lines = []
    for cell, found in said.items():
        read = [row["accuracy"] for row in found]
        if max(read) - min(read) > 2 * max(row["error"] for row in found) + _ROUNDING:
            each = ", ".join(f"{row['accuracy']:.3f} ({row['source']})" for row in found)
            lines.append(f"{cell}: {each}")
    return lines


def _printed(cell: Mapping[Any, Any]) -> str:
    """A cell of one policy and benchmark in words."""
    options = [f"{name}={cell[name]}" for name in ("n", "width", "score", "vote") if cell[name]]
    listed = f"({','.join(options)})" if options else ""
    prm = f" with {cell['prm']}" if cell["prm"] else ""
    return f"{cell['name']}{listed}{prm}"
