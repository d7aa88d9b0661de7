"""A total budget divided by the difficulties that a classifier assigns, rightly or wrongly.

A classifier assigns difficulty n to queries of true difficulty t with P(n | t), and every query
gets the option of the difficulty assigned to it. The accuracy of an option on the queries assigned
to n is its mean over their true difficulties, P(t | n). A budget divided over these classes is
spent as it would be in practice; listed by true difficulty, the outcome can be compared with a
division that knows the true difficulties.
"""

from __future__ import annotations

from collections.abc import Mapping

from executor.strategy import Strategy
from planner.costs.cost import Cost
from planner.plans.routing_value import MisclassificationRates
from planner.workloads.allocation import Division, Option, Part, QueryClass, divide


def divide_by_assigned_difficulty(
    counts: Mapping[str, float],
    known: Mapping[str, Mapping[Strategy, Option]],
    rates: MisclassificationRates,
    budget: float,
) -> tuple[Division, Division]:
    """Divide a budget over assigned difficulties so that the most right answers are expected.

    Args:
        counts: number of queries by true difficulty.
        known: options by true difficulty and strategy. An assigned difficulty may get a strategy
            only if it is known on all true difficulties of its queries.
        rates: P(assigned | true).
        budget: expected total, in the unit of the options' prices.

    Returns:
        The division by assigned difficulty, whose options are means over the true ones; and the
        same by true difficulty, as it is run.

    Raises:
        InputError: the budget is too small even for the cheapest options.
        ValueError: an assigned difficulty has no strategy that is known on all its queries.
    """
    # By assigned difficulty: the number of queries of each true one.
    mixes: dict[str, dict[str, float]] = {}
    for true, queries in counts.items():
        for assigned, chance in rates[true].items():
            if queries * chance > 0:
                mixes.setdefault(assigned, {})[true] = queries * chance
    classes = {}
    for assigned, mix in mixes.items():
        first, *others = (known[true] for true in mix)
        everywhere = [s for s in first if all(s in other for other in others)]
        if not everywhere:
            raise ValueError(f"no strategy is known on all queries that may be named {assigned}")
        options = tuple(_mean({t: (known[t][s], n) for t, n in mix.items()}) for s in everywhere)
        classes[assigned] = QueryClass(sum(mix.values()), options)
    by_assigned = divide(classes, budget)
    run = []
    for part in by_assigned.parts:
        mix, strategy = mixes[part.level], part.option.strategy
        share = part.queries / sum(mix.values())
        run += [Part(true, known[true][strategy], share * n) for true, n in mix.items()]
    return by_assigned, Division(tuple(run))


def _mean(parts: Mapping[str, tuple[Option, float]]) -> Option:
    """One strategy on queries of several difficulties: its mean by the number of queries."""
    run = Division(tuple(Part(true, option, n) for true, (option, n) in parts.items()))
    queries = sum(part.queries for part in run.parts)
    low, high = run.interval()
    options = [(part.option, part.queries / queries) for part in run.parts]
    costs = [(option.cost.to_dict(), share) for option, share in options]
    mean = {
        name: None
        if any(cost[name] is None for cost, _ in costs)
        else sum(share * (cost[name] or 0.0) for cost, share in costs)
        for name in Cost.__dataclass_fields__
    }
    return Option(
        strategy=options[0][0].strategy,
        accuracy=run.correct / queries,
        interval=(low / queries, high / queries),
        cost=Cost.from_dict(mean),
        price=run.spent / queries,
    )
