"""What is said of a run while its problems are unfinished."""

from __future__ import annotations

from executor.engines.base import EngineCounters
from planner.runtime.meter import Meter


class Engine:
    """An engine whose counts and clock the test sets."""

    def __init__(self) -> None:
        self.now = 100.0
        self.counts = EngineCounters(generated=5000, ended=7)

    def meter(self) -> Meter:
        return Meter(lambda: self.counts, lambda: self.now)

    def go(self, seconds: float, tokens: int, ended: int = 0) -> None:
        self.now += seconds
        self.counts += EngineCounters(generated=tokens, ended=ended)


def test_nothing_is_said_before_the_first_token() -> None:
    engine = Engine()
    said = engine.meter()
    assert said() == ""
    engine.go(60, 0)
    assert said() == ""


def test_what_the_engine_did_before_does_not_count() -> None:
    engine = Engine()
    said = engine.meter()
    engine.go(10, 1500)
    assert said() == "1,500 tokens, 150 tokens/s"
    engine.go(5, 500, ended=3)
    assert said() == "3 responses, 2,000 tokens, 133 tokens/s"


def test_the_rate_is_that_of_the_last_seconds() -> None:
    engine = Engine()
    said = engine.meter()
    for _ in range(10):
        engine.go(10, 1000)
        said()
    for _ in range(3):
        engine.go(10, 10)
        last = said()
    assert last == "10,030 tokens, 1 tokens/s"
