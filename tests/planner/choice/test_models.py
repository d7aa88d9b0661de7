"""The choice over models: one rule, one unit that means the same, models named everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InputError
from executor.strategy import BestOfN, Greedy, Majority, Strategy
from planner.choice.constraint import Constraint
from planner.choice.estimate import Models, StrategyEstimate
from planner.choice.models import Contenders
from planner.choice.paired import independent
from planner.choice.recommend import choose
from planner.costs.cost import Cost
from planner.notes import NoteCode
from planner.prediction.beta import summarise
from tests.helpers.notes import of_code

SIZES = {"small": 10, "large": 100}


def of(
    policy: str,
    strategy: Strategy,
    accuracy: float,
    flops: float | None = None,
    usd: float | None = None,
) -> StrategyEstimate:
    a, b = 400 * accuracy, 400 * (1 - accuracy)
    _, low, high = (float(x) for x in summarise(np.array(a), np.array(b)))
    return StrategyEstimate(
        strategy, accuracy, (low, high), (a, b), Cost(1.0, 0.0, 0.0, flops, usd=usd), 400,
        "measured", models=Models(policy),
    )  # fmt: skip


FOUND = (
    of("small", Greedy(), 0.4, 10.0),
    of("small", Majority(16), 0.7, 160.0),
    of("large", Greedy(), 0.6, 100.0),
    of("large", Majority(16), 0.8, 1600.0),
)


def contenders(found: Sequence[StrategyEstimate] = FOUND) -> Contenders:
    return Contenders(tuple(found), SIZES, {}, independent)


def test_the_same_strategy_of_two_models_stays_apart() -> None:
    answer = contenders().choose(Constraint(max_flops=500.0))
    assert answer.made.choice is FOUND[1]
    assert (answer.policy, answer.prm, answer.policies) == ("small", None, ("small", "large"))
    shown = [(one.models.policy, one.strategy) for one in answer.shown]  # type: ignore[union-attr]
    assert shown == [("small", Greedy()), ("large", Greedy()), ("small", Majority(16))]
    assert [answer.marks(one) for one in answer.shown] == [(), ("runner-up",), ("recommended",)]


def test_the_runner_up_is_of_another_policy() -> None:
    second = contenders().choose(Constraint()).second
    assert second is not None and second.choice is FOUND[1]
    assert second.to_dict("why")["policy"] == "small"


def test_a_target_takes_the_cheapest_of_any_model_that_is_sure_enough() -> None:
    answer = contenders().choose(Constraint(target_accuracy=0.55))
    assert answer.made.choice is FOUND[1]  # the large one's greedy answer is not sure enough
    assert answer.target == 0.55
    [bonferroni] = of_code(answer.notes, NoteCode.BONFERRONI)
    assert bonferroni.whole("strategies") == 4


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["small", "large"]),
            st.integers(1, 20),
            st.integers(2, 98),
            st.integers(1, 1000),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_it_is_the_choice_of_one_recommender_that_sees_all(
    drawn: list[tuple[str, int, int, int]],
) -> None:  # fmt: skip
    once = {(policy, n): (accuracy, flops) for policy, n, accuracy, flops in drawn}
    found = [
        of(policy, Majority(n), accuracy / 100, float(flops))
        for (policy, n), (accuracy, flops) in once.items()
    ]
    made = contenders(found).choose(Constraint()).made
    assert made.choice == choose("all", found, Constraint()).choice
    assert all(made.choice.predicted_accuracy >= one.predicted_accuracy - 0.005 for one in found)


def test_tokens_of_two_models_are_never_compared() -> None:
    with pytest.raises(InputError, match="no policy has a known cost in FLOPs or money or seconds"):
        contenders([of("small", Greedy(), 0.4), of("large", Greedy(), 0.6)]).choose(Constraint())


def test_a_policy_without_the_cost_is_left_out_and_named() -> None:
    answer = contenders([*FOUND, of("api", Greedy(), 0.99, usd=0.01)]).choose(Constraint())
    assert answer.made.cost_unit == "flops"
    [left] = of_code(answer.notes, NoteCode.MODELS_WITHOUT_COST)
    assert (left["models"], left["unit"]) == (("api",), "flops")
    assert answer.policies == ("small", "large")


def test_a_prm_without_a_cost_is_left_out_and_named_with_its_policy() -> None:
    scored = replace(of("small", BestOfN(4), 0.9), models=Models("small", "prm"))
    answer = contenders([*FOUND, scored]).choose(Constraint())
    [left] = of_code(answer.notes, NoteCode.MODELS_WITHOUT_COST)
    assert left["models"] == ("small with prm",)
    assert answer.policies == ("small", "large")


def test_a_limit_says_which_cost_matters() -> None:
    priced = [of("small", Greedy(), 0.4, 10.0, 0.02), of("api", Greedy(), 0.9, usd=0.01)]
    answer = contenders(priced).choose(Constraint(max_usd=1.0))
    assert (answer.made.cost_unit, answer.policy) == ("usd", "api")


def test_a_refusal_names_the_nearest_model() -> None:
    with pytest.raises(InputError, match="the nearest, greedy of small, needs max-flops 10"):
        contenders().choose(Constraint(max_flops=1.0))


def test_what_the_choice_saves_against_larger_policies() -> None:
    answer = contenders().choose(Constraint(max_flops=200.0))
    [one] = answer.against
    assert one.other is FOUND[2] and one.cost_ratio == pytest.approx(1.6)
    assert one.contrast.difference == pytest.approx(0.1)
    assert [pair.choice for pair in answer.pairs] == [FOUND[1]]
