"""The difficulty estimator: as scikit-learn wants it, calibrated, better than the base rate."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils import estimator_checks

from executor.answers.grader import MathGrader
from executor.outcome import Outcome, SampleRecord
from executor.policies.simulated import SimulatedPolicy, simulated_problems
from executor.problem import Problem
from executor.run.runner import Executor
from executor.store.store import Store
from executor.strategy import Sampling
from profiling.difficulty import fitting
from profiling.difficulty.estimator import EDGES, LEVEL, DifficultyModel, classes
from profiling.difficulty.fitting import (
    PROBES,
    DifficultyEstimator,
    class_posterior,
    confusion,
    coverage,
    fit_difficulty,
    log_loss,
    posterior,
    quality,
)
from profiling.difficulty.probes import NAMES, Probes
from profiling.pass_rate import Difficulty, PassRate
from profiling.profiles.profiler import ProblemProfile, profile, profile_spec, read_profile

# Questions whose pass@1 is known


def drawn(
    problems: int, pool: int, *, random_state: int = 0
) -> tuple[list[Probes], np.ndarray, np.ndarray]:
    """Questions of known pass@1, `(right, samples)` of each, and pass@1 itself.

    One answer is right, ten are wrong; the score of a sample is right with probability 0.8.
    """
    rng = np.random.default_rng(random_state)
    truth = rng.beta(0.5, 0.7, problems)
    questions, rates = [], []
    for p in truth:
        right = rng.random(pool) < p
        told = np.where(rng.random(pool) < 0.8, right, ~right) * 0.8 + 0.1
        answers = np.where(right, 0, rng.integers(1, 11, pool))
        text = "add " * int(1 + 20 * (1 - p) * rng.random())
        questions.append(
            Probes(
                text, answers.astype(np.int64), rng.integers(5, 20, pool).astype(float),
                -rng.random(pool), np.repeat(told[:, None], 3, axis=1),
            )
        )  # fmt: skip
        rates.append((int(right.sum()), pool))
    return questions, np.array(rates), truth


@pytest.fixture(scope="module")
def training() -> tuple[list[Probes], np.ndarray]:
    questions, rates, _ = drawn(160, 64)
    return questions, rates


@pytest.fixture(scope="module")
def fitted(training: tuple[list[Probes], np.ndarray]) -> DifficultyEstimator:
    return DifficultyEstimator((0, 1, 4), sets=4).fit(*training)


def test_more_probes_tell_more_and_all_more_than_the_base_rate(
    fitted: DifficultyEstimator,
) -> None:
    losses = [head.quality.log_loss for head in fitted.model_.heads]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] < fitted.model_.heads[0].quality.base_log_loss
    assert losses[-1] < 0.75 * fitted.model_.heads[-1].quality.base_log_loss


def test_on_problems_never_seen_it_is_as_good_as_it_says(fitted: DifficultyEstimator) -> None:
    questions, rates, truth = drawn(400, 64, random_state=1)
    head = fitted.model_.heads[-1]
    assert -fitted.score([_first(one, 4) for one in questions], rates) == pytest.approx(
        head.quality.log_loss, abs=0.08
    )
    # Against pass@1 itself, not its posterior: three standard errors of 400 problems.
    ends = fitted.predict_interval([_first(one, 4) for one in questions])
    covered = np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
    assert covered == pytest.approx(LEVEL, abs=3 * math.sqrt(LEVEL * (1 - LEVEL) / 400))
    assert head.quality.coverage == pytest.approx(LEVEL, abs=0.02)
    predicted = fitted.predict_proba([_first(one, 4) for one in questions])
    for column, (low, high) in enumerate([(0.5, 1), (0.1, 0.5), (0, 0.1)]):
        share = np.mean((low <= truth) & (truth < high))
        assert predicted[:, column].mean() == pytest.approx(share, abs=0.06)


def _first(one: Probes, k: int) -> Probes:
    assert one.scores is not None
    return Probes(one.text, one.answer_class[:k], one.tokens[:k], one.logprob[:k], one.scores[:k])


def test_predictions_are_those_of_the_plain_numbers(
    fitted: DifficultyEstimator, training: tuple[list[Probes], np.ndarray]
) -> None:
    asked = [_first(training[0][0], k) for k in (0, 1, 3, 4)]
    proba, named = fitted.predict_proba(asked), fitted.predict(asked)
    for row, name, ends, one in zip(
        proba, named, fitted.predict_interval(asked), asked, strict=True
    ):
        found = fitted.model_.estimate_probes(one)
        assert row.tolist() == list(found.probabilities.values())
        assert name == found.difficulty.value
        assert tuple(ends) == found.interval
    assert proba.sum(axis=1) == pytest.approx(1)


def test_equal_evidence_gives_an_equal_estimator() -> None:
    questions, rates, _ = drawn(40, 16)
    once = DifficultyEstimator((0, 2)).fit(questions, rates)
    assert clone(once).fit(questions, rates).model_ == once.model_
    assert clone(once).set_params(random_state=1).fit(questions, rates).model_ != once.model_


# As scikit-learn wants it. The checks of `check_estimator` that fit are about arrays of numbers;
# these hold for any estimator.


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_mixin_order,
    ],
    ids=lambda check: check.__name__,
)
def test_conventions_of_scikit_learn(check: Any) -> None:
    check("DifficultyEstimator", DifficultyEstimator())


def test_what_fit_learns_ends_with_an_underscore_and_parameters_stay() -> None:
    questions, rates, _ = drawn(20, 8)
    estimator = DifficultyEstimator((1,), sets=1)
    before, given_rates = vars(estimator).copy(), rates.copy()
    assert estimator.fit(questions, rates) is estimator
    assert {name for name in vars(estimator) if name not in before} == {"model_", "classes_"}
    assert all(vars(estimator)[name] == value for name, value in before.items())
    assert (rates == given_rates).all()


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_interval"])
def test_before_it_is_fitted_it_predicts_nothing(method: str) -> None:
    with pytest.raises(NotFittedError):
        getattr(DifficultyEstimator(), method)([])


def test_it_can_be_searched_over_by_scikit_learn(
    training: tuple[list[Probes], np.ndarray],
) -> None:
    estimator = DifficultyEstimator((1,), sets=1)
    questions, rates = training[0][:40], training[1][:40]
    scores = cross_val_score(estimator, questions, rates, cv=3)
    assert (scores < 0).all()
    search = GridSearchCV(estimator, {"strength": [1e-4, 1.0]}, cv=3).fit(questions, rates)
    assert search.best_params_ == {"strength": 1.0}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 4)], r"shape \(1, 2\)"),
        ([1, 2, 3, 4], r"shape \(4,\)"),
        ([(5, 4)] * 4, "cannot be"),
        ([(0, 0)] * 4, "cannot be"),
    ],
)
def test_counts_that_cannot_be_are_refused(rows: list[Any], message: str) -> None:
    questions, _, _ = drawn(4, 8)
    with pytest.raises(ValueError, match=message):
        DifficultyEstimator().fit(questions, rows)


def test_too_few_samples_and_no_probes_are_refused() -> None:
    questions, rates, _ = drawn(4, 3)
    with pytest.raises(ValueError, match="0 problems have 4 samples"):
        DifficultyEstimator((4,)).fit(questions, rates)
    with pytest.raises(ValueError, match="at least one number"):
        DifficultyEstimator(()).fit(questions, rates)


def test_probe_sets_are_of_what_every_pool_has() -> None:
    """A pool that was stopped early is no random one beyond the first draws."""
    questions, _, _ = drawn(3, 16)
    short = [_first(questions[0], 6), *questions[1:]]
    estimator = DifficultyEstimator(sets=200)
    x, problem = estimator.probe_sets(short, 2)
    cut, _ = estimator.probe_sets([_first(one, 6) for one in short], 2)
    assert np.array_equal(x, cut, equal_nan=True)
    assert np.bincount(problem).tolist() == [200] * 3


def test_all_subsets_are_as_likely() -> None:
    [one], _, _ = drawn(1, 4)
    each = dataclasses.replace(one, tokens=np.array([1.0, 2.0, 4.0, 8.0]))
    x, _ = DifficultyEstimator(sets=6000).probe_sets([each], 2)
    seen = np.round(np.exp(x[:, NAMES.index("log_tokens")]) * 2)  # the sum of tokens names the pair
    sums = {sum(pair) for pair in itertools.combinations((1, 2, 4, 8), 2)}
    shares = {total: np.mean(seen == total) for total in sums}
    assert shares == pytest.approx(dict.fromkeys(sums, 1 / 6), abs=0.02)


# What is told, and how well


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_classes_of_a_posterior_are_those_of_the_pass_rate(counts: tuple[int, int]) -> None:
    [row] = class_posterior(np.array([counts]))
    expected = PassRate(*counts).probabilities()
    assert row == pytest.approx([expected[level] for level in Difficulty], abs=1e-12)
    assert posterior([counts[0]], [counts[1]], EDGES).sum() == pytest.approx(1)


def test_log_loss_is_least_where_what_is_told_is_predicted() -> None:
    told = np.array([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
    entropy = [-sum(p * math.log(p) for p in row if p) for row in told.tolist()]
    best = log_loss(told, told)
    assert best == pytest.approx(sum(entropy) / 2)
    assert log_loss(0.9 * told + 0.1 / 3, told) > best
    assert log_loss(np.full((2, 3), 1 / 3), told) == pytest.approx(math.log(3))


def test_quality_by_integration() -> None:
    right, samples = np.array([3, 60]), np.array([64, 64])
    ranges = np.array([[0.5, 0.3, 0.2, 0, 0, 0, 0, 0], [0, 0, 0, 0.1, 0.2, 0.3, 0.4, 0]])
    ends = np.array([[0.0, 0.06], [0.9, 1.0]])
    base = np.array([[0.4, 0.3, 0.3]] * 2)
    found = quality(ranges, base, ends, right, samples)
    told = [PassRate(3, 64).probabilities(), PassRate(60, 64).probabilities()]
    predicted = [(0.0, 0.2, 0.8), (0.9, 0.1, 0.0)]
    losses = [
        -sum(t * math.log(max(p, 1e-12)) for t, p in zip(one.values(), row, strict=True))
        for one, row in zip(told, predicted, strict=True)
    ]
    assert found.log_loss == pytest.approx(sum(losses) / 2)
    covered = [
        quad(beta(r + 0.5, n - r + 0.5).pdf, low, high)[0]
        for r, n, (low, high) in zip(right, samples, ends, strict=True)
    ]
    assert found.coverage == pytest.approx(np.mean(covered), abs=1e-6)
    assert found.width == pytest.approx(0.08)
    assert found.accuracy == 1.0
    # Every class has its two predictions in bins of their own.
    gaps = [
        abs(p - t)
        for one, row in zip(told, predicted, strict=True)
        for t, p in zip(one.values(), row, strict=True)
    ]
    assert found.calibration_error == pytest.approx(sum(gaps) / 6)


def test_a_confusion_counts_each_class_by_its_chance() -> None:
    told = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.0, 0.5, 0.5]])
    predicted = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.0, 0.1, 0.9]])  # easy, easy, hard
    found = np.array(confusion(predicted, told))
    expected = np.array([[1, 0, 0], [0.9 / 1.4, 0, 0.5 / 1.4], [0, 0, 1]])
    assert found == pytest.approx(expected, abs=1e-5)
    sure = np.eye(3)[[0, 1, 1, 2]]
    assert confusion(sure, sure) == ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def test_few_problems_cannot_promise_more_than_everything() -> None:
    """Of 8 problems all would have to be covered, and one more: so the interval is [0, 1]."""
    questions, rates, _ = drawn(8, 16)
    estimator = DifficultyEstimator((1,)).fit(questions, rates)
    assert estimator.predict_interval(questions).tolist() == [[0.0, 1.0]] * 8


@pytest.mark.long
def test_the_coverage_told_is_of_problems_that_calibrated_nothing() -> None:
    """Judged on what set the level it would be 181 of 200 each time, within a thousandth."""
    told, met = [], []
    for seed in range(6):
        estimator = DifficultyEstimator((1,), sets=1)
        questions, rates, _ = drawn(200, 32, random_state=seed)
        told.append(estimator.fit(questions, rates).model_.heads[0].quality.coverage)
        asked, others, _ = drawn(400, 32, random_state=100 + seed)
        ends = estimator.predict_interval([_first(one, 1) for one in asked])
        met.append(coverage(ends, *others.T))
    assert np.ptp(told) > 0.005
    assert np.mean(told) == pytest.approx(np.mean(met), abs=0.03)  # four standard errors


def test_labels_of_a_fold_do_not_calibrate_what_it_is_judged_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of three folds is judged by levels that 2 / 3 of the problems set; all set the last."""
    seen: list[int] = []
    genuine = fitting._calibrated

    def spy(logits: Any, right: Any, samples: Any, problems: int) -> tuple[float, float]:
        seen.append(problems)
        assert len(set(samples.tolist())) == problems  # pools as large as their problem's number
        return genuine(logits, right, samples, problems)

    monkeypatch.setattr(fitting, "_calibrated", spy)
    questions, rates, _ = drawn(12, 16)
    rates = np.column_stack([np.minimum(rates[:, 0], 4), 16 + np.arange(12)])
    DifficultyEstimator((1,), sets=2, folds=3).fit(questions, rates)
    assert seen == [8, 8, 8, 12]


