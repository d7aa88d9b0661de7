"""How long a PRM's requests are gathered beside a policy that writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from executor.engines.batching import LONGEST_HELD, PrmBatching
from executor.engines.capacity import Capacity


@dataclass(eq=False)
class FakeEngine:
    """As much of an engine as is looked at."""

    open: int
    capacity: Capacity = field(default_factory=lambda: Capacity(256, 10**6))


def steps_until_scored(scorer: Any, *writers: Any) -> int:
    held = PrmBatching()
    return next(step for step in range(1, 1000) if held.long_enough(scorer, writers))


def test_beside_nobody_who_writes_nothing_is_held() -> None:
    assert steps_until_scored(FakeEngine(1)) == 1


def test_beside_a_full_batch_scores_wait_until_there_are_enough() -> None:
    assert steps_until_scored(FakeEngine(16), FakeEngine(300)) == LONGEST_HELD
    assert steps_until_scored(FakeEngine(256), FakeEngine(300)) == 1


@pytest.mark.parametrize(
    ("waiting", "written", "expected"),
    [
        (128, 128, 1),  # half a batch of places stands empty for them
        (32, 128, 4),
        (32, 246, 13),  # only ten places do
        (1, 0, LONGEST_HELD),
    ],
)
def test_scores_wait_until_the_places_they_leave_empty_add_up(
    waiting: int, written: int, expected: int
) -> None:
    assert steps_until_scored(FakeEngine(waiting), FakeEngine(written)) == expected


def test_the_count_begins_again_after_each_step() -> None:
    held, scorer, writers = PrmBatching(), FakeEngine(64), [FakeEngine(128)]
    asked: Any = (scorer, writers)
    assert [held.long_enough(*asked) for _ in range(6)] == [False, True] * 3
