"""The frontier: against its definition, and it holds what is best under any price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from planner.choice.frontier import frontier
from planner.costs.cost import TOKENS, Cost


@dataclass(frozen=True)
class Point:
    predicted_accuracy: float
    cost: Cost


small = st.integers(0, 3).map(float)
points = st.lists(
    st.builds(
        lambda accuracy, tokens: Point(
            accuracy / 4, Cost(**dict(zip(TOKENS, tokens, strict=True)))
        ),
        st.integers(0, 4),
        st.lists(small, min_size=len(TOKENS), max_size=len(TOKENS)),
    ),
    min_size=1,
    max_size=9,
)


def tokens(point: Point) -> np.ndarray:
    return np.array([getattr(point.cost, kind) for kind in TOKENS])


@given(points)
def test_all_that_is_left_out_is_beaten_by_something_kept_and_nothing_kept_is(
    found: list[Point],
) -> None:
    kept = frontier(found)

    def beats(one: Point, other: Point) -> bool:
        as_good = one.predicted_accuracy >= other.predicted_accuracy
        return as_good and bool((tokens(one) <= tokens(other)).all()) and one != other

    assert len(set(kept)) == len(kept)
    for point in found:
        assert point in kept or any(beats(other, point) for other in kept)
    for point in kept:
        assert not any(beats(other, point) for other in found)
    assert [p.predicted_accuracy for p in kept] == sorted(p.predicted_accuracy for p in kept)


@given(
    found=points, price=st.lists(st.floats(0, 10), min_size=5, max_size=5), limit=st.floats(0, 60)
)
def test_whatever_tokens_cost_the_best_within_a_limit_is_kept(
    found: list[Point], price: list[float], limit: float
) -> None:
    def best(among: list[Point]) -> float | None:
        within = [p.predicted_accuracy for p in among if tokens(p) @ np.array(price) <= limit]
        return max(within, default=None)

    assert best(list(frontier(found))) == best(found)
