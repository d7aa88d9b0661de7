"""Estimates from evidence: fair comparisons, costs, and refusals in one line."""

from __future__ import annotations

import pytest

from executor.errors import InputError
from executor.strategy import BestOfN, Dvts, Greedy, Majority, ShortMOfK, Strategy
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.recommend import choose
from planner.costs.cost import Rates
from planner.prediction.tuning import fit
from profiling.pass_rate import LEVELS
from tests.helpers.evidence_frames import frame_of, row, simulated_frame

NO_LIMIT = Constraint()
RATES = Rates(1_000, 500, tokens_per_second=100.0, usd_per_hour=3.6)
CHANCES = {
    "easy": {Greedy(): 0.8, Majority(4): 0.9, BestOfN(4): 0.7},
    "hard": {Greedy(): 0.1, Majority(4): 0.05, BestOfN(4): 0.6},
}
FRAME = simulated_frame(CHANCES, 25)


def by_strategy(found: list[StrategyEstimate]) -> dict[Strategy, StrategyEstimate]:
    return {one.strategy: one for one in found}


@pytest.mark.parametrize(("level", "best"), [("easy", Majority(4)), ("hard", BestOfN(4))])
@pytest.mark.parametrize("learnt", [False, True], ids=["no model", "model"])
def test_the_best_strategy_of_each_difficulty_is_recommended(
    level: str, best: Strategy, learnt: bool
) -> None:
    model = fit(FRAME, trials=1, storage=None).model if learnt else None
    found = candidates(FRAME, "policy", "prm", level, model, RATES)
    assert {one.strategy for one in found} == set(CHANCES[level])
    for one in found:
        assert one.interval[0] < one.predicted_accuracy < one.interval[1]
        assert one.problems == 25
        assert one.sources == "measured"
    made = choose(level, found, NO_LIMIT)
    assert made.choice.strategy == best
    record = made.choice.to_dict()
    assert record["strategy"]["name"] == best.name
    assert record["interval"] == list(made.choice.interval)


def test_the_first_to_finish_are_chosen_if_evidence_has_them_and_they_do_best() -> None:
    short = [ShortMOfK(8, 3), ShortMOfK(8, 1)]
    rows = [
        row(strategy, str(index), index % 10 < right, **tokens)
        for index in range(40)
        for strategy, right, tokens in (
            (Majority(8), 5, {}),
            (short[0], 9, {"generated_tokens": 500.0, "discarded_tokens": 250.0}),
            (short[1], 2, {"generated_tokens": 300.0}),
        )
    ]
    found = candidates(frame_of(rows), "policy", None, "easy", None, RATES)
    assert set(by_strategy(found)) == {Majority(8), *short}
    assert choose("easy", found, NO_LIMIT).choice.strategy == short[0]
    without = frame_of([one for one in rows if one["name"] == "majority"])
    assert set(by_strategy(candidates(without, "policy", None, "easy", None, RATES))) == {
        Majority(8)
    }


def test_the_cost_of_a_candidate_is_that_of_its_tokens() -> None:
    found = by_strategy(candidates(FRAME, "policy", "prm", "all", None, RATES))
    assert found[BestOfN(4)].cost == RATES.price(400.0, 20.0, 200.0, cached=60.0)
    assert found[Greedy()].cost == RATES.price(100.0, 20.0, 0.0)


def test_a_difficulty_without_evidence_has_no_candidates() -> None:
    assert "medium" in LEVELS
    assert candidates(FRAME, "policy", "prm", "medium", None, RATES) == []


@pytest.mark.parametrize("outcome", [0.0, 1.0])
@pytest.mark.parametrize("learnt", [False, True], ids=["no model", "model"])
def test_strategies_that_are_always_right_or_wrong_have_intervals(
    outcome: float, learnt: bool
) -> None:
    rows = [row(s, str(i), outcome) for i in range(10) for s in (Greedy(), Majority(4))]
    frame = frame_of(rows)
    model = fit(frame, trials=1, storage=None).model if learnt else None
    for one in candidates(frame, "policy", None, "easy", model, RATES):
        low, high = one.interval
        assert 0 <= low <= one.predicted_accuracy <= high <= 1
        assert high - low < 0.3
        assert one.predicted_accuracy == pytest.approx(outcome, abs=0.05)


def test_without_a_prm_no_strategy_needs_one() -> None:
    found = candidates(FRAME, "policy", None, "easy", None, RATES)
    assert {one.strategy for one in found} == {Greedy(), Majority(4)}


def test_strategies_are_compared_on_the_same_problems() -> None:
    """Majority was run on easy problems too, which the PRM's strategies never saw."""
    rows = [row(Majority(4), f"both-{i}", i % 2) for i in range(100)]
    rows += [row(Majority(4), f"alone-{i}", 1.0) for i in range(200)]
    rows += [row(BestOfN(4), f"both-{i}", i < 80) for i in range(100)]
    frame = frame_of(rows)
    found = by_strategy(candidates(frame, "policy", "prm", "all", None, RATES))
    assert found[Majority(4)].problems == found[BestOfN(4)].problems == 100
    assert found[Majority(4)].predicted_accuracy < found[BestOfN(4)].predicted_accuracy
    [alone] = candidates(frame, "policy", None, "all", None, RATES)
    assert alone.problems == 300


def test_another_prm_is_no_evidence() -> None:
    rows = [row(Majority(4), "a", 1.0), row(BestOfN(4), "a", 1.0), row(Dvts(4), "a", 1.0, prm="b")]
    found = candidates(frame_of(rows), "policy", "prm", "all", None, RATES)
    assert {one.strategy for one in found} == {Majority(4), BestOfN(4)}


@pytest.mark.parametrize(
    ("policy", "prm", "message"),
    [
        ("other", None, r"policy other: there is no evidence on it \(known: bare, policy\)"),
        ("policy", "other", r"PRM other: there is no evidence .* policy policy \(known: prm\)"),
        ("bare", None, r"policy bare: there is no evidence on it without a PRM .*: prm\)"),
    ],
)
def test_what_there_is_no_evidence_on_is_one_line(
    policy: str, prm: str | None, message: str
) -> None:
    rows = [*FRAME.to_dict("records"), row(BestOfN(4), "a", 1.0, policy="bare")]
    with pytest.raises(InputError, match=message) as caught:
        candidates(frame_of(rows), policy, prm, "all", None, RATES)
    assert "\n" not in str(caught.value)


def test_no_evidence_at_all_is_one_line() -> None:
    with pytest.raises(InputError, match="known: none yet"):
        candidates(FRAME[:0], "policy", None, "all", None, RATES)
