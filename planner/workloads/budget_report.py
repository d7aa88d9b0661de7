"""A workload under a plan: its budget divided, beside what else could be done, and a day of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from executor.errors import InputError
from executor.strategy import key
from planner.choice.constraint import QUANTITIES, missing, unknown
from planner.costs.capacity import Provision, provision
from planner.costs.cost import SECONDS_PER_HOUR, TOKENS, Cost, Rates
from planner.notes import Note, NoteCode
from planner.plans.plan import DEFAULT, Entry, Plan
from planner.plans.strategy_table import charged
from planner.workloads.allocation import Class, Division, Option, Part, divide, equal_division, hull
from planner.workloads.misclassification import divide_by_name
from planner.workloads.workload import Workload

LOADS = (0.50, 0.95)
DIVIDED, CHOSEN, EQUAL, NAMED = "division", "plan", "equal", "as_named"


@dataclass(frozen=True, slots=True)
class Unit:
    """What a total budget may be of.

    Attributes:
        words: as people write it.
        quantity: of `Cost`.
        per_hour: whether it is that quantity, in seconds, by device and hour.
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
    """A budget for the whole workload: so much of a unit, a key of `UNITS`."""

    unit: str
    amount: float

    def __post_init__(self) -> None:
        if not 0 < self.amount < math.inf:
            raise InputError(f"{self.option} {self.amount:g}: must be a number above 0")

    @property
    def option(self) -> str:
        """As the command line names it."""
        return f"--total-{self.unit.replace('_', '-')}"

    @property
    def words(self) -> str:
        """The unit as people write it."""
        return UNITS[self.unit].words

    def price(self, cost: Cost, rates: Rates) -> float:
        """What a cost is in this unit; InputError where that is not known."""
        unit = UNITS[self.unit]
        found: float | None = getattr(cost, unit.quantity)
        if found is None:
            why = missing(unit.quantity, cost, rates)
            raise InputError(f"{self.option}: {why}")
        return found * rates.devices / SECONDS_PER_HOUR if unit.per_hour else found


@dataclass(frozen=True, slots=True)
class Budget:
    """All that there is to say of a workload.

    Attributes:
        plan, workload, rates: what it is of.
        queries: in the workload.
        total: what is divided; None: the plan's own choices are costed, in tokens.
        divisions: `DIVIDED` and `EQUAL` where there is a total (and it reaches), and `CHOSEN`: as
            if every query's difficulty were known; `NAMED`, where a plan routes: the best division
            by the difficulties its classifier names, as it would be run, by true difficulty.
        by_name: `NAMED` by the difficulty named: who is to get what; None where there is none.
        queries_per_day: None: no day is asked about.
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
    by_name: Division | None = None

    @classmethod
    def of(
        cls,
        plan: Plan,
        workload: Workload,
        rates: Rates,
        total: Total | None = None,
        queries_per_day: float | None = None,
    ) -> Budget:
        """Divide `total`; without it cost the plan's own choices.

        Raises:
            InputError: shares of nobody knows how many queries, a plan without alternatives, a
                total that does not reach, or a price that is not known.
        """
        if not plan.frontier:
            raise InputError(
                "plan: is of version 1, which keeps no alternatives to divide a budget over; "
                "make it again with: apportion plan"
            )
        if queries_per_day is not None and not 0 < queries_per_day < math.inf:
            raise InputError(f"--queries-per-day {queries_per_day:g}: must be a number above 0")
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
        by_name = None
        if total is not None:
            classes = {
                level: Class(n, tuple(_option(entry, total, rates) for entry in known(plan, level)))
                for level, n in counts.items()
            }
            whole = workload.queries is not None
            more, divided_notes = _divided(classes, total, chosen, whole=whole)
            by_name, run, named_notes = _by_name(plan, counts, total, rates)
            more |= {} if run is None else {NAMED: run}
            divisions, notes = more | divisions, notes + divided_notes + named_notes
            notes += _bound(plan, classes, total)
        made = cls(
            plan, workload, rates, queries, total, divisions, queries_per_day,
            (*notes, *rates.notes()), by_name,
        )  # fmt: skip
        costs = [made.cost(division) for division in divisions.values()]
        return replace(made, notes=(*made.notes, *unknown(costs, rates, QUANTITIES, made.notes)))

    def cost(self, division: Division, times: float = 1.0) -> Cost:
        """Of all queries of a division, so many times over."""
        tokens = (
            sum(part.queries * (part.option.entry.cost[kind] or 0.0) for part in division.parts)
            for kind in TOKENS
        )
        return self.rates.price(*(times * total for total in tokens))

    def days(self) -> dict[str, Cost]:
        """What a day costs as divided, and by the plan's own choices."""
        if self.queries_per_day is None:
            return {}
        times = self.queries_per_day / self.queries
        return {
            name: self.cost(self.divisions[name], times)
            for name in (DIVIDED, CHOSEN)
            if name in self.divisions
        }

    def provisions(self, day: Cost) -> list[Provision]:
        """Engines for a day, at each of `LOADS`; none where its seconds are not known."""
        assert self.queries_per_day is not None
        made = (provision(day, self.queries_per_day, load, self.rates) for load in LOADS)
        return [one for one in made if one is not None]


