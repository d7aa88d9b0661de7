"""A small policy with its strategy against one answer of a larger one: which, and its sign."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from executor.strategy import BestOfN, Greedy, Majority, Strategy
from planner.choice.against import (
    Against,
    Verdict,
    against_larger,
    one_answers,
    pairs,
    smallest_to_reach,
)
from planner.choice.estimate import Models, StrategyEstimate
from planner.choice.paired import Compare, ComparedBy, by_outcomes, independent
from planner.costs.cost import Cost
from planner.notes import NoteCode

SIZES = {"small": 10, "middle": 40, "large": 100}


def of(
    policy: str, strategy: Strategy, accuracy: float, flops: float, prm: str | None = None
) -> StrategyEstimate:
    beta = (1000 * accuracy, 1000 * (1 - accuracy))
    return StrategyEstimate(
        strategy, accuracy, (accuracy - 0.02, accuracy + 0.02), beta, Cost(1.0, 0.0, 0.0, flops),
        models=Models(policy, prm),
    )  # fmt: skip


FOUND = [
    of("small", Greedy(), 0.3, 10.0),
    of("small", Majority(16), 0.45, 160.0),
    of("small", BestOfN(16), 0.62, 200.0, "prm"),
    of("small", BestOfN(64), 0.65, 800.0, "prm"),
    of("middle", Majority(1), 0.5, 40.0),
    of("middle", Majority(4), 0.55, 160.0),
    of("large", Majority(1), 0.58, 100.0),
    of("large", Greedy(), 0.6, 101.0),
]


def found_pairs(compare: Compare = independent, **sizes: int) -> tuple[Against, ...]:
    return pairs(FOUND, one_answers(FOUND), SIZES | sizes, compare, "flops")


def test_one_answer_is_the_greedy_one_else_one_sample() -> None:
    answers = one_answers(FOUND)
    assert {name: one.strategy for name, one in answers.items()} == {
        "small": Greedy(), "middle": Majority(1), "large": Greedy(),
    }  # fmt: skip


def test_the_strategy_is_the_cheapest_that_reaches_the_answer_else_the_most_accurate() -> None:
    by_names = {
        (one.choice.models.policy, one.other.models.policy): one  # type: ignore[union-attr]
        for one in found_pairs()
    }
    assert set(by_names) == {("small", "large"), ("middle", "large"), ("small", "middle")}
    small = by_names["small", "large"]
    assert small.choice.strategy == BestOfN(16) and small.reaches
    assert (small.cost_ratio, small.size_ratio) == (pytest.approx(200 / 101), 10)
    middle = by_names["middle", "large"]
    assert middle.choice.strategy == Majority(4) and not middle.reaches
    assert middle.verdict is Verdict.FALLS_SHORT
    assert by_names["small", "middle"].choice.strategy == BestOfN(16)
    assert by_names["small", "middle"].verdict is Verdict.SURPASSES


def test_the_largest_policy_comes_first_and_the_smallest_that_reaches_it_is_found() -> None:
    made = found_pairs()
    assert [one.other.models.policy for one in made] == ["large", "large", "middle"]  # type: ignore[union-attr]
    smallest = smallest_to_reach(made)
    assert smallest is not None and smallest.choice.strategy == BestOfN(16)
    without = [one for one in made if one.choice.models != Models("small", "prm")]
    nearest = smallest_to_reach(without)
    assert nearest is not None and not nearest.reaches
    assert smallest_to_reach(()) is None


def test_a_choice_is_set_against_every_larger_policy() -> None:
    answers = one_answers(FOUND)
    made = against_larger(FOUND[2], answers, SIZES, independent, "flops")
    assert [one.other.models.policy for one in made] == ["large", "middle"]  # type: ignore[union-attr]
    assert against_larger(FOUND[7], answers, SIZES, independent, "flops") == ()


def test_of_two_largest_policies_the_more_accurate_one_counts() -> None:
    twin = of("twin", Greedy(), 0.7, 100.0)
    made = pairs(
        [*FOUND, twin], one_answers([*FOUND, twin]), SIZES | {"twin": 100}, independent, "flops"
    )
    assert made[0].other is twin
    nearest = smallest_to_reach(made)
    assert nearest is not None and nearest.other is twin


def test_a_policy_of_unknown_size_is_neither_small_nor_large() -> None:
    sizes = {"small": 10, "large": 100}
    made = pairs(FOUND, one_answers(FOUND), sizes, independent, "flops")
    assert {one.choice.models.policy for one in made} == {"small"}  # type: ignore[union-attr]
    assert against_larger(FOUND[4], one_answers(FOUND), sizes, independent, "flops") == ()


def test_equal_problems_pair_the_difference() -> None:
    """Both miss the same problems, so the interval is narrower than that of two posteriors."""
    rng = np.random.default_rng(0)
    solved = (rng.random(400) < 0.6).astype(float)
    outcomes = {FOUND[2].run: solved, FOUND[7].run: solved}
    paired = found_pairs(by_outcomes(lambda one: outcomes.get(one.run)))[0]
    alone = found_pairs()[0]
    assert (paired.contrast.basis, paired.contrast.paired) == (ComparedBy.PROBLEMS, 400)
    assert paired.contrast.error < alone.contrast.error / 2
    assert alone.contrast.basis is ComparedBy.POSTERIORS


def test_json_names_both_models_and_the_note_has_the_same_figures() -> None:
    one = found_pairs()[0]
    document: dict[str, Any] = one.to_dict()
    assert (document["policy"], document["prm"]) == ("small", "prm")
    assert (document["larger"]["policy"], document["larger"]["prm"]) == ("large", None)
    assert document["verdict"] == "equals" and document["basis"] == "posteriors"
    note = one.note("flops")
    assert note.code is NoteCode.AGAINST_LARGER
    assert note.number("difference") == document["difference"]
