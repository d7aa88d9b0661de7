"""How fast, how exact and how noisy is the replay of a pool at every k?

Speed: 500 problems of 256 samples, every k, pass@k and three votes under four scores, on one core,
for simulated pools and for the bundled ones of each policy of the laboratory (400 problems, the
first hundred twice). Beside the seconds stand the subsampling error of weighted votes and the
standard error over problems.

Exactness: small pools against every ordered draw, with votes by `executor.answers.voting.vote`.

Recorded figures: the evidence in `data/measured`, which an earlier estimator made from the same
pools; and a public run of the code of arXiv 2502.06703, if it lies beside this repository. This run
has two samples per problem, so it shows that pass@1 and pass@2 agree with its own records, and
nothing of larger k. No published pass@k exists for any pool here.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import resource
import sys
import tarfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from common import MEASURED, ROOT, SHARED, finish
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(ROOT))
from executor.answers.grader import MathGrader
from executor.answers.voting import Vote, group, vote
from executor.search import aggregate
from executor.strategy import Score
from planner.evidence.bundled import bundled_rows
from planner.evidence.layout import BUDGETS
from profiling.arrays import Floats
from profiling.laboratory.catalog import POLICIES, prms_of
from profiling.pass_rate import ALL
from profiling.pools.replay import ORDERS, Pool, Rule, pass_at_k, replay, seed_of
from profiling.pools.surface import ProblemPool, Surface
from profiling.profiles.pool_files import load_pools, saved_pools

RUN = SHARED / "data" / "runs" / "compute-optimal-tts_qwen2.5-1.5b_math-shepherd.tar.gz"
RUN_PASS_AT_1 = 0.495  # share of right records, as the run's description states it
NONE = np.zeros(0, dtype=np.int64)


def make_pool(
    correct: NDArray[np.bool_], answer_class: NDArray[np.int64], scores: dict[Score, Floats]
) -> Pool:
    """A pool whose samples are ten tokens long, without the tokens of its steps."""
    return Pool(correct, answer_class, scores, np.full(len(correct), 10), NONE, NONE)


def simulated(problems: int, samples: int, seed: int) -> Iterator[ProblemPool]:
    """Pools as policies make them, from no policy.

    pass@1 is Beta(0.4, 0.6); a wrong sample joins a wrong answer by how often that came, or brings
    a new one, so that a few are frequent and many are not; one in a hundred has none. Steps, 3 to
    8, share their sample's quality, which is 1 higher (in standard deviations) where it is right.
    """
    rng = np.random.default_rng(seed)
    for number in range(problems):
        correct = rng.random(samples) < rng.beta(0.4, 0.6)
        newcomers = rng.uniform(1, 20)
        answer_class = np.zeros(samples, dtype=np.int64)
        taken: list[int] = []
        for index in np.flatnonzero(~correct):
            new = rng.random() < newcomers / (newcomers + len(taken))
            taken.append(1 + len(set(taken)) if new else taken[rng.integers(len(taken))])
            answer_class[index] = taken[-1]
        answer_class[~correct & (rng.random(samples) < 0.01)] = -1
        quality = correct + rng.normal(size=samples)
        rewards = [
            (1 / (1 + np.exp(-q - rng.normal(size=rng.integers(3, 9))))).tolist() for q in quality
        ]
        scores = {s: np.array([aggregate(one, s) for one in rewards]) for s in Score}
        pool = make_pool(correct, answer_class, scores)
        yield ProblemPool(f"{number:012x}", pool, float(pool.tokens.sum()))


def timed(pools: Sequence[ProblemPool]) -> dict[str, Any]:
    """Replay pools at every k: how long it takes, and the errors over all difficulties."""
    surface = Surface(np.arange(1, len(pools[0].pool) + 1))
    started, busy = time.perf_counter(), time.process_time()
    for one in pools:
        surface.add(one)
    points = [point for point in surface.points() if point.difficulty == ALL]
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    drawn = [point for point in points if point.subsampling_error > 0]
    return {
        "problems": len(pools),
        "samples": len(pools[0].pool),
        "seconds": seconds,
        "processor_seconds": busy,
        "orders": ORDERS,
        "subsampling_error": max(point.subsampling_error for point in drawn),
        "standard_error": [
            min(point.standard_error for point in drawn),
            max(point.standard_error for point in drawn),
        ],
        "largest_ratio": max(point.subsampling_error / point.standard_error for point in drawn),
    }


def enumerated(pools: int, seed: int) -> float:
    """The largest difference of any rule at any k from the mean over every ordered draw."""
    rng = np.random.default_rng(seed)
    answers_there = [None, "1", "2", "3"]
    worst = 0.0
    with MathGrader() as grader:
        for _ in range(pools):
            n = int(rng.integers(1, 7))
            answers = [answers_there[i] for i in rng.integers(4, size=n)]
            scores = {s: rng.integers(0, 5, size=n) / 4 for s in Score}
            correct = np.array([answer == "1" for answer in answers])
            pool = make_pool(correct, np.array(group(answers, grader)), scores)
            for rule, curve in replay(pool, np.arange(1, n + 1)).items():
                for k in range(rule.first or 1, n + 1):
                    won = by_hand(answers, scores, rule, k, grader)
                    worst = max(worst, abs(float(curve.accuracy[k - 1]) - won))
    return worst


def by_hand(
    answers: Sequence[str | None], scores: dict[Score, Floats], rule: Rule, k: int, grader: Any
) -> float:
    """Share of ordered draws in which the executor's vote is right, answer "1" being so."""
    right = []
    for drawn in itertools.permutations(range(len(answers)), k):
        if (
            rule.first is not None
        ):  # all samples are equally long, so the first of the pool end first
            drawn = tuple(sorted(drawn)[: rule.first])
        seen = [answers[i] for i in drawn]
        if rule.vote is None:
            right.append("1" in seen)
        else:
            given = None if rule.score is None else [float(scores[rule.score][i]) for i in drawn]
            right.append(seen[vote(seen, given, rule.vote, grader)] == "1")
    return sum(right) / len(right)


