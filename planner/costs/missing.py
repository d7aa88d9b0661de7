"""Reasons why a cost is not known: a code, and one line for people.

Error messages quote the line, and so does `planner.report.notes`, which words the notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Lack(StrEnum):
    """The rate or count that a cost lacks; the values are stable."""

    POLICY_SIZE = "policy_size"
    PRM_SIZE = "prm_size"
    POLICY_SHAPE = "policy_shape"
    PRM_SHAPE = "prm_shape"
    THROUGHPUT = "throughput"
    PRM_THROUGHPUT = "prm_throughput"
    POWER = "power"
    PRICE = "price"
    PRM_PRICE = "prm_price"
    TOKEN_COUNTS = "token_counts"


_LINES = {
    Lack.POLICY_SIZE:
        "the policy's size is not known; it comes with measured evidence or a catalog",
    Lack.PRM_SIZE: "the PRM's size is not known; it comes with measured evidence or a catalog",
    Lack.POLICY_SHAPE: "--context: the policy's layers and width are not known; leave it out",
    Lack.PRM_SHAPE: "--context: the PRM's layers and width are not known; leave it out",
    Lack.THROUGHPUT:
        "no throughput is measured: give --device NAME, or a store with runs of your own, "
        "some of them without a PRM",
    Lack.PRM_THROUGHPUT:
        "the PRM's throughput is not known: give --device NAME, or a store with runs of your own "
        "with this PRM and without",
    Lack.POWER: "the machine's power is not known: give --watts, or --device NAME",
    Lack.PRICE:
        "nothing here has a price: give --usd-per-hour, a --device with one, or [tokens.NAME] of "
        "the policy in a file with --prices",
    Lack.PRM_PRICE: "the PRM has no price: give [tokens.NAME] in a file with --prices",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Missing:
    """The reason why a cost is not known; `str` gives one line with the fix.

    Attributes:
        lack: the missing rate or count.
        kinds: kinds of tokens without a count, as fields of `planner.costs.cost.Cost`; used by
            `TOKEN_COUNTS` alone.
    """

    lack: Lack
    kinds: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.lack is not Lack.TOKEN_COUNTS:
            return _LINES[self.lack]
        *others, last = (kind.removesuffix("_tokens").replace("_", " ") for kind in self.kinds)
        named = " and ".join(filter(None, (", ".join(others), last))).replace("prm", "PRM")
        return (
            f"the evidence does not count {named} tokens; "
            "runs of your own (apportion profile, apportion measure) do"
        )
