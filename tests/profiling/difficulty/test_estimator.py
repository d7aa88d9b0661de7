"""Estimates by plain numbers: against the formula, and intervals against the whole distribution."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.answers.grader import MathGrader
from executor.outcome import SampleRecord
from profiling.difficulty.estimator import (
    EDGES,
    FARTHEST,
    RANGES,
    DifficultyModel,
    Head,
    Quality,
    classes,
    intervals,
)
from profiling.pass_rate import Difficulty

NAMED = ((0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8))
QUALITY = Quality(0.4, 1.0, 0.8, 0.02, 0.9, 0.3, NAMED)
chances = st.lists(st.floats(0, 1), min_size=RANGES, max_size=RANGES).filter(
    lambda row: sum(row) > 0.01
)


def shares(row: list[float]) -> np.ndarray:
    return np.array([row]) / sum(row)


def head(probes: int = 2, **changes: Any) -> Head:
    rng = np.random.default_rng(probes)
    plain: dict[str, Any] = {
        "probes": probes,
        "features": ("log_words", "agreement") if probes > 1 else ("log_words",),
        "nominal": 0.8,
        "quality": QUALITY,
        "intercepts": tuple(rng.normal(size=RANGES).tolist()),
    }
    wide = len(plain["features"])
    plain |= {
        "mean": (1.0,) * wide, "scale": (0.5,) * wide,
        "weights": tuple(tuple(row) for row in rng.normal(size=(RANGES, wide)).tolist()),
    }  # fmt: skip
    return Head(**(plain | changes))


MODEL = DifficultyModel((head(0), head(2), head(4)), 40)


def samples(*answers: str) -> list[SampleRecord]:
    return [SampleRecord("text", answer, None, "finished", 10, -1.0) for answer in answers]


def test_an_estimate_is_the_softmax_of_the_weighted_features(grader: MathGrader) -> None:
    found = MODEL.estimate("two words", samples("1", "2"), grader)
    used = MODEL.heads[1]
    scaled = [(math.log(3) - 1) / 0.5, (0.5 - 1) / 0.5]
    odds = [
        math.exp(sum(w * x for w, x in zip(row, scaled, strict=True)) + intercept)
        for row, intercept in zip(used.weights, used.intercepts, strict=True)
    ]
    total = sum(odds)
    assert found.probes == 2
    assert found.probabilities == pytest.approx(
        {
            Difficulty.EASY: sum(odds[4:]) / total,
            Difficulty.MEDIUM: sum(odds[2:4]) / total,
            Difficulty.HARD: sum(odds[:2]) / total,
        }
    )
    middles = [(a + b) / 2 for a, b in itertools.pairwise(EDGES)]
    mean = sum(o * m for o, m in zip(odds, middles, strict=True)) / total
    assert found.mean == pytest.approx(mean)
    ends = intervals(np.array([odds]) / total, used.nominal)
    assert found.interval == pytest.approx(tuple(ends[0]))
    assert found.difficulty is max(found.probabilities, key=lambda d: found.probabilities[d])


def test_the_head_of_most_probes_is_asked_and_further_samples_are_left(grader: MathGrader) -> None:
    found = [MODEL.estimate("?", samples(*"12345"[:n]), grader) for n in range(6)]
    assert [one.probes for one in found] == [0, 0, 2, 2, 4, 4]
    assert found[2] == found[3] == MODEL.estimate("?", samples("1", "2", "1"), grader)
    assert MODEL.probes == 4


def test_too_few_samples_for_any_head_are_refused(grader: MathGrader) -> None:
    with pytest.raises(ValueError, match="there are 1 samples; expected at least 2"):
        DifficultyModel((head(2),), 9).estimate("?", samples("1"), grader)


def test_a_feature_that_is_missing_counts_as_its_mean(grader: MathGrader) -> None:
    """A PRM that was there in training and is not there now."""
    blind, scored = head(2), head(2, features=("log_words", "right"))
    at = dataclasses.replace(blind, mean=(1.0, 0.5))
    found = DifficultyModel((scored,), 9).estimate("a b", samples("1", "2"), grader)
    assert found == DifficultyModel((at,), 9).estimate("a b", samples("1", "2"), grader)


def test_a_question_unlike_all_is_told_as_the_farthest_of_them(grader: MathGrader) -> None:
    only = DifficultyModel((head(0),), 9)
    words = [only.estimate(" ".join(["a"] * n), [], grader) for n in (10**3, 10**5)]
    assert (math.log(1001) - 1) / 0.5 > FARTHEST
    assert words[0] == words[1]


# Classes and intervals of a distribution


def test_both_thresholds_are_ends_of_ranges() -> None:
    each = classes(np.eye(RANGES))
    for low, high, row in zip(EDGES, EDGES[1:], each.tolist(), strict=False):
        easy, hard = low >= 0.5, high <= 0.1
        assert row == [easy, not easy and not hard, hard]


def mass(row: np.ndarray, low: float, high: float) -> float:
    cumulative = np.concatenate([[0.0], np.cumsum(row)])
    return float(np.interp(high, EDGES, cumulative) - np.interp(low, EDGES, cumulative))


@given(chances, st.floats(0.05, 0.99))
def test_an_interval_leaves_equal_tails_but_for_the_ends(row: list[float], level: float) -> None:
    of = shares(row)
    [[low, high]] = intervals(of, level)
    tail = (1 - level) / 2
    assert 0 <= low <= high <= 1
    below, above = mass(of[0], 0, low), mass(of[0], high, 1)
    assert below == pytest.approx(tail, abs=1e-9) or (low == 0 and mass(of[0], 0, 0.02) >= tail)
    assert above == pytest.approx(tail, abs=1e-9) or (high == 1 and mass(of[0], 0.98, 1) >= tail)


@given(chances, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_level_never_gives_less(row: list[float], one: float, other: float) -> None:
    of, (small, large) = shares(row), sorted((one, other))
    [[low, high]], [[lower, higher]] = intervals(of, small), intervals(of, large)
    assert lower <= low + 1e-12 and high <= higher + 1e-12


@pytest.mark.parametrize(
    ("row", "interval"),
    [
        ([1, 0, 0, 0, 0, 0, 0, 0], (0.0, 0.019)),
        ([0, 0, 0, 0, 0, 0, 0, 1], (0.981, 1.0)),
        ([0, 0, 0, 0, 1, 0, 0, 0], (0.5125, 0.7375)),
        # Half and half: the ends of the two ranges, not the gap between them.
        ([0.5, 0, 0, 0, 0, 0, 0, 0.5], (0.0, 1.0)),
        ([0.04, 0, 0.96, 0, 0, 0, 0, 0], (0.1 + 0.15 * 0.01 / 0.96, 0.1 + 0.15 * 0.91 / 0.96)),
    ],
)
def test_intervals_by_hand(row: list[float], interval: tuple[float, float]) -> None:
    assert intervals(np.array([row]), 0.9)[0] == pytest.approx(interval)


# As a record


def test_a_model_is_read_back_as_it_was_written() -> None:
    record = MODEL.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert DifficultyModel.from_dict(json.loads(json.dumps(record))) == MODEL


def test_a_confusion_is_read_by_the_names_of_classes() -> None:
    named = QUALITY.named()
    assert list(named) == ["easy", "medium", "hard"]
    assert named["hard"] == {"easy": 0.1, "medium": 0.1, "hard": 0.8}


def test_a_head_without_features_tells_the_base_rate(grader: MathGrader) -> None:
    plain = head(0, features=(), mean=(), scale=(), weights=((),) * RANGES)
    model = DifficultyModel((plain,), 9)
    assert DifficultyModel.from_dict(model.to_dict()) == model
    found = model.estimate("any", [], grader).probabilities
    assert found == model.estimate("other text", [], grader).probabilities
    assert sum(found.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "change",
    [
        {"probes": -1}, {"mean": [0.0]}, {"scale": []}, {"weights": [[0.0, 0.0]]},
        {"weights": [[0.0]] * RANGES}, {"intercepts": [0.0, 0.0]}, {"nominal": 1.5},
        {"mean": [math.nan, 0.0]}, {"features": ["log_words", "colour"]},
        {"quality": QUALITY.to_dict() | {"coverage": "good"}},
        {"quality": QUALITY.to_dict() | {"confusion": [[1.0, 0.0], [0.0, 1.0]]}},
        {"quality": QUALITY.to_dict() | {"confusion": [[0.5, 0.1, 0.1]] * 3}},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_numbers_that_do_not_fit_together_are_refused(change: dict[str, object]) -> None:
    record = head(2).to_dict() | change
    with pytest.raises(ValueError, match=r"the head|features colour|could not|confusion is"):
        DifficultyModel.from_dict({"problems": 3, "heads": [record]})


@pytest.mark.parametrize("heads", [(), (head(2), head(2)), (head(4), head(2))])
def test_heads_are_of_different_numbers_of_probes_fewest_first(heads: tuple[Head, ...]) -> None:
    with pytest.raises(ValueError, match=r"probes of the heads are .*; expected rising numbers"):
        DifficultyModel(heads, 3)