def against_recorded(policy: str, prm: str, pools: Sequence[ProblemPool]) -> dict[str, float]:
    """Replayed accuracies minus the recorded evidence of the same pools.

    Returns:
        The largest difference on any problem of what both know exactly (best-of-N, and all votes
        of one sample and of the whole pool), and the largest difference of means over problems of
        the other cells, in standard errors of both estimates' draws.
    """
    rows = bundled_rows(policy)
    rows = rows[(rows["source"] == "replayed") & rows["prm"].isin(["", prm])]
    recorded = {
        (r.problem, r.vote or Vote.MAJORITY.value, r.score, r.n): r.accuracy
        for r in rows.itertuples()
    }
    ks = np.array(BUDGETS)
    exact, cells = 0.0, defaultdict(list)
    for one in pools:
        curves = replay(one.pool, ks, orders=512, random_state=seed_of(one.problem))
        for rule, curve in curves.items():
            if rule.first is not None:
                continue  # the recorded evidence has no votes of the first to finish
            for column, k in enumerate(ks.tolist()):
                score = "" if rule.score is None else rule.score.value
                known = recorded.get((one.problem, str(rule.vote), score, k))
                if known is None:
                    continue
                value = float(curve.accuracy[column])
                if rule.vote is Vote.MAX or k in (1, len(one.pool)):
                    exact = max(exact, abs(value - known))
                else:
                    noise = float(curve.variance[column]) + known * (1 - known) / 512
                    cells[rule, k].append((value - known, noise))
    ratios = [
        abs(sum(d for d, _ in cell)) / math.sqrt(sum(v for _, v in cell)) for cell in cells.values()
    ]
    return {"exact": exact, "cells": len(cells), "standard_errors": max(ratios)}


