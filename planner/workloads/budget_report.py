"""A workload under a plan: its total budget divided, with other divisions and a day's cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from executor.errors import InputError
from executor.strategy import Strategy, key
from planner.choice.constraint import QUANTITIES, missing, unknown
from planner.choice.estimate import StrategyEstimate
from planner.costs.capacity import Provision, provision
from planner.costs.cost import SECONDS_PER_HOUR, TOKENS, Cost, Rates
from planner.notes import Note, NoteCode
from planner.plans.compiled import charged_alternatives
from planner.plans.plan import DEFAULT, Plan
from planner.workloads.allocation import (
    Division,
    Option,
    Part,
    QueryClass,
    divide,
    equal_division,
    hull,
)
from planner.workloads.misclassification import divide_by_assigned_difficulty
from planner.workloads.workload import Workload

LOADS = (0.50, 0.95)
DIVIDED, CHOSEN, EQUAL, NAMED = "division", "plan", "equal", "as_named"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a total budget.

    Attributes:
        words: the unit as people write it.
        quantity: a property of `Cost`.
        per_hour: whether the unit is hours of all devices, and the quantity seconds.
    """

    words: str
    quantity: str
    per_hour: bool = False


UNITS: Mapping[str, Unit] = {
    "tokens": Unit("tokens", "tokens"),
    "flops": Unit("FLOPs", "flops"),
    "usd": Unit("USD", "usd"),
    "seconds": Unit("seconds", "seconds"),
    "gpu_hours": Unit("GPU-hours", "seconds", per_hour=True),
}


