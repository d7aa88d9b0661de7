"""Capacity: the engines that a day's queries need if a given share of their time may be busy."""

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
    """Engines that are available all day.

    Attributes:
        load: largest share of the time that engines may be busy.
        engines: least number of engines: ceil(busy seconds per day / (load x seconds per day)).
        devices: number of devices of all engines.
        utilisation: share of the time that these engines are busy; at most `load`.
        gpu_hours: device hours per day, idle hours included.
        usd: USD per day; prices by the hour include idle hours, prices by the token do not. None if
            it is not known.
        wait_seconds: mean seconds before an engine starts a query, by Erlang's C formula: an M/M/c
            queue whose servers are engines and whose service time is the mean engine time.
    """

    load: float
    engines: int
    devices: int
    utilisation: float
    gpu_hours: float
    usd: float | None
    wait_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for JSON."""
        return asdict(self)


def provision(day: Cost, queries: float, load: float, rates: Rates) -> Provision | None:
    """Return the engines for a day's queries; None if their seconds are not known.

    Args:
        day: cost of all queries of a day.
        queries: number of queries per day; they arrive at random, at one rate all day.
        load: largest share of the time that engines may be busy, in (0, 1).
        rates: the rates that gave `day`.
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
    """Return P(all servers are busy) at the arrival of a query in an M/M/c queue.

    The recursion of Erlang's B formula does not overflow: B(0) = 1,
    B(k) = a B(k-1) / (k + a B(k-1)); C = B / (1 - (a/c)(1 - B)).

    Args:
        servers: c, the number of servers.
        offered: a, the offered load in Erlang, below `servers`.
    """
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = offered * blocked / (k + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))
