"""Are the replayed accuracies of a difficulty those of fresh samples?

Small pools are drawn from the laboratory's recorded pools of 256 samples. A small pool gives the
class of its problem and the replayed accuracy; fresh accuracy is the replay of the samples outside
of the small pool, in the same class. Their difference should be 0. It is shown for the old way, by
which all samples give the class and are replayed, and for the one of `profiling.pools.class_part`,
with the largest budget that each replays. Intervals are 95 %, over problems: the draws of a problem
are one unit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from common import MEASURED, ROOT, finish
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(ROOT))
from executor.answers.grader import MathGrader
from executor.answers.voting import Vote
from executor.strategy import Score
from profiling.arrays import Floats, Ints
from profiling.laboratory.catalog import POLICIES, prms_of
from profiling.pass_rate import Difficulty, PassRate
from profiling.pools.class_part import ClassPart
from profiling.pools.replay import MAJORITY, Pool, Rule, replay
from profiling.profiles.pool_files import load_pools, saved_pools

SIZES = (8, 16, 64)
RULES = (MAJORITY, Rule(Vote.MAX, Score.LAST), Rule(Vote.WEIGHTED, Score.LAST))
ALLOWED = 0.01  # largest difference, besides the error of the draws
OLD, NEW = "old", "split"
ORDERS = 16  # random orders of a pool; their error is small beside that of the draws
LEVELS = tuple(Difficulty)
Z = 1.96


@dataclass(frozen=True)
class Seen:
    """Same minus fresh of one draw of a small pool, by rule."""

    way: str
    k: int
    level: Difficulty
    same: Floats
    fresh: Floats


def part_of(pool: Pool, chosen: Ints) -> Pool:
    """Some samples of a pool, with the scores of last steps alone."""
    return replace(
        pool,
        correct=pool.correct[chosen],
        answer_class=pool.answer_class[chosen],
        scores={Score.LAST: pool.scores[Score.LAST][chosen]},
        tokens=pool.tokens[chosen],
    )


def accuracies(pool: Pool, k: int, seed: int, part: ClassPart | None = None) -> Floats:
    """Accuracy of each rule, shape `(rules,)`."""
    curves = replay(pool, np.array([k]), orders=ORDERS, random_state=seed, part=part)
    return np.array([curves[rule].accuracy[0] for rule in RULES])


def draws(pool: Pool, n: int, number: int, rng: np.random.Generator) -> Iterator[Seen]:
    """Draw small pools of n samples, and judge both ways on each."""
    for seed in rng.integers(2**32, size=number).tolist():
        order = rng.permutation(len(pool))
        small, rest = part_of(pool, order[:n]), part_of(pool, order[n:])
        split = ClassPart.of(small.correct)
        assert split is not None
        whole = PassRate(int(small.correct.sum()), n).difficulty
        for way, k, level, part in (
            (OLD, n, whole, None),
            (OLD, split.largest, whole, None),
            (NEW, split.largest, split.level, split),
        ):
            same = accuracies(small, k, seed, part)
            yield Seen(way, k, level, same, accuracies(rest, k, seed + 1))


def differences(of_problems: Sequence[Sequence[Seen]]) -> list[dict[str, Any]]:
    """Same minus fresh, by way, k, difficulty and rule, with its error over problems."""
    found = []
    keys = sorted({(seen.way, seen.k) for seen in of_problems[0]})
    for way, k in keys:
        for level in LEVELS:
            sums, counts, fresh = [], [], []
            for one in of_problems:
                members = [s for s in one if (s.way, s.k, s.level) == (way, k, level)]
                sums.append(sum((s.same - s.fresh for s in members), np.zeros(len(RULES))))
                fresh.append(sum((s.fresh for s in members), np.zeros(len(RULES))))
                counts.append(len(members))
            total = sum(counts)
            mean = np.sum(sums, axis=0) / total
            off = np.array(sums) - np.outer(counts, mean)
            error = np.sqrt((off**2).sum(axis=0)) / total
            for rule, value, wide, at in zip(
                RULES, mean, error, np.sum(fresh, axis=0) / total, strict=True
            ):
                found.append(
                    {
                        "way": way, "k": k, "difficulty": level.value, "rule": str(rule),
                        "problems": sum(map(bool, counts)), "draws": total, "fresh": float(at),
                        "difference": float(value),
                        "interval": [float(value - Z * wide), float(value + Z * wide)],
                    }
                )  # fmt: skip
    return found


def main() -> None:
    """Judge every policy and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=40, help="small pools of each problem")
    parser.add_argument("--problems", type=int, help="only the first ones (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    with threadpool_limits(1):
        for policy in POLICIES:
            with MathGrader() as grader:
                samples, _ = load_pools(MEASURED / "pools", policy)
                pools = list(saved_pools(samples, prms_of(policy)["strong"], grader))
            rng = np.random.default_rng(arguments.seed)
            for n in SIZES:
                seen = [
                    list(draws(one.pool, n, arguments.draws, rng))
                    for one in pools[: arguments.problems]
                ]
                made = [{"policy": policy, "samples": n} | one for one in differences(seen)]
                results += made
                for one in made if not arguments.json else ():
                    low, high = one["interval"]
                    print(
                        f"{policy}, pools of {n}, {one['way']}, {one['rule']}@{one['k']}, "
                        f"{one['difficulty']}: {one['difference']:+.4f} [{low:+.4f}, {high:+.4f}] "
                        f"beside {one['fresh']:.3f} ({one['problems']} problems)",
                        flush=True,
                    )
    new = [one for one in results if one["way"] == NEW]
    outside = [one for one in new if one["interval"][0] > ALLOWED or one["interval"][1] < -ALLOWED]
    worst = {
        way: max((o for o in results if o["way"] == way), key=lambda o: abs(o["difference"]))
        for way in (OLD, NEW)
    }
    line = (
        f"same minus fresh: {worst[OLD]['difference']:+.3f} at worst if the same samples give "
        f"class and accuracy; {worst[NEW]['difference']:+.4f} at worst of {len(new)} cells if "
        f"others do, {len(outside)} of them outside of ±{ALLOWED} by their 95 % intervals"
    )
    finish({"cells": results, "outside": len(outside)}, line, as_json=arguments.json)
    if outside:
        sys.exit(1)


if __name__ == "__main__":
    main()
