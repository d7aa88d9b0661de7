"""`apportion profile`: pass@1 and difficulty of problems for one policy."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from typing import Any

import numpy as np
from rich.console import Console

from planner.cli.commands import common
from planner.cli.console import Output, count, share, table
from planner.evidence.gathering import BUDGETS
from planner.report import scorer_wording as prm_words
from profiling.difficulty.pass_rate import Difficulty
from profiling.pools.replay import pass_at_k
from profiling.profiler import (
    ProblemProfile,
    profile,
    profile_rewards,
    profile_spec,
    read_profile,
    total_ledger,
)
from profiling.scorers.rewards import RewardStatistics

_NAMED = 10  # unresolved problems named on the screen; --json has all


def run(arguments: Namespace, output: Output) -> None:
    """Sample, score, grade; then say what it came to."""
    problems = common.problems(arguments)
    with common.session(arguments, output) as session:
        models = session.models(arguments.policy, arguments.prm)
        template = session.template(arguments.policy)
        spec = profile_spec(models, arguments.max_samples, template.to_dict(), arguments.confidence)
        session.timed(
            f"profiling {models.policy_name}",
            len(problems),
            spec,
            lambda progress: profile(
                models, problems, session.store, spec,
                progress=progress,
                admission=session.admission(spec, arguments.max_samples),
            ),
        )  # fmt: skip
        found = read_profile(session.store, spec, problems)
        rewards = profile_rewards(found, session.grader)
    output.result(
        document(spec.policy, spec.prm, found, rewards), lambda c: show(c, spec.prm, found, rewards)
    )


def document(
    policy: str,
    prm: str | None,
    found: list[ProblemProfile],
    rewards: RewardStatistics | None,
) -> dict[str, Any]:
    """The JSON document."""
    return {
        "policy": policy,
        "prm": prm,
        "problems": [one.to_dict() for one in found],
        "difficulties": _levels(found),
        "unresolved": [one.outcome.problem.id for one in found if not one.resolved],
        "pass_at_k": {str(k): value for k, value in coverage(found).items()},
        "rewards": None if rewards is None else rewards.to_dict(),
        "ledger": total_ledger(found).to_dict(),
    }


def coverage(found: list[ProblemProfile]) -> dict[int, float]:
    """Mean pass@k over problems, for the paper's budgets that every pool is large enough for.

    None where pools were stopped as their classes settled: those of few samples are all alike.
    """
    if len({one.pass_rate.trials for one in found}) > 1:
        return {}
    pools = [np.array([bool(s.correct) for s in one.outcome.samples]) for one in found]
    smallest = min((len(pool) for pool in pools), default=0)
    budgets = [k for k in BUDGETS if k <= smallest]
    if not budgets:
        return {}
    means = np.mean([pass_at_k(pool, np.array(budgets)) for pool in pools], axis=0)
    return dict(zip(budgets, means.tolist(), strict=True))


def show(
    console: Console, prm: str | None, found: list[ProblemProfile], rewards: RewardStatistics | None
) -> None:
    """The same for people: the mix of difficulties, and the least and most certain problems."""
    rows = []
    levels = _levels(found)
    for level in Difficulty:
        members = [one for one in found if one.pass_rate.difficulty is level]
        right = sum(one.pass_rate.successes for one in members)
        trials = sum(one.pass_rate.trials for one in members)
        unsettled = sum(not one.resolved for one in members)
        mean = f"{right / trials:.3f}" if trials else "-"
        rows.append([level.value, str(levels[level.value]), mean, str(unsettled)])
    console.print(table(
        f"{len(found)} problems by difficulty",
        ["difficulty", "problems", "mean pass@1", "unresolved"],
        rows,
    ))  # fmt: skip
    detail = [
        [
            one.outcome.problem.id,
            share(one.pass_rate.pass_at_1, one.pass_rate.interval()),
            one.pass_rate.difficulty.value + ("" if one.resolved else ", unresolved"),
            f"{one.pass_rate.confidence:.2f}",
            str(one.pass_rate.trials),
        ]
        for one in sorted(found, key=lambda one: -one.pass_rate.pass_at_1)
    ]
    shown = detail if len(detail) <= 24 else [*detail[:12], ["..."] + [""] * 4, *detail[-12:]]
    columns = ["problem", "pass@1 [95 %]", "difficulty", "P(class)", "samples"]
    console.print(table("pass@1 by problem", columns, shown))
    console.print(unresolved(found), highlight=False)
    covered = ", ".join(f"pass@{k} {value:.3f}" for k, value in coverage(found).items())
    if covered:
        console.print(f"{covered} (means over {len(found)} problems)")
    if hidden := sum(not one.held_out for one in found):
        console.print(f"{hidden} problems are left out below: the PRM was trained on them")
    if rewards is not None:
        console.print(f"{prm} on these samples:", highlight=False)
        for sentence in prm_words.rewards(rewards.to_dict(), prm):
            console.print(f"  {sentence}", highlight=False)
    ledger = total_ledger(found)
    console.print(
        f"tokens: {count(ledger.generated)} generated, {count(ledger.prompt)} prompt "
        f"(+ {count(ledger.cached)} cached), {count(ledger.prm)} PRM"
    )


def unresolved(found: list[ProblemProfile]) -> str:
    """Which problems' classes are not sure, in a sentence."""
    left = [one.outcome.problem.id for one in found if not one.resolved]
    level = f"{found[0].resolved_from:.0%} sure" if found else "sure"
    if not left:
        return f"every problem's difficulty is at least {level}"
    named = ", ".join(left[:_NAMED]) + (f" and {len(left) - _NAMED} more" * (len(left) > _NAMED))
    return f"unresolved, their difficulty less than {level}: {len(left)} problems ({named})"


def _levels(found: list[ProblemProfile]) -> dict[str, int]:
    counts = Counter(one.pass_rate.difficulty for one in found)
    return {level.value: counts[level] for level in Difficulty}
