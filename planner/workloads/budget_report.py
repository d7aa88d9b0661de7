"""A workload under a plan: its total budget divided, with other divisions and a day's cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from executor.errors import InputError
from executor.strategy import key
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
        """The command line's option for it."""
        return f"--total-{self.unit.replace('_', '-')}"

    @property
    def words(self) -> str:
        """The unit as people write it."""
        return UNITS[self.unit].words

    def price(self, cost: Cost, rates: Rates) -> float:
        """A cost in this unit; InputError if it is not known."""
        unit = UNITS[self.unit]
        found: float | None = getattr(cost, unit.quantity)
        if found is None:
            why = missing(unit.quantity, cost, rates)
            raise InputError(f"{self.option}: {why}")
        return found * rates.devices / SECONDS_PER_HOUR if unit.per_hour else found


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """The divisions of a workload's total budget, and their costs.

    Attributes:
        plan, workload, rates: the plan, the workload, and the prices of tokens.
        queries: number of queries in the workload.
        total: the total that is divided; None: the plan's own choices are costed, in tokens.
        divisions: by name. `CHOSEN`: the plan's own choices. `DIVIDED` and `EQUAL`, if there is a
            total: the best division, and the same budget for every query if that reaches; both as
            if every query's difficulty were known. `NAMED`, if the plan routes: the best division
            by the difficulties that its classifier assigns, listed by true difficulty.
        by_assigned: `NAMED` listed by assigned difficulty; None if there is none.
        queries_per_day: None: the cost of a day is not asked for.
        notes: what a reader should know of it.
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
        """Divide `total`; without one, cost the plan's own choices.

        Args:
            plan: the plan.
            workload: number or shares of queries by difficulty.
            rates: prices of tokens.
            total: the total budget.
            queries_per_day: queries of a day, to cost one.

        Raises:
            InputError: a workload of shares without a number of queries, a total that does not
                reach, or a price that is not known.
        """
        if queries_per_day is not None and not 0 < queries_per_day < math.inf:
            raise InputError(f"--queries-per-day is {queries_per_day:g}; expected a number above 0")
        queries = workload.queries or queries_per_day
        if queries is None:
            raise InputError(
                "workload: holds shares; say of how many queries with --queries-per-day, or give "
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
        made = cls(
            plan, workload, rates, queries, total, divisions, queries_per_day,
            (*notes, *rates.notes()), by_assigned,
        )  # fmt: skip
        costs = [made.cost(division) for division in divisions.values()]
        return replace(made, notes=(*made.notes, *unknown(costs, rates, QUANTITIES, made.notes)))

    def cost(self, division: Division, times: float = 1.0) -> Cost:
        """The cost of all queries of a division.

        Args:
            division: the division.
            times: how often the workload is answered.
        """
        tokens = (
            sum(part.queries * getattr(part.option.cost, kind) for part in division.parts)
            for kind in TOKENS
        )
        return self.rates.price(*(times * total for total in tokens))

    def days(self) -> dict[str, Cost]:
        """The cost of a day as divided, and by the plan's own choices."""
        if self.queries_per_day is None:
            return {}
        times = self.queries_per_day / self.queries
        return {
            name: self.cost(self.divisions[name], times)
            for name in (DIVIDED, CHOSEN)
            if name in self.divisions
        }

    def provisions(self, day: Cost) -> list[Provision]:
        """Engines for a day, at each of `LOADS`; none if its seconds are not known."""
        assert self.queries_per_day is not None
        made = (provision(day, self.queries_per_day, load, self.rates) for load in LOADS)
        return [one for one in made if one is not None]


def choosable(plan: Plan, level: str) -> Sequence[StrategyEstimate]:
    """The strategies that a budget may choose for a difficulty."""
    return plan.frontier.get(level) or plan.frontier[DEFAULT]


def _run(plan: Plan, level: str) -> StrategyEstimate:
    """The strategy that queries of a difficulty get from the plan, with its estimate on them.

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
    """The division and the equal one, and notes on them and on the plan's own choices."""
    try:
        made = {DIVIDED: divide(classes, total.amount, whole=whole)}
    except InputError as error:
        raise InputError(f"{total.option} {error} {total.words}") from None
    notes = []
    equal = equal_division(classes, total.amount)
    if equal is None:
        notes.append(Note.of(NoteCode.EQUAL_SHARE_TOO_SMALL))
    else:
        made[EQUAL] = equal
    if chosen.spent > total.amount:
        notes.append(Note.of(NoteCode.PLAN_OVER_TOTAL, needed=chosen.spent, unit=total.unit))
    return made, notes


def _by_assigned(
    plan: Plan, counts: Mapping[str, float], total: Total, rates: Rates
) -> tuple[Division | None, Division | None, list[Note]]:
    """The division by the difficulties that the plan's classifier assigns, and notes on it.

    It comes twice: by assigned difficulty, and by true difficulty as it is run; None if the plan
    assigns none, or if nothing can be divided.
    """
    if plan.classifier is None or not plan.routes or len(counts) == 1:
        return None, None, []
    # The strategies that the plan's own limit allows on some difficulty.
    kept = {one.strategy for level in counts for one in choosable(plan, level)}
    found = charged_alternatives(plan, plan.classifier.probes)
    options = {
        level: {
            one.strategy: _option(one, total, rates)
            for one in found.get(level, found[DEFAULT])
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


def _bound(plan: Plan, classes: Mapping[str, QueryClass], total: Total) -> Iterator[Note]:
    """A note if the plan's own limit, which alternatives keep to, leaves some of the total over."""
    limits = plan.constraint.limits()
    most = sum(one.queries * hull(one.options)[-1].price for one in classes.values())
    if limits and most < total.amount:
        yield Note.of(NoteCode.PLAN_LIMIT_BINDS, limits=limits, most=most, unit=total.unit)


def _notes(plan: Plan, workload: Workload, total: Total | None) -> Iterator[Note]:
    yield Note.of(NoteCode.DIFFICULTIES_FROM, source=workload.source)
    for level in workload.shares:
        if level not in plan.frontier:
            yield Note.of(NoteCode.LEVEL_WITHOUT_EVIDENCE, difficulty=level)
    if total is None or len(workload.shares) == 1:
        return
    if plan.classifier is None or not plan.routes:
        yield Note.of(NoteCode.DIFFICULTIES_NOT_ESTIMATED)
    else:
        accuracy = float(plan.classifier.heads[-1].quality.accuracy)
        yield Note.of(NoteCode.DIFFICULTIES_ESTIMATED, accuracy=accuracy)
