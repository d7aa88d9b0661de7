"""A snapshot of a server's traffic, as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class DriftReading:
    """Distance of the traffic from the plan's profile, by one measure.

    Attributes:
        statistic: the distance.
        limit: above this the distance is called drift.
    """

    statistic: float
    limit: float


@dataclass(frozen=True, slots=True)
class TrafficSnapshot:
    """Counts since a server started, and what it is doing now.

    Attributes:
        started: start of the server, ISO 8601.
        running, waiting: number of queries being answered, and in the queue.
        places: number of queries that may run or wait.
        requests: number of finished requests by HTTP status (`"200"`).
        cancelled: number of requests whose client went before the answer came.
        strategies: number of answers by the name of the strategy.
        difficulties: number of answers by estimated difficulty.
        tokens: number of tokens by kind, as in `executor.ledger.Ledger`.
        answers_last_minute: number of answers.
        seconds: `p50` and `p90` of the time of the last answers; None if there are none.
        expected: shares of difficulties in the profile; empty if they are not known.
        drift: distance from the profile by measure; empty until a window of traffic is full.
        warnings: sentences; empty while traffic looks like the profile.
    """

    started: str
    running: int
    waiting: int
    places: int
    requests: Mapping[str, int]
    cancelled: int
    strategies: Mapping[str, int]
    difficulties: Mapping[str, int]
    tokens: Mapping[str, int]
    answers_last_minute: int = 0
    seconds: Mapping[str, float | None] = field(default_factory=dict)
    expected: Mapping[str, float] = field(default_factory=dict)
    drift: Mapping[str, DriftReading] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_counts(cls, counts: Mapping[str, Any], **others: Any) -> Self:
        """Return a snapshot of a server's counts.

        Args:
            counts: values by attribute, see `TrafficCounter.to_dict`; other keys are ignored.
            others: the attributes that the counts do not have.
        """
        values = {one.name: counts[one.name] for one in fields(cls) if one.name in counts}
        return cls(**(values | others))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)
