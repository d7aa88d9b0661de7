"""Choices from a plan: those of `choose` where a difficulty is certain, closed forms where not."""

from __future__ import annotations

import dataclasses
import math
import re
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InputError
from executor.strategy import BestOfN, Dvts, Greedy, Majority
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.probe_cost import ProbeCost, Probing
from planner.choice.recommend import choose
from planner.costs.cost import Cost, Rates
from planner.plans.compiled import CompiledPlan
from planner.plans.strategy_table import StrategyTable
from profiling.pass_rate import LEVELS
from tests.helpers.evidence_frames import simulated_frame
from tests.helpers.plans import plan_with

RATES = Rates(1000, 500, tokens_per_second=50.0, prm_tokens_per_second=200.0, usd_per_hour=2.0)
ACCURACIES = {
    "easy": {Greedy(): 0.8, Majority(4): 0.85, Majority(16): 0.95, BestOfN(16): 0.9, Dvts(16): 0.9},
    "medium": {Greedy(): 0.2, Majority(4): 0.3, Majority(16): 0.4, BestOfN(16): 0.6, Dvts(16): 0.7},
    "hard": {Greedy(): 0.0, Majority(4): 0.0, Majority(16): 0.0, BestOfN(16): 0.1, Dvts(16): 0.3},
}
FRAME = simulated_frame(ACCURACIES, 40)
FOUND = {level: candidates(FRAME, "policy", "prm", level, None, RATES) for level in LEVELS}


def compiled(found: dict[str, list[StrategyEstimate]] | None = None) -> CompiledPlan:
    known = {level: [c.as_recorded() for c in each] for level, each in (found or FOUND).items()}
    return CompiledPlan(plan_with(known, rates=RATES, probe_cost=PROBE))


PROBE = ProbeCost(90, 50)
PLAN = compiled()

constraints = st.builds(
    Constraint,
    budget=st.none() | st.integers(1, 20),
    max_flops=st.none() | st.floats(1e5, 1e7),
    max_seconds=st.none() | st.floats(0.1, 40),
    max_usd=st.none() | st.floats(1e-4, 0.02),
    target_accuracy=st.none() | st.floats(0.01, 1),
    confidence=st.floats(0.5, 0.99),
)


@given(level=st.sampled_from(LEVELS), constraint=constraints, probes=st.sampled_from([0, 4]))
def test_of_a_certain_difficulty_the_choice_is_that_of_the_evidence(
    level: str, constraint: Constraint, probes: int
) -> None:
    table = PLAN.strategy_table(probes)
    found = FOUND[level]
    if probes:
        found = [Probing(probes, PROBE).charge(choice, RATES) for choice in found]
    try:
        made = choose(level, found, constraint, RATES).choice
    except InputError as error:
        with pytest.raises(InputError, match=re.escape(str(error))):
            table.choose(level, constraint)
        return
    pick = table.choose(level, constraint)
    assert pick.strategy == made.strategy
    assert pick.predicted_accuracy == pytest.approx(made.predicted_accuracy)
    assert pick.interval == pytest.approx(made.interval)
    assert pick.cost.to_dict() == pytest.approx(made.cost.to_dict())
    if not probes:
        assert PLAN.recommend(level, constraint) == pick


def choice(
    strategy: Any, accuracy: float, weight: float = 1000.0, **costs: Any
) -> StrategyEstimate:
    cost = Cost(10.0 * strategy.n, 0.0, 0.0, **costs)
    beta = (weight * accuracy, weight * (1 - accuracy))
    return StrategyEstimate(strategy, accuracy, (accuracy, accuracy), beta, cost, 10, "measured")


def test_between_difficulties_the_mean_over_their_chances_decides() -> None:
    """Nobody's first choice may be best where the difficulty is not known."""
    table = StrategyTable({
        "easy": [choice(Majority(4), 0.9), choice(Majority(5), 0.8), choice(Majority(6), 0.1)],
        "hard": [choice(Majority(4), 0.1), choice(Majority(5), 0.5), choice(Majority(6), 0.6)],
    })  # fmt: skip
    for easy, best in ((1.0, 4), (0.5, 5), (0.0, 6)):
        chances = {"easy": easy, "hard": 1 - easy}
        pick = table.choose(chances, Constraint())
        expected = {4: 0.1 + 0.8 * easy, 5: 0.5 + 0.3 * easy, 6: 0.6 - 0.5 * easy}
        assert pick.strategy == Majority(best)
        assert pick.predicted_accuracy == pytest.approx(expected[best])
        assert pick.cost.generated_tokens == pytest.approx(10 * best)


