"""What is said of a PRM, of a model, of runs, and how numbers are written."""

from __future__ import annotations

import pytest

from executor.answers.voting import Vote
from executor.strategy import (
    AdaptiveMajority,
    Aggregate,
    BeamSearch,
    BestOfN,
    Greedy,
    Majority,
    ParticleFilter,
    Score,
    ShortMOfK,
    Strategy,
)
from planner.evaluation.run_summary import PairedDifference
from planner.plans.routing_value import estimator_note
from planner.report import scorer_wording as prm_words
from planner.report import wording as words
from planner.report.notes import word
from profiling.difficulty.estimator import RANGES, Head, Quality
from tests.helpers.report_sample import data, estimate, rewards

NAN = float("nan")


@pytest.mark.parametrize(
    ("within", "verdict"),
    [
        (estimate(0.52), "does not tell right from wrong within a problem"),
        (estimate(0.30), "The PRM misleads"),
        (estimate(0.56), "only weakly"),
        (estimate(0.65), "fairly"),
        (estimate(0.85), "well within a problem"),
        (estimate(NAN), "cannot be said"),
    ],
)
def test_verdict_on_the_prm(within: dict[str, float], verdict: str) -> None:
    assert verdict in prm_words.rewards(rewards(within), "judge")[0]


def test_all_that_is_known_of_a_prm_is_said() -> None:
    known = {
        "spread": estimate(0.11), "ties": estimate(0.25), "votes_at": 16,
        "gain": {"value": 0.03, "low": 0.01, "high": 0.05},
        "length_bias": {"value": -0.2, "low": -0.3, "high": -0.1},
    }  # fmt: skip
    said = " ".join(prm_words.rewards(rewards(estimate(0.85), **known), "judge"))
    for part in (
        "well within a problem, and a vote weighted by it beats a plain one",
        "A vote weighted by judge beats a plain one: among 16 samples the measured difference is "
        "+0.030",
        "spread by 0.110", "25.0 % of the pairs", "prefers the shorter: partial gamma -0.200",
    ):  # fmt: skip
        assert part in said


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        ((-0.05, -0.01), "The PRM hurts: a vote weighted by it is worse than a plain one"),
        ((0.01, 0.05), "fairly within a problem, and a vote weighted by it beats a plain one"),
        ((-0.01, 0.05), "fairly within a problem: search has some to go by"),
    ],
)
def test_votes_have_a_say_in_the_verdict(gain: tuple[float, float], verdict: str) -> None:
    low, high = gain
    gained = {"value": (low + high) / 2, "low": low, "high": high}
    assert verdict in prm_words.verdict(rewards(estimate(0.65), gain=gained))
    unknown = prm_words.verdict(rewards(estimate(NAN), gain=gained))
    assert ("is not clear" in unknown) == (low > 0)


@pytest.mark.parametrize(("probes", "source"), [(0, "the text alone"), (4, "4 samples")])
def test_what_is_known_of_a_question_is_said_with_its_figures(probes: int, source: str) -> None:
    quality = Quality(0.34, 1.007, 0.86, 0.02, 0.91, 0.18, ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    head = Head(probes, (), (), (), ((),) * RANGES, (0.0,) * RANGES, 0.9, quality)
    said = word(estimator_note(head))
    assert said.startswith(f"from {source}, without its answer")
    for figure in ("0.86", "0.340", "1.007", "90%", "0.91", "0.18"):
        assert figure in said


def test_model_worse_than_its_base_is_named() -> None:
    assert "no better than" in words.fit({"log_loss": 0.6, "base_log_loss": 0.5})[0]


@pytest.mark.parametrize(
    ("low", "end"),
    [
        (0.05, "problems)."),
        (-0.05, "problems): these problems do not tell the two apart."),
    ],
)
def test_runs_are_compared_problem_by_problem(low: float, end: str) -> None:
    paired = [PairedDifference("greedy", 0.2, (low, 0.35), 50)]
    assert words.runs(data().runs, paired) == (
        "plan is 0.200 above greedy, for 10.00 times the generated tokens; the difference is "
        f"within [{low:+.3f}, +0.350] (95 %, paired, 50 {end}"
    )


def test_runs_that_share_no_problem_are_not_compared() -> None:
    assert "plan and greedy share no problem that was graded" in words.runs(data().runs, [])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.03123, "0.0312"), (47.12, "47.1"), (1234.4, "1,234"), (2.14e12, "2.1×10¹²"),
        (0, "0"), (None, "not known"), (NAN, "not known"), (float("inf"), "not known"),
    ],
)  # fmt: skip
def test_costs_are_written_with_three_digits(value: float | None, text: str) -> None:
    assert words.amount(value) == text


@pytest.mark.parametrize(
    ("clause", "sentence"),
    [
        ("measure more", "Measure more."),
        ("Done.", "Done."),
        ("best_of_n(n=4) may be as good", "best_of_n(n=4) may be as good."),
    ],
)
def test_clauses_become_sentences(clause: str, sentence: str) -> None:
    assert words.sentence(clause) == sentence


@pytest.mark.parametrize(
    ("strategy", "sentence"),
    [
        (ShortMOfK(16), "16 samples side by side, of which the first 3 to finish vote"),
        (ShortMOfK(4, 1), "4 samples side by side, of which the first to finish is kept"),
        (
            Aggregate(64),
            "16 answers that the policy writes anew in 3 rounds, each from 4 of the round before, "
            "and a plain majority vote over the last (64 generations in all)",
        ),
        (
            Aggregate(2, 1, 1),
            "1 answer that the policy writes anew in 1 round, each from the one before it, "
            "and a plain majority vote over the last (2 generations in all)",
        ),
    ],
)
def test_votes_of_the_first_and_aggregations_are_described(
    strategy: Strategy, sentence: str
) -> None:
    assert words.strategy(strategy) == sentence


@pytest.mark.parametrize(
    ("strategy", "label"),
    [
        (Greedy(), "greedy"),
        (Majority(16), "majority@16"),
        (BestOfN(4), "best_of_n@4"),
        (BestOfN(64, Score.MIN, Vote.WEIGHTED), "best_of_n@64 min/weighted"),
        (BestOfN(64, vote=Vote.WEIGHTED), "best_of_n@64 weighted"),
        (BestOfN(64, vote=Vote.WEIGHTED, keep=0.1), "best_of_n@64 k0.1 weighted"),
        (BestOfN(64, vote=Vote.BORDA, power=0.5), "best_of_n@64 p0.5 borda"),
        (BeamSearch(16), "beam_search@16"),
        (BeamSearch(16, 2, Score.MEAN), "beam_search@16 w2 mean/weighted"),
        (AdaptiveMajority(8, 0.9), "adaptive_majority@8 c0.9"),
        (ParticleFilter(4, 0.5), "particle_filter@4 s0.5"),
        (ShortMOfK(16), "short_m_of_k@16"),
        (ShortMOfK(16, 1), "short_m_of_k@16 m1"),
        (Aggregate(8, 1, 2), "aggregate@8 r1 s2"),
    ],
)
def test_a_label_names_the_options_that_are_not_defaults(strategy: Strategy, label: str) -> None:
    assert words.label(strategy) == label
