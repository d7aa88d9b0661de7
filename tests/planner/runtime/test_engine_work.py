"""The throughput that a run leaves in its store."""

from __future__ import annotations

from executor.engines.base import EngineCounters
from executor.store.store import RunSpec, Store
from planner.costs import throughput
from planner.runtime.engine_work import EngineWork, note_throughput

JUDGED = RunSpec("profile", "policy", "self-judge", {})


def timed(work: EngineWork) -> list[throughput.Timed]:
    with Store.open("sqlite://") as store:
        note_throughput(store, JUDGED, work, 10.0)
        return list(throughput.read(store, "policy"))


def test_what_a_judge_writes_is_not_the_policy_s_speed() -> None:
    """Both write with one engine, whose counters hold both."""
    policy, judge = EngineCounters(generated=1000), EngineCounters(900, 500, 100)
    assert timed(EngineWork(1, policy, judge)) == [throughput.Timed("self-judge", 900, 500, 10.0)]


def test_a_run_that_only_judged_says_nothing_of_the_policy() -> None:
    policy, judge = EngineCounters(generated=100), EngineCounters(900, 500, 100)
    assert timed(EngineWork(1, policy, judge)) == []
