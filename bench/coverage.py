"""Are the intervals and the advice true? Judged against a truth that is known.

Each draw takes problems from a world (`worlds`, `laboratory_truth`), makes evidence as a user's
runs would, and asks for a recommendation for every difficulty. With `--trials` it fits the outcome
model, which changes the estimates of a policy if it can learn from others: in the world `together`.
The printed 90 % intervals are compared with the true accuracy of their cells; the truth is not
smoothed and no sampling noise is added, so a wrong interval counts as wrong. Printed beside it:

- coverage of the recommended strategies alone, which were chosen because they looked good;
- zero-width intervals around the same centres, scored by the same metric;
- the mean width;
- overstatement: predicted minus true accuracy of the recommended strategy;
- regret: true accuracy of the best strategy minus that of the recommended one.

Standard errors are over draws, because the cells of one draw share their problems. A log (JSON
lines, one draw each) makes an interrupted run go on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import MEASURED, ROOT, finish

sys.path.insert(0, str(ROOT))
import worlds
from laboratory_truth import Laboratory, Together

from executor.strategy import key
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint
from planner.choice.recommend import choose
from planner.costs.cost import Rates
from planner.prediction.tuning import pairs, tune
from profiling.laboratory.catalog import POLICIES
from profiling.pass_rate import LEVELS

SIZES, POOLS = (24, 80, 320), (16, 64)
TOGETHER = "together"  # all policies of the laboratory on the same problems
Draw = tuple[str, int, int, int]  # world, problems, samples, number of the draw
_WORLDS: dict[str, worlds.World] = {}
_TRUTHS: dict[tuple[str, int], Mapping[worlds.Cell, float]] = {}


def world(name: str, folder: Path) -> worlds.World:
    """Return a world by name; each process makes it once."""
    if name not in _WORLDS:
        simulated = {"structural": worlds.structural, "contrary": worlds.contrary}
        if name in simulated:
            _WORLDS[name] = simulated[name]()
        elif name == TOGETHER:
            _WORLDS[name] = Together(folder, list(POLICIES))
        else:
            _WORLDS[name] = Laboratory(folder, name.partition(":")[2])
    return _WORLDS[name]


def judge(draw: Draw, trials: int, folder: Path) -> dict[str, Any]:
    """Return the printed intervals of one draw with their truths."""
    name, problems, samples, number = draw
    seed = [zlib.crc32(name.encode()), problems, samples, number]
    source = world(name, folder)
    frame = source.draw(problems, samples, np.random.default_rng(seed))
    if (name, samples) not in _TRUTHS:
        _TRUTHS[name, samples] = source.truth(samples)
    truth = _TRUTHS[name, samples]
    model = tune(frame, trials=trials, random_state=number) if trials else None
    cells: list[dict[str, Any]] = []
    for policy, prm in pairs(frame):
        for level in LEVELS:
            found = candidates(frame, policy, prm, level, model, Rates())
            if not found:
                continue
            made = choose(level, found, Constraint())
            true = {key(one.strategy):
                    truth[policy, (prm or "") if one.strategy.needs_prm else "",
                          level, key(one.strategy)] for one in found}  # fmt: skip
            best = max(true.values())
            for one in found:
                chosen = one.strategy == made.choice.strategy
                cells.append({
                    "policy": policy, "prm": prm or "", "level": level, "kind": one.strategy.name,
                    "problems": one.problems, "mean": round(one.predicted_accuracy, 5),
                    "low": round(one.interval[0], 5), "high": round(one.interval[1], 5),
                    "truth": round(true[key(one.strategy)], 5), "chosen": chosen,
                    "regret": round(best - true[key(one.strategy)], 5) if chosen else None,
                })  # fmt: skip
    return {"draw": list(draw), "trials": trials, "cells": cells}


def run(
    asked: Sequence[Draw], trials: int, folder: Path, jobs: int, log: Path | None
) -> Iterator[dict[str, Any]]:
    """Yield the record of every draw; those in the log are not drawn again."""
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    if log is not None and log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            kept[(*record["draw"], record["trials"])] = record
    missing = [draw for draw in asked if (*draw, trials) not in kept]
    yield from (kept[(*draw, trials)] for draw in asked if (*draw, trials) in kept)
    with ProcessPoolExecutor(jobs) as pool:
        for done in as_completed(pool.submit(judge, draw, trials, folder) for draw in missing):
            record = done.result()
            if log is not None:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record) + "\n")
            yield record


def table_of(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return one row per cell of every draw."""
    parts = []
    for record in records:
        name, problems, samples, number = record["draw"]
        parts.append(pd.DataFrame(record["cells"]).assign(
            world=name.partition(":")[0], size=problems, samples=samples,
            number=f"{name} {samples} {number}",
        ))  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    inside = (table["low"] <= table["truth"]) & (table["truth"] <= table["high"])
    return table.assign(
        covered=inside.astype(float),
        zero_width=(table["mean"] == table["truth"]).astype(float),
        width=table["high"] - table["low"],
        over=table["mean"] - table["truth"],
    )


