"""Does the next measurement do what `apportion recommend` claims of it?

A case draws some of the matrix's 400 problems, asks for a recommendation on them as a user would,
and reads the claimed chance that 50 more problems change the choice, and the claimed gain. It then
adds 50 other problems and asks again. The choice has changed or not; the gain is the accuracy of
the new choice minus that of the old one, on the problems that neither answer has seen.

Cases take the three policies and their five PRMs in turn, 24 to 120 problems, and budgets of 4, 16,
64 or none, without a target accuracy. With `--fit` an outcome model is fitted before each answer,
as `apportion fit` does. Claims are compared in bins of equal numbers of cases. Cases share
problems, so the intervals, which take them as independent, are a little too narrow.

`--results FILE` keeps each case; the same command goes on from there.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import ROOT, finish
from scipy.stats import t as student

sys.path.insert(0, str(ROOT))
from executor.strategy import key
from planner.choice.answer import Answer
from planner.choice.constraint import Constraint
from planner.choice.next_measurement import PROBLEMS as MORE
from planner.costs.cost import Rates
from planner.evidence.bundled import bundled_rows, bundled_sizes
from planner.prediction.tuning import tune
from planner.usecases.evidence_bundle import EvidenceBundle
from planner.usecases.recommend import choose_from_bundle
from profiling.arrays import Floats
from profiling.laboratory.catalog import POLICIES, prms_of
from profiling.pass_rate import ALL, PassRate

SIZES = (24, 40, 60, 80, 120)  # problems of the first answer
BUDGETS = (None, 4, 16, 64)
TRIALS = 6  # of a fit
BINS = 6
PAIRS = tuple((policy, prm) for policy in POLICIES for prm in prms_of(policy).values())


@dataclass(frozen=True, slots=True)
class Result:
    """What one case claimed, and what happened.

    Attributes:
        case: number of the case, which is also its seed.
        policy, prm, problems, budget, fitted: what was asked.
        chance, gain, saving: the claims; the saving is a share of the present cost.
        changed: whether the choice changed.
        gained: accuracy of the new choice minus that of the old one on unseen problems.
        saved: share of the present cost that the new choice saves on them.
    """

    case: int
    policy: str
    prm: str
    problems: int
    budget: int | None
    fitted: bool
    chance: float
    gain: float
    saving: float
    changed: bool
    gained: float
    saved: float


@cache
def evidence(policy: str, prm: str) -> pd.DataFrame:
    """The rows of a policy without a PRM and with one."""
    rows = bundled_rows(policy)
    return rows[rows["prm"].isin(["", prm])].reset_index(drop=True)


def answer(rows: pd.DataFrame, policy: str, prm: str, limit: Constraint, *, fitted: bool) -> Answer:
    """The recommendation that a store with these rows gives."""
    model = tune(rows, trials=TRIALS) if fitted else None
    sizes = bundled_sizes()
    bundle = EvidenceBundle(rows, model, None, Rates(sizes[policy], sizes[prm]), ())
    return choose_from_bundle(bundle, policy, prm, ALL, limit)


def judge(case: int, *, fitted: bool) -> Result:
    """Ask, measure `MORE` problems, ask again, and compare on the problems not used."""
    policy, prm = PAIRS[case % len(PAIRS)]
    rng = np.random.default_rng([MORE, case])
    seen, budget = SIZES[rng.integers(len(SIZES))], BUDGETS[rng.integers(len(BUDGETS))]
    rows = evidence(policy, prm)
    order = pd.Series({p: i for i, p in enumerate(rng.permutation(sorted(set(rows["problem"]))))})
    place = rows["problem"].map(order)

    def asked(problems: int) -> Answer:
        own = rows[place < problems].reset_index(drop=True)
        return answer(own, policy, prm, Constraint(budget=budget), fitted=fitted)

    before, after = asked(seen), asked(seen + MORE)
    assert before.measurement is not None
    old, new = before.made.choice, after.made.choice
    unseen = rows[place >= seen + MORE]
    accuracy = unseen.groupby("strategy")["accuracy"].mean()
    price = {key(one.strategy): one.price(after.made.cost_unit)
             for one in (after.made.choice, *after.made.alternatives)}  # fmt: skip
    ratio = price[key(new.strategy)] / price.get(key(old.strategy), np.nan)
    return Result(
        case,
        policy,
        prm,
        seen,
        budget,
        fitted,
        chance=before.measurement.chance,
        gain=before.measurement.gain,
        saving=before.measurement.saving / old.price(before.made.cost_unit),
        changed=new.strategy != old.strategy,
        gained=float(accuracy[key(new.strategy)] - accuracy[key(old.strategy)]),
        saved=float(1 - ratio),
    )


def judged(cases: int, fitted: bool, processes: int, path: Path | None) -> Iterator[Result]:
    """All cases, those of the file first; each new one is appended to it."""
    kept = [] if path is None or not path.exists() else path.read_text().splitlines()
    done = [Result(**json.loads(line)) for line in kept]
    done = [one for one in done if one.fitted == fitted and one.case < cases]
    yield from done
    missing = sorted(set(range(cases)) - {one.case for one in done})
    with ProcessPoolExecutor(processes) as pool:
        for ended in as_completed([pool.submit(judge, case, fitted=fitted) for case in missing]):
            if path is not None:
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(ended.result())) + "\n")
            yield ended.result()


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Claims beside what happened; intervals are of 95 %."""
    changed = [one.changed for one in results]
    gained = np.array([one.gained for one in results])
    saved = [one.saved for one in results if np.isfinite(one.saved)]
    return {
        "cases": len(results),
        "chance": float(np.mean([one.chance for one in results])),
        "changed": float(np.mean(changed)),
        "changed_interval": list(PassRate(sum(changed), len(changed)).interval()),
        "gain": float(np.mean([one.gain for one in results])),
        "gained": float(gained.mean()),
        "gained_interval": _interval(gained),
        "saving": float(np.mean([one.saving for one in results])),
        "saved": float(np.mean(saved)),
    }


