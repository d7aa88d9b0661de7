"""How long take a choice from a loaded plan, one over models, and a fit to 100,000 rows?

The bundled runs give a plan of the middle laboratory policy with its strong PRM, which is read from
its file. One process on one core then asks it for every difficulty, with limits and targets that
differ in every question. The time of each answer is its own; answers that refuse count too. At its
first question, a loaded plan makes arrays of its content; this time counts in that question.

The choice over models is among 1,000 strategies of ten models. They are the laboratory's three
policies with all their PRMs, as `apportion recommend --policy all` reads them, and copies of these
under other names. The time is that of the whole answer: choice, runner-up, what it saves against
larger models, notes and the JSON document. Beside it stands the processor's time, which other
programs on the machine hardly change.

The evidence of the fit is the laboratory's: as many whole problems as have at most 100,000 rows.
The model is tuned with the trials of `apportion fit` in a database.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import ROOT, finish

sys.path.insert(0, str(ROOT))

from executor.errors import InputError
from executor.models.templates import PromptTemplate
from executor.strategy import Sampling
from planner.catalog import load_catalog
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.models import Contenders
from planner.choice.paired import Contrast
from planner.costs.cost import Rates
from planner.costs.pricing import Pricing
from planner.evidence.bundled import bundled_rows, bundled_sizes
from planner.plans.compiled import CompiledPlan
from planner.plans.plan import Plan, PlanBasis
from planner.plans.serialization import load_plan, save_plan
from planner.prediction import tuning
from planner.usecases.recommend import to_dict
from planner.usecases.recommend_models import find_models
from profiling.laboratory.catalog import POLICIES, prms_of
from profiling.pass_rate import LEVELS

POLICY = "lab-0.8m"
NO_STORE = "sqlite:///no-such-store.db"
MODELS = 10, 1000  # how many models to choose among, and strategies of all of them
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


def contenders_of(models: int, strategies: int) -> Contenders:
    """Strategies of so many models, with outcomes: the laboratory's and copies of them."""
    known = find_models(
        NO_STORE, list(POLICIES), [], benchmark=None, catalog=load_catalog(), pricing=Pricing()
    ).contenders
    own = {
        policy: [one for one in known.found if one.models and one.models.policy == policy]
        for policy in POLICIES
    }
    found, sizes, originals, rows = [], {}, {}, {}
    for number in range(models):
        policy = tuple(POLICIES)[number % len(POLICIES)]
        name = f"{policy}-{number}"
        sizes[name] = known.sizes[policy] + number  # none is equal to another
        for one in own[policy][: strategies // models]:
            assert one.models is not None
            copy = replace(one, models=replace(one.models, policy=name))
            originals[copy.run] = one
            assert copy.models is not None
            rows[copy.models] = known.rows[one.models]
            found.append(copy)

    def compare(one: StrategyEstimate, other: StrategyEstimate) -> Contrast:
        return known.compare(originals[one.run], originals[other.run])

    return replace(known, found=tuple(found), sizes=sizes, compare=compare, rows=rows)


def choices_over_models(questions: int) -> dict[str, Any]:
    """Times of so many choices over models, in milliseconds."""
    started = time.perf_counter()
    contenders = contenders_of(*MODELS)
    loading = time.perf_counter() - started
    random = np.random.default_rng(0)
    seconds, refused = [], 0
    for number in range(questions):
        if number % 2:
            asked = Constraint(max_flops=float(10 ** random.uniform(7, 11)))
        else:
            asked = Constraint(target_accuracy=float(random.uniform(0.3, 0.7)))
        started = time.perf_counter(), time.process_time()
        try:
            to_dict(contenders.choose(asked))
        except InputError:
            refused += 1
        seconds.append((time.perf_counter() - started[0], time.process_time() - started[1]))
    (p50, cpu_p50), (p99, cpu_p99) = np.percentile(seconds, [50, 99], axis=0) * 1e3
    return {
        "models": MODELS[0],
        "strategies": len(contenders.found),
        "load_ms": 1e3 * loading,
        "questions": questions,
        "refused": refused,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "processor_p50_ms": float(cpu_p50),
        "processor_p99_ms": float(cpu_p99),
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
    parser.add_argument("--model-questions", type=int, default=400)
    parser.add_argument("--no-fit", action="store_true", help="time choices alone")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    chosen = choices(arguments.questions)
    over_models = choices_over_models(arguments.model_questions)
    document = {"recommend": chosen, "over_models": over_models}
    line = (
        f"a choice among {chosen['strategies']} strategies of a loaded plan: "
        f"{chosen['p50_ms']:.2f} ms p50, {chosen['p99_ms']:.2f} ms p99 "
        f"({chosen['questions']:,} questions); among {over_models['strategies']:,} of "
        f"{over_models['models']} models: {over_models['p50_ms']:.1f} ms p50, "
        f"{over_models['p99_ms']:.1f} ms p99, of the processor "
        f"{over_models['processor_p50_ms']:.1f} "
        f"and {over_models['processor_p99_ms']:.1f} ms ({over_models['questions']:,} questions)"
    )
    if not arguments.no_fit:
        fitted = fitting(arguments.rows, arguments.trials)
        document["fit"] = fitted
        line += (
            f"; fit --trials {fitted['trials']} on {fitted['rows']:,} rows: "
            f"{fitted['seconds']:.0f} s"
        )
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
