"""What do votes and brevity gain on reasoning models? Replay of the runs of arXiv 2512.02008.

Its authors drew eight responses of eight models to each problem of AIME24, AIME25 and GPQA-Diamond.
Given these responses (answers and token counts, one a line), the script computes pass@k, majority@k
and short-m@k with their tokens and writes `data/published/reasoning.csv`. The responses themselves
are not part of this repository. `bench/reasoning_page.py` makes a page of the figures.

The estimand of every figure: k different ones of the eight fixed openings are drawn at random, each
begins one response, and the problems are a sample of the benchmark's kind. So no figure assumes
that openings are alike; Cochran's Q says if they are not. A figure of a difficulty is the mean over
all splits of a problem's responses into five, which give the class, and three, which are voted on.

Figure: the gain of majority@8 over one response, and of short-3@8 over a vote of as many tokens.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, SHARED, finish
from reasoning_intervals import weighted_accuracy, weighted_difference
from reasoning_runs import RULES, SHORT, Cell, Replayed, accuracies, read

sys.path.insert(0, str(ROOT))
from planner.evaluation.bootstrap import TwoWayBootstrap
from planner.prediction.paired_statistics import paired_interval
from profiling.arrays import Bools, Floats
from profiling.pass_rate import ALL, MIN_SAMPLES, Difficulty, PassRate
from profiling.pools.class_part import ClassPart

RUNS = SHARED / "data" / "runs" / "reasoning_samples.csv.gz"
FIGURES = ROOT / "data" / "published" / "reasoning.csv"
STUDY = "agarwal2025"
SOURCE = "arXiv:2512.02008 runs, github:Aradhye2002/art_of_tts @4b3e790"
BUDGETS = (1, 2, 4, 8)
IN_CLASS = 3  # responses that are voted on if the others give the class
UNANSWERED = 0.3  # of a cell's responses; above it, a figure says more of a token limit
OPENINGS_DIFFER = 0.001  # p-value of Cochran's Q; there are 24 cells
COLUMNS = (
    "study", "policy", "benchmark", "difficulty", "strategy", "n", "metric", "value", "low", "high",
    "gain", "gain_low", "gain_high", "equal", "equal_low", "equal_high", "tokens", "latency",
    "problems", "samples", "reliability", "note", "source",
)  # fmt: skip


def figures(replayed: Sequence[Replayed]) -> Iterator[dict[str, Any]]:
    """All rows of `reasoning.csv`."""
    for one in replayed:
        cell = one.cell
        codes = [f"no_answer:{cell.unanswered:.2f}"]
        if cell.openings_differ() < OPENINGS_DIFFER:
            codes.append("openings_differ")
        same = {
            "policy": cell.policy,
            "benchmark": cell.benchmark,
            "samples": cell.tokens.shape[1],
            "reliability": "unanswered" if cell.unanswered > UNANSWERED else "replayed",
            "note": ";".join(codes),
        }
        yield from (same | row for row in (*_whole(one), *_by_class(cell), *_brevity(cell)))
    used = [one for one in replayed if one.cell.unanswered <= UNANSWERED]
    alike = [one for one in used if one.cell.openings_differ() >= OPENINGS_DIFFER]
    for chosen, words in ((used, "policies"), (alike, "policies with openings alike")):
        for benchmark in sorted({one.cell.benchmark for one in chosen}):
            yield from _pooled([one for one in chosen if one.cell.benchmark == benchmark], words)


def _asked() -> Iterator[tuple[str, int]]:
    """Rules and budgets of the figures of whole benchmarks."""
    for rule in RULES:
        for k in BUDGETS:
            if k > (1 if rule == "pass_at_n" else SHORT.get(rule, 0)):
                yield rule, k


def _metric(rule: str) -> str:
    return "coverage" if rule == "pass_at_n" else "accuracy"


def _whole(one: Replayed) -> Iterator[dict[str, Any]]:
    every = np.ones(len(one.cell.problems))
    for rule, k in _asked():
        row = {"difficulty": ALL, "strategy": rule, "n": k, "metric": _metric(rule)}
        row |= _interval("value", weighted_accuracy(one.accuracy[rule][:, k - 1], every))
        if k > 1:
            row |= _interval("gain", _paired(one.gain(rule, k)))
        if rule in SHORT:
            row |= _interval("equal", _paired(one.over_majority(rule, k)))
        row |= {"tokens": one.tokens[rule][k - 1], "latency": one.latency[rule][k - 1]}
        yield row | {"problems": len(every)}


def _paired(values: Floats) -> tuple[float, float, float]:
    return float(values.mean()), *paired_interval(values)


def _by_class(cell: Cell) -> Iterator[dict[str, Any]]:
    size = cell.tokens.shape[1] - IN_CLASS
    assert size >= MIN_SAMPLES
    for level in Difficulty:
        weights, parts = [], []
        for one in zip(cell.answers, cell.correct, cell.tokens, strict=True):
            if _possible(one[1], size, level):
                part = ClassPart(one[1], size, level)
                weights.append(part.chance)
                # Each of k responses has the expected length of one.
                length = float((one[2] * part.odds[one[1].astype(int), 1]).mean())
                parts.append((accuracies(*one, most=IN_CLASS, part=part), length))
        weight = np.array(weights)
        if not weights:
            continue
        single = np.array([found["majority"][0] for found, _ in parts])
        length = float(weight @ [length for _, length in parts] / weight.sum())
        for rule, k in (("majority", 1), *((rule, IN_CLASS) for rule in RULES[:-1])):
            values = np.array([found[rule][k - 1] for found, _ in parts])
            row = {"difficulty": level.value, "strategy": rule, "n": k, "metric": _metric(rule)}
            row |= _interval("value", weighted_accuracy(values, weight))
            if k > 1:
                row |= _interval("gain", weighted_difference(values - single, weight))
            if rule not in SHORT:
                row["tokens"] = k * length
            yield row | {"problems": round(float(weight.sum()), 1)}


def _possible(correct: Bools, size: int, level: Difficulty) -> bool:
    """Whether some split of the responses gives this class."""
    right, n = int(correct.sum()), len(correct)
    counts = range(max(0, right - (n - size)), min(size, right) + 1)
    return any(PassRate(count, size).difficulty is level for count in counts)


def _brevity(cell: Cell) -> Iterator[dict[str, Any]]:
    """Share of pairs of a right and a wrong answer to one problem whose right one is shorter."""
    shares = []
    for answers, correct, tokens in zip(cell.answers, cell.correct, cell.tokens, strict=True):
        right, wrong = tokens[correct], tokens[~correct & (answers >= 0)]
        if len(right) and len(wrong):
            apart = right[:, None] - wrong
            shares.append(float(((apart < 0) + (apart == 0) / 2).mean()))
    if shares:
        row = {"difficulty": ALL, "metric": "right_is_shorter", "problems": len(shares)}
        yield row | _interval("value", weighted_accuracy(np.array(shares), np.ones(len(shares))))


def _pooled(replayed: Sequence[Replayed], words: str) -> Iterator[dict[str, Any]]:
    """Means over policies; their intervals draw policies and problems."""
    draws = TwoWayBootstrap([one.cell.problems for one in replayed])
    row = {
        "policy": f"mean of {len(replayed)} {words}",
        "benchmark": replayed[0].cell.benchmark,
        "difficulty": ALL,
        "problems": len(replayed[0].cell.problems),
        "samples": replayed[0].cell.tokens.shape[1],
        "reliability": "replayed",
    }

    def mean(values: Sequence[Floats]) -> tuple[float, float, float]:
        found = draws.mean(values)
        return found.value, found.low, found.high

    for rule, k in _asked():
        found = {"strategy": rule, "n": k, "metric": _metric(rule)}
        found |= _interval("value", mean([one.accuracy[rule][:, k - 1] for one in replayed]))
        if k > 1:
            found |= _interval("gain", mean([one.gain(rule, k) for one in replayed]))
        if rule in SHORT:
            found |= _interval("equal", mean([one.over_majority(rule, k) for one in replayed]))
        found["tokens"] = np.mean([one.tokens[rule][k - 1] for one in replayed])
        found["latency"] = np.mean([one.latency[rule][k - 1] for one in replayed])
        yield row | found


def _interval(name: str, found: tuple[float, float, float]) -> dict[str, str]:
    """A figure with its interval, in percent; `value` has its ends in `low` and `high`."""
    ends = ("low", "high") if name == "value" else (f"{name}_low", f"{name}_high")
    return {
        column: f"{100 * value:.2f}" for column, value in zip((name, *ends), found, strict=True)
    }


def write(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the figures; tokens are whole numbers, and what is not known is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            counts = {name: round(row[name]) for name in ("tokens", "latency") if name in row}
            writer.writerow({**row, **counts, "study": STUDY, "source": SOURCE})


def main() -> None:
    """Replay, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=RUNS, help="the responses, a CSV file")
    parser.add_argument("--out", type=Path, default=FIGURES)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = list(figures([Replayed.of(cell) for cell in read(arguments.runs)]))
    write(rows, arguments.out)
    pooled = [row for row in rows if re.fullmatch(r"mean of \d+ policies", row["policy"])]
    line = "; ".join(
        f"{row['benchmark']}: majority@8 gains {row['gain']} [{row['gain_low']}, "
        f"{row['gain_high']}] points over one response, short-3@8 {short['equal']} "
        f"[{short['equal_low']}, {short['equal_high']}] over a vote of as many tokens"
        for row, short in zip(_of(pooled, "majority"), _of(pooled, "short_3_of_k"), strict=True)
    )
    finish({"figures": len(rows), "means": pooled}, line, as_json=arguments.json)


def _of(rows: Sequence[dict[str, Any]], rule: str) -> list[dict[str, Any]]:
    return [row for row in rows if (row["strategy"], row["n"]) == (rule, BUDGETS[-1])]


if __name__ == "__main__":
    main()