def test_rewards_help_where_agreement_does_not() -> None:
    """One wrong answer: always wrong agrees as much as always right."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0.95, 0.05], 20)
    right = rng.random((40, 16)) < truth[:, None]
    rates = np.column_stack([right.sum(axis=1), np.full(40, 16)])
    accuracies = []
    for scored in (False, True):
        questions = [
            Probes(
                "?", row.astype(np.int64), np.ones(16), np.zeros(16),
                np.repeat(row[:, None] * 0.8 + 0.1, 3, axis=1) if scored else None,
            )
            for row in right
        ]  # fmt: skip
        head = DifficultyEstimator((4,)).fit(questions, rates).model_.heads[-1]
        accuracies.append(head.quality.accuracy)
    assert accuracies[0] < 0.65 and accuracies[1] > 0.9


# From profiles


def profiles_of(
    grader: MathGrader,
    chances: Mapping[float, int],
    n: int = 16,
) -> list[ProblemProfile]:
    """Profiles of so many simulated problems of every chance to solve them."""
    each = [chance for chance, count in chances.items() for _ in range(count)]
    problems = simulated_problems(len(each))
    chance_of = {problem.text: chance for problem, chance in zip(problems, each, strict=True)}
    executor = Executor(SimulatedPolicy(chance_of, 1, wrong_answers=20), None, grader, Sampling())
    spec = profile_spec(executor, n, {})
    with Store.open("sqlite://") as store:
        asyncio.run(profile(executor, problems, store, spec))
        return read_profile(store, spec)


@pytest.fixture(scope="module")
def mixed(grader: MathGrader) -> list[ProblemProfile]:
    """Easy, medium and hard problems, as many of each."""
    return profiles_of(grader, {0.95: 8, 0.3: 8, 0.0: 8})


@pytest.fixture(scope="module")
def model(grader: MathGrader, mixed: list[ProblemProfile]) -> DifficultyModel:
    found = fit_difficulty(mixed, grader)
    assert found is not None
    return found


def test_held_out_problems_are_told_apart(model: DifficultyModel) -> None:
    assert (model.problems, model.probes) == (24, PROBES)
    assert [head.probes for head in model.heads] == [0, PROBES]
    # Three classes as large as each other: naming one of them is right a third of the time.
    assert model.heads[-1].quality.accuracy > 0.55


def test_scattered_answers_make_a_problem_harder(
    grader: MathGrader, model: DifficultyModel, mixed: list[ProblemProfile]
) -> None:
    template = next(s for one in mixed for s in one.outcome.samples if s.correct)
    text = mixed[0].outcome.problem.text
    scatter = [dataclasses.replace(template, answer=str(1000 + i)) for i in range(PROBES)]
    agreed, scattered = (
        model.estimate(text, samples, grader) for samples in ([template] * PROBES, scatter)
    )
    assert agreed.difficulty is Difficulty.EASY
    # All else stays equal, the log-probabilities too.
    assert scattered.probabilities[Difficulty.EASY] < agreed.probabilities[Difficulty.EASY]
    assert scattered.mean < agreed.mean


@pytest.mark.parametrize(
    ("chances", "seen"),
    [
        ({0.95: 6, 0.0: 6}, {Difficulty.EASY, Difficulty.HARD}),
        ({0.95: 6, 0.3: 6}, {Difficulty.EASY, Difficulty.MEDIUM}),
    ],
    ids=["no medium", "no hard"],
)
def test_a_class_never_seen_is_never_named(
    grader: MathGrader, chances: dict[float, int], seen: set[Difficulty]
) -> None:
    # The rate of a pool may stray over a threshold by luck: keep those that did not.
    profiles = [p for p in profiles_of(grader, chances) if p.pass_rate.difficulty in seen]
    found = fit_difficulty(profiles, grader)
    assert found is not None
    named = {
        found.estimate(
            one.outcome.problem.text, one.outcome.samples[:PROBES], grader
        ).difficulty
        for one in profiles
    }  # fmt: skip
    assert named == seen


@pytest.mark.parametrize(
    "chances", [{1.0: 5}, {0.0: 5}, {1.0: 1, 0.0: 1}, {}], ids=["easy", "hard", "two", "none"]
)
def test_too_little_to_tell_apart_gives_none(grader: MathGrader, chances: dict[float, int]) -> None:
    assert fit_difficulty(profiles_of(grader, chances), grader) is None


def test_pools_smaller_than_a_probe_set_are_not_used(grader: MathGrader) -> None:
    one = SampleRecord("text", "1", None, "finished", 10, -1.0)
    small = ProblemProfile(
        Outcome(Problem("small", "?", "1"), "1", True, 0, (one,) * (PROBES - 1)),
        PassRate(0, PROBES - 1),
    )
    profiles = profiles_of(grader, {1.0: 3, 0.0: 3})
    found = fit_difficulty([*profiles, small], grader)
    assert found is not None
    assert found == fit_difficulty(profiles, grader)


def test_the_classes_of_a_head_are_sums_of_its_ranges(model: DifficultyModel) -> None:
    x = np.zeros((1, len(NAMES)))
    assert classes(model.heads[0].ranges(x)).sum() == pytest.approx(1)
