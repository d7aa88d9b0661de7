"""Recommendations: the best within the limits, the cheapest that is sure, fair comparisons."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from executor.errors import InputError
from executor.strategy import BestOfN, Dvts, Greedy, Majority, Strategy, key
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.recommend import as_one, choose
from planner.choice.rules import INDIFFERENCE
from planner.costs.cost import Cost, Rates
from planner.notes import Note, NoteCode
from planner.prediction.beta import summarise
from planner.report.notes import word

NO_LIMIT = Constraint()
RATES = Rates(1_000, 500, tokens_per_second=100.0, usd_per_hour=3.6)


def choice(
    strategy: Strategy, accuracy: float, cost: Cost | float, weight: float = 1000
) -> StrategyEstimate:
    """A choice that is sure of its accuracy up to `weight` problems; a number is its FLOPs."""
    a, b = weight * accuracy, weight * (1 - accuracy)
    _, low, high = summarise(a, b)
    if not isinstance(cost, Cost):
        cost = Cost(cost, 0.0, 0.0, flops=cost, seconds=cost / 10, usd=cost / 100)
    interval = (float(low), float(high))
    return StrategyEstimate(strategy, accuracy, interval, (a, b), cost, int(weight), "measured")


FOUND = [
    choice(Greedy(), 0.50, 1.0),
    choice(Majority(4), 0.60, 4.0),
    choice(Majority(16), 0.70, 16.0),
    choice(BestOfN(16), 0.80, 32.0),
]


def picked(constraint: Constraint, found: list[StrategyEstimate] = FOUND) -> Strategy:
    return choose("all", found, constraint).choice.strategy


# Constraints


@pytest.mark.parametrize(
    ("constraint", "best"),
    [
        (NO_LIMIT, BestOfN(16)),
        (Constraint(budget=16), BestOfN(16)),
        (Constraint(budget=15), Majority(4)),
        (Constraint(budget=1), Greedy()),
        (Constraint(max_flops=32.0), BestOfN(16)),
        (Constraint(max_flops=31.9), Majority(16)),
        (Constraint(max_seconds=1.0), Majority(4)),
        (Constraint(max_usd=0.02), Greedy()),
        (Constraint(budget=16, max_flops=16.0, max_usd=0.1), Majority(4)),
    ],
    ids=repr,
)
def test_the_most_accurate_within_the_limits_is_chosen(
    constraint: Constraint, best: Strategy
) -> None:
    made = choose("all", FOUND, constraint)
    assert made.choice.strategy == best
    for one in (made.choice, *made.alternatives):
        assert constraint.allows(one.strategy, one.cost)


@given(budget=st.integers(1, 64), flops=st.floats(1.0, 100.0))
def test_looser_limits_never_cost_accuracy(budget: int, flops: float) -> None:
    tight = choose("all", FOUND, Constraint(budget=budget, max_flops=flops)).choice
    loose = choose("all", FOUND, Constraint(budget=budget + 8, max_flops=flops * 2)).choice
    assert loose.predicted_accuracy >= tight.predicted_accuracy


def test_where_nothing_keeps_to_the_limits_the_nearest_is_named() -> None:
    with pytest.raises(InputError) as caught:
        picked(Constraint(max_flops=0.5))
    assert str(caught.value) == (
        "difficulty all: no known strategy keeps to max-flops 0.5; "
        "the nearest, greedy, needs max-flops 1"
    )
    with pytest.raises(InputError, match="difficulty all: no strategy is known"):
        choose("all", [], NO_LIMIT)


@pytest.mark.parametrize("name", ["max_flops", "max_seconds", "max_usd"])
def test_a_limit_on_what_is_not_known_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match=f"{name.replace('_', '-')}: .*: give|size is not known"):
        picked(Constraint(**{name: 1.0}), [choice(Greedy(), 0.5, Cost(1.0, 0.0, 0.0))])


def test_what_is_not_known_to_keep_to_a_limit_is_left_out_with_a_note() -> None:
    unknown = choice(BestOfN(16), 0.9, Cost(1.0, 0.0, 0.0))
    made = choose("all", [*FOUND, unknown], Constraint(max_flops=16.0))
    assert made.choice.strategy == Majority(16)
    assert unknown not in made.alternatives
    assert Note.of(NoteCode.STRATEGIES_LEFT_OUT, strategies=1) in made.notes
    assert choose("all", [*FOUND, unknown], NO_LIMIT).notes == ()


# Indifference and targets


def test_what_is_as_good_for_all_that_is_known_is_chosen_by_its_cost() -> None:
    dear = choice(Majority(16), 0.700, 16.0)
    near = choice(Majority(4), 0.700 - 0.9 * INDIFFERENCE, 4.0)
    far = choice(Greedy(), 0.700 - 1.1 * INDIFFERENCE, 1.0)
    assert picked(NO_LIMIT, [dear, near, far]) == Majority(4)
    assert picked(NO_LIMIT, [dear, far]) == Majority(16)


def test_costs_of_two_units_are_not_compared() -> None:
    """The PRM's size is unknown: FLOPs of one strategy against tokens of the other say nothing."""
    rates = Rates(policy_parameters=1_000_000)
    plain = choice(Majority(4), 0.7, rates.price(400, 20, 0))
    scored = choice(BestOfN(16), 0.7, rates.price(1600, 20, 1600))
    assert plain.cost.flops is not None and scored.cost.flops is None
    assert picked(NO_LIMIT, [scored, plain]) == Majority(4)