def _interval(values: Floats) -> list[float]:
    """95 % interval of a mean, by Student's t."""
    error = values.std(ddof=1) / math.sqrt(len(values))
    reach = float(student.ppf(0.975, len(values) - 1) * error)
    return [float(values.mean()) - reach, float(values.mean()) + reach]


def binned(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The summary of each bin of claimed chance; bins have equal numbers of cases."""
    ranked = sorted(results, key=lambda one: (one.chance, one.case))
    parts = np.array_split(np.arange(len(ranked)), min(BINS, len(ranked)))
    return [summary([ranked[i] for i in part]) for part in parts]


def main() -> None:
    """Judge, and compare claims with what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=480)
    parser.add_argument("--fit", action="store_true", help="fit an outcome model for each answer")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--results", type=Path, help="JSONL file that keeps each case")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    results = list(judged(given.cases, given.fit, given.processes, given.results))
    whole, bins = summary(results), binned(results)
    farthest = max(abs(one["chance"] - one["changed"]) for one in bins)
    certain = [one for one in results if one.chance < 0.01]
    if not given.json:
        for one in bins:
            low, high = one["changed_interval"]
            print(
                f"{one['cases']} cases: chance {one['chance']:.2f}, changed {one['changed']:.2f} "
                f"[{low:.2f}, {high:.2f}]; gain {one['gain']:+.4f}, gained {one['gained']:+.4f} "
                f"[{one['gained_interval'][0]:+.4f}, {one['gained_interval'][1]:+.4f}]"
            )
    line = (
        f"{whole['cases']} cases{' after fit' if given.fit else ''}: claimed chance of a change "
        f"{whole['chance']:.3f}, changed {whole['changed']:.3f}, at most {farthest:.3f} apart in "
        f"{len(bins)} bins; claimed gain {whole['gain']:+.4f}, gained {whole['gained']:+.4f} "
        f"[{whole['gained_interval'][0]:+.4f}, {whole['gained_interval'][1]:+.4f}]; a chance below "
        f"1 % was claimed {len(certain)} times, and {sum(one.changed for one in certain)} changed"
    )
    document = {"farthest": farthest, "all": whole, "bins": bins, "fitted": given.fit}
    finish(document, line, as_json=given.json)


if __name__ == "__main__":
    main()
