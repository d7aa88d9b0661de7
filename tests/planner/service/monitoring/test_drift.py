"""Drift: how often it is called where there is none, and how soon where there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, chi2_contingency

from executor.policies.simulated import simulated_problems
from executor.strategy import Majority
from planner.choice.estimate import StrategyEstimate
from planner.costs.cost import Cost
from planner.notes import NoteCode
from planner.plans.plan import Plan
from planner.plans.reference import Cloud, Reference
from planner.service.monitoring.drift import WINDOW, DriftMonitor, agreement_shift, mean_shift
from profiling.difficulty.estimator import RANGES, DifficultyModel, Head, Quality
from profiling.difficulty.probes import Probes, text_features
from tests.helpers.plans import plan_with

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


KNOWN = {"all": [StrategyEstimate(Majority(4), 0.5, (0.4, 0.6), (5.0, 5.0), Cost(4.0, 1.0, 0.0))]}


def question(rng: np.random.Generator, mean: float = 20.0) -> str:
    """Words and numbers, about so many."""
    words = [
        "".join(rng.choice(list("abcdefgh"), rng.integers(2, 8))) for _ in range(rng.poisson(mean))
    ]
    numbers = [str(n) for n in rng.integers(1, 100, rng.integers(1, 5))]
    return " ".join([*words, *numbers]) + "?"


def agreeing(rng: np.random.Generator, chance: float = 0.7) -> int:
    return max(1, int(rng.binomial(4, chance)))


def plan_of(rng: np.random.Generator) -> Plan:
    """Of a profile drawn anew."""
    texts = [question(rng) for _ in range(120)]
    told = [CLASSIFIER.estimate_probes(Probes.of_text(text)).probabilities for text in texts]
    estimates = np.array([list(chances.values())[:-1] for chances in told])
    counts = np.bincount([agreeing(rng) for _ in texts], minlength=5)
    reference = Reference(
        Cloud.from_points(np.array([text_features(text) for text in texts])),
        Cloud.from_points(estimates),
        tuple(counts.tolist()),
    )  # fmt: skip
    return plan_with(KNOWN, prm=None, classifier=CLASSIFIER, reference=reference)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of(np.random.default_rng(0))


@pytest.mark.long
def test_traffic_like_the_profile_raises_no_more_alarms_than_are_stated() -> None:
    """Over profiles: the windows of one share its errors, and are no trials of their own."""
    rng = np.random.default_rng(1)
    size, windows = 50, 4
    shares = []
    for _ in range(14):
        drift = DriftMonitor(plan_of(rng), window=size, false_alarms=ALARMS)
        found = [
            drift.observe(question(rng), None, (agreeing(rng), 4)) for _ in range(windows * size)
        ]
        shares.append(sum(map(bool, found)) / windows)
    assert np.mean(shares) <= ALARMS + 3 * np.std(shares) / len(shares) ** 0.5


def test_windows_of_one_profile_raise_their_false_alarms_together() -> None:
    """As often as stated over profiles, in m windows at most m times so often, but not evenly."""
    rng = np.random.default_rng(7)
    profiles, windows, rate = 400, 12, 0.02
    alarms = np.zeros((profiles, windows))
    for each in alarms:
        cloud = Cloud.from_points(rng.normal(size=(40, 3)))
        for window in range(windows):
            points = rng.normal(size=(40, 3))
            each[window] = mean_shift("m", cloud, points, rate).drifted
    mine = alarms.mean(axis=1)
    error = mine.std() / profiles**0.5
    assert abs(mine.mean() - rate) < 4 * error
    assert alarms.any(axis=1).mean() <= windows * rate
    # Were windows independent, the shares of profiles would vary by no more than chance.
    assert mine.var() > 2 * rate * (1 - rate) / windows


@pytest.mark.parametrize("dimensions", [1, 3, 8])
def test_a_shift_of_the_mean_is_called_as_often_as_stated_where_there_is_none(
    dimensions: int,
) -> None:
    rng = np.random.default_rng(dimensions)
    repeats = 600
    called = sum(
        mean_shift(
            "m",
            Cloud.from_points(rng.normal(size=(40, dimensions))),
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
    drift = DriftMonitor(plan)
    found = [
        drift.observe(question(rng, mean=35.0), None, (agreeing(rng), 4)) for _ in range(WINDOW)
    ]
    assert not any(found[:-1])
    assert {"text", "difficulty"} <= {one.measure for one in found[-1]}
    assert {one.note().code for one in found[-1]} == {NoteCode.TRAFFIC_DRIFTED}
    assert [one.note().text("measure") for one in found[-1]] == [one.measure for one in found[-1]]
    gauges = drift.gauges()
    assert gauges["text"] > 1 and gauges["difficulty"] > 1
    assert gauges["share_easy"] + gauges["share_medium"] + gauges["share_hard"] == pytest.approx(1)


def test_probes_that_agree_less_are_drift_of_agreement(plan: Plan) -> None:
    rng = np.random.default_rng(3)
    drift = DriftMonitor(plan)
    found = [drift.observe(question(rng), None, (agreeing(rng, 0.35), 4)) for _ in range(WINDOW)]
    assert [one.measure for one in found[-1]] == ["agreement"]


def test_questions_left_unprobed_for_what_is_known_of_them_are_no_drift(plan: Plan) -> None:
    """Those that would agree are not probed: of the others few do, and that says nothing."""
    rng = np.random.default_rng(4)
    drift = DriftMonitor(plan, window=100, false_alarms=ALARMS)
    for _ in range(1000):
        agreed = agreeing(rng)
        drift.observe(question(rng), None, (agreed, 4) if agreed < 3 else None)
        finding = drift.findings.get("agreement")
        assert finding is None or not finding.drifted
    assert 0 < drift.gauges()["agreement_known"] < 0.6


def test_probes_that_agree_less_are_drift_though_some_questions_were_not_probed(
    plan: Plan,
) -> None:
    rng = np.random.default_rng(8)
    drift = DriftMonitor(plan)
    for number in range(WINDOW):
        drift.observe(question(rng), None, (1, 4) if number % 4 else None)
    assert drift.findings["agreement"].drifted
    assert drift.gauges()["agreement_known"] == 0.75


@given(
    reference=st.lists(st.integers(0, 40), min_size=3, max_size=5),
    live=st.lists(st.integers(0, 12), min_size=5, max_size=5),
    unknown=st.lists(st.integers(0, 2), min_size=5, max_size=5),
)
def test_what_is_unknown_counts_as_what_looks_most_like_the_profile(
    reference: list[int], live: list[int], unknown: list[int]
) -> None:
    live, unknown = live[: len(reference)], unknown[: len(reference)]
    bounded = agreement_shift(reference, live, ALARMS, sum(unknown))
    found = [
        agreement_shift(reference, [a + b for a, b in zip(live, more, strict=True)], ALARMS)
        for more in itertools.product(range(sum(unknown) + 1), repeat=len(reference))
        if sum(more) == sum(unknown)
    ]
    assert all(one.limit == bounded.limit for one in found)
    assert bounded.statistic == pytest.approx(min(one.statistic for one in found))


def test_of_two_rows_of_counts_the_statistic_is_pearson_s() -> None:
    reference, live = [30, 50, 40], [20, 20, 40]
    found = agreement_shift(reference, live, ALARMS)
    expected = chi2_contingency([reference, live])
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.limit == pytest.approx(chi2.isf(ALARMS, expected.dof))


def test_a_plan_without_a_reference_watches_nothing() -> None:
    plain = plan_with(KNOWN, prm=None)
    drift = DriftMonitor(plain)
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
    cloud = Cloud.from_points(points)
    point = points[0] + [1.0, 50.0, 2e-3]
    gap = point - points.mean(axis=0)
    exact = gap @ np.linalg.inv(np.cov(points, rowvar=False)) @ gap
    assert cloud.distance(point) == pytest.approx(exact, rel=1e-3)
    assert cloud.rank == 3
    flat = Cloud.from_points(np.column_stack([points[:, 0], points[:, 0], np.ones(50)]))
    assert flat.rank == 1