def figures(table: pd.DataFrame) -> dict[str, Any]:
    """Return the figures of some cells; errors are standard errors over draws."""
    chosen = table[table["chosen"]]

    def mean(of: pd.DataFrame, column: str) -> tuple[float, float]:
        if of.empty:
            return float("nan"), float("nan")
        by_draw = of.groupby("number")[column].agg(["sum", "size"])
        value = by_draw["sum"].sum() / by_draw["size"].sum()
        rest = by_draw["sum"] - value * by_draw["size"]
        return float(value), float(np.sqrt((rest**2).sum()) / by_draw["size"].sum())

    return {
        "draws": int(table["number"].nunique()),
        "cells": len(table),
        "coverage": mean(table, "covered"),
        "chosen_coverage": mean(chosen, "covered"),
        "zero_width": mean(table, "zero_width"),
        "width": mean(table, "width"),
        "chosen_width": mean(chosen, "width"),
        "error": float(np.sqrt((table["over"] ** 2).mean())),
        "overstatement": mean(chosen, "over"),
        "regret": mean(chosen, "regret"),
        "worst_regret": float(chosen["regret"].max()) if len(chosen) else float("nan"),
    }


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """Return the figures by world and size: all, by pool, by difficulty, by kind of strategy."""
    groups: dict[str, list[str]] = {
        "all": [], "pool": ["samples"], "difficulty": ["level"], "kind": ["kind"],
    }  # fmt: skip
    found: dict[str, Any] = {}
    for what, more in groups.items():
        for at, part in table.groupby(["world", "size", *more]):
            found.setdefault(what, {})["/".join(map(str, at))] = figures(part)
    return found


def lines_of(found: dict[str, Any]) -> str:
    """Return the figures as a table."""
    head = ("cells", "draws", "all", "se", "chosen", "se", "zero", "width", "rmse",
            "over", "se", "regret", "worst")  # fmt: skip
    lines = []
    for what, rows in found.items():
        lines.append(f"{'by ' + what:32}" + "".join(f"{name:>8}" for name in head))
        for at, row in rows.items():
            values = (
                *row["coverage"], *row["chosen_coverage"], row["zero_width"][0], row["width"][0],
                row["error"], *row["overstatement"], row["regret"][0], row["worst_regret"],
            )  # fmt: skip
            figures = "".join(f"{value:8.3f}" for value in values)
            lines.append(f"{at:32}{row['cells']:8d}{row['draws']:8d}{figures}")
    return "\n".join(lines)


def main() -> None:
    """Draw, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = ["structural", "contrary", "laboratory", TOGETHER]
    parser.add_argument("--draws", type=int, default=30, help="draws of each size and pool")
    parser.add_argument("--only", nargs="+", choices=names, default=names[:3])
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="numbers of problems")
    parser.add_argument("--pools", nargs="+", type=int, default=POOLS, help="samples a problem")
    parser.add_argument("--trials", type=int, default=0, help="trials of tuning; 0: no model")
    parser.add_argument("--laboratory", type=Path, default=MEASURED, help="folder of its records")
    parser.add_argument("--log", type=Path, help="file of the draws that are done (JSON lines)")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    asked = [
        (f"laboratory:{list(POLICIES)[number % len(POLICIES)]}" if name == "laboratory" else name,
         size, samples, number)
        for number in range(given.draws)
        for name in given.only for size in given.sizes for samples in given.pools
    ]  # fmt: skip
    records = list(run(asked, given.trials, given.laboratory, given.jobs, given.log))
    found = summary(table_of(records))
    finish(found, lines_of(found), as_json=given.json)


if __name__ == "__main__":
    main()
