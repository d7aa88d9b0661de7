"""Limits: what keeps to them, and the refusal if nothing does."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InputError
from executor.strategy import Greedy, Majority, Strategy
from planner.choice.constraint import Constraint, missing, unknown
from planner.costs.cost import Cost, Rates
from planner.costs.missing import Lack, Missing
from planner.costs.prices import TokenPrice
from planner.notes import Note, NoteCode

Known = tuple[Strategy, Cost, int]


def known(strategy: Strategy, flops: float | None = None, usd: float | None = None) -> Known:
    return strategy, Cost(1.0, 0.0, 0.0, flops=flops, seconds=None, usd=usd), 0


FOUND = [known(Greedy(), 1e9, 0.01), known(Majority(4), 4e9, 0.04), known(Majority(16), 1e10, 0.1)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 0}, "budget is 0; expected"),
        ({"budget": -4}, "budget is -4; expected"),
        ({"max_flops": 0.0}, "max-flops is 0.0; expected"),
        ({"max_seconds": -1.0}, "max-seconds is -1.0; expected"),
        ({"max_usd": math.nan}, "max-usd is nan; expected"),
        ({"target_accuracy": 0.0}, "target-accuracy is 0.0; expected"),
        ({"target_accuracy": 1.01}, "target-accuracy is 1.01; expected"),
        ({"target_accuracy": math.nan}, "target-accuracy is nan; expected"),
        ({"confidence": 0.0}, "confidence is 0.0; expected"),
        ({"confidence": 1.0}, "confidence is 1.0; expected"),
    ],
)
def test_a_constraint_that_makes_no_sense_is_one_line(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Constraint(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("constraint", "found", "message"),
    [
        (
            Constraint(max_flops=5e8, max_usd=1.0), FOUND,
            "no known strategy keeps to max-flops 5e+08; "
            "the nearest, greedy, needs max-flops 1e+09",
        ),
        (
            Constraint(max_flops=5e8, max_usd=0.001), FOUND,
            "no known strategy keeps to max-flops 5e+08 and max-usd 0.001; "
            "the nearest, greedy, needs max-flops 1e+09 and max-usd 0.01",
        ),
        (
            Constraint(budget=3, max_flops=1e8), FOUND[1:],
            "no known strategy keeps to budget 3 and max-flops 1e+08; "
            "the nearest, majority(n=4), needs budget 4 and max-flops 4e+09",
        ),
        (
            Constraint(budget=4, max_usd=0.05),
            [known(Majority(4), 1.0, 0.1), known(Majority(16), 1.0, 0.01)],
            "no known strategy keeps to budget 4 and max-usd 0.05 together; "
            "the nearest, majority(n=4), needs max-usd 0.1",
        ),
        (
            Constraint(budget=4, max_usd=0.05),
            [known(Majority(4), 1.0), known(Majority(16), 1.0, 0.01)],
            "no known strategy keeps to budget 4 and max-usd 0.05 together; "
            "the nearest, majority(n=16), needs budget 16",
        ),
    ],
    ids=["one of two", "each of two", "both", "together", "one cost unknown"],
)  # fmt: skip
def test_a_refusal_names_the_limits_at_fault_and_what_the_nearest_needs(
    constraint: Constraint, found: list[Known], message: str
) -> None:
    assert not any(constraint.allows(*one) for one in found)
    assert constraint.refusal(found, RATES) == message


RATES = Rates(
    policy_parameters=10, prm_parameters=5, tokens_per_second=2.0, prm_tokens_per_second=8.0,
    usd_per_hour=1.0, watts=3.0,
)  # fmt: skip
NAN = math.nan


@pytest.mark.parametrize(
    ("quantity", "cost", "rates", "why"),
    [
        ("flops", Cost(1.0, 1.0, 1.0), RATES, None),
        ("flops", Cost(1.0, 1.0, 1.0), replace(RATES, prm_parameters=None), "the PRM's size"),
        ("flops", Cost(1.0, 1.0, 0.0), replace(RATES, prm_parameters=None), None),
        ("flops", Cost(1.0, 1.0, NAN), replace(RATES, prm_parameters=None), "the PRM's size"),
        ("flops", Cost(1.0, NAN, 1.0), RATES, "the evidence does not count prompt tokens"),
        ("flops", Cost(NAN, NAN, NAN), RATES, "count generated, prompt and PRM tokens"),
        ("flops", Cost(1.0, 1.0, 1.0, cached_tokens=NAN), RATES, None),
        ("seconds", Cost(1.0, NAN, 0.0), RATES, None),
        ("seconds", Cost(1.0, NAN, NAN), RATES, "the evidence does not count PRM tokens"),
        ("seconds", Cost(NAN, NAN, 1.0), RATES, "the evidence does not count generated tokens"),
        ("seconds", Cost(NAN, 1.0, 1.0), Rates(), "no throughput is measured"),
        ("usd", Cost(NAN, 1.0, 1.0), RATES, "the evidence does not count generated tokens"),
        (
            "usd", Cost(1.0, 1.0, 0.0, cached_tokens=NAN),
            replace(RATES, policy_price=TokenPrice("p", 1.0, 2.0)),
            "the evidence does not count cached tokens",
        ),
        ("kwh", Cost(NAN, 1.0, 1.0), RATES, "the evidence does not count generated tokens"),
    ],
)  # fmt: skip
def test_what_is_missing_for_a_price_is_what_is_named(
    quantity: str, cost: Cost, rates: Rates, why: str | None
) -> None:
    found = missing(quantity, cost, rates)
    assert (found is None) == (getattr(rates.reprice(cost), quantity) is not None)
    assert found is None if why is None else found is not None and why in str(found)


def test_a_limit_that_nothing_is_known_of_is_refused_for_that() -> None:
    uncounted = Majority(4), RATES.reprice(Cost(NAN, 1.0, 0.0)), 0
    refused = Constraint(max_flops=1.0, max_usd=1.0).refusal([uncounted], RATES)
    assert refused.startswith("max-flops: the evidence does not count generated tokens")
    assert "\n" not in refused


def test_generations_besides_its_own_count_towards_the_budget() -> None:
    with_probes = (Majority(4), Cost(1.0, 0.0, 0.0), 4)
    assert Constraint(budget=8).allows(*with_probes)
    assert Constraint(budget=7).refusal([with_probes], RATES).endswith("needs budget 8")


@given(flops=st.floats(1e-3, 1e18))
def test_with_the_need_it_names_the_nearest_keeps_to_the_limit(flops: float) -> None:
    nearest = known(Greedy(), flops)
    message = Constraint(max_flops=flops / 2).refusal([nearest], RATES)
    named = float(message.split()[-1])
    assert named <= flops * 1.011
    assert Constraint(max_flops=named).allows(*nearest)


def not_known(*quantities: str, lack: Lack) -> Note:
    return Note.of(NoteCode.NOT_KNOWN_HERE, quantities=quantities, missing=Missing(lack))


def test_what_no_cost_is_known_in_is_told_with_what_gives_it() -> None:
    costs = [Cost(10.0, 0.0, 0.0), Cost(10.0, 0.0, 5.0)]
    rates = Rates(policy_parameters=10, prm_parameters=5)
    priced = [rates.reprice(cost) for cost in costs]
    assert unknown(priced, rates) == [
        not_known("seconds", lack=Lack.THROUGHPUT), not_known("usd", lack=Lack.PRICE),
    ]  # fmt: skip
    timed = Rates(policy_parameters=10, prm_parameters=5, tokens_per_second=5.0)
    again = unknown([timed.reprice(cost) for cost in costs], timed)
    assert not_known("seconds", lack=Lack.THROUGHPUT) not in again


def test_of_the_prm_it_is_told_once_for_all_it_makes_unknown() -> None:
    rates = Rates(tokens_per_second=5.0, usd_per_hour=2.0)
    scored = [rates.reprice(Cost(10.0, 0.0, 5.0))]
    [note] = unknown(scored, rates, ("seconds", "usd"))
    assert note == not_known("seconds", "usd", lack=Lack.PRM_THROUGHPUT)
    lack = missing("seconds", scored[0], rates)
    beside = [Note.of(NoteCode.PRM_SECONDS_UNKNOWN, missing=lack)]
    assert unknown(scored, rates, ("seconds", "usd"), beside) == []