def test_a_target_takes_the_cheapest_that_is_sure_enough() -> None:
    assert picked(Constraint(target_accuracy=0.55)) == Majority(4)
    assert picked(Constraint(target_accuracy=0.65)) == Majority(16)
    # A mean just above the target is no certainty.
    assert picked(Constraint(target_accuracy=0.59)) == Majority(16)
    assert picked(Constraint(target_accuracy=0.59, confidence=0.3), FOUND[1:3]) == Majority(4)


def test_a_target_out_of_reach_gives_the_surest_and_says_so() -> None:
    made = choose("hard", FOUND, Constraint(target_accuracy=0.9))
    assert made.choice.strategy == BestOfN(16)
    first = made.notes[0]
    assert first.code is NoteCode.TARGET_NOT_REACHED
    assert first.number("at_least") == pytest.approx(1 - 0.05 / len(FOUND))
    assert first.number("target") == 0.9
    assert first.text("strategy") == key(BestOfN(16))
    assert picked(Constraint(target_accuracy=1.0)) == BestOfN(16)


def test_little_evidence_is_not_sure_of_a_target() -> None:
    little, much = choice(Greedy(), 0.9, 1.0, weight=5), choice(Majority(4), 0.85, 4.0)
    assert picked(Constraint(target_accuracy=0.8), [little, much]) == Majority(4)
    assert picked(NO_LIMIT, [little, much]) == Greedy()


def test_of_equally_cheap_ones_within_half_a_point_the_more_accurate_is_chosen() -> None:
    pair = [choice(BestOfN(16), 0.700, 16.0), choice(Majority(16), 0.703, 16.0)]
    assert picked(NO_LIMIT, pair) == picked(NO_LIMIT, pair[::-1]) == Majority(16)


def test_the_chance_to_reach_the_target_is_told() -> None:
    made = choose("all", FOUND[1:3], Constraint(target_accuracy=0.59, confidence=0.3))
    assert made.chance == made.choice.probability_above(0.59)
    assert 0.65 <= made.chance < 0.95
    assert choose("all", FOUND, NO_LIMIT).chance is None


def test_the_more_there_are_to_choose_from_the_surer_each_must_be() -> None:
    """97 % is enough of one strategy alone, and of two that are alike it is not."""
    target = float(beta(600, 400).ppf(1 - 0.97))
    alike = [choice(Greedy(), 0.6, 1.0), choice(Majority(4), 0.6, 4.0)]
    constraint = Constraint(target_accuracy=target)
    assert choose("all", alike[:1], constraint).notes == ()
    short, corrected = choose("all", alike, constraint).notes[:2]
    assert short.code is NoteCode.TARGET_NOT_REACHED
    assert short.number("at_least") == pytest.approx(0.975)
    assert corrected == Note.of(
        NoteCode.BONFERRONI,
        confidence=0.95,
        strategies=2,
        at_least=short.number("at_least"),
    )


