"""The bench of the next measurement: its bins, and that it goes on from where it stopped."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from next_measurement import BINS, Result, binned, judged, summary

ONE = Result(
    case=0, policy="lab-0.4m", prm="lab-0.4m-prm", problems=24, budget=None, fitted=False,
    chance=0.2, gain=0.01, saving=0.1, changed=False, gained=0.0, saved=0.0,
)  # fmt: skip


def results(count: int = 60) -> list[Result]:
    """Chances from 0 to 1; a choice changes if its chance is above one half."""
    return [
        replace(ONE, case=i, chance=i / (count - 1), changed=2 * i >= count, gained=0.01 * (i % 2))
        for i in range(count)
    ]


def test_bins_hold_equal_numbers_of_cases_by_rising_claim() -> None:
    bins = binned(list(reversed(results())))
    assert [one["cases"] for one in bins] == [10] * BINS
    assert np.all(np.diff([one["chance"] for one in bins]) > 0)
    assert [one["changed"] for one in bins] == [0, 0, 0, 1, 1, 1]
    low, high = bins[0]["changed_interval"]
    assert low == 0 < high < 0.4


def test_gains_are_means_with_intervals_of_student() -> None:
    found = summary(results())
    assert found["gained"] == pytest.approx(0.005)
    reach = 2.001 * 0.005 * np.sqrt(60 / 59) / np.sqrt(60)  # 97.5 % of t with 59
    assert found["gained_interval"] == pytest.approx([0.005 - reach, 0.005 + reach], rel=1e-3)


def test_a_saving_that_is_not_known_is_left_out() -> None:
    found = summary([replace(ONE, saved=float("nan")), replace(ONE, saved=0.5)])
    assert found["saved"] == 0.5


def test_kept_cases_are_not_judged_again(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    kept = [replace(one, fitted=one.case % 2 == 1) for one in results(8)]
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in kept))
    # A case that is not kept would be judged, and would be of another gain.
    assert list(judged(1, False, 1, path)) == kept[:1]
    assert len(path.read_text().splitlines()) == 8
