"""The bench of fused heads: ratios are of searches and majority in the same round."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from fused_head import over_majority


def test_each_search_is_compared_with_the_majority_of_its_round() -> None:
    def rounds(*speeds: float) -> list[dict[str, float]]:
        return [{"wall": speed, "processor": 2 * speed} for speed in speeds]

    found = over_majority(
        {"majority": rounds(10, 20, 40), "best_of_n": rounds(9, 20, 44),
         "beam_search": rounds(5, 5, 5)}
    )  # fmt: skip
    assert found["best_of_n"]["wall"] == {"median": 1.0, "low": 0.9, "high": 1.1}
    assert found["beam_search"]["processor"] == {"median": 0.25, "low": 0.125, "high": 0.5}
