"""Costs: FLOPs, seconds and money by hand, and None wherever one of their parts is not known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.costs.cost import TOKENS, Cost, Rates

RATES = Rates(1_000_000, 500_000, tokens_per_second=50.0, prm_tokens_per_second=80.0,
              usd_per_hour=7.2, watts=90.0)  # fmt: skip
tokens = st.floats(0, 1e6)
usage = st.tuples(*[tokens] * len(TOKENS))


def test_a_cost_by_hand() -> None:
    cost = RATES.price(generated=100.0, prompt=20.0, prm=40.0)
    assert (cost.generated_tokens, cost.prompt_tokens, cost.prm_tokens) == (100.0, 20.0, 40.0)
    assert cost.flops == 2e6 * 120 + 1e6 * 40
    assert cost.seconds == 100 / 50 + 40 / 80
    assert cost.usd == pytest.approx(2.5 * 7.2 / 3600)
    assert cost.kwh == pytest.approx(2.5 / 3600 * 0.09)
    assert cost.tokens == 160


def test_what_a_cache_spared_costs_nothing_here() -> None:
    spared = RATES.price(100.0, 20.0, 40.0, cached=1e6, prm_cached=1e6)
    plain = RATES.price(100.0, 20.0, 40.0)
    assert (spared.flops, spared.seconds, spared.usd) == (plain.flops, plain.seconds, plain.usd)
    assert (spared.cached_tokens, spared.prm_cached_tokens, spared.tokens) == (1e6, 1e6, 160)


@pytest.mark.parametrize(
    ("rates", "prm", "known"),
    [
        (Rates(), 0.0, set()),
        (Rates(policy_parameters=1), 0.0, {"flops"}),
        (Rates(policy_parameters=1), 5.0, set()),
        (Rates(prm_parameters=1), 5.0, set()),
        (Rates(1, 1), 5.0, {"flops"}),
        (Rates(tokens_per_second=1.0), 0.0, {"seconds"}),
        (Rates(tokens_per_second=1.0), 5.0, set()),
        (Rates(prm_tokens_per_second=1.0), 5.0, set()),
        (Rates(tokens_per_second=1.0, prm_tokens_per_second=1.0), 5.0, {"seconds"}),
        (Rates(usd_per_hour=1.0), 5.0, set()),
        (Rates(tokens_per_second=1.0, usd_per_hour=1.0), 0.0, {"seconds", "usd"}),
        (Rates(tokens_per_second=0.0, usd_per_hour=1.0), 5.0, set()),
        (Rates(tokens_per_second=1.0, watts=1.0), 0.0, {"seconds", "kwh"}),
    ],
)
def test_what_is_not_known_is_none(rates: Rates, prm: float, known: set[str]) -> None:
    record = rates.price(10.0, 1.0, prm).to_dict()
    assert {
        name for name in ("flops", "seconds", "usd", "kwh") if record[name] is not None
    } == known


@pytest.mark.parametrize(
    ("counts", "known"),
    [
        ((math.nan, 1.0, 1.0), set()),
        ((1.0, math.nan, 1.0), {"seconds", "usd"}),
        ((1.0, 1.0, math.nan), set()),
    ],
)
def test_tokens_that_nobody_counted_are_not_free(
    counts: tuple[float, float, float], known: set[str]
) -> None:
    record = RATES.price(*counts).to_dict()
    assert {name for name in ("flops", "seconds", "usd") if record[name] is not None} == known


@given(one=usage, other=usage)
def test_costs_add_up(one: tuple[float, ...], other: tuple[float, ...]) -> None:
    whole = RATES.price(*(a + b for a, b in zip(one, other, strict=True)))
    for name, value in whole.to_dict().items():
        parts = [getattr(RATES.price(*part), name) for part in (one, other)]
        assert value == pytest.approx(sum(parts))


def test_a_record_holds_every_field() -> None:
    cost = RATES.price(1.0, 2.0, 3.0, 4.0, 5.0)
    assert Cost(**cost.to_dict()) == cost
    assert RATES.reprice(Cost.from_dict(cost.to_dict())) == cost