def known(plan: Plan, level: str) -> Sequence[Entry]:
    """What there is to choose from for a difficulty."""
    return plan.frontier.get(level) or plan.frontier[DEFAULT]


def _run(plan: Plan, level: str) -> Entry:
    """What queries of a difficulty get from the plan, and what is expected of it on them.

    A plan that does not route runs one strategy on all. What that does on each difficulty its
    alternatives say; a plan that keeps none knows its mean over the profile's mix alone.
    """
    if plan.routes:
        return plan.entry(level)
    every = plan.entry(DEFAULT)
    alike = (e for e in plan.alternatives.get(level, ()) if e.strategy == every.strategy)
    return next(alike, every)


def _option(entry: Entry, total: Total, rates: Rates) -> Option:
    try:
        cost = rates.reprice(Cost.of_tokens(entry.cost))
    except (LookupError, TypeError) as error:
        raise InputError(f"plan: cost of {key(entry.strategy)}: damaged ({error})") from None
    return Option(entry, total.price(cost, rates))


def _divided(
    classes: Mapping[str, Class], total: Total, chosen: Division, *, whole: bool
) -> tuple[dict[str, Division], list[Note]]:
    """The division and the equal one, and notes on them beside the plan's own choices."""
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


def _by_name(
    plan: Plan, counts: Mapping[str, float], total: Total, rates: Rates
) -> tuple[Division | None, Division | None, list[Note]]:
    """The division by the difficulties that the plan's classifier names, by name and as it is run;
    None if it names none, or nobody can say. And notes on them."""
    if plan.classifier is None or not plan.routes or len(counts) == 1:
        return None, None, []
    if not plan.alternatives:
        return None, None, [Note.of(NoteCode.AS_NAMED_NOT_IN_PLAN)]
    # What the plan's own limit leaves to choose from, for whatever difficulty.
    kept = {entry.strategy for level in counts for entry in known(plan, level)}
    found = charged(plan, plan.classifier.probes)
    options = {
        level: {
            choice.strategy: _option(Entry.of(choice), total, rates)
            for choice in found.get(level, found[DEFAULT])
            if choice.strategy in kept
        }
        | {entry.strategy: _option(entry, total, rates) for entry in known(plan, level)}
        for level in counts
    }
    confusion = plan.classifier.heads[-1].quality.named()
    try:
        told, run = divide_by_name(counts, options, confusion, total.amount)
    except (InputError, ValueError) as error:
        return None, None, [Note.of(NoteCode.AS_NAMED_IMPOSSIBLE, reason=str(error))]
    return told, run, [Note.of(NoteCode.AS_NAMED)]


def _bound(plan: Plan, classes: Mapping[str, Class], total: Total) -> Iterator[Note]:
    """A note if the plan's own limit leaves some of the total: alternatives keep to it as well."""
    limits = plan.own_constraint.limits()
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
