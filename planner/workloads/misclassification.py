"""A budget divided by the difficulties that are named, rightly or wrongly, not by the true ones.

Queries of true difficulty t are named n with P(n | t); who is named n gets what n is given. What an
option does to them is its mean over the true difficulties of those so named, P(t | n). Divided by
these classes, the budget is spent as it would be; told by true difficulties, the outcome can be set
beside a division that knows them.
"""

from __future__ import annotations

from collections.abc import Mapping

from executor.strategy import Strategy
from planner.plans.plan import Entry
from planner.workloads.allocation import Class, Division, Option, Part, divide

# P(named | true): by true difficulty, then by the one named.
Confusion = Mapping[str, Mapping[str, float]]
# By true difficulty: what each strategy does to its queries.
Known = Mapping[str, Mapping[Strategy, Option]]


def divide_by_name(
    counts: Mapping[str, float], known: Known, confusion: Confusion, budget: float
) -> tuple[Division, Division]:
    """The division over named difficulties with most expected right answers.

    Args:
        counts: queries by true difficulty.
        known: options by true difficulty; a strategy is one for a difficulty named only where it is
            known on all that may be so named.
        confusion: P(named | true).
        budget: in the unit of the options' prices, in expectation.

    Returns:
        By the difficulty named, whose options are means over those so named; and the same by the
        true one, as it is run.

    Raises:
        InputError: the budget does not reach even for the cheapest options.
        ValueError: no strategy is known on all that may be named so.
    """
    # By name: how many of each true difficulty.
    mixes: dict[str, dict[str, float]] = {}
    for true, queries in counts.items():
        for named, chance in confusion[true].items():
            if queries * chance > 0:
                mixes.setdefault(named, {})[true] = queries * chance
    classes = {}
    for named, mix in mixes.items():
        first, *others = (known[true] for true in mix)
        everywhere = [s for s in first if all(s in other for other in others)]
        if not everywhere:
            raise ValueError(f"no strategy is known on all that may be named {named}")
        options = tuple(_mean({t: (known[t][s], n) for t, n in mix.items()}) for s in everywhere)
        classes[named] = Class(sum(mix.values()), options)
    told = divide(classes, budget)
    run = []
    for part in told.parts:
        mix, strategy = mixes[part.level], part.option.entry.strategy
        share = part.queries / sum(mix.values())
        run += [Part(true, known[true][strategy], share * n) for true, n in mix.items()]
    return told, Division(tuple(run))


def _mean(parts: Mapping[str, tuple[Option, float]]) -> Option:
    """One strategy on queries of several difficulties, so many of each."""
    run = Division(tuple(Part(true, option, n) for true, (option, n) in parts.items()))
    queries = sum(part.queries for part in run.parts)
    low, high = run.interval()
    entries = [(part.option.entry, part.queries / queries) for part in run.parts]
    first, _ = entries[0]
    cost = {
        name: None
        if any(entry.cost.get(name) is None for entry, _ in entries)
        else sum(share * (entry.cost[name] or 0.0) for entry, share in entries)
        for name in first.cost
    }
    entry = Entry(first.strategy, run.correct / queries, (low / queries, high / queries), cost)
    return Option(entry, run.spent / queries)
