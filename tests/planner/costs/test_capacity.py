"""Engines for a day: the fewest that keep to a load, and how long queries wait for them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.costs.capacity import SECONDS_PER_DAY, erlang_c, provision
from planner.costs.cost import Cost, Rates
from planner.costs.prices import PriceBook, TokenPrice
from planner.costs.pricing import Pricing

HOURLY = Rates(tokens_per_second=1.0, usd_per_hour=2.0)


def day(seconds: float | None, usd: float | None = None) -> Cost:
    return Cost(0.0, 0.0, 0.0, seconds=seconds, usd=usd)


def test_a_day_by_hand() -> None:
    """1.2 days of work: three engines are busy 40 % of the time, two 60 %."""
    half = provision(day(1.2 * SECONDS_PER_DAY), 1000, 0.50, HOURLY)
    full = provision(day(1.2 * SECONDS_PER_DAY), 1000, 0.95, HOURLY)
    assert half is not None and full is not None
    assert (half.engines, full.engines) == (3, 2)
    assert (half.utilisation, full.utilisation) == (pytest.approx(0.4), pytest.approx(0.6))
    assert (half.gpu_hours, half.usd) == (72.0, 144.0)
    assert half.wait_seconds < full.wait_seconds


@given(seconds=st.floats(1e-3, 1e8), load=st.floats(0.01, 0.99))
def test_engines_keep_to_the_load_and_one_fewer_would_not(seconds: float, load: float) -> None:
    made = provision(day(seconds), 1000, load, HOURLY)
    assert made is not None
    assert made.utilisation <= load * (1 + 1e-12)
    assert made.engines == 1 or seconds / SECONDS_PER_DAY / (made.engines - 1) > load * (1 - 1e-12)


def test_an_engine_on_several_devices_counts_them_all() -> None:
    rates = Pricing(device="h100-sxm-80gb", devices=8).apply(Rates(1), "policy", None)
    made = provision(day(0.6 * SECONDS_PER_DAY), 10, 0.5, rates)
    assert made is not None
    assert (made.engines, made.devices, made.gpu_hours) == (2, 16, 384.0)
    price = PriceBook.load().devices["h100-sxm-80gb"].usd_per_hour
    assert price is not None and made.usd == pytest.approx(384 * price)


def test_a_hosts_bill_does_not_grow_with_idle_engines() -> None:
    rates = Rates(tokens_per_second=1.0, usd_per_hour=2.0, policy_price=TokenPrice("p", 1, 1))
    made = provision(day(10.0, usd=0.3), 10, 0.5, rates)
    assert made is not None and made.usd == 0.3


def test_without_seconds_there_is_nothing_to_provide() -> None:
    assert provision(day(None), 10, 0.5, HOURLY) is None


@given(servers=st.integers(1, 40), share=st.floats(0.01, 0.99))
def test_erlangs_c_is_its_closed_form(servers: int, share: float) -> None:
    offered = servers * share
    terms = [offered**k / math.factorial(k) for k in range(servers + 1)]
    last = terms[-1] / (1 - share)
    assert erlang_c(servers, offered) == pytest.approx(last / (sum(terms[:-1]) + last))


def test_one_engine_waits_as_m_m_1() -> None:
    """Mean wait of M/M/1: service x load / (1 - load)."""
    made = provision(day(0.8 * SECONDS_PER_DAY), 1000, 0.95, HOURLY)
    assert made is not None
    service = 0.8 * SECONDS_PER_DAY / 1000
    assert made.wait_seconds == pytest.approx(service * 0.8 / 0.2)


def test_many_engines_do_not_overflow() -> None:
    assert 0 <= erlang_c(20_000, 19_000.0) <= 1
