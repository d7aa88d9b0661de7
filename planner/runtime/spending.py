"""The cap in USD of a session: made from options, and told of at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from executor.errors import InputError
from executor.spending import MoneyCap, Tariff
from planner.costs.token_price import TokenPrice
from profiling.scorers.free import FREE_SCORERS


@dataclass(frozen=True, slots=True)
class Spending:
    """What a command spent of its cap.

    Attributes:
        max_usd: the cap.
        usd: what requests cost that ended.
        lost_usd: what requests that failed or were cancelled may have cost at most.
        limit_reached: whether the cap ended the command before all was done.
    """

    max_usd: float
    usd: float
    lost_usd: float
    limit_reached: bool

    @classmethod
    def of(cls, cap: MoneyCap | None) -> Spending | None:
        """Return what was spent of a cap; None without one."""
        return None if cap is None else cls(cap.limit, cap.spent, cap.lost, cap.is_reached)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "max_usd": self.max_usd,
            "usd": self.usd,
            "lost_usd": self.lost_usd,
            "limit_reached": self.limit_reached,
        }

    def __str__(self) -> str:
        lost = ""
        if self.lost_usd:
            lost = f", and at most {self.lost_usd:.6g} USD for requests that did not end"
        said = f"spent {self.usd:.6g} of {self.max_usd:g} USD{lost}"
        if not self.limit_reached:
            return said
        return (
            f"{said}; the limit ended the command, and finished problems are kept: the same "
            "command goes on with another --max-usd"
        )


def with_spending(record: dict[str, Any], spending: Spending | None) -> dict[str, Any]:
    """Return a command's JSON document with what it spent, if it has a cap."""
    if spending is None:
        return record
    more = {"spending": spending.to_dict(), "limit_reached": spending.limit_reached}
    return record | more


def check_anything_done(spending: Spending | None, problems: int) -> None:
    """Refuse to report on nothing.

    Raises:
        InputError: the cap ended the command before a problem was finished.
    """
    if spending is not None and spending.limit_reached and not problems:
        raise InputError(
            f"--max-usd {spending.max_usd:g}: ended before a problem was finished "
            f"({spending.usd:.6g} USD spent); a request reserves its prompt and all of its "
            "--max-tokens: raise the one or lower the other"
        )


def money_cap(limit: float, price: TokenPrice) -> MoneyCap:
    """Return a cap on what a policy's requests cost."""
    cached = price.input if price.cached is None else price.cached
    thought = price.output if price.reasoning is None else price.reasoning
    return MoneyCap(limit, Tariff.of(price.input, cached, price.output, thought))


def check_scorer_costs_nothing(prm: str | None) -> None:
    """Refuse a scorer that would cost what the cap does not count.

    Raises:
        InputError: it is a model, or asks the policy.
    """
    if prm is not None and prm not in FREE_SCORERS:
        raise InputError(
            f"--max-usd: counts the requests of the policy alone, and scorer {prm} costs too; "
            f"expected no scorer, or one of {', '.join(sorted(FREE_SCORERS))}"
        )
