"""What a choice must keep to, and what is said where nothing does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from executor.errors import InputError
from executor.strategy import Strategy, key
from planner.costs.cost import TOKENS, Cost, Rates

NO_RATES = Rates()  # nothing is known of what a token costs
_LIMITS = ("budget", "max_flops", "max_seconds", "max_usd")


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a choice must keep to; None where there is no limit.

    Attributes:
        budget: most generations a problem.
        max_flops, max_seconds, max_usd: most of each a problem, expected.
        target_accuracy: rather than the best, the cheapest that reaches this accuracy...
        confidence: ...with at least this probability, chosen among others as it is.
    """

    budget: int | None = None
    max_flops: float | None = None
    max_seconds: float | None = None
    max_usd: float | None = None
    target_accuracy: float | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.budget is not None and self.budget < 1:
            raise InputError(f"budget {self.budget}: must be a whole number of at least 1")
        for name in ("max_flops", "max_seconds", "max_usd"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{_option(name)} {value}: must be above 0")
        if self.target_accuracy is not None and not 0 < self.target_accuracy <= 1:
            raise InputError(f"target-accuracy {self.target_accuracy}: must be in (0, 1]")
        if not 0 < self.confidence < 1:
            raise InputError(f"confidence {self.confidence}: must be between 0 and 1")

    def to_dict(self) -> dict[str, Any]:
        """The limits that are set, for JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Constraint:
        """Read what `to_dict` wrote.

        Raises:
            TypeError: an unknown field, or a limit that is no number.
            InputError: a limit out of range.
        """
        return cls(**record)

    def needs(self, strategy: Strategy, cost: Cost, extra: int = 0) -> dict[str, float | None]:
        """What a strategy needs of each limit that is set; None where that is not known.

        `extra` are generations besides its own: probes that it cannot use.
        """
        known: dict[str, float | None] = {
            "budget": strategy.n + extra,
            "max_flops": cost.flops,
            "max_seconds": cost.seconds,
            "max_usd": cost.usd,
        }
        return {name: known[name] for name in _LIMITS if getattr(self, name) is not None}

    def allows(self, strategy: Strategy, cost: Cost, extra: int = 0) -> bool:
        """Whether a strategy of this expected cost keeps to the limits, for all that is known."""
        needs = self.needs(strategy, cost, extra)
        return all(need is not None and need <= getattr(self, name) for name, need in needs.items())

    def refusal(self, known: Iterable[tuple[Strategy, Cost, int]], rates: Rates) -> str:
        """Why none of these keeps to the limits, in one line: which limits, and what the nearest
        would need. The nearest is the one whose limits must be loosened by the smallest factor.

        Args:
            known: strategies, their costs, and generations besides their own.
            rates: that they were priced by.
        """
        found = list(known)
        needs = [(strategy, self.needs(strategy, cost, extra)) for strategy, cost, extra in found]
        if not needs:
            return "no strategy is known"
        for name in needs[0][1]:
            if all(need[name] is None for _, need in needs):
                why = missing(name.removeprefix("max_"), found[0][1], rates)
                return f"{_option(name)}: {why}"
        alone = [n for n in needs[0][1] if all(self._factor(n, need[n]) > 1 for _, need in needs)]
        strategy, nearest = min(
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
        return (
            f"no known strategy keeps to {limits}{together}; "
            f"the nearest, {key(strategy)}, needs {over}"
        )

    def limits(self, names: Iterable[str] = _LIMITS) -> str:
        """Those limits of these that are set, as people read them; empty where none is."""
        given = ((name, getattr(self, name)) for name in names)
        return " and ".join(f"{_option(n)} {_number(v)}" for n, v in given if v is not None)

    def _factor(self, name: str, need: float | None) -> float:
        """By how much a limit must grow for this need; infinite where the need is not known."""
        return math.inf if need is None else need / float(getattr(self, name))


def missing(quantity: str, cost: Cost, rates: Rates) -> str | None:
    """What is missing to know `flops`, `seconds`, `usd` or `kwh` of a cost; None: nothing.

    One line: what the rates lack, else the tokens that nobody counted.
    """
    scored = cost.prm_tokens != 0 or cost.prm_cached_tokens != 0  # what is not known counts
    if why := rates.missing(quantity, scored=scored):
        return why

    def is_needed(kind: str) -> bool:
        alone = dict.fromkeys(TOKENS, 0.0) | {kind: math.nan}
        return getattr(rates.price(*alone.values()), quantity) is None

    uncounted = [kind for kind in TOKENS if math.isnan(getattr(cost, kind)) and is_needed(kind)]
    if not uncounted:
        return None
    *others, last = (kind.removesuffix("_tokens").replace("_", " ") for kind in uncounted)
    named = " and ".join(filter(None, (", ".join(others), last))).replace("prm", "PRM")
    return (
        f"the evidence does not count {named} tokens; "
        "runs of your own (apportion profile, apportion measure) do"
    )


QUANTITIES: Mapping[str, str] = {
    "flops": "FLOPs", "seconds": "seconds", "usd": "USD", "kwh": "kWh",
}  # fmt: skip


def unknown(
    found: Sequence[Cost],
    rates: Rates,
    quantities: Sequence[str] = ("flops", "seconds", "usd"),
    said: Sequence[str] = (),
) -> list[str]:
    """A line on what is known of none of these costs: why, and which option gives it.

    Args:
        found: costs.
        rates: that they were priced by.
        quantities: fields of `Cost` that are asked about.
        said: lines that are told anyway; their reasons are not said again.
    """
    reasons: dict[str, list[str]] = {}
    dearest = max(found, key=lambda cost: cost.prm_tokens)  # what is said of the PRM holds for it
    for quantity in quantities:
        if all(getattr(cost, quantity) is None for cost in found):
            why = str(missing(quantity, dearest, rates))
            reasons.setdefault(why, []).append(QUANTITIES[quantity])
    parts = [
        f"{', '.join(names)} ({why})"
        for why, names in reasons.items()
        if not any(why in line for line in said)
    ]
    return [f"not known here: {'; '.join(parts)}"] if parts else []


def _option(name: str) -> str:
    return name.replace("_", "-")


def _number(value: float, *, up: bool = False) -> str:
    """A limit as given, or a need `up` to three digits: as a limit it is then kept."""
    if not up or value == int(value) < 1000:
        return f"{value:g}"
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.ceil(value / step) * step:.3g}"
