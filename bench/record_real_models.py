"""Records the matrix of `bench/real_models.py` into `data/measured/`, without anybody's texts.

The part to learn from becomes the bundled evidence of each policy (`apportion recommend`, `plan`,
`replay`, `evaluate`), with the benchmark of every problem. The part to judge on goes into
`data/measured/heldout/`, which no command learns from; `bench/paper_on_real_models.py` reads it. Of
a response its answer, correctness, rewards, length and log-probability are kept; of a problem a
digest and the features of its text that difficulty is estimated from. `data/plans` gets a plan of
each policy's first benchmark.

A benchmark that is not whole yet is recorded as far as it is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from common import MEASURED, ROOT, finish
from real_models import BENCHMARKS, BUDGETS, PARTS, POLICIES, head_of
from record_evidence import models, note_models

sys.path.insert(0, str(ROOT))
from executor.answers.grader import Grader, MathGrader
from executor.ledger import COLUMNS
from executor.problem import Problem, problem_uid
from executor.store.store import Store
from planner.catalog import load_catalog
from planner.choice.constraint import Constraint
from planner.costs import measured as noted
from planner.evidence.gathering import gather
from planner.evidence.layout import save
from planner.plans.serialization import save_plan
from planner.usecases.plan import plan
from planner.usecases.run import KIND as RUN
from planner.usecases.store_lookup import prms_of
from profiling.difficulty.fitting import PROBES
from profiling.difficulty.probes import TEXT, text_features
from profiling.profiles.pool_files import pools_of, save_pools
from profiling.profiles.profiler import BENCHMARK, KIND
from profiling.scorers.free import FREE_SCORERS

PROFILE, HELDOUT = PARTS


@dataclass(frozen=True)
class Part:
    """What one store has on one policy.

    Attributes:
        rows: evidence.
        samples, ledgers: the pools.
        problems: a row for each problem: uid, benchmark, features of the text.
        plan: a row for each problem that a plan answered.
        models: sizes and shapes.
        speeds: tokens a second that the policy generated and that its head read, on this machine.
    """

    rows: pd.DataFrame
    samples: pd.DataFrame
    ledgers: pd.DataFrame
    problems: pd.DataFrame
    plan: pd.DataFrame
    models: dict[str, dict[str, object]]
    speeds: pd.DataFrame


def read(work: Path, policy: str, part: str, grader: Grader) -> Iterator[Part]:
    """Yield what has been recorded of each benchmark."""
    for benchmark in BENCHMARKS:
        path = work / f"{benchmark}.{part}.db"
        if not path.is_file():
            continue
        with Store.open(f"sqlite:///{path}", create=False) as store:
            specs = [spec for spec in store.runs(KIND) if spec.policy == policy]
            if not specs:
                continue
            scorers = (*prms_of(store.runs(), policy), *FREE_SCORERS)
            rows = gather(store, grader, policy, scorers).assign(**{BENCHMARK: benchmark})
            samples, ledgers = pools_of(store, policy)
            texts = [one.outcome.problem for one in store.outcomes(specs[0], samples=False)]
            yield Part(
                rows,
                samples.assign(**{BENCHMARK: benchmark}),
                ledgers.assign(**{BENCHMARK: benchmark}),
                described(texts, benchmark),
                planned(store, policy).assign(**{BENCHMARK: benchmark}),
                models(store, policy, sorted(set(rows["prm"]) - {""})),
                speeds(store, policy).assign(**{BENCHMARK: benchmark}),
            )


def described(problems: list[Problem], benchmark: str) -> pd.DataFrame:
    """Digest and features of each problem."""
    return pd.DataFrame(
        [
            {"problem": problem_uid(one), BENCHMARK: benchmark}
            | dict(zip(TEXT, text_features(one.text), strict=True))
            for one in problems
        ]
    )


def speeds(store: Store, policy: str) -> pd.DataFrame:
    """What the runs of a store measured, one row; None if they did not."""
    known = noted.rates(store, policy, head_of(policy), load_catalog())
    names = ("tokens_per_second", "prm_tokens_per_second")
    return pd.DataFrame([{name: getattr(known, name) for name in names}], dtype=float)


def planned(store: Store, policy: str) -> pd.DataFrame:
    """How the newest plan did: strategy, correctness and ledger of each problem."""
    specs = [one for one in store.runs(RUN) if one.policy == policy]
    rows = [
        {
            "problem": problem_uid(one.outcome.problem),
            "strategy": one.note["strategy"],
            "accuracy": float(bool(one.outcome.correct)),
        }
        | {column: getattr(one.outcome.ledger, name) for name, column in COLUMNS.items()}
        for spec in specs[-1:]
        for one in store.outcomes(spec, samples=False)
    ]
    return pd.DataFrame(rows)


def save_plan_of(work: Path, policy: str) -> None:
    """Make the plan that ships, from the first benchmark that is recorded of a policy."""
    for benchmark in BENCHMARKS:
        path = work / f"{benchmark}.{PROFILE}.db"
        if not path.is_file():
            continue
        with Store.open(f"sqlite:///{path}", create=False) as store:
            scorers = prms_of(store.runs(), policy)
        head = head_of(policy)
        limits = Constraint(budget=max(BUDGETS) + PROBES)
        scorer = head if head in scorers else None
        made = plan(policy, scorer, constraint=limits, store=f"sqlite:///{path}")
        folder = MEASURED.parent / "plans"
        folder.mkdir(exist_ok=True)
        save_plan(made.plan, folder / f"{policy}.json")
        return


def joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """One frame of all."""
    return pd.concat(frames, ignore_index=True)


def main() -> None:
    """Record both parts of each policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "real-models", help="its stores")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    counts: dict[str, int] = {}
    features: list[pd.DataFrame] = []
    with MathGrader() as grader:
        for policy in POLICIES:
            for part in PARTS:
                found = list(read(arguments.work.resolve(), policy, part, grader))
                if not found:
                    continue
                folder = MEASURED if part == PROFILE else MEASURED / HELDOUT
                rows = joined([own(folder / f"{policy}.parquet"), *(one.rows for one in found)])
                save(rows, folder / f"{policy}.parquet")
                save_pools(
                    joined([one.samples for one in found]),
                    joined([one.ledgers for one in found]),
                    folder / "pools",
                    policy,
                )
                features += [one.problems for one in found]
                if part == HELDOUT:
                    for name in ("plan", "speeds"):
                        frame = joined([getattr(one, name) for one in found])
                        frame.to_parquet(folder / f"{policy}.{name}.parquet", index=False)
                else:
                    save_plan_of(arguments.work.resolve(), policy)
                    note_models({k: v for one in found for k, v in one.models.items()}, policy)
                counts[f"{policy} {part}"] = rows["problem"].nunique()
    if not features:
        sys.exit(f"{arguments.work}: nothing is recorded there; run bench/real_models.py first")
    of_problems = MEASURED / "problems"
    of_problems.mkdir(exist_ok=True)
    every = joined(features).drop_duplicates("problem").sort_values("problem")
    every.round(6).to_parquet(of_problems / "features.parquet", index=False, compression="zstd")
    line = "recorded problems: " + ", ".join(f"{k} {v}" for k, v in counts.items())
    finish({"problems": counts}, line, as_json=arguments.json)


def own(path: Path) -> pd.DataFrame:
    """The rows of a policy's file that are of no benchmark: those of this project's problems."""
    if not path.is_file():
        return pd.DataFrame()
    rows = pd.read_parquet(path)
    return rows[rows.get(BENCHMARK, pd.Series("", index=rows.index)).eq("")]


if __name__ == "__main__":
    main()
