"""Estimates: read back as a plan file keeps them, and priced in one unit."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from executor.json_values import finite
from executor.strategy import BestOfN, Majority
from planner.choice.estimate import Shrunk, StrategyEstimate, cost_unit
from planner.costs.cost import Cost

COST = Cost(400.0, 20.0, 100.0, flops=7.0, cached_tokens=3.0)
ESTIMATE = StrategyEstimate(
    BestOfN(4), 0.7, (0.6, 0.8), (7.0, 3.0), COST, 10, "measured", probe_generations=2,
    shrunk=Shrunk(0.6, 0.8),
)  # fmt: skip


@pytest.mark.parametrize("cost", [COST, Cost(1.0, math.nan, 2.0)], ids=["known", "uncounted"])
def test_a_record_is_read_back_as_what_a_plan_keeps(cost: Cost) -> None:
    one = replace(ESTIMATE, cost=cost)
    record = json.loads(json.dumps(finite(one.to_record())))
    found = StrategyEstimate.from_record(record)
    assert finite(found.to_record()) == record
    assert repr(found) == repr(one.as_recorded())  # NaN is not equal to itself
    assert (found.problems, found.sources, found.shrunk) == (0, "", None)


def test_the_two_forms_differ_in_what_they_say_of_the_evidence() -> None:
    shared = {"strategy", "predicted_accuracy", "interval", "cost"}
    assert set(ESTIMATE.to_dict()) == shared | {"problems", "sources"}
    assert set(ESTIMATE.to_record()) == shared | {"beta"}


@pytest.mark.parametrize(
    "change",
    [{"beta": [1.0]}, {"beta": [0.0, 1.0]}, {"beta": [1.0, math.inf]}, {"interval": [0.5]},
     {"cost": {"tokens": 1.0}}, {"cost": COST.to_dict() | {"usd": "many"}},
     {"cost": {"generated_tokens": 1.0}}],
)  # fmt: skip
def test_a_damaged_record_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((LookupError, TypeError, ValueError)):
        StrategyEstimate.from_record(ESTIMATE.to_record() | change)


def test_costs_are_compared_in_the_finest_unit_that_is_known_of_all() -> None:
    tokens = replace(ESTIMATE, cost=Cost(400.0, 20.0, 100.0))
    uncounted = replace(ESTIMATE, strategy=Majority(4), cost=Cost(math.nan, 1.0, 0.0))
    assert cost_unit([ESTIMATE]) == "flops"
    assert cost_unit([ESTIMATE, tokens]) == "tokens"
    assert cost_unit([ESTIMATE, tokens, uncounted]) == "generations"
    assert [ESTIMATE.price(unit) for unit in ("flops", "tokens", "generations")] == [
        7.0,
        500.0,
        6.0,
    ]
