"""What running strategies on more problems takes: one profile's pool, live runs, and commands."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from executor.strategy import BestOfN, Majority, Strategy, to_dict
from planner.choice.estimate import StrategyEstimate


def pooled(cell: StrategyEstimate) -> bool:
    """Whether one profile's samples say what the strategy would have answered.

    They do for every smaller budget, score and vote; not for a strategy that only ever ran live.
    """
    return isinstance(cell.strategy, Majority | BestOfN) and cell.sources != "measured"


def whole_cost(cells: Sequence[StrategyEstimate], problems: int) -> dict[str, float | None]:
    """What so many problems cost with every strategy, by name; None where one is not known.

    Of strategies that a pool answers for the dearest pays for all; live runs each pay their own.
    """
    found: dict[str, float | None] = {}
    for name in cells[0].cost.to_dict():
        pool, live = [0.0], [0.0]
        for cell in cells:
            value = cell.cost.to_dict()[name]
            (pool if pooled(cell) else live).append(math.nan if value is None else value)
        total = (math.nan if any(map(math.isnan, pool)) else max(pool)) + sum(live)
        found[name] = total * problems if math.isfinite(total) else None
    return found


def bought(cells: Sequence[StrategyEstimate]) -> tuple[int, tuple[str, ...]]:
    """The samples a problem of the profile (0: no profile), and the names of the live runs, one a
    run."""
    pool = [cell.strategy.n for cell in cells if pooled(cell)]
    return max(pool, default=0), tuple(c.strategy.name for c in cells if not pooled(c))


def commands(
    cells: Sequence[StrategyEstimate], problems: int, policy: str, prm: str | None, difficulty: str
) -> tuple[str, ...]:
    """The command lines that buy them: one of the pool, then one a kind of live strategy.

    The file of problems is the user's; it must be the same in all.
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
    """Its name and its options but for the budget, as words of a command line."""
    options = [
        word
        for option, value in to_dict(strategy).items()
        if option not in ("name", "n")
        for word in (f"--{option.replace('_', '-')}", str(value))
    ]
    return (strategy.name, *options)