@dataclass(frozen=True, slots=True)
class Total:
    """A total for the whole workload: an amount of a unit, a key of `UNITS`."""

    unit: str
    amount: float

    def __post_init__(self) -> None:
        if not 0 < self.amount < math.inf:
            raise InputError(f"{self.option} is {self.amount:g}; expected a number above 0")

    @property
    def option(self) -> str:
        """The command line's option for this total."""
        return f"--total-{self.unit.replace('_', '-')}"

    @property
    def words(self) -> str:
        """The unit as people write it."""
        return UNITS[self.unit].words

    def price(self, cost: Cost, rates: Rates) -> float:
        """Return a cost in this unit.

        Raises:
            InputError: the cost is not known.
        """
        unit = UNITS[self.unit]
        value: float | None = getattr(cost, unit.quantity)
        if value is None:
            why = missing(unit.quantity, cost, rates)
            raise InputError(f"{self.option}: {why}")
        return value * rates.devices / SECONDS_PER_HOUR if unit.per_hour else value


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """The divisions of a workload's total budget, and their costs.

    Attributes:
        plan, workload, rates: the plan, the workload, and the prices of tokens.
        queries: number of queries in the workload.
        total: the total to divide; None: only the plan's own choices are costed, in tokens.
        divisions: divisions by name. `CHOSEN` has the plan's own choices. If there is a total,
            `DIVIDED` is the best division, and `EQUAL`, if it is large enough for that, gives every
            query the same budget; both take every query's difficulty as known. If the plan routes,
            `NAMED` is the best division by the difficulties that its classifier assigns, listed by
            true difficulty.
        by_assigned: `NAMED` listed by assigned difficulty; None if there is none.
        queries_per_day: number of queries of a day; None: no day is costed.
        notes: notes on the divisions.
    """

    plan: Plan
    workload: Workload
    rates: Rates
    queries: float
    total: Total | None
    divisions: Mapping[str, Division]
    queries_per_day: float | None
    notes: tuple[Note, ...]
    by_assigned: Division | None = None

    @classmethod
    def from_plan(
        cls,
        plan: Plan,
        workload: Workload,
        rates: Rates,
        total: Total | None = None,
        queries_per_day: float | None = None,
    ) -> BudgetReport:
        """Divide `total`; if it is None, cost the plan's own choices only.

        Args:
            plan: the plan.
            workload: number or shares of queries by difficulty.
            rates: prices of tokens.
            total: the total budget.
            queries_per_day: number of queries of a day; None: no day is costed.

        Raises:
            InputError: the workload has shares and no number of queries, the total is too small, or
                a price is not known.
        """
        if queries_per_day is not None and not 0 < queries_per_day < math.inf:
            raise InputError(f"--queries-per-day is {queries_per_day:g}; expected a number above 0")
        queries = workload.queries or queries_per_day
        if queries is None:
            raise InputError(
                "workload: holds shares without a number of queries; give --queries-per-day, or "
                "whole numbers of queries in place of shares"
            )
        pricer = total or Total("tokens", math.ulp(0.0))
        counts = workload.split(queries)
        chosen = Division(
            tuple(
                Part(level, _option(_run(plan, level), pricer, rates), n)
                for level, n in counts.items()
            )
        )
        divisions, notes = {CHOSEN: chosen}, list(_notes(plan, workload, total))
        by_assigned = None
        if total is not None:
            classes = {
                level: QueryClass(
                    n, tuple(_option(one, total, rates) for one in choosable(plan, level))
                )
                for level, n in counts.items()
            }
            whole = workload.queries is not None
            more, divided_notes = _divided(classes, total, chosen, whole=whole)
            by_assigned, run, named_notes = _by_assigned(plan, counts, total, rates)
            more |= {} if run is None else {NAMED: run}
            divisions, notes = more | divisions, notes + divided_notes + named_notes
            notes += _bound(plan, classes, total)
        budget_report = cls(
            plan, workload, rates, queries, total, divisions, queries_per_day,
            (*notes, *rates.notes()), by_assigned,
        )  # fmt: skip
        costs = [budget_report.cost(division) for division in divisions.values()]
        return replace(
            budget_report,
            notes=(*budget_report.notes, *unknown(costs, rates, QUANTITIES, budget_report.notes)),
        )

    def cost(self, division: Division, times: float = 1.0) -> Cost:
        """Return the cost of all queries of a division.

        Args:
            division: the division.
            times: number of times that the workload is answered.
        """
        tokens = (
            sum(part.queries * getattr(part.option.cost, kind) for part in division.parts)
            for kind in TOKENS
        )
        return self.rates.price(*(times * total for total in tokens))

    def days(self) -> dict[str, Cost]:
        """Return the cost of a day for `DIVIDED` and `CHOSEN`; empty if no day is costed."""
        if self.queries_per_day is None:
            return {}
        times = self.queries_per_day / self.queries
        return {
            name: self.cost(self.divisions[name], times)
            for name in (DIVIDED, CHOSEN)
            if name in self.divisions
        }

    def provisions(self, day: Cost) -> list[Provision]:
        """Return the engines for a day, at each of `LOADS`; empty if its seconds are not known."""
        assert self.queries_per_day is not None
        provisions = (provision(day, self.queries_per_day, load, self.rates) for load in LOADS)
        return [one for one in provisions if one is not None]


def choosable(plan: Plan, level: str) -> Sequence[StrategyEstimate]:
    """Return the strategies that a budget may choose for a difficulty."""
    return plan.frontier.get(level) or plan.frontier[DEFAULT]


def _run(plan: Plan, level: str) -> StrategyEstimate:
    """Return the estimate of the strategy that the plan runs on queries of a difficulty.

    A plan that does not route runs one strategy on all; its alternatives have the estimate of that
    strategy on each difficulty. A difficulty without evidence gets the estimate for all.
    """
    if plan.routes:
        return plan.entry(level)
    every = plan.entry(DEFAULT)
    same = (e for e in plan.alternatives.get(level, ()) if e.strategy == every.strategy)
    return next(same, every)


def _option(estimate: StrategyEstimate, total: Total, rates: Rates) -> Option:
    cost = rates.reprice(estimate.cost)
    if any(math.isnan(getattr(cost, kind)) for kind in TOKENS):
        raise InputError(
            f"plan: the tokens of {key(estimate.strategy)} are not known; "
            "measure it with: apportion profile, apportion measure"
        )
    return Option.from_estimate(estimate, total.price(cost, rates))