def test_predictions_of_one_model_count_as_one() -> None:
    """97 % is enough of two that are alike, if one model has shrunk them toward each other."""
    target = float(beta(600, 400).ppf(1 - 0.97))
    alike = [choice(Greedy(), 0.6, 1.0), choice(Majority(4), 0.6, 4.0)]
    made = choose("all", alike, Constraint(target_accuracy=target), counting=as_one)
    assert made.choice is alike[0]
    assert (made.counted, made.notes) == (1, ())


def test_a_chance_that_falls_short_is_not_rounded_up() -> None:
    close = choice(Greedy(), 0.6, 1.0, weight=1000)
    target = float(beta(600, 400).ppf(1 - 0.9499))
    made = choose("all", [close], Constraint(target_accuracy=target))
    assert word(made.notes[0]).endswith("greedy, is 94.9% sure")


# The Pareto front


def test_the_front_is_of_what_keeps_to_the_limits() -> None:
    dominated = choice(Dvts(16), 0.65, 20.0)
    made = choose("all", [*FOUND, dominated], Constraint(max_flops=20.0))
    assert [c.strategy for c in made.pareto] == [Greedy(), Majority(4), Majority(16)]
    assert made.cost_unit == "flops"


def test_the_front_is_by_tokens_where_flops_are_not_all_known() -> None:
    plain, scored = Cost(400.0, 0.0, 0.0, flops=1.0), Cost(100.0, 0.0, 200.0)
    made = choose(
        "all", [choice(Majority(4), 0.6, plain), choice(BestOfN(4), 0.7, scored)], NO_LIMIT
    )
    assert made.cost_unit == "tokens"
    assert [c.strategy for c in made.pareto] == [BestOfN(4)]


# Alternatives and notes


def test_alternatives_are_all_else_in_order_of_accuracy() -> None:
    made = choose("all", FOUND, NO_LIMIT)
    assert [c.strategy for c in made.alternatives] == [Majority(16), Majority(4), Greedy()]


def test_a_wide_interval_is_remarked_upon_in_points() -> None:
    wide = choice(BestOfN(4), 0.70, 8.0, weight=20)
    [note] = choose("all", [wide], NO_LIMIT).notes
    width = wide.interval[1] - wide.interval[0]
    assert note == Note.of(
        NoteCode.INTERVAL_WIDE, width=width, problems=20, published=False
    )  # fmt: skip
    assert choose("all", [choice(Greedy(), 0.7, 1.0)], NO_LIMIT).notes == ()


def test_of_strategies_that_nobody_knows_the_tokens_of_the_fewest_generations_are_cheapest() -> (
    None
):
    """As good as each other: the one without a PRM count must not pass for the cheaper."""
    uncounted = Cost(10.0, math.nan, math.nan)
    found = [
        choice(Majority(4), 0.8, Cost(400.0, 20.0, 0.0)),
        choice(BestOfN(16), 0.8, uncounted),
        choice(Dvts(64, 4), 0.8, uncounted),
    ]
    for order in (found, found[::-1]):
        assert picked(NO_LIMIT, order) == Majority(4)
    assert picked(NO_LIMIT, found[1:]) == BestOfN(16)


@pytest.mark.parametrize(
    ("sources", "problems"), [("measured", 20), ("published", 500), ("model", 0)]
)
def test_a_wide_interval_says_what_makes_it_wide(sources: str, problems: int) -> None:
    wide = replace(choice(Greedy(), 0.5, 1.0, weight=10), sources=sources, problems=problems)
    [note] = choose("all", [wide], NO_LIMIT).notes
    assert note.code is NoteCode.INTERVAL_WIDE
    assert (note.flag("published"), note.whole("problems")) == (sources == "published", problems)
