"""A snapshot is what a server has counted, and what it has not."""

from __future__ import annotations

import json

import pytest

from planner.service.monitoring.snapshot import DriftReading, TrafficSnapshot

COUNTED = {
    "started": "2026-01-02T03:04:05.678+00:00", "running": 1, "waiting": 0, "places": 8,
    "requests": {"200": 7}, "cancelled": 0, "strategies": {"greedy": 7},
    "difficulties": {"all": 7}, "tokens": {"generated": 70},
}  # fmt: skip


def test_it_takes_what_it_shows_and_leaves_the_rest() -> None:
    made = TrafficSnapshot.from_counts(
        COUNTED | {"last": [1, 2]}, drift={"text": DriftReading(3.0, 2.0)}, warnings=("w",)
    )
    told = json.loads(json.dumps(made.to_dict()))
    assert {name: told[name] for name in COUNTED} == COUNTED
    assert told["drift"] == {"text": {"statistic": 3.0, "limit": 2.0}}
    assert told["warnings"] == ["w"] and told["expected"] == {} and "last" not in told


def test_a_count_that_is_missing_is_an_error() -> None:
    with pytest.raises(TypeError, match="tokens"):
        TrafficSnapshot.from_counts(
            {name: value for name, value in COUNTED.items() if name != "tokens"}
        )
