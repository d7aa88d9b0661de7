"""What does early stopping of a profile save, and how often does it give the wrong class?

The bench replays the rule of `apportion profile --confidence` on the laboratory's recorded pools:
it takes samples in the order in which they were drawn, up to a limit, and stops as soon as a
problem's class is sure. The truth is the posterior of all 256 samples: a class counts as wrong with
the probability that it is wrong. The bench also shows how well Jeffreys' prior and an empirical
Bayes prior (the Beta of greatest likelihood for the same problems' few samples) tell the class of a
problem from its first samples.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
import pandas as pd
from common import MEASURED, ROOT, finish
from scipy.optimize import minimize
from scipy.special import betainc, betaln

sys.path.insert(0, str(ROOT))
from profiling.difficulty.estimator import EDGES, classes
from profiling.difficulty.fitting import class_posterior, log_loss
from profiling.laboratory.catalog import POLICIES
from profiling.pass_rate import RESOLVED_FROM, PassRate
from profiling.profiles.pool_files import load_pools


def pools_of(policy: str) -> np.ndarray:
    """Correctness in the order of drawing, shape `(problems, samples)`."""
    samples, _ = load_pools(MEASURED / "pools", policy)
    ordered = samples.sort_values(["problem", "sample"])
    return np.array([group.to_numpy(bool) for _, group in ordered.groupby("problem")["correct"]])


def stopped(correct: np.ndarray, confidence: float, most: int) -> PassRate:
    """What is known of a problem when its sampling stops."""
    drawn = 0
    while more := PassRate.fewest_to_settle(
        int(correct[:drawn].sum()), drawn, confidence, most - drawn
    ):
        drawn += more
    return PassRate(int(correct[:drawn].sum()), drawn)


def judge(pools: np.ndarray, confidence: float, most: int) -> dict[str, Any]:
    """Samples drawn, classes left open, and wrong ones among those that are sure."""
    whole = [PassRate(int(pool.sum()), len(pool)) for pool in pools]
    found = [stopped(pool, confidence, most) for pool in pools]
    wrong = [
        1 - all_.probabilities()[one.difficulty]
        for one, all_ in zip(found, whole, strict=True)
        if one.resolved(confidence)
    ]
    return {
        "drawn": sum(one.trials for one in found) / (most * len(found)),
        "unresolved": float(np.mean([not one.resolved(confidence) for one in found])),
        "wrong": float(np.mean(wrong)),
        "unresolved_without_stopping": float(
            np.mean(
                [not PassRate(int(p[:most].sum()), most).resolved(confidence) for p in pools]
            )
        ),
    }  # fmt: skip


def priors(pools: np.ndarray, few: int) -> dict[str, float]:
    """Log loss of the class's posterior after `few` samples, under each prior."""
    right = pools[:, :few].sum(axis=1).astype(float)
    told = class_posterior(
        np.column_stack([pools.sum(axis=1), np.full(len(pools), pools.shape[1])])
    )

    def posterior(a: float, b: float) -> np.ndarray:
        ends = betainc(a + right[:, None], b + (few - right)[:, None], np.array(EDGES)[None, :])
        return classes(np.diff(ends, axis=1))

    def unlikelihood(log_ab: np.ndarray) -> float:
        a, b = np.exp(log_ab)
        return -float((betaln(a + right, b + few - right) - betaln(a, b)).sum())

    a, b = np.exp(minimize(unlikelihood, np.log([0.5, 0.5]), method="Nelder-Mead").x)
    return {
        "jeffreys": log_loss(posterior(0.5, 0.5), told),
        "empirical": log_loss(posterior(a, b), told),
        "a": float(a),
        "b": float(b),
    }


def main() -> None:
    """Every policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--confidence", type=float, default=RESOLVED_FROM)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    stops, prior = [], []
    for policy in POLICIES:
        pools = pools_of(policy)
        for most in (64, 256):
            one = judge(pools, arguments.confidence, most)
            stops.append({"policy": policy, "most": most} | one)
            if not arguments.json:
                print(
                    f"{policy}, at most {most}: {one['drawn']:.3f} of the samples drawn, "
                    f"{one['unresolved']:.3f} of the classes unresolved (all drawn: "
                    f"{one['unresolved_without_stopping']:.3f}), {one['wrong']:.3f} of the others "
                    "wrong"
                )
        for few in (4, 8, 16, 64):
            told = priors(pools, few)
            prior.append({"policy": policy, "samples": few} | told)
            if not arguments.json:
                print(
                    f"{policy}, {few} samples: log loss {told['jeffreys']:.3f} under Jeffreys' "
                    f"prior, {told['empirical']:.3f} under Beta({told['a']:.2f}, {told['b']:.2f})"
                )
    means = pd.DataFrame(stops).groupby("most")[["drawn", "unresolved", "wrong"]].mean()
    said = "; ".join(
        f"at most {most}: {row['drawn']:.3f} drawn, {row['unresolved']:.3f} unresolved, "
        f"{row['wrong']:.3f} of the others wrong"
        for most, row in means.iterrows()
    )
    losses = pd.DataFrame(prior).groupby("samples")[["jeffreys", "empirical"]].mean()
    compared = "; ".join(
        f"{few}: {row['jeffreys']:.3f}, {row['empirical']:.3f}" for few, row in losses.iterrows()
    )
    line = (
        f"sampling until the class is {arguments.confidence:.0%} sure, means over {len(POLICIES)} "
        f"policies: {said}; log loss of the class by samples, Jeffreys' and empirical prior: "
        f"{compared}"
    )
    finish({"stopping": stops, "priors": prior}, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
