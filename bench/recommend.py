"""How long does a choice from a loaded plan take, and a fit to 100,000 rows of evidence?

The bundled runs give a plan of the middle laboratory policy with its strong PRM, which is read from
its file. One process on one core then asks it for every difficulty, with limits and targets that
differ in every question. The time of each answer is its own; answers that refuse count too. At its
first question, a loaded plan makes arrays of its content; this time counts in that question.

The evidence is the laboratory's: as many whole problems as have at most 100,000 rows. The model is
tuned with the trials of `apportion fit` in a database.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import ROOT, finish

sys.path.insert(0, str(ROOT))

from executor.errors import InputError
from executor.models.templates import PromptTemplate
from executor.strategy import Sampling
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint
from planner.costs.cost import Rates
from planner.evidence.bundled import bundled_rows, bundled_sizes
from planner.plans.compiled import CompiledPlan
from planner.plans.plan import Plan, PlanBasis
from planner.plans.serialization import load_plan, save_plan
from planner.prediction import tuning
from profiling.laboratory.catalog import POLICIES, prms_of
from profiling.pass_rate import LEVELS

POLICY = "lab-0.8m"
ROWS, TRIALS = 100_000, 50


def plan_of(policy: str, prm: str) -> Plan:
    """What `apportion plan` keeps of the bundled evidence on a policy and PRM, but no classifier:
    choices by a difficulty that is given ask none."""
    frame, sizes = bundled_rows(), bundled_sizes()
    rates = Rates(policy_parameters=sizes[policy], prm_parameters=sizes[prm])
    known = {
        level: tuple(
            one.as_recorded() for one in candidates(frame, policy, prm, level, None, rates)
        )
        for level in LEVELS
    }
    first = {level: entries[0] for level, entries in known.items()}
    return Plan(
        policy, prm, Sampling(), PromptTemplate(), first, None, Constraint(), PlanBasis(),
        frontier=known, alternatives=known, rates=rates,
    )  # fmt: skip


def choices(questions: int) -> dict[str, Any]:
    """Times of so many choices, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        save_plan(plan_of(POLICY, prms_of(POLICY)["strong"]), path)
        size = path.stat().st_size
        started = time.perf_counter()
        plan = CompiledPlan(load_plan(path))
        loading = time.perf_counter() - started
    random = np.random.default_rng(0)
    seconds, refused = [], 0
    for _ in range(questions):
        level = str(random.choice(LEVELS))
        if random.random() < 0.5:
            asked = Constraint(max_flops=float(10 ** random.uniform(6, 11)))
        else:
            asked = Constraint(
                budget=int(random.integers(1, 257)),
                target_accuracy=float(random.uniform(0.05, 0.95)),
            )
        started = time.perf_counter()
        try:
            plan.recommend(level, asked)
        except InputError:
            refused += 1
        seconds.append(time.perf_counter() - started)
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
    return {
        "strategies": len(plan.plan.alternatives["all"]),
        "plan_bytes": size,
        "load_ms": 1e3 * loading,
        "questions": questions,
        "refused": refused,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "longest_ms": 1e3 * max(seconds),
    }


def whole_problems(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """As many whole problems as have at most so many rows."""
    counts = frame.groupby("problem").size()
    kept = counts.index[counts.cumsum() <= rows]
    return frame[frame["problem"].isin(kept)].reset_index(drop=True)


def fitting(rows: int, trials: int) -> dict[str, Any]:
    """Time of one fit, in seconds."""
    frame = bundled_rows()
    frame = whole_problems(frame[frame["policy"].isin(POLICIES)], rows)
    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{folder}/store.db"
        started = time.perf_counter()
        fitted = tuning.fit(frame, trials=trials, storage=storage)
        seconds = time.perf_counter() - started
    return {
        "rows": fitted.rows,
        "problems": fitted.problems,
        "trials": fitted.trials,
        "seconds": seconds,
        "log_loss": fitted.log_loss,
        "base_log_loss": fitted.base_log_loss,
    }


def main() -> None:
    """Time both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    chosen = choices(arguments.questions)
    fitted = fitting(arguments.rows, arguments.trials)
    line = (
        f"a choice among {chosen['strategies']} strategies of a loaded plan: "
        f"{chosen['p50_ms']:.2f} ms p50, {chosen['p99_ms']:.2f} ms p99 "
        f"({chosen['questions']:,} questions); fit --trials {fitted['trials']} on "
        f"{fitted['rows']:,} rows: {fitted['seconds']:.0f} s"
    )
    finish({"recommend": chosen, "fit": fitted}, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
