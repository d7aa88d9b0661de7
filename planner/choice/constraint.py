"""The limits of a choice, and the refusal if no strategy keeps to them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from executor.errors import InputError
from executor.strategy import Strategy, key
from planner.costs.cost import TOKENS, Cost, Rates
from planner.costs.missing import Lack, Missing
from planner.notes import Note, NoteCode

MOST_GENERATIONS = 1_000_000  # of a budget; a larger one limits nothing
NO_RATES = Rates()  # no price of a token is known
_LIMITS = ("budget", "max_flops", "max_seconds", "max_usd")


@dataclass(frozen=True, slots=True)
class Constraint:
    """Limits and target of a choice; None if there is no limit.

    Attributes:
        budget: most generations per problem.
        max_flops, max_seconds, max_usd: highest expected cost per problem, in the unit of the name.
        target_accuracy: accuracy to reach; the choice is then the cheapest strategy that does, not
            the best.
        confidence: probability with which the chosen strategy must reach the target, although it
            was chosen among others.
    """

    budget: int | None = None
    max_flops: float | None = None
    max_seconds: float | None = None
    max_usd: float | None = None
    target_accuracy: float | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.budget is not None and not 1 <= self.budget <= MOST_GENERATIONS:
            raise InputError(
                f"budget is {self.budget}; expected a whole number from 1 to {MOST_GENERATIONS}"
            )
        for name in ("max_flops", "max_seconds", "max_usd"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{_option(name)} is {value}; expected a number above 0")
        if self.target_accuracy is not None and not 0 < self.target_accuracy <= 1:
            raise InputError(
                f"target-accuracy is {self.target_accuracy}; expected a number above 0, at most 1"
            )
        if not 0 < self.confidence < 1:
            raise InputError(f"confidence is {self.confidence}; expected a number between 0 and 1")

    def to_dict(self) -> dict[str, Any]:
        """The limits that are set, for JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Constraint:
        """Read what `to_dict` wrote.

        Raises:
            TypeError: a field is unknown, or a limit is not a number.
            InputError: a limit is out of range.
        """
        return cls(**record)

    def needs(self, strategy: Strategy, cost: Cost, extra: int = 0) -> dict[str, float | None]:
        """Return a strategy's need for each limit that is set; None if the need is not known.

        Args:
            strategy: the strategy.
            cost: its expected cost.
            extra: generations in addition to its own: probes that it cannot use.
        """
        amounts: dict[str, float | None] = {
            "budget": strategy.n + extra,
            "max_flops": cost.flops,
            "max_seconds": cost.seconds,
            "max_usd": cost.usd,
        }
        return {name: amounts[name] for name in _LIMITS if getattr(self, name) is not None}

    def allows(self, strategy: Strategy, cost: Cost, extra: int = 0) -> bool:
        """Whether a strategy of this expected cost keeps to the limits.

        A strategy whose need is not known does not. For the arguments see `needs`.
        """
        needs = self.needs(strategy, cost, extra)
        return all(need is not None and need <= getattr(self, name) for name, need in needs.items())

    def refusal(
        self,
        known: Iterable[tuple[Strategy, Cost, int]],
        rates: Rates,
        titles: Sequence[str] | None = None,
    ) -> str:
        """Return one line on why none of these strategies keeps to the limits.

        The line names the limits, and the need of the nearest strategy: the one for which the
        limits must be loosened by the smallest factor.

        Args:
            known: strategies, their costs, and generations in addition to their own.
            rates: rates that gave the costs.
            titles: names of the strategies for people; None: their keys.
        """
        options = list(known)
        titles = titles or [key(strategy) for strategy, _, _ in options]
        needs = [
            (title, self.needs(strategy, cost, extra))
            for title, (strategy, cost, extra) in zip(titles, options, strict=True)
        ]
        if not needs:
            return "no strategy is known"
        for name in needs[0][1]:
            if all(need[name] is None for _, need in needs):
                why = missing(name.removeprefix("max_"), options[0][1], rates)
                return f"{_option(name)}: {why}"
        alone = [n for n in needs[0][1] if all(self._factor(n, need[n]) > 1 for _, need in needs)]
        title, nearest = min(
            needs, key=lambda one: max(self._factor(name, need) for name, need in one[1].items())
        )
        excluding = alone or list(nearest)
        limits = self.limits(excluding)
        over = " and ".join(
            f"{_option(name)} {_number(need, up=True)}" if need is not None
            else f"a {_option(name)} that is not known"
            for name, need in nearest.items() if self._factor(name, need) > 1
        )  # fmt: skip
        together = " together" if len(excluding) > 1 and not alone else ""
        return f"no known strategy keeps to {limits}{together}; the nearest, {title}, needs {over}"

    def limits(self, names: Iterable[str] = _LIMITS) -> str:
        """Return the limits in `names` that are set, as people read them; empty if none is set."""
        values = ((name, getattr(self, name)) for name in names)
        return " and ".join(f"{_option(n)} {_number(v)}" for n, v in values if v is not None)

    def _factor(self, name: str, need: float | None) -> float:
        """Return the factor by which a limit must grow; infinite if the need is not known."""
        return math.inf if need is None else need / float(getattr(self, name))


