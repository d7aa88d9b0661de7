"""Difficulty without a label: features by hand, and a classifier that tells simulated problems."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
from collections.abc import Iterator, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.answers import MathGrader
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem
from executor.runner import Executor
from executor.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.store import Store
from executor.strategy import Sampling
from profiling.difficulty import (
    FEATURES,
    ProbeClassifier,
    fit_probe_classifier,
    probe_features,
)
from profiling.passrate import Difficulty, PassRate
from profiling.profiler import ProblemProfile, profile, profile_spec, read_profile

PROBES = 4


@pytest.fixture(scope="module")
def grader() -> Iterator[MathGrader]:
    with MathGrader() as shared:
        yield shared


def sample(
    answer: str | None, tokens: int = 10, logprob: float = -1.0, rewards: tuple[float, ...] = ()
) -> SampleRecord:
    return SampleRecord("text", answer, None, "finished", tokens, logprob, rewards)


def described(samples: list[SampleRecord], grader: MathGrader) -> dict[str, float]:
    return dict(zip(FEATURES, probe_features(samples, grader).tolist(), strict=True))


def test_features_by_hand(grader: MathGrader) -> None:
    samples = [
        sample("1/2", 10, -1.0, (0.9, 0.2)),
        sample("0.5", 20, -4.0, (0.1, 0.6)),
        sample("7", 10, -3.0, (0.4,)),
        sample(None, 40, -8.0),
    ]
    assert described(samples, grader) == pytest.approx(
        {
            "agreement": 2 / 4,
            "answered": 3 / 4,
            "mean_logprob": -(0.1 + 0.2 + 0.3 + 0.2) / 4,
            "log_tokens": math.log(20),
            "mean_score": (0.2 + 0.6 + 0.4) / 3,
            "max_score": 0.6,
        }
    )


def test_features_of_samples_that_say_nothing(grader: MathGrader) -> None:
    found = described([sample(None, 0, 0.0)] * PROBES, grader)
    assert found == dict.fromkeys(FEATURES, 0.0)


@given(order=st.permutations(range(4)))
def test_the_order_of_probes_does_not_matter(grader: MathGrader, order: list[int]) -> None:
    samples = [sample("1", 5, -2.0, (0.1,)), sample("2"), sample("1", 9), sample(None, 3, -1.0)]
    shuffled = [samples[i] for i in order]
    assert probe_features(shuffled, grader) == pytest.approx(probe_features(samples, grader))


def test_no_feature_looks_at_correctness(grader: MathGrader) -> None:
    samples = [sample("1"), sample("2"), sample("1"), sample("3")]
    told = [dataclasses.replace(one, correct=one.answer == "1") for one in samples]
    assert probe_features(told, grader).tolist() == probe_features(samples, grader).tolist()


# Training on profiles


def profiles_of(
    grader: MathGrader, chances: Mapping[float, int], prm: SimulatedPrm | None = None, n: int = 16
) -> list[ProblemProfile]:
    """Profiles of so many simulated problems of every chance to solve them."""
    each = [chance for chance, count in chances.items() for _ in range(count)]
    problems = simulated_problems(len(each))
    chance_of = {problem.text: chance for problem, chance in zip(problems, each, strict=True)}
    executor = Executor(SimulatedPolicy(chance_of, 1, wrong_answers=20), prm, grader, Sampling())
    spec = profile_spec(executor, n, {})
    with Store.open("sqlite://") as store:
        asyncio.run(profile(executor, problems, store, spec))
        return read_profile(store, spec)


@pytest.fixture(scope="module")
def mixed(grader: MathGrader) -> list[ProblemProfile]:
    """Easy, medium and hard problems, as many of each."""
    return profiles_of(grader, {0.95: 8, 0.3: 8, 0.0: 8})


@pytest.fixture(scope="module")
def classifier(grader: MathGrader, mixed: list[ProblemProfile]) -> ProbeClassifier:
    found = fit_probe_classifier(mixed, grader)
    assert found is not None
    return found


def test_held_out_problems_are_told_apart(classifier: ProbeClassifier) -> None:
    assert classifier.problems == 24
    assert classifier.probes == PROBES
    # Three classes as large as each other: naming one of them is right a third of the time.
    assert classifier.accuracy > 0.55


def test_rewards_help_where_agreement_does_not(grader: MathGrader) -> None:
    """One wrong answer: always wrong agrees as much as always right."""
    chances = {0.95: 8, 0.02: 8}
    each = [chance for chance, count in chances.items() for _ in range(count)]
    problems = simulated_problems(16)
    chance_of = {p.text: c for p, c in zip(problems, each, strict=True)}
    accuracies = []
    for prm in (None, SimulatedPrm(0.95)):
        executor = Executor(SimulatedPolicy(chance_of, 1, wrong_answers=1), prm, grader, Sampling())
        spec = profile_spec(executor, 16, {})
        with Store.open("sqlite://") as store:
            asyncio.run(profile(executor, problems, store, spec))
            found = fit_probe_classifier(read_profile(store, spec), grader)
        assert found is not None
        accuracies.append(found.accuracy)
    assert accuracies[1] > max(0.85, accuracies[0] + 0.1)


def test_the_numbers_give_the_probabilities_of_the_regression(
    grader: MathGrader, mixed: list[ProblemProfile], classifier: ProbeClassifier
) -> None:
    for one in mixed[::6]:
        probes = one.outcome.samples[:PROBES]
        chances = classifier.probabilities(probes, grader)
        scaled = (probe_features(probes, grader) - classifier.mean) / np.array(classifier.scale)
        odds = {
            level: math.exp(sum(w * x for w, x in zip(row, scaled, strict=True)) + intercept)
            for level, row, intercept in zip(
                Difficulty, classifier.weights, classifier.intercepts, strict=True
            )
        }
        total = sum(odds.values())
        assert chances == pytest.approx({level: odd / total for level, odd in odds.items()})
        assert sum(chances.values()) == pytest.approx(1.0)


def test_scattered_answers_make_a_problem_harder(
    grader: MathGrader, classifier: ProbeClassifier, mixed: list[ProblemProfile]
) -> None:
    template = next(s for one in mixed for s in one.outcome.samples if s.correct)
    agree = [template] * PROBES
    scatter = [dataclasses.replace(template, answer=str(1000 + i)) for i in range(PROBES)]
    chances = [classifier.probabilities(samples, grader) for samples in (agree, scatter)]
    assert chances[0][Difficulty.EASY] > 0.8
    # All else stays equal, the log-probabilities too.
    assert chances[1][Difficulty.EASY] < chances[0][Difficulty.EASY]
    assert chances[1][Difficulty.HARD] > 2 * chances[0][Difficulty.HARD]


def test_the_same_profile_and_seed_give_the_same_classifier(
    grader: MathGrader, mixed: list[ProblemProfile], classifier: ProbeClassifier
) -> None:
    assert fit_probe_classifier(mixed, grader) == classifier
    assert fit_probe_classifier(mixed, grader, random_state=1) != classifier


@pytest.mark.parametrize(
    ("chances", "seen"),
    [
        ({0.95: 6, 0.0: 6}, {Difficulty.EASY, Difficulty.HARD}),
        ({0.95: 6, 0.3: 6}, {Difficulty.EASY, Difficulty.MEDIUM}),
        ({0.3: 6, 0.0: 6}, {Difficulty.MEDIUM, Difficulty.HARD}),
    ],
    ids=["no medium", "no hard", "no easy"],
)
def test_a_class_never_seen_gets_no_chance(
    grader: MathGrader, chances: dict[float, int], seen: set[Difficulty]
) -> None:
    # The rate of a pool may stray over a threshold by luck: keep those that did not.
    profiles = [p for p in profiles_of(grader, chances) if p.pass_rate.difficulty in seen]
    found = fit_probe_classifier(profiles, grader)
    assert found is not None
    likeliest = set()
    for one in profiles:
        probabilities = found.probabilities(one.outcome.samples[:PROBES], grader)
        assert sum(probabilities[level] for level in seen) == pytest.approx(1.0, abs=1e-6)
        likeliest.add(max(probabilities, key=lambda level: probabilities[level]))
    assert likeliest == seen


def test_a_lone_problem_of_its_class_can_be_held_out(grader: MathGrader) -> None:
    profiles = profiles_of(grader, {1.0: 5, 0.0: 1})
    found = fit_probe_classifier(profiles, grader)
    assert found is not None
    # Held out, the hard one is taken for easy; the easy ones are not taken for hard.
    assert found.accuracy == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    "chances", [{1.0: 5}, {0.0: 5}, {1.0: 1, 0.0: 1}, {}], ids=["easy", "hard", "two", "none"]
)
def test_too_little_to_tell_apart_gives_none(grader: MathGrader, chances: dict[float, int]) -> None:
    assert fit_probe_classifier(profiles_of(grader, chances), grader) is None


def test_pools_smaller_than_a_probe_set_are_not_used(grader: MathGrader) -> None:
    small = ProblemProfile(
        Outcome(Problem("small", "?", "1"), "1", True, 0, (sample("1"),) * (PROBES - 1)),
        PassRate(0, PROBES - 1),
    )
    profiles = profiles_of(grader, {1.0: 3, 0.0: 3})
    found = fit_probe_classifier([*profiles, small], grader)
    assert found is not None
    assert found == fit_probe_classifier(profiles, grader)


# As a record


def test_a_classifier_is_read_back_as_it_was_written(classifier: ProbeClassifier) -> None:
    record = classifier.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert ProbeClassifier.from_dict(json.loads(json.dumps(record))) == classifier


@pytest.mark.parametrize(
    "change",
    [
        {"probes": 0}, {"mean": [0.0]}, {"scale": []}, {"weights": [[0.0] * len(FEATURES)]},
        {"weights": [[0.0]] * 3}, {"intercepts": [0.0, 0.0]}, {"accuracy": "good"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_numbers_that_do_not_fit_together_are_refused(
    classifier: ProbeClassifier, change: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"weights and a probe|could not convert"):
        ProbeClassifier.from_dict(classifier.to_dict() | change)