def public_run() -> dict[str, Any] | None:
    """pass@1 and pass@2 of the public run: replayed, and by what its records say."""
    if not RUN.is_file():
        return None
    right: dict[str, list[bool]] = defaultdict(list)
    with tarfile.open(RUN) as archive:
        for member in archive:
            if "MATH_best_of_n" in member.name and "record_" in member.name:
                content = archive.extractfile(member)
                assert content is not None
                # Of one path, its `majority_vote` is whether it is right.
                record = json.loads(content.read())
                question = member.name.split("/")[-2]
                right[question].append(bool(record["result"]["majority_vote"]))
    graded = [np.array(found) for found in right.values()]
    curves = np.array([pass_at_k(one, np.array([1, 2])) for one in graded])
    return {
        "problems": len(graded),
        "pass_at_k": curves.mean(axis=0).tolist(),
        "standard_error": (curves.std(axis=0, ddof=1) / math.sqrt(len(graded))).tolist(),
        "share_of_right_records": float(np.mean(np.concatenate(graded))),
        "share_with_a_right_record": float(np.mean([one.any() for one in graded])),
        "published_pass_at_1": RUN_PASS_AT_1,
    }


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    def say(text: str) -> None:
        if not arguments.json:
            print(text, flush=True)

    document: dict[str, Any] = {"enumeration": enumerated(60, arguments.seed), "speed": {}}
    say(f"60 small pools, all rules and k: within {document['enumeration']:.1e} of enumeration")
    recorded: dict[str, Any] = {}
    with threadpool_limits(1):
        list(map(timed, ([one] for one in simulated(2, 64, 1))))  # imports and first calls
        sets = {"simulated": list(simulated(arguments.problems, arguments.samples, arguments.seed))}
        for policy in POLICIES:
            prm = prms_of(policy)["strong"]
            with MathGrader() as grader:
                pools = list(saved_pools(load_pools(MEASURED / "pools", policy)[0], prm, grader))
            recorded[policy] = against_recorded(policy, prm, pools)
            repeated = itertools.islice(itertools.cycle(pools), arguments.problems)
            sets[f"{policy}, bundled"] = list(repeated)
        for name, pools in sets.items():
            found = document["speed"][name] = timed(pools)
            low, high = found["standard_error"]
            say(
                f"{name}: {found['problems']} problems of {found['samples']} samples in "
                f"{found['seconds']:.2f} s ({found['processor_seconds']:.2f} of the processor's); "
                f"{ORDERS} orders, subsampling error at most "
                f"{found['subsampling_error']:.4f} beside a standard error over problems of "
                f"{low:.4f} to {high:.4f} (at most {found['largest_ratio']:.2f} of it)"
            )
    document["recorded"] = recorded
    for policy, found in recorded.items():
        say(
            f"{policy}: exact cells within {found['exact']:.1e} of the recorded evidence, means "
            f"of {found['cells']} others within {found['standard_errors']:.1f} standard errors"
        )
    run = document["public_run"] = public_run()
    if run is None:
        say("public run: skipped, data/runs is not beside this repository")
    else:
        one, two = run["pass_at_k"]
        say(
            f"public run, {run['problems']} problems of 2 samples: pass@1 {one:.3f} ± "
            f"{run['standard_error'][0]:.3f} (published {RUN_PASS_AT_1}), pass@2 {two:.3f} "
            f"(problems with a right record: {run['share_with_a_right_record']:.3f})"
        )
    # KiB on Linux.
    document["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    slowest = max(found["seconds"] for found in document["speed"].values())
    busiest = max(found["processor_seconds"] for found in document["speed"].values())
    ratio = max(found["largest_ratio"] for found in document["speed"].values())
    line = (
        f"every k of {arguments.problems} problems x {arguments.samples} samples: at most "
        f"{slowest:.2f} s on one core ({busiest:.2f} of the processor's), subsampling error at "
        f"most {ratio:.2f} of the standard error over problems, {document['enumeration']:.0e} "
        f"from enumeration; peak memory {document['peak_mib']:.0f} MiB"
    )
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
