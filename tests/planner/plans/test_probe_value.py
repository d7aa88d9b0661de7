"""What probes are worth: all states at once are what each is alone, by Bayes' rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.models.templates import PromptTemplate
from executor.strategy import BestOfN, Greedy, Majority, Sampling, Strategy
from planner.choice.constraint import Constraint
from planner.costs.cost import Rates
from planner.choice.estimate import StrategyEstimate
from planner.plans.plan import Plan
from planner.choice.probe_cost import ProbeCost
from profiling.difficulty.estimator import RANGES, DifficultyModel, Head, Quality
from profiling.difficulty.pass_rate import Difficulty

RATES = Rates(1000, 500)
STRATEGIES: tuple[Strategy, ...] = (Greedy(), Majority(4), Majority(16), BestOfN(8))
LEVELS = tuple(level.value for level in Difficulty)
NAMED = len(LEVELS)
share = st.floats(0.02, 0.98)
chances = st.lists(st.floats(0.0, 1.0), min_size=NAMED, max_size=NAMED).filter(lambda c: sum(c) > 0)


def normal(row: list[float]) -> tuple[float, ...]:
    return tuple(value / sum(row) for value in row)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    def entry(strategy: Strategy) -> Entry:
        accuracy, weight = draw(share), draw(st.floats(2, 200))
        prm = 50.0 * strategy.n if strategy.needs_prm else 0.0
        cost = RATES.price(draw(st.floats(50, 200)) * strategy.n, 20.0, prm).to_dict()
        beta = weight * accuracy, weight * (1 - accuracy)
        return Entry(strategy, accuracy, (accuracy, accuracy), cost, beta)

    known = {level: tuple(map(entry, STRATEGIES)) for level in (*LEVELS, "all")}

    def head(probes: int) -> Head:
        confusion = tuple(normal(draw(chances)) for _ in range(NAMED))
        quality = Quality(0.5, 1, 0.8, 0, 0.9, 0.3, confusion)
        return Head(probes, (), (), (), ((),) * RANGES, (0.0,) * RANGES, 0.9, quality)

    return Plan(
        "policy", "prm", Sampling(), PromptTemplate(),
        {level: each[0] for level, each in known.items()},
        DifficultyModel((head(0), head(2), head(4)), 40), {"budget": 100},
        {"mix": {"easy": 1}}, alternatives=known, rates=RATES, probe_cost=ProbeCost(100.0, 30.0),
    )  # fmt: skip


def alone(plan: Plan, prior: Any, constraint: Constraint) -> list[tuple[float, ...]]:
    """Each way by itself, a state at a time."""
    assert plan.classifier is not None
    ways: list[tuple[float, ...]] = []
    for probes, head in zip(
        plan.weighing().probes, [None, *plan.classifier.heads[1:]], strict=True
    ):
        menu, total = plan.menu(probes), np.zeros(3)
        for told in range(NAMED) if head is not None else (0,):
            given = dict(zip(menu.levels, prior, strict=True))
            if head is not None:
                for level, row in zip(LEVELS, head.quality.confusion, strict=True):
                    given[level] *= row[told]
            chance = sum(given.values())
            if not chance:
                continue
            state = np.array([[p / chance for p in given.values()]])
            worth = menu.worth(state, constraint)
            if worth is None:
                total[:] = math.nan
                break
            total += chance * np.array(
                [worth.accuracy[0], worth.price[0], math.sqrt(worth.variance[0])]
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
    plan: Plan, prior: list[float], budget: int | None, target: float | None, flops: float | None
) -> None:
    constraint = Constraint(budget=budget, target_accuracy=target, max_flops=flops)
    known = plan.menu().chances(dict(zip(LEVELS, normal(prior), strict=True)))
    together = plan.weighing().ways(known, constraint)
    each = np.array(alone(plan, known, constraint))
    # Where two are as good for all that is known (to rounding), either may be taken.
    same = np.isclose(together, each, rtol=1e-9, equal_nan=True).all()
    assert np.array_equal(np.isnan(together), np.isnan(each))
    assert same or near_a_tie(plan, known, constraint)


def near_a_tie(plan: Plan, prior: Any, constraint: Constraint) -> bool:
    """Whether a choice hangs on the last bits: a hair more or less of what is known changes it."""
    base = alone(plan, prior, constraint)
    for shift in (1e-9, -1e-9):
        moved = prior * (1 + shift * np.arange(1, 1 + len(prior)))
        other = alone(plan, moved / moved.sum(), constraint)
        if not np.allclose(base, other, rtol=1e-6, equal_nan=True):
            return True
    return False


def test_without_heads_there_is_one_way() -> None:
    made = Entry(Greedy(), 0.4, (0.3, 0.5), RATES.price(100.0, 20.0, 0.0).to_dict(), (4.0, 6.0))
    plan = Plan(
        "policy", None, Sampling(), PromptTemplate(), {"all": made}, None, {}, {},
        alternatives={"all": (made,)}, rates=RATES,
    )  # fmt: skip
    [[accuracy, _, spread]] = plan.weighing().ways(np.ones(1), Constraint())
    assert accuracy == pytest.approx(0.4)
    assert spread == pytest.approx(math.sqrt(0.4 * 0.6 / 11))


@pytest.mark.filterwarnings("error")
def test_a_difficulty_that_is_never_named_counts_for_nothing() -> None:
    def entry(strategy: Strategy, p: float) -> Entry:
        cost = RATES.price(100.0 * strategy.n, 20.0, 0.0).to_dict()
        return Entry(strategy, p, (p, p), cost, (100 * p, 100 * (1 - p)))

    made = {level: (entry(Greedy(), 0.3), entry(Majority(16), 0.6)) for level in (*LEVELS, "all")}
    always = ((1.0, 0.0, 0.0),) * NAMED
    quality = Quality(0.5, 1, 0.8, 0, 0.9, 0.3, always)
    heads = tuple(
        Head(k, (), (), (), ((),) * RANGES, (0.0,) * RANGES, 0.9, quality) for k in (0, 4)
    )
    plan = Plan(
        "policy", None, Sampling(), PromptTemplate(), {"all": made["all"][0]},
        DifficultyModel(heads, 40), {}, {"mix": {"easy": 1}}, alternatives=made, rates=RATES,
    )  # fmt: skip
    prior = plan.menu().chances(dict.fromkeys(LEVELS, 1 / NAMED))
    for constraint in (Constraint(), Constraint(target_accuracy=0.5)):
        before, after = plan.weighing().ways(prior, constraint)
        # What is always said says nothing: the same choice, for the price of the probes more.
        assert after[0] == pytest.approx(before[0]) == pytest.approx(0.6)


def test_where_nothing_can_be_run_no_way_is_worth_anything() -> None:
    cost = RATES.price(100.0, 20.0, 50.0).to_dict()
    made = Entry(BestOfN(8), 0.4, (0.3, 0.5), cost, (4.0, 6.0))
    plan = Plan(
        "policy", "prm", Sampling(), PromptTemplate(), {"all": made}, None, {}, {},
        alternatives={"all": (made,)}, rates=RATES,
    )  # fmt: skip
    assert np.isnan(plan.weighing(scored=False).ways(np.ones(1), Constraint())).all()
