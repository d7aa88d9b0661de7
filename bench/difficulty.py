"""How well can 0 to 16 probe samples tell a question's difficulty, without its answer?

The bench runs the difficulty estimator on the laboratory's recorded pools (256 samples per
problem), with the strong PRM's rewards and without. It is fitted and calibrated on four fifths of
the problems and judged on the last fifth, five times. Beside the coverage measured there,
`coverage_told` is the coverage that the heads report from their own problems, as plans print it.
Pass@1 is known only as a posterior, so all figures are expectations over it; `best` is the log loss
of predicting that posterior itself.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from common import LABORATORY, MEASURED, ROOT, finish
from sklearn.model_selection import KFold

sys.path.insert(0, str(ROOT))
from executor.problem import problem_uid
from executor.strategy import Score
from planner.evaluation.bootstrap import ProblemBootstrap
from profiling.difficulty.estimator import LEVEL, DifficultyModel, intervals
from profiling.difficulty.fitting import (
    DifficultyEstimator,
    class_posterior,
    coverage,
    log_loss,
    quality,
)
from profiling.difficulty.probes import Probes
from profiling.laboratory.catalog import POLICIES, prms_of
from profiling.problems.files import load_problems
from profiling.profiles.pool_files import load_pools, rewards_of

FOLDS = 5
COUNTS = (0, 1, 2, 4, 8, 16)


def questions_of(policy: str, prm: str | None) -> tuple[list[Probes], np.ndarray]:
    """The pools of a policy as questions, and `(right samples, samples)` of each."""
    samples, _ = load_pools(MEASURED / "pools", policy)
    problems = load_problems(LABORATORY / "profile.jsonl")
    text = {problem_uid(problem): problem.text for problem in problems}
    rewards = None if prm is None else rewards_of(samples, prm)
    found, rates = [], []
    for uid, pool in samples.groupby("problem", sort=False):
        scores = None
        if rewards is not None:
            of = {Score.MIN: np.min, Score.LAST: lambda steps: steps[-1], Score.MEAN: np.mean}
            scores = np.array([[float(one(r)) for one in of.values()] for r in rewards[pool.index]])
        # The laboratory's answers are plain numbers: the same text is the same answer.
        answers = pd.factorize(pool["answer"])[0]
        found.append(
            Probes(
                text[str(uid)], answers.astype(np.int64), pool["tokens"].to_numpy(float).clip(1),
                pool["logprob"].to_numpy(float), scores,
            )
        )  # fmt: skip
        rates.append((int(pool["correct"].sum()), len(pool)))
    return found, np.array(rates)


def judge(questions: Sequence[Probes], rates: np.ndarray, k: int) -> dict[str, Any]:
    """Quality of k probes on the problems of each fold, by the others, and what it says of itself.

    The interval of the coverage is of resampling problems.
    """
    told_of, covered = [], np.empty(len(rates))
    parts: list[tuple[np.ndarray, ...]] = []
    splitter = KFold(FOLDS, shuffle=True, random_state=1)  # other folds than calibration's own
    for train, test in splitter.split(rates):
        estimator = DifficultyEstimator((k,)).fit([questions[i] for i in train], rates[train])
        [head] = estimator.model_.heads
        told_of.append(head.quality.coverage)
        x, problem = estimator.probe_sets([questions[i] for i in test], k)
        ranges = head.ranges(x)
        base = class_posterior(rates[train]).mean(axis=0)
        ends = intervals(ranges, head.nominal)
        for at, one in enumerate(test):
            mine = problem == at
            covered[one] = coverage(ends[mine], *rates[test][problem][mine].T)
        parts.append((ranges, np.tile(base, (len(x), 1)), ends, rates[test][problem]))
    ranges, base, ends, counts = (np.concatenate(each) for each in zip(*parts, strict=True))
    found = quality(ranges, base, ends, *counts.T)
    told = class_posterior(counts)
    names = [str(at) for at in range(len(rates))]
    interval = ProblemBootstrap([names]).mean([covered])
    return {
        "log_loss": found.log_loss,
        "base_log_loss": found.base_log_loss,
        "best_log_loss": log_loss(told, told),
        "accuracy": found.accuracy,
        "base_accuracy": float(np.mean(base.argmax(axis=1) == told.argmax(axis=1))),
        "calibration_error": found.calibration_error,
        "coverage": found.coverage,
        "coverage_interval": [interval.low, interval.high],
        "coverage_told": float(np.mean(told_of)),
        "width": found.width,
    }


def seconds(questions: Sequence[Probes], rates: np.ndarray) -> tuple[float, float]:
    """To train what a plan holds, and to estimate one question (median)."""
    started = time.perf_counter()
    model: DifficultyModel = DifficultyEstimator().fit(questions, rates).model_
    training = time.perf_counter() - started
    each = []
    for one in questions:
        started = time.perf_counter()
        probes = Probes(
            one.text, one.answer_class[:4], one.tokens[:4], one.logprob[:4],
            None if one.scores is None else one.scores[:4],
        )  # fmt: skip
        model.estimate_probes(probes)
        each.append(time.perf_counter() - started)
    return training, float(np.median(each))


def main() -> None:
    """Every policy, with its strong PRM and without, and every number of probes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", nargs="+", default=list(POLICIES), choices=list(POLICIES))
    parser.add_argument("--probes", nargs="+", type=int, default=COUNTS, metavar="K")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    document: dict[str, Any] = {"folds": FOLDS, "level": LEVEL, "found": []}
    for policy in arguments.policies:
        for kind, prm in (("none", None), ("strong", prms_of(policy)["strong"])):
            questions, rates = questions_of(policy, prm)
            training, one = seconds(questions, rates)
            document.setdefault("seconds", []).append({"training": training, "question": one})
            for k in arguments.probes:
                found = judge(questions, rates, k)
                document["found"].append({"policy": policy, "prm": kind, "probes": k} | found)
                if not arguments.json:
                    print(
                        f"{policy}, PRM {kind}, {k} probes: log loss {found['log_loss']:.3f} "
                        f"(base {found['base_log_loss']:.3f}, best {found['best_log_loss']:.3f}), "
                        f"accuracy {found['accuracy']:.3f} (base {found['base_accuracy']:.3f}), "
                        f"calibration error {found['calibration_error']:.3f}, {LEVEL:.0%} interval "
                        f"covers {found['coverage']:.3f} "
                        f"[{found['coverage_interval'][0]:.3f}, "
                        f"{found['coverage_interval'][1]:.3f}] (told "
                        f"{found['coverage_told']:.3f}), {found['width']:.3f} wide",
                        flush=True,
                    )
    rows = pd.DataFrame(document["found"])
    means = rows.groupby(["probes", "prm"])[
        ["log_loss", "accuracy", "coverage", "coverage_told"]
    ].mean()
    said = "; ".join(
        f"{k}, {prm}: {row['log_loss']:.3f}, {row['accuracy']:.3f}, {row['coverage']:.3f} "
        f"({row['coverage_told']:.3f})"
        for (k, prm), row in means.iterrows()
    )
    training, one = (max(each[of] for each in document["seconds"]) for of in document["seconds"][0])
    base = f"{rows['base_log_loss'].mean():.3f}, {rows['base_accuracy'].mean():.3f}"
    line = (
        f"probes, PRM: log loss, accuracy, coverage of {LEVEL:.0%} intervals (and as told), means "
        f"over {len(arguments.policies)} policies: {said}; base rate: {base}; training at most "
        f"{training:.1f} s, a question {1e6 * one:.0f} µs"
    )
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
