"""What a question and its samples look like from outside: by hand, and against loops."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.answers.grader import MathGrader
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem
from profiling.difficulty import probes as probes_module
from profiling.difficulty.probes import (
    NAMES,
    ONE,
    SCORED,
    SCORED_SEVERAL,
    SEVERAL,
    TEXT,
    Probes,
    features,
    text_features,
)
from profiling.pass_rate import PassRate
from profiling.profiles.profiler import ProblemProfile

TEXT_OF = "Ann has 1,200 pens. She loses 3.5 of them: 1,200 - 3.5 = ?"


def sample(
    answer: str | None, tokens: int = 10, logprob: float = -1.0, rewards: tuple[float, ...] = ()
) -> SampleRecord:
    return SampleRecord("text", answer, None, "finished", tokens, logprob, rewards)


def described(samples: list[SampleRecord], grader: MathGrader, text: str = "") -> dict[str, float]:
    probes = Probes.of(text, samples, grader)
    [row] = features(probes, np.arange(len(samples))[None, :])
    return dict(zip(NAMES, row.tolist(), strict=True))


def logit(p: float) -> float:
    return math.log(p / (1 - p))


@given(
    text=st.text(alphabet=" \n\t\u20031290,.?!+ab", max_size=200),
    piece=st.integers(1, 30),
)
def test_a_text_looked_through_in_pieces_is_what_it_is_as_a_whole(text: str, piece: int) -> None:
    whole = text_features(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes_module, "_PIECE", piece)
        np.testing.assert_array_equal(text_features(text), whole)


def test_a_text_alone_is_a_question_without_samples(grader: MathGrader) -> None:
    text = "Add 3 and 4, then halve it."
    [alone] = features(Probes.of_text(text), np.arange(0)[None, :])
    np.testing.assert_array_equal(alone, list(described([], grader, text).values()))
    assert np.isfinite(alone[: len(TEXT)]).all() and np.isnan(alone[len(TEXT) :]).all()


def test_a_profiled_question_has_its_first_samples_and_the_features_of_a_text_that_is_gone(
    grader: MathGrader,
) -> None:
    samples = [sample("1", 10), sample("2", 20), sample("1", 30)]
    outcome = Outcome(Problem("one", TEXT_OF), None, None, None, tuple(samples))
    profile = ProblemProfile(outcome, PassRate(1, 3))
    whole, first = Probes.of_profile(profile, grader), Probes.of_profile(profile, grader, 2)
    assert (whole.tokens.tolist(), first.tokens.tolist()) == ([10, 20, 30], [10, 20])
    np.testing.assert_array_equal(whole.text_features, text_features(TEXT_OF))
    gone = dataclasses.replace(
        profile,
        outcome=dataclasses.replace(outcome, problem=Problem("one", "")),
        about=text_features(TEXT_OF),
    )
    every = np.arange(3)[None, :]
    np.testing.assert_array_equal(
        features(Probes.of_profile(gone, grader), every), features(whole, every)
    )


def test_features_by_hand(grader: MathGrader) -> None:
    samples = [
        sample("1/2", 10, -1.0, (0.9, 0.2)),
        sample("0.5", 20, -4.0, (0.1, 0.6)),
        sample("7", 10, -3.0, (0.9, 0.7)),
        sample(None, 40, -8.0, (0.4,)),
    ]
    found = described(samples, grader, TEXT_OF)
    a_token, logs = [-0.1, -0.2, -0.3, -0.2], [math.log(n) for n in (10, 20, 10, 40)]
    assert found == pytest.approx(
        {
            "log_words": math.log(15),
            "log_characters": math.log(len(TEXT_OF) + 1),
            "log_sentences": math.log(3),
            "log_numbers": math.log(5),
            "log_largest_number": math.log(1201),
            "log_sum_of_numbers": math.log(2408),
            "log_signs": math.log(3),
            "word_length": sum(map(len, TEXT_OF.split())) / 14,
            "answered": 3 / 4,
            "token_logprob": -0.2,
            "logprob": -4.0,
            "likelihood": sum(map(math.exp, (-1, -4, -3, -8))) / 4,
            "log_tokens": math.log(20),
            "agreement": 2 / 4,
            "entropy": -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3)),
            "margin": 1 / 4,
            "answers": 2 / 4,
            "best_logprob": -1.0,
            "logprob_spread": np.std(a_token),
            "token_spread": np.std(logs),
            "min_score": logit((0.2 + 0.1 + 0.7 + 0.4) / 4),
            "last_score": logit((0.2 + 0.6 + 0.7 + 0.4) / 4),
            "mean_score": logit((0.55 + 0.35 + 0.8 + 0.4) / 4),
            "right": (0.2 + 0.6 + 0.7 + 0.4) / 4,
            "best_score": logit(0.7),
            "score_spread": np.std([0.2, 0.6, 0.7, 0.4]),
            # A half has 0.2 and 0.6, seven has 0.7; what gives no answer has no vote.
            "weighted_margin": (0.8 - 0.7) / 4,
            "weighted_share": 0.8 / 1.5,
            "leader_score": logit(0.4),
        }
    )


def test_samples_that_say_nothing(grader: MathGrader) -> None:
    found = described([sample(None, 0, 0.0)] * 4, grader)
    assert {name: found[name] for name in (*TEXT, *ONE, *SEVERAL)} == {
        name: 1.0 if name == "likelihood" else 0.0 for name in (*TEXT, *ONE, *SEVERAL)
    }


@pytest.mark.parametrize(
    ("n", "rewards", "missing"),
    [
        (0, (), {*ONE, *SEVERAL, *SCORED, *SCORED_SEVERAL}),
        (1, (), {*SEVERAL, *SCORED, *SCORED_SEVERAL}),
        (1, (0.5,), {*SEVERAL, *SCORED_SEVERAL}),
        (2, (), {*SCORED, *SCORED_SEVERAL}),
        (2, (0.5,), set()),
    ],
)
def test_what_so_few_samples_do_not_have_is_missing(
    grader: MathGrader, n: int, rewards: tuple[float, ...], missing: set[str]
) -> None:
    found = described([sample("1", rewards=rewards)] * n, grader)
    assert {name for name, value in found.items() if math.isnan(value)} == missing


def test_scores_count_only_where_every_sample_has_one(grader: MathGrader) -> None:
    found = described([sample("1", rewards=(0.5,)), sample("1")], grader)
    assert math.isnan(found["last_score"])


@given(order=st.permutations(range(4)))
def test_the_order_of_probes_does_not_matter(grader: MathGrader, order: list[int]) -> None:
    samples = [
        sample("1", 5, -2.0, (0.1,)), sample("2", 10, -1.0, (0.9,)),
        sample("1", 9, -1.0, (0.4,)), sample(None, 3, -1.0, (0.2,)),
    ]  # fmt: skip
    shuffled = [samples[i] for i in order]
    assert described(shuffled, grader) == pytest.approx(described(samples, grader))


def test_no_feature_looks_at_correctness(grader: MathGrader) -> None:
    samples = [sample(answer, rewards=(0.5,)) for answer in ("1", "2", "1", "3")]
    told = [dataclasses.replace(one, correct=one.answer == "1") for one in samples]
    assert described(told, grader) == described(samples, grader)


@given(
    st.lists(
        st.tuples(st.integers(-1, 3), st.integers(1, 50), st.floats(-30, 0), st.floats(0, 1)),
        min_size=3,
        max_size=9,
    ),
    st.data(),
)
def test_subsets_of_a_pool_are_what_loops_over_them_say(
    pool: list[tuple[int, int, float, float]], data: st.DataObject
) -> None:
    probes = Probes(
        "Add 1 and 2.",
        np.array([row[0] for row in pool]),
        np.array([float(row[1]) for row in pool]),
        np.array([row[2] for row in pool]),
        np.array([[row[3]] * 3 for row in pool]),
    )
    k = data.draw(st.integers(2, len(pool)))
    drawn = np.array([data.draw(st.permutations(range(len(pool))))[:k] for _ in range(3)])
    for subset, row in zip(drawn, features(probes, drawn), strict=True):
        found = dict(zip(NAMES, row.tolist(), strict=True))
        picked = [pool[i] for i in subset]
        counts = Counter(c for c, *_ in picked if c >= 0)
        ranked = [*sorted(counts.values(), reverse=True), 0, 0]
        assert found["agreement"] == pytest.approx(ranked[0] / k)
        assert found["margin"] == pytest.approx((ranked[0] - ranked[1]) / k)
        assert found["answers"] == len(counts) / k
        shares = [count / counts.total() for count in counts.values()]
        assert found["entropy"] == pytest.approx(-sum(p * math.log(p) for p in shares))
        votes: Counter[int] = Counter()
        for c, _, _, score in picked:
            if c >= 0:
                votes[c] += score  # type: ignore[assignment]
        weights = [*sorted(votes.values(), reverse=True), 0, 0]
        assert found["weighted_margin"] == pytest.approx((weights[0] - weights[1]) / k, abs=1e-12)
        assert found["right"] == pytest.approx(sum(row[3] for row in picked) / k)


@pytest.mark.parametrize("text", ["", "?!", "9" * 400, "1e999", "٣ Äpfel", "x" * 10_000, "1.2.3,"])
def test_any_text_has_finite_features(grader: MathGrader, text: str) -> None:
    found = described([], grader, text)
    assert all(math.isfinite(found[name]) for name in TEXT)


def test_no_question_has_no_probes_and_no_classes(grader: MathGrader) -> None:
    assert len(Probes.of("?", [], grader)) == 0