def test_what_is_believed_of_a_mixture_has_its_mean_and_its_variance() -> None:
    easy, hard = choice(Majority(4), 0.9, 50), choice(Majority(4), 0.2, 20)
    pick = StrategyTable({"easy": [easy], "hard": [hard]}).choose(
        {"easy": 0.25, "hard": 0.75}, Constraint()
    )
    a, b = pick.beta
    variance = 0.25**2 * 0.9 * 0.1 / 51 + 0.75**2 * 0.2 * 0.8 / 21
    assert a / (a + b) == pytest.approx(0.25 * 0.9 + 0.75 * 0.2)
    assert a * b / ((a + b) ** 2 * (a + b + 1)) == pytest.approx(variance)
    assert pick.interval[0] < pick.predicted_accuracy < pick.interval[1]


def test_a_strategy_unknown_on_a_difficulty_that_may_be_met_is_not_chosen() -> None:
    table = StrategyTable({
        "easy": [choice(Majority(4), 0.5), choice(Dvts(4), 0.9)], "hard": [choice(Majority(4), 0.1)]
    })  # fmt: skip
    assert table.choose("easy", Constraint()).strategy == Dvts(4)
    assert table.choose({"easy": 0.99, "hard": 0.01}, Constraint()).strategy == Majority(4)


def test_a_difficulty_nothing_is_known_of_counts_as_all() -> None:
    found = {level: FOUND[level] for level in ("easy", "all")}
    plan = compiled(found)
    assert plan.recommend("hard", Constraint()) == plan.recommend("all", Constraint())


def test_probes_are_part_of_the_budget_and_of_the_cost() -> None:
    table = PLAN.strategy_table(4)
    assert table.choose("medium", Constraint(budget=20)).strategy == Dvts(16)
    # Sixteen samples include the probes, a search does not.
    assert table.choose("medium", Constraint(budget=16)).strategy == BestOfN(16)
    plain, probed = (
        PLAN.strategy_table().choose("medium", Constraint()),
        table.choose("medium", Constraint()),
    )
    assert plain.strategy == probed.strategy == Dvts(16)
    added = probed.cost.generated_tokens - plain.cost.generated_tokens
    assert added == pytest.approx(4 * 90)


@given(chances=st.tuples(*[st.floats(0.01, 1)] * 3), target=st.none() | st.floats(0.1, 0.9))
def test_many_states_at_once_are_each_what_they_are_alone(
    chances: tuple[float, float, float], target: float | None
) -> None:
    table, constraint = PLAN.strategy_table(), Constraint(budget=16, target_accuracy=target)
    rows = np.array([np.roll(chances, shift) / math.fsum(chances) for shift in range(3)])
    states = np.hstack([rows, np.zeros((3, 1))])
    together = table.choose_by_state(states, constraint)
    assert together is not None
    for i, state in enumerate(states):
        alone = table.choose_by_state(state[None, :], constraint)
        assert alone is not None
        assert together.chosen[i] == alone.chosen[0]
        assert together.accuracy[i] == pytest.approx(alone.accuracy[0])
        assert together.price[i] == pytest.approx(alone.price[0])


def test_tokens_that_are_not_known_stay_unknown() -> None:
    unknown = Cost(math.nan, 1.0, 1.0)
    one = dataclasses.replace(PLAN.plan.alternatives["all"][0], cost=unknown)
    found = CompiledPlan(plan_with({"all": [one]})).recommend("all", Constraint())
    assert math.isnan(found.cost.generated_tokens) and found.cost.prompt_tokens == 1.0


def test_choosing_takes_less_than_a_millisecond() -> None:
    PLAN.strategy_table()
    seconds = []
    for n in range(300):
        constraint = Constraint(budget=1 + n % 20, target_accuracy=0.5 if n % 2 else None)
        started = time.thread_time()
        PLAN.recommend(LEVELS[n % 4], constraint)
        seconds.append(time.thread_time() - started)
    assert np.median(seconds) < 0.001