def _divided(
    classes: Mapping[str, QueryClass], total: Total, chosen: Division, *, whole: bool
) -> tuple[dict[str, Division], list[Note]]:
    """Return the best and the equal division, and notes on them and on the plan's own choices."""
    try:
        divisions = {DIVIDED: divide(classes, total.amount, whole=whole)}
    except InputError as error:
        raise InputError(f"{total.option} {error} {total.words}") from None
    notes = []
    equal = equal_division(classes, total.amount)
    if equal is None:
        notes.append(Note.of(NoteCode.EQUAL_SHARE_TOO_SMALL))
    else:
        divisions[EQUAL] = equal
    if chosen.spent > total.amount:
        notes.append(Note.of(NoteCode.PLAN_OVER_TOTAL, needed=chosen.spent, unit=total.unit))
    return divisions, notes


def _by_assigned(
    plan: Plan, counts: Mapping[str, float], total: Total, rates: Rates
) -> tuple[Division | None, Division | None, list[Note]]:
    """Return the division by the difficulties that the plan's classifier assigns, and its notes.

    The division comes twice: by assigned difficulty, and by true difficulty as it is run. Both are
    None if the plan assigns no difficulty, or if the total cannot be divided.
    """
    if plan.classifier is None or not plan.routes or len(counts) == 1:
        return None, None, []
    # The strategies that the plan's own limit allows on some difficulty.
    kept = {one.strategy for level in counts for one in choosable(plan, level)}
    charged = charged_alternatives(plan, plan.classifier.probes)
    options = {
        level: {
            one.strategy: _option(one, total, rates)
            for one in charged.get(level, charged[DEFAULT])
            if one.strategy in kept
        }
        | {one.strategy: _option(one, total, rates) for one in choosable(plan, level)}
        for level in counts
    }
    misclassified = plan.classifier.heads[-1].quality.named()
    try:
        assigned, run = divide_by_assigned_difficulty(counts, options, misclassified, total.amount)
    except (InputError, ValueError) as error:
        return None, None, [Note.of(NoteCode.AS_NAMED_IMPOSSIBLE, reason=str(error))]
    return assigned, run, [Note.of(NoteCode.AS_NAMED)]


def _without(plan: Plan, level: str, strategy: Strategy) -> bool:
    """Return whether a difficulty has evidence, but none of this strategy."""
    known = plan.alternatives.get(level, ())
    return bool(known) and strategy not in {one.strategy for one in known}


def _bound(plan: Plan, classes: Mapping[str, QueryClass], total: Total) -> Iterator[Note]:
    """Yield a note if the plan's own limit, which all options keep to, leaves budget unspent."""
    limits = plan.constraint.limits()
    most = sum(one.queries * hull(one.options)[-1].price for one in classes.values())
    if limits and most < total.amount:
        yield Note.of(NoteCode.PLAN_LIMIT_BINDS, limits=limits, most=most, unit=total.unit)


def _notes(plan: Plan, workload: Workload, total: Total | None) -> Iterator[Note]:
    yield Note.of(NoteCode.DIFFICULTIES_FROM, source=workload.source)
    for level in workload.shares:
        if level not in plan.frontier:
            yield Note.of(NoteCode.LEVEL_WITHOUT_EVIDENCE, difficulty=level)
    every, routing = plan.entry(DEFAULT).strategy, plan.rests_on.routing
    if plan.routes and plan.chooser is not None and routing is not None:
        yield Note.of(
            NoteCode.ROUTES_BY_CHOOSER,
            accuracy=plan.chooser.accuracy, cost=plan.chooser.price, unit=str(routing["cost_unit"]),
        )  # fmt: skip
    if not plan.routes and any(_without(plan, level, every) for level in workload.shares):
        yield Note.of(NoteCode.PLAN_KNOWN_FOR_ALL_ONLY, strategy=key(every))
    if total is None or len(workload.shares) == 1:
        return
    if plan.classifier is None or not plan.routes:
        yield Note.of(NoteCode.DIFFICULTIES_NOT_ESTIMATED)
    else:
        accuracy = float(plan.classifier.heads[-1].quality.accuracy)
        yield Note.of(NoteCode.DIFFICULTIES_ESTIMATED, accuracy=accuracy)
