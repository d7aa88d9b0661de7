"""What a day's queries need: engines so that they are busy for no more than a given share of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from planner.costs.cost import SECONDS_PER_HOUR, Cost, Rates

ASSUMPTION = (
    "mean wait: as if an engine answered one query after another; one that decodes many sequences "
    "at once takes a query up sooner, and is then longer about it"
)
SECONDS_PER_DAY = 24 * SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Provision:
    """Engines that stand ready all day.

    Attributes:
        load: the share of the time that they may be busy at most.
        engines: the fewest for that: ceil(busy seconds of a day / (load x seconds of a day)).
        devices: of all engines.
        utilisation: the share of the time that they are then busy; at most `load`.
        gpu_hours: of devices, a day, idle ones included.
        usd: a day; by the hour idle hours are paid for, by the token they are not.
        wait_seconds: a query waits so long on average before an engine takes it up: M/M/c, each
            engine one server that ends a query in its mean engine time (Erlang's C formula).
    """

    load: float
    engines: int
    devices: int
    utilisation: float
    gpu_hours: float
    usd: float | None
    wait_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self)


def provision(day: Cost, queries: float, load: float, rates: Rates) -> Provision | None:
    """Engines for a day's work; None where its seconds are not known.

    Args:
        day: cost of all queries of a day.
        queries: how many; they come at random times, at the same rate all day.
        load: in (0, 1).
        rates: what the day was priced by.
    """
    if day.seconds is None:
        return None
    engines = max(1, math.ceil(day.seconds / (load * SECONDS_PER_DAY)))
    devices = engines * rates.devices
    gpu_hours = 24.0 * devices
    usd = day.usd
    if rates.policy_price is None and rates.usd_per_hour is not None:
        usd = gpu_hours * rates.usd_per_hour
    busy = day.seconds / SECONDS_PER_DAY
    utilisation = busy / engines
    service = day.seconds / queries
    wait = erlang_c(engines, busy) * service / (engines * (1 - utilisation))
    return Provision(load, engines, devices, utilisation, gpu_hours, usd, wait)


def erlang_c(servers: int, offered: float) -> float:
    """P(all servers are busy) when a query comes: M/M/c, `offered` < `servers` in Erlang.

    By the recursion of Erlang's B formula, which does not overflow: B(0) = 1,
    B(k) = a B(k-1) / (k + a B(k-1)); C = B / (1 - (a/c)(1 - B)).
    """
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = offered * blocked / (k + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))
