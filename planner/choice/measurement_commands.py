"""The commands and the cost of a measurement: one profile for all pooled strategies, live runs."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from executor.strategy import BestOfN, Majority, ShortMOfK, Strategy, to_dict
from planner.choice.estimate import StrategyEstimate


def pooled(cell: StrategyEstimate) -> bool:
    """Return whether the samples of a profile can replay the strategy.

    A pool replays majority, short-m@k and best-of-N for every budget up to its size, every score
    and every vote. A strategy with live runs only is run live again.
    """
    return isinstance(cell.strategy, Majority | ShortMOfK | BestOfN) and cell.sources != "measured"


def whole_cost(cells: Sequence[StrategyEstimate], problems: int) -> dict[str, float | None]:
    """Return the cost of running all strategies on `problems` problems.

    Pooled strategies share one profile, so the most expensive one counts alone; the costs of live
    runs add up.

    Args:
        cells: the strategies, with the cost of one problem.
        problems: number of problems.

    Returns:
        Costs by field of `Cost`; None if a strategy's cost is not known.
    """
    totals: dict[str, float | None] = {}
    for name in cells[0].cost.to_dict():
        pool, live = [0.0], [0.0]
        for cell in cells:
            value = cell.cost.to_dict()[name]
            (pool if pooled(cell) else live).append(math.nan if value is None else value)
        total = (math.nan if any(map(math.isnan, pool)) else max(pool)) + sum(live)
        totals[name] = total * problems if math.isfinite(total) else None
    return totals


def bought(cells: Sequence[StrategyEstimate]) -> tuple[int, tuple[str, ...]]:
    """Return the samples per problem of the profile, and the strategy name of each live run.

    The number of samples is 0 if the measurement needs no profile.
    """
    pool = [cell.strategy.n for cell in cells if pooled(cell)]
    return max(pool, default=0), tuple(c.strategy.name for c in cells if not pooled(c))


def commands(
    cells: Sequence[StrategyEstimate], problems: int, policy: str, prm: str | None, difficulty: str
) -> tuple[str, ...]:
    """Return the command lines of a measurement: the profile, then one per kind of live strategy.

    The problems file is the user's own, and all commands must use the same one.

    Args:
        cells: the strategies to run.
        problems: number of problems.
        policy, prm: names of the policy and of the PRM; None means no PRM.
        difficulty: difficulty of the problems, or `all`; it names the problems file.
    """
    file = "problems.jsonl" if difficulty == "all" else f"{difficulty}.jsonl"
    shared = ["--problems", file, "--limit", str(problems), "--policy", policy]

    def scored(strategies: Sequence[Strategy]) -> list[str]:
        needed = prm is not None and any(strategy.needs_prm for strategy in strategies)
        return ["--prm", str(prm)] if needed else []

    lines = []
    if pool := [cell.strategy for cell in cells if pooled(cell)]:
        most = str(max(strategy.n for strategy in pool))
        lines.append(["profile", *shared, *scored(pool), "--max-samples", most])
    live: dict[tuple[str, ...], list[Strategy]] = {}
    for cell in cells:
        if not pooled(cell):
            live.setdefault(_kind(cell.strategy), []).append(cell.strategy)
    for (name, *options), strategies in live.items():
        budgets = ",".join(map(str, sorted({strategy.n for strategy in strategies})))
        words = ["--strategies", name, "--budgets", budgets, *options]
        lines.append(["measure", *shared, *scored(strategies), *words])
    return tuple(shlex.join(["apportion", *line]) for line in lines)


def _kind(strategy: Strategy) -> tuple[str, ...]:
    """Return the strategy's name and options, without the budget, as words of a command line."""
    options = [
        word
        for option, value in to_dict(strategy).items()
        if option not in ("name", "n")
        for word in (f"--{option.replace('_', '-')}", str(value))
    ]
    return (strategy.name, *options)
