"""What do votes save by leaving out draws that cannot change the answer? Is the answer the same?

The laboratory's policy answers its profile problems by majority at N samples, on real vLLM, with
and without early stopping. Figures are by difficulty, which the policy's own recorded pools give.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from common import LABORATORY, MEASURED, MODELS, ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.answers.grader import MathGrader
from executor.engines.options import EngineOptions
from executor.models.templates import template_for
from executor.outcome import Outcome
from executor.policies.vllm import VllmPolicy
from executor.problem import Problem, problem_uid
from executor.run.admission import Admission
from executor.run.runner import Executor, run_problems
from executor.store.store import RunSpec, Store
from executor.strategy import AdaptiveMajority, Majority, Sampling, Strategy
from profiling.pass_rate import Difficulty, PassRate
from profiling.problems.files import load_problems
from profiling.profiles.pool_files import load_pools


def difficulties(policy: str) -> dict[str, Difficulty]:
    """The class of every profiled problem, by its uid."""
    samples, _ = load_pools(MEASURED / "pools", policy)
    right = samples.groupby("problem")["correct"].agg(["sum", "size"])
    return {
        str(uid): PassRate(int(row["sum"]), int(row["size"])).difficulty
        for uid, row in right.iterrows()
    }


def solve_all(
    executor: Executor, problems: Sequence[Problem], strategy: Strategy
) -> tuple[list[Outcome], float]:
    """The outcomes in the order of the problems, and the seconds they took together."""
    found: dict[str, Outcome] = {}

    async def solve(problem: Problem) -> tuple[Outcome, dict[str, Any]]:
        outcome = await executor.solve(problem, strategy)
        found[problem_uid(problem)] = outcome
        return outcome, {}

    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(f"sqlite:///{folder}/bench.db") as store,
    ):
        started = time.perf_counter()
        spec = RunSpec("bench", executor.policy.name, None, {})
        admission = Admission(strategy.n, executor.policy.capacity)
        asyncio.run(run_problems(problems, solve, store, spec, admission=admission))
        seconds = time.perf_counter() - started
    return [found[problem_uid(problem)] for problem in problems], seconds


def saved(whole: Sequence[Outcome], early: Sequence[Outcome]) -> dict[str, Any]:
    """What early stopping did on some problems."""
    before = sum(outcome.ledger.policy_generated for outcome in whole)
    after = sum(outcome.ledger.policy_generated for outcome in early)
    return {
        "problems": len(whole),
        "same_answer": sum(a.answer == b.answer for a, b in zip(whole, early, strict=True)),
        "right": [sum(bool(o.correct) for o in outcomes) for outcomes in (whole, early)],
        "generated": [before, after],
        "saved": 1 - after / before,
        "spared_responses": sum(outcome.ledger.spared for outcome in early),
    }


def main() -> None:
    """Run both, and the adaptive vote beside them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", default="lab-0.8m")
    parser.add_argument("--problems", type=int, default=400)
    parser.add_argument("--budget", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = MODELS / arguments.policy
    problems = load_problems(LABORATORY / "profile.jsonl", limit=arguments.problems)
    classes = difficulties(arguments.policy)
    policy = VllmPolicy.load(
        arguments.policy, folder, template_for(arguments.policy, folder),
        EngineOptions(block_size=32),
    )  # fmt: skip
    n = arguments.budget
    with MathGrader() as grader:
        runs = {
            name: solve_all(
                Executor(policy, None, grader, Sampling(), early_stop=early), problems, strategy
            )
            for name, strategy, early in (
                ("whole", Majority(n), False),
                ("early", Majority(n), True),
                ("adaptive", AdaptiveMajority(n), True),
            )
        }
    (whole, _), (early, _), (adaptive, _) = runs.values()
    document: dict[str, Any] = {"seconds": {name: seconds for name, (_, seconds) in runs.items()}}
    for name, others in (("early_stop", early), ("adaptive_majority", adaptive)):
        document[name] = {"all": saved(whole, others)}
        for level in Difficulty:
            at = [i for i, p in enumerate(problems) if classes[problem_uid(p)] is level]
            if at:
                pairs = [whole[i] for i in at], [others[i] for i in at]
                document[name][level.value] = saved(*pairs)
        if not arguments.json:
            for level, one in document[name].items():
                print(
                    f"{name}, {level}: {one['problems']} problems, {one['same_answer']} of them "
                    f"answered alike, right {one['right'][0]} and {one['right'][1]}, "
                    f"{one['generated'][0]} and {one['generated'][1]} tokens, "
                    f"{one['saved']:.0%} saved"
                )
    stopped = document["early_stop"]
    shares = ", ".join(f"{one['saved']:.2f} ({level})" for level, one in stopped.items())
    line = (
        f"tokens saved by early stopping, majority@{n}, {stopped['all']['same_answer']} of "
        f"{len(problems)} answers identical: {shares}"
    )
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
