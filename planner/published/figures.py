"""Published figures as evidence: the rows of `data/published`, each with its source.

`data/published/README.md` explains the columns and codes. A figure is the accuracy on a whole
benchmark, not on one problem. `cells` converts figures to the layout of
`planner.evidence.cells.cells`, which measured, imported and published evidence share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from executor.files import data_folder
from executor.strategy import STRATEGIES, Strategy, from_dict, key
from planner.costs.cost import TOKENS
from profiling.arrays import Floats
from profiling.pass_rate import ALL

# Figures that are shown; the model does not use them. Their source was read only in citations, or
# so many responses have no answer that they say more of a token limit than of the policy.
SHOWN_ONLY = frozenset({"secondary", "unanswered"})
# Studies of policies that think for thousands of tokens. Samples of these say little of policies
# that do not, and the other way round; see `telling`.
SET_APART = frozenset({"agarwal2025"})
# Columns that identify a cell; with `study` and `source` they identify a figure.
CELL = ["policy", "prm", "name", "n", "width", "score", "vote", "benchmark"]
UNSTATED = "unstated"  # name of a PRM that a study used and does not name
GREEDY = "greedy"
SAMPLE = "majority"  # a vote of one is one sample
# Begins the note of a figure that its study lists among greedy ones and quotes from a source that
# sampled.
_QUOTED_SAMPLES = "sampled:"
_ROUNDING = 1e-9
_SURPRISING = 0.05  # a chance below which sampling is no explanation


@cache
def rows() -> pd.DataFrame:
    """Return all published accuracies and coverages, one row for each printed figure.

    Columns: `study, policy, prm, name, n, width, score, vote, benchmark, metric, accuracy, seed,
    error, reliability, note, source, tokens`. `accuracy` and `error` (the reading error) are
    fractions. If a study does not print `n` or `width`, they are 0; `score` and `vote` are then
    empty. `tokens` are those that the policy generates for a problem, NaN if no source has them.
    """
    table = pd.concat([_read("accuracy.csv"), _of_reasoning_models()], ignore_index=True)
    table = table.fillna("").rename(columns={"strategy": "name"})
    for column in ("n", "width"):
        table[column] = table[column].replace("", "0").astype("int64")
    table["accuracy"] = table.pop("value").astype(float) / 100
    table["error"] = table["error"].replace("", "0").astype(float) / 100
    table["tokens"] = pd.to_numeric(table["tokens"])
    return table


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(data_folder() / "published" / name, dtype=str, keep_default_na=False)


def _of_reasoning_models() -> pd.DataFrame:
    """Return the accuracies and coverages of whole benchmarks in `reasoning.csv`."""
    table = _read("reasoning.csv")
    whole = (table["difficulty"] == ALL) & table["metric"].isin(["accuracy", "coverage"])
    columns = [
        "study", "policy", "benchmark", "strategy", "n", "metric", "value", "reliability", "note",
        "source", "tokens",
    ]  # fmt: skip
    return table.loc[whole & ~table["policy"].str.startswith("mean of "), columns]


@cache
def benchmarks() -> Mapping[str, int]:
    """Return the number of problems of each benchmark with figures."""
    table = pd.read_csv(data_folder() / "published" / "benchmarks.csv")
    return dict(zip(table["benchmark"], table["problems"].astype(int), strict=True))


@cache
def tokens_per_response() -> tuple[float, str]:
    """Return the mean tokens of a sampled response of one run, and the source.

    It stands for all policies and benchmarks without `printed_tokens`.
    """
    table = pd.read_csv(data_folder() / "published" / "facts.csv", keep_default_na=False)
    [found] = table[table["item"] == "tokens_per_response"].to_dict("records")
    return float(found["value"]), f"{found['policy']} on {found['benchmark']}, {found['source']}"


@cache
def printed_tokens(policy: str, benchmark: str) -> tuple[float, str] | None:
    """Return the mean tokens of a policy's response on a benchmark, and the source.

    None if no source prints them, or only one whose figures are `SHOWN_ONLY`.
    """
    table = cells()
    one = (table["policy"] == policy) & (table["benchmark"] == benchmark) & (table["n"] == 1)
    one &= table["generated_tokens"].notna() & ~table["reliability"].isin(SHOWN_ONLY)
    printed = table[one].to_dict("records")
    if not printed:
        return None
    return float(printed[0]["generated_tokens"]), str(printed[0]["source"])


@cache
def cells() -> pd.DataFrame:
    """Return published accuracies in the layout of `planner.evidence.cells.cells`.

    Each row is a figure, averaged over its seeds. A figure that two tables of one study print
    counts once; two figures that disagree remain two rows. Further columns: `study`, `benchmark`,
    `runs`, `accuracy`, `reliability`, `note`, `source`. Difficulty is `all`. Generated tokens are
    NaN if no source has them; other tokens, pass@1 and AUC are NaN, because no figure has them.
    """
    table = rows()
    one = (table["metric"] == "coverage") & (table["name"] == "pass_at_n") & (table["n"] == 1)
    table = table[((table["metric"] == "accuracy") | one) & table["benchmark"].isin(benchmarks())]
    table = table.copy()
    # One sample is the same figure, whichever strategy's curve starts with it.
    sample = (table["n"] == 1) & table["name"].isin(["pass_at_n", "best_of_n", SAMPLE])
    table.loc[sample, "name"] = SAMPLE
    table.loc[sample, ["prm", "score", "vote"]] = ""
    found = table.groupby(["study", *CELL, "source"], sort=True, as_index=False).agg(
        accuracy=("accuracy", "mean"),
        runs=("seed", "nunique"),
        reliability=("reliability", "first"),
        note=("note", "first"),
        generated_tokens=("tokens", "mean"),
    )
    found["printed"] = found["accuracy"].round(6)
    found = found.drop_duplicates(["study", *CELL, "printed"]).drop(columns="printed")
    found["problems"] = found["benchmark"].map(benchmarks()).astype("int64")
    found["rows"] = found["problems"] * found["runs"]
    found["successes"] = found["accuracy"] * found["rows"]
    found["squares"] = found["successes"]  # of answers that are right or wrong
    found["difficulty"], found["sources"] = ALL, "published"
    for column in {*TOKENS, "pass_at_1", "prm_auc"} - {"generated_tokens"}:
        found[column] = float("nan")
    strategies = [strategy_of(cell) for cell in found.to_dict("records")]
    names = zip(strategies, found["name"], found["n"], strict=True)
    found["strategy"] = [
        name.replace("_of_k", f"_of_{n}") if strategy is None else key(strategy)
        for strategy, name, n in names
    ]
    return found.reset_index(drop=True)


def general(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of the studies that are not `SET_APART`."""
    return cells[~cells["study"].isin(SET_APART)]


