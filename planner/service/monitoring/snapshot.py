"""What passes through a server just now, as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Shift:
    """How far traffic is from the profile that the plan was made from, by one measure.

    Attributes:
        statistic: how far.
        limit: beyond this it is more than chance.
    """

    statistic: float
    limit: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counts since a server started, and what it is doing now.

    Attributes:
        started: when, ISO 8601.
        running, waiting: queries being answered, and queries in the queue.
        places: in the queue.
        requests: ended, by HTTP status (`"200"`).
        cancelled: those whose client went before the answer came.
        strategies: answers, by the name of the strategy that was run.
        difficulties: answers, by estimated difficulty.
        tokens: by kind, as in `executor.ledger.Ledger`.
        answers_last_minute: how many.
        seconds: `p50` and `p90` of the last answers; None without any.
        expected: shares of difficulties in the profile; empty where they are not known.
        drift: by measure; empty while too little has passed to say.
        warnings: in words; empty while traffic looks like the profile.
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
    drift: Mapping[str, Shift] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, counted: Mapping[str, Any], **further: Any) -> Self:
        """What a server has counted, as plain values by these names, and what it has not."""
        known = {one.name: counted[one.name] for one in fields(cls) if one.name in counted}
        return cls(**(known | further))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)