def missing(quantity: str, cost: Cost, rates: Rates) -> Missing | None:
    """Return the reason why a quantity of a cost is not known; None if nothing is missing.

    A missing rate comes before a missing count of tokens.

    Args:
        quantity: `flops`, `seconds`, `usd` or `kwh`.
        cost: a cost.
        rates: rates that gave the cost.
    """
    scored = cost.prm_tokens != 0 or cost.prm_cached_tokens != 0  # NaN counts as scored
    if lack := rates.missing(quantity, scored=scored):
        return lack

    def is_needed(kind: str) -> bool:
        alone = dict.fromkeys(TOKENS, 0.0) | {kind: math.nan}
        return getattr(rates.price(*alone.values()), quantity) is None

    uncounted = (kind for kind in TOKENS if math.isnan(getattr(cost, kind)) and is_needed(kind))
    kinds = tuple(uncounted)
    return Missing(Lack.TOKEN_COUNTS, kinds) if kinds else None


QUANTITIES = ("flops", "seconds", "usd", "kwh")  # fields of `Cost` that rates compute from tokens


def unknown(
    found: Sequence[Cost],
    rates: Rates,
    quantities: Sequence[str] = ("flops", "seconds", "usd"),
    beside: Sequence[Note] = (),
) -> list[Note]:
    """Return notes on the quantities that none of these costs has, one per missing rate or count.

    Args:
        found: costs; at least one.
        rates: rates that gave the costs.
        quantities: fields of `Cost` to check.
        beside: notes that are shown anyway; a rate or count that they name gets no second note.
    """
    lacks: dict[Missing | None, list[str]] = {}
    dearest = max(found, key=lambda cost: cost.prm_tokens)  # it needs the PRM if any cost does
    for quantity in quantities:
        if all(getattr(cost, quantity) is None for cost in found):
            lacks.setdefault(missing(quantity, dearest, rates), []).append(quantity)
    noted = {value for note in beside for name, value in note.parameters if name == "missing"}
    return [
        Note.of(NoteCode.NOT_KNOWN_HERE, quantities=tuple(names), missing=lack)
        for lack, names in lacks.items()
        if lack not in noted
    ]


def _option(name: str) -> str:
    return name.replace("_", "-")


def _number(value: float, *, up: bool = False) -> str:
    """Return a limit as it is; if `up`, return a need, rounded up to three digits.

    A limit of the rounded need is sufficient.
    """
    if not up or value == int(value) < 1000:
        return f"{value:g}"
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.ceil(value / step) * step:.3g}"