def telling(cells: pd.DataFrame, policy: str, benchmark: str) -> pd.DataFrame:
    """Return the cells from which a policy is predicted on a benchmark.

    A policy that no study of `SET_APART` ran is predicted from `general` cells alone. For one of
    theirs, `bench/published.py` left each of these policies out on a benchmark in turn: cells of
    these studies instead of general ones predict it best, in error and coverage. Its own cells of
    other studies stay. If these studies lack the benchmark, only general cells know how hard it is,
    so both are used.

    Args:
        cells: the result of `cells`, with all figures of the policy.
        policy, benchmark: what is asked about.
    """
    apart = cells["study"].isin(SET_APART)
    own = cells["policy"] == policy
    if not (apart & own).any():
        return general(cells)
    if benchmark in set(cells.loc[apart, "benchmark"]):
        return cells[apart | own]
    return cells


def is_sampled_only(cells: pd.DataFrame, policy: str) -> bool:
    """Return whether there is a figure of one sample of a policy, and none of greedy decoding.

    Such a policy may be one that loops without sampling, as its makers warn of some.
    """
    own = cells[cells["policy"] == policy]
    sample = (own["name"] == SAMPLE) & (own["n"] == 1)
    greedy = (own["name"] == GREEDY) & ~own["note"].str.startswith(_QUOTED_SAMPLES)
    return bool(sample.any() and not greedy.any())


