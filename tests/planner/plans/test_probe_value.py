"""What probes are worth: all states at once are what each is alone, by Bayes' rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.strategy import BestOfN, Greedy, Majority, Strategy
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.probe_cost import ProbeCost
from planner.costs.cost import Rates
from planner.plans.compiled import CompiledPlan
from planner.plans.plan import PlanBasis
from profiling.difficulty.estimator import RANGES, DifficultyModel, Head, Quality
from profiling.pass_rate import Difficulty
from tests.helpers.plans import plan_with

RATES = Rates(1000, 500)
STRATEGIES: tuple[Strategy, ...] = (Greedy(), Majority(4), Majority(16), BestOfN(8))
LEVELS = tuple(level.value for level in Difficulty)
NAMED = len(LEVELS)
share = st.floats(0.02, 0.98)
chances = st.lists(st.floats(0.0, 1.0), min_size=NAMED, max_size=NAMED).filter(lambda c: sum(c) > 0)


def normal(row: list[float]) -> tuple[float, ...]:
    return tuple(value / sum(row) for value in row)


@st.composite
def plans(draw: st.DrawFn) -> CompiledPlan:
    def entry(strategy: Strategy) -> StrategyEstimate:
        accuracy, weight = draw(share), draw(st.floats(2, 200))
        prm = 50.0 * strategy.n if strategy.needs_prm else 0.0
        cost = RATES.price(draw(st.floats(50, 200)) * strategy.n, 20.0, prm)
        beta = weight * accuracy, weight * (1 - accuracy)
        return StrategyEstimate(strategy, accuracy, (accuracy, accuracy), beta, cost)

    known = {level: tuple(map(entry, STRATEGIES)) for level in (*LEVELS, "all")}

    def head(probes: int) -> Head:
        confusion = tuple(normal(draw(chances)) for _ in range(NAMED))
        quality = Quality(0.5, 1, 0.8, 0, 0.9, 0.3, confusion)
        return Head(probes, (), (), (), ((),) * RANGES, (0.0,) * RANGES, 0.9, quality)

    return CompiledPlan(plan_with(
        known, classifier=DifficultyModel((head(0), head(2), head(4)), 40),
        constraint=Constraint(budget=100), rests_on=PlanBasis(mix={"easy": 1}), rates=RATES,
        probe_cost=ProbeCost(100.0, 30.0),
    ))  # fmt: skip


def alone(plan: CompiledPlan, prior: Any, constraint: Constraint) -> list[tuple[float, ...]]:
    """Each way by itself, a state at a time."""
    assert plan.plan.classifier is not None
    ways: list[tuple[float, ...]] = []
    for probes, head in zip(
        plan.probe_value().probes, [None, *plan.plan.classifier.heads[1:]], strict=True
    ):
        table, total = plan.strategy_table(probes), np.zeros(3)
        for told in range(NAMED) if head is not None else (0,):
            given = dict(zip(table.levels, prior, strict=True))
            if head is not None:
                for level, row in zip(LEVELS, head.quality.confusion, strict=True):
                    given[level] *= row[told]
            chance = sum(given.values())
            if not chance:
                continue
            state = np.array([[p / chance for p in given.values()]])
            best = table.choose_by_state(state, constraint)
            if best is None:
                total[:] = math.nan
                break
            total += chance * np.array(
                [best.accuracy[0], best.price[0], math.sqrt(best.variance[0])]
            )
        ways.append(tuple(total))
    return ways


@given(
    plan=plans(),
    prior=chances,
    budget=st.none() | st.integers(1, 24),
    target=st.none() | share,
    flops=st.none() | st.floats(1e5, 1e7),
)
def test_all_states_together_are_what_each_is_alone(
    plan: CompiledPlan,
    prior: list[float],
    budget: int | None,
    target: float | None,
    flops: float | None,
) -> None:
    constraint = Constraint(budget=budget, target_accuracy=target, max_flops=flops)
    known = plan.strategy_table().chances(dict(zip(LEVELS, normal(prior), strict=True)))
    together = plan.probe_value().ways(known, constraint)
    each = np.array(alone(plan, known, constraint))
    # Where two are as good for all that is known (to rounding), either may be taken.
    same = np.isclose(together, each, rtol=1e-9, equal_nan=True).all()
    assert np.array_equal(np.isnan(together), np.isnan(each))
    assert same or near_a_tie(plan, known, constraint)


def near_a_tie(plan: CompiledPlan, prior: Any, constraint: Constraint) -> bool:
    """Whether a choice hangs on the last bits: a hair more or less of what is known changes it."""
    base = alone(plan, prior, constraint)
    for shift in (1e-9, -1e-9):
        moved = prior * (1 + shift * np.arange(1, 1 + len(prior)))
        other = alone(plan, moved / moved.sum(), constraint)
        if not np.allclose(base, other, rtol=1e-6, equal_nan=True):
            return True
    return False


def test_without_heads_there_is_one_way() -> None:
    cost = RATES.price(100.0, 20.0, 0.0)
    made = StrategyEstimate(Greedy(), 0.4, (0.3, 0.5), (4.0, 6.0), cost)
    plan = CompiledPlan(plan_with({"all": [made]}, prm=None, rates=RATES))
    [[accuracy, _, spread]] = plan.probe_value().ways(np.ones(1), Constraint())
    assert accuracy == pytest.approx(0.4)
    assert spread == pytest.approx(math.sqrt(0.4 * 0.6 / 11))


@pytest.mark.filterwarnings("error")
def test_a_difficulty_that_is_never_named_counts_for_nothing() -> None:
    def entry(strategy: Strategy, p: float) -> StrategyEstimate:
        cost = RATES.price(100.0 * strategy.n, 20.0, 0.0)
        return StrategyEstimate(strategy, p, (p, p), (100 * p, 100 * (1 - p)), cost)

    made = {level: (entry(Greedy(), 0.3), entry(Majority(16), 0.6)) for level in (*LEVELS, "all")}
    always = ((1.0, 0.0, 0.0),) * NAMED
    quality = Quality(0.5, 1, 0.8, 0, 0.9, 0.3, always)
    heads = tuple(
        Head(k, (), (), (), ((),) * RANGES, (0.0,) * RANGES, 0.9, quality) for k in (0, 4)
    )
    plan = CompiledPlan(plan_with(
        made, prm=None, entries={"all": made["all"][0]}, classifier=DifficultyModel(heads, 40),
        rests_on=PlanBasis(mix={"easy": 1}), rates=RATES,
    ))  # fmt: skip
    prior = plan.strategy_table().chances(dict.fromkeys(LEVELS, 1 / NAMED))
    for constraint in (Constraint(), Constraint(target_accuracy=0.5)):
        before, after = plan.probe_value().ways(prior, constraint)
        # What is always said says nothing: the same choice, for the price of the probes more.
        assert after[0] == pytest.approx(before[0]) == pytest.approx(0.6)


def test_where_nothing_can_be_run_no_way_is_worth_anything() -> None:
    cost = RATES.price(100.0, 20.0, 50.0)
    made = StrategyEstimate(BestOfN(8), 0.4, (0.3, 0.5), (4.0, 6.0), cost)
    plan = CompiledPlan(plan_with({"all": [made]}, rates=RATES))
    assert np.isnan(plan.probe_value(scored=False).ways(np.ones(1), Constraint())).all()
