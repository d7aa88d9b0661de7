"""Drift: how often it is called where there is none, and how soon where there is."""

from __future__ import annotations

import numpy as np
import pytest

from executor.simulated import simulated_problems
from executor.strategy import Majority, Sampling
from executor.templates import PromptTemplate
from planner.plan import Entry, Plan
from planner.reference import Cloud, Reference
from planner.service.drift import WINDOW, Drift, agreement_shift, mean_shift
from profiling.difficulty import RANGES, DifficultyModel, Head, Quality
from profiling.probes import Probes, text_features

ALARMS = 0.05  # so often that a few hundred windows tell
QUALITY = Quality(0.5, 1.0, 0.7, 0.0, 0.9, 0.3, ((0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)))
# Long questions are hard.
HEAD = Head(
    0, ("log_words",), (3.0,), (0.5,),
    ((1.0,), *[(0.0,)] * (RANGES - 2), (-1.0,)), (0.0,) * RANGES, 0.9, QUALITY,
)  # fmt: skip
CLASSIFIER = DifficultyModel(
    (HEAD, Head(4, (), (), (), ((),) * RANGES, (0.0,) * RANGES, 0.9, QUALITY)), 80
)


ENTRIES = {"all": Entry(Majority(4), 0.5, (0.4, 0.6), {})}


def question(rng: np.random.Generator, mean: float = 20.0) -> str:
    """Words and numbers, about so many."""
    words = [
        "".join(rng.choice(list("abcdefgh"), rng.integers(2, 8))) for _ in range(rng.poisson(mean))
    ]
    numbers = [str(n) for n in rng.integers(1, 100, rng.integers(1, 5))]
    return " ".join([*words, *numbers]) + "?"


def agreeing(rng: np.random.Generator, chance: float = 0.7) -> int:
    return max(1, int(rng.binomial(4, chance)))


@pytest.fixture(scope="module")
def plan() -> Plan:
    rng = np.random.default_rng(0)
    texts = [question(rng) for _ in range(120)]
    told = [CLASSIFIER.estimate_probes(_nothing(text)).probabilities for text in texts]
    estimates = np.array([list(chances.values())[:-1] for chances in told])
    counts = np.bincount([agreeing(rng) for _ in texts], minlength=5)
    reference = Reference(
        Cloud.of(np.array([text_features(text) for text in texts])), Cloud.of(estimates),
        tuple(counts.tolist()),
    )  # fmt: skip
    return Plan(
        "policy", None, Sampling(), PromptTemplate(), ENTRIES,
        CLASSIFIER, {}, {}, reference=reference,
    )  # fmt: skip


def _nothing(text: str) -> Probes:
    return Probes(text, np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), None)


def test_traffic_like_the_profile_raises_no_more_alarms_than_are_stated(plan: Plan) -> None:
    rng = np.random.default_rng(1)
    windows, alarms = 60, 0
    drift = Drift(plan, window=60, false_alarms=ALARMS)
    for _ in range(windows * 60):
        alarms += bool(drift.observe(question(rng), None, (agreeing(rng), 4)))
    # One profile for all windows: its own error is part of every one of them.
    assert alarms / windows <= ALARMS + 3 * (ALARMS * (1 - ALARMS) / windows) ** 0.5


@pytest.mark.parametrize("dimensions", [1, 3, 8])
def test_a_shift_of_the_mean_is_called_as_often_as_stated_where_there_is_none(
    dimensions: int,
) -> None:
    rng = np.random.default_rng(dimensions)
    repeats = 600
    called = sum(
        mean_shift(
            "m",
            Cloud.of(rng.normal(size=(40, dimensions))),
            rng.normal(size=(25, dimensions)),
            ALARMS,
        ).drifted
        for _ in range(repeats)
    )
    error = (ALARMS * (1 - ALARMS) / repeats) ** 0.5
    assert abs(called / repeats - ALARMS) < 4 * error


def test_counts_are_called_different_as_often_as_stated_where_they_are_not() -> None:
    rng = np.random.default_rng(5)
    chances, repeats = [0.02, 0.18, 0.3, 0.3, 0.2], 600
    called = sum(
        agreement_shift(
            rng.multinomial(100, chances), rng.multinomial(200, chances), ALARMS
        ).drifted
        for _ in range(repeats)
    )
    assert called / repeats < ALARMS + 4 * (ALARMS * (1 - ALARMS) / repeats) ** 0.5
    assert called > 0


def test_harder_questions_are_drift_of_text_and_difficulty(plan: Plan) -> None:
    rng = np.random.default_rng(2)
    drift = Drift(plan)
    found = [
        drift.observe(question(rng, mean=35.0), None, (agreeing(rng), 4)) for _ in range(WINDOW)
    ]
    assert not any(found[:-1])
    assert {"text", "difficulty"} <= {one.measure for one in found[-1]}
    assert all("no longer looks like the plan's profile" in one.sentence() for one in found[-1])
    gauges = drift.gauges()
    assert gauges["text"] > 1 and gauges["difficulty"] > 1
    assert gauges["share_easy"] + gauges["share_medium"] + gauges["share_hard"] == pytest.approx(1)


def test_probes_that_agree_less_are_drift_of_agreement(plan: Plan) -> None:
    rng = np.random.default_rng(3)
    drift = Drift(plan)
    found = [drift.observe(question(rng), None, (agreeing(rng, 0.35), 4)) for _ in range(WINDOW)]
    assert [one.measure for one in found[-1]] == ["agreement"]


def test_agreement_is_not_tested_where_only_some_were_probed(plan: Plan) -> None:
    rng = np.random.default_rng(4)
    drift = Drift(plan)
    for number in range(WINDOW):
        drift.observe(question(rng), None, (1, 4) if number % 2 else None)
    assert "agreement" not in drift.findings


def test_a_plan_without_a_reference_watches_nothing() -> None:
    plain = Plan(
        "policy", None, Sampling(), PromptTemplate(), ENTRIES,
        None, {}, {},
    )  # fmt: skip
    drift = Drift(plain)
    assert not any(
        drift.observe(problem.text, None, None) for problem in simulated_problems(WINDOW)
    )
    assert drift.gauges() == {}


def test_a_question_unlike_all_of_the_profile_is_far_from_it(plan: Plan) -> None:
    assert plan.reference is not None
    rng = np.random.default_rng(6)
    assert sum(plan.reference.far(question(rng)) for _ in range(400)) <= 4
    assert plan.reference.far("Write a poem.\n" * 200)
    assert plan.reference.far("12345678901234567890 + 98765432109876543210 = ?")
    assert Reference.from_dict(plan.reference.to_dict()) == plan.reference


def test_distances_are_mahalanobis_whatever_a_dimension_is_measured_in() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 100.0, 1e-3]
    cloud = Cloud.of(points)
    point = points[0] + [1.0, 50.0, 2e-3]
    gap = point - points.mean(axis=0)
    exact = gap @ np.linalg.inv(np.cov(points, rowvar=False)) @ gap
    assert cloud.distance(point) == pytest.approx(exact, rel=1e-3)
    assert cloud.rank == 3
    flat = Cloud.of(np.column_stack([points[:, 0], points[:, 0], np.ones(50)]))
    assert flat.rank == 1