def strategy_of(cell: Mapping[Any, Any]) -> Strategy | None:
    """Return the strategy of a cell; options that are not printed have their defaults.

    None if this program has no such strategy, or if the budget is not printed.
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


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Figures of one cell that do not agree.

    Attributes:
        cell: strategy with its printed options.
        prm: the PRM's name, or `UNSTATED`; empty without one.
        study: the study that disagrees with itself; None: studies disagree with each other.
        figures: accuracies, each with its source.
        chance: probability that sampling alone makes studies differ so much; None for one study.
    """

    cell: str
    prm: str
    study: str | None
    figures: tuple[tuple[float, str], ...]
    chance: float | None = None


@cache
def contradictions(policy: str, benchmark: str) -> tuple[Contradiction, ...]:
    """Return the figures of a policy on a benchmark that disagree, by cell.

    Studies are independent samples: they disagree if their figures differ by more than sampling
    explains (`heterogeneity`). Two figures of one study for one cell are the same sample: the study
    disagrees with itself if they differ by more than the reading error.
    """
    table = rows()
    table = table[(table["policy"] == policy) & (table["benchmark"] == benchmark)]
    table = table[table["metric"].isin(["accuracy", "coverage"])]
    by_source = table.groupby([*CELL, "metric", "study", "source"], sort=True, as_index=False).agg(
        accuracy=("accuracy", "mean"), error=("error", "max"), runs=("seed", "nunique")
    )
    problems = benchmarks()[benchmark]
    contrary = []
    for cell, found in by_source.groupby([*CELL, "metric"], sort=True):
        named = dict(zip(CELL, cell, strict=False))
        name, prm = _printed(named), str(named["prm"])
        for study, own in found.groupby("study", sort=True):
            if len(own) > 1 and np.ptp(own["accuracy"]) > 2 * own["error"].max() + _ROUNDING:
                contrary.append(Contradiction(name, prm, str(study), _each(own)))
        studies = found.groupby("study", sort=True, as_index=False).agg(
            accuracy=("accuracy", "mean"),
            error=("error", "max"),
            runs=("runs", "max"),
            source=("source", "first"),
        )
        trials = problems * studies["runs"].to_numpy(float)
        if len(studies) > 1:
            chance = heterogeneity(
                studies["accuracy"].to_numpy(float), trials, studies["error"].to_numpy(float)
            )
            if chance < _SURPRISING:
                contrary.append(Contradiction(name, prm, None, _each(studies), chance))
    return tuple(contrary)


def heterogeneity(accuracy: Floats, trials: Floats, error: Floats) -> float:
    """Return the p-value of the studies' differences, if all have one true accuracy.

    Cochran's Q against chi-squared with one degree of freedom less than studies (Cochran 1954,
    Biometrics 10(1)), with the variances that hold if the pooled accuracy is the true one. Studies
    are taken as independent: on one benchmark they share its problems and differ by less.

    Args:
        accuracy: shape `(studies,)`.
        trials: problems times runs, shape `(studies,)`.
        error: reading error of each accuracy, shape `(studies,)`; rounding within it has a variance
            of a third of its square.
    """
    pooled = float(np.clip((accuracy @ trials + 0.5) / (trials.sum() + 1), 0.0, 1.0))
    weights = 1 / (pooled * (1 - pooled) / trials + error**2 / 3)
    mean = weights @ accuracy / weights.sum()
    return float(chdtrc(len(accuracy) - 1, weights @ (accuracy - mean) ** 2))


def _each(found: pd.DataFrame) -> tuple[tuple[float, str], ...]:
    """Return accuracies with their sources."""
    pairs = zip(found["accuracy"], found["source"], strict=True)
    return tuple((float(accuracy), str(source)) for accuracy, source in pairs)


def _printed(cell: Mapping[Any, Any]) -> str:
    """Return the strategy of a cell, with its printed options, as text."""
    options = [f"{name}={cell[name]}" for name in ("n", "width", "score", "vote") if cell[name]]
    listed = f"({','.join(options)})" if options else ""
    return f"{cell['name']}{listed}"
