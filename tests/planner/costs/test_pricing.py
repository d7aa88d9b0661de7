"""Prices from options: which wins, what is missing, and what it is said to rest on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from executor.errors import InputError
from executor.models.architecture import Shape
from planner.catalog import load_catalog
from planner.costs.cost import Rates, training_flops
from planner.costs.prices import PriceBook, TokenPrice
from planner.costs.pricing import DoesNotFitError, Pricing
from planner.notes import NoteCode
from tests.helpers.notes import of_code

BOOK = PriceBook.load()
SIZES = Rates(1_000_000_000, 7_000_000_000)
SHAPE = Shape(28, 3072, 1024)
MEASURED = replace(SIZES, tokens_per_second=50.0, prm_tokens_per_second=80.0)
SPED = Rates(tokens_per_second=1.0, prm_tokens_per_second=1.0)


def applied(rates: Rates, policy: str = "policy", prm: str | None = "prm", **options: Any) -> Rates:
    return Pricing(**options).apply(rates, policy, prm)


def test_without_options_nothing_changes() -> None:
    assert applied(MEASURED) == MEASURED


def test_a_device_gives_seconds_money_and_energy() -> None:
    rates = applied(MEASURED, device="h100-sxm-80gb")
    device = BOOK.devices["h100-sxm-80gb"]
    assert rates.roofline is not None and rates.roofline.device == device
    cost = rates.price(generated=1e6, prompt=2e6, prm=3e6)
    prefill = 2e9 / (BOOK.assumptions.mfu * device.tflops * 1e12)
    decode = 2e9 / (BOOK.assumptions.mbu * device.tb_per_second * 1e12) / BOOK.assumptions.batch
    seconds = 1e6 * max(decode, prefill) + 2e6 * prefill + 3e6 * 7 * prefill
    assert cost.seconds == pytest.approx(seconds)
    assert cost.usd == pytest.approx(seconds / 3600 * float(device.usd_per_hour or 0))
    assert cost.kwh == pytest.approx(seconds / 3600 * 0.7)
    seconds_by, price = rates.notes()
    assert seconds_by.code is NoteCode.SECONDS_BY_ROOFLINE
    assert (seconds_by.text("device"), seconds_by.number("mfu")) == ("h100-sxm-80gb", 0.4)
    assert (price.code, price.number("usd")) == (NoteCode.PRICE_BY_HOUR, 3.95)


def test_a_scorer_that_is_its_policy_takes_no_memory_of_its_own() -> None:
    thirty = Rates(policy_parameters=30 * 10**9, prm_parameters=30 * 10**9)
    with pytest.raises(DoesNotFitError):
        applied(thirty, device="h100-sxm-80gb")
    assert applied(replace(thirty, prm_weights=0), device="h100-sxm-80gb").roofline is not None


def test_devices_are_paid_for_each() -> None:
    one, four = (applied(SIZES, device="h100-sxm-80gb", devices=n).price(1e6, 0, 0) for n in (1, 4))
    assert one.seconds == pytest.approx(4 * (four.seconds or 0))
    assert one.usd == pytest.approx(four.usd)
    assert one.kwh == pytest.approx(four.kwh)


def test_given_prices_and_powers_win_over_the_devices() -> None:
    rates = applied(SIZES, device="l40s-48gb", usd_per_hour=3.0, watts=100.0)
    assert (rates.usd_per_hour, rates.watts) == (3.0, 100.0)
    assert [note.code for note in rates.notes()] == [NoteCode.SECONDS_BY_ROOFLINE]


def test_measured_seconds_take_a_price_by_the_hour_and_a_power() -> None:
    cost = applied(MEASURED, usd_per_hour=7.2, watts=500.0).price(100, 20, 40)
    assert (cost.seconds, cost.usd) == (2.5, pytest.approx(0.005))
    assert cost.kwh == pytest.approx(2.5 / 3600 * 0.5)


def test_a_hosts_prices_are_taken_for_the_models_they_name(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        "[tokens.policy]\ninput = 2\ncached = 1\noutput = 8\n"
        "[tokens.prm]\ninput = 0.5\noutput = 0\n"
    )
    rates = applied(SIZES, prices=path)
    cost = rates.price(generated=1e6, prompt=2e6, prm=4e6, cached=3e6, prm_cached=6e6)
    assert cost.usd == pytest.approx(8 + 4 + 3 + 0.5 * 10)
    assert cost.seconds is None
    # A machine or a device was asked about: what a host would bill is not.
    assert applied(MEASURED, prices=path, usd_per_hour=3.6).price(50, 0, 0).usd == 0.001
    assert applied(SIZES, prices=path, device="h100-sxm-80gb").policy_price is None


def test_a_bundled_price_says_whose_it_is() -> None:
    rates = applied(SIZES, policy="DeepSeek-R1", prm=None)
    assert rates.price(1e6, 0, 0).usd == 2.19
    [price] = of_code(rates.notes(), NoteCode.PRICE_BY_TOKEN)
    assert price.text("model") == "DeepSeek-R1"
    assert (price.number("input"), price.number("output")) == (0.55, 2.19)
    # Its PRM has no price: what needs the PRM cannot be priced.
    scored = applied(SIZES, policy="DeepSeek-R1", prm="prm")
    assert scored.price(1e6, 0, 1).usd is None
    assert scored.price(1e6, 0, 0).usd == 2.19


def test_attention_is_counted_where_a_context_is_given() -> None:
    shaped = replace(SIZES, policy_shape=SHAPE, prm_shape=SHAPE)
    attention = 2 * 28 * 3072 * 500
    cost = applied(shaped, context=500).price(10, 5, 4)
    assert cost.flops == pytest.approx(15 * (2e9 + attention) + 4 * (14e9 + attention))
    assert applied(replace(SIZES, policy_shape=SHAPE), context=500).price(1, 0, 1).flops is None
    assert applied(replace(SIZES, policy_shape=SHAPE), context=500).price(1, 0, 0).flops is not None
    on_device = applied(shaped, context=500, device="h100-sxm-80gb")
    assert on_device.roofline is not None and on_device.roofline.assumptions.context == 500


def test_a_mixture_of_experts_needs_room_for_all_and_computes_with_the_active_ones() -> None:
    catalog = load_catalog()
    sizes = Rates(
        catalog.parameters("DeepSeek-R1"),
        policy_weights=catalog.all_parameters("DeepSeek-R1"),
    )
    with pytest.raises(InputError, match=r"need 1342 GB of memory.*--devices 17"):
        applied(sizes, device="h100-sxm-80gb")
    rates = applied(sizes, device="h100-sxm-80gb", devices=17)
    device, assumed = BOOK.devices["h100-sxm-80gb"], BOOK.assumptions
    cost = rates.price(generated=1e6, prompt=0, prm=0)
    assert cost.flops == 2 * 37e9 * 1e6
    bandwidth = assumed.mbu * device.tb_per_second * 1e12 * 17
    read = 671_026_419_200 * assumed.bytes_per_parameter / bandwidth / assumed.batch
    assert cost.seconds == pytest.approx(1e6 * read)
    prefill = 2 * 37e9 / (assumed.mfu * device.tflops * 1e12 * 17)
    assert rates.price(0, 1e6, 0).seconds == pytest.approx(1e6 * prefill)
    assert Rates.from_dict(rates.to_dict()) == rates


def test_the_context_given_is_what_memory_is_asked_for() -> None:
    shaped = replace(SIZES, policy_shape=SHAPE)
    applied(shaped, device="h100-sxm-80gb", context=500)
    with pytest.raises(InputError, match=r"policy and PRM need \d+ GB of memory"):
        applied(shaped, device="h100-sxm-80gb", context=1e6)


def test_training_costs_three_times_a_forward_pass() -> None:
    assert training_flops(3e9, 9e12) == 3 * (SIZES.price(1, 0, 0).flops or 0) * 3 * 9e12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "--device tpu: must be one of"),
        ({"devices": 2}, "--devices is 2 without a device; expected --device NAME"),
        ({"device": "l4-24gb", "devices": 0}, "--devices is 0; expected at least 1"),
        ({"usd_per_hour": -1.0}, "--usd-per-hour is -1; expected a number of at least 0"),
        ({"watts": 0.0}, "--watts is 0; expected a number above 0"),
        ({"context": float("nan")}, "--context is nan; expected a number above 0"),
        ({"device": "l4-24gb", "big": True}, "need 142 GB of memory; expected at most 24 GB; give"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_one_line(options: dict[str, Any], message: str) -> None:
    big = options.pop("big", False)
    rates = Rates(70_000_000_000 if big else 1, 1_000_000_000)
    with pytest.raises(InputError) as caught:
        applied(rates, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)


LINE = applied(SIZES, device="l40s-48gb").roofline
PRICE = TokenPrice("policy", 1, 2)


@pytest.mark.parametrize(
    ("rates", "quantity", "message"),
    [
        (Rates(), "flops", "the policy's size"),
        (Rates(1), "flops", "the PRM's size"),
        (Rates(1, 1), "flops", None),
        (Rates(1, 1, context=9.0), "flops", "--context: the policy's layers"),
        (Rates(1, 1, context=9.0, policy_shape=SHAPE), "flops", "--context: the PRM's layers"),
        (Rates(1, 1), "seconds", "give --device NAME"),
        (SPED, "seconds", None),
        (Rates(tokens_per_second=1.0), "seconds", "the PRM's throughput"),
        (Rates(prm_tokens_per_second=1.0), "seconds", "some of them without a PRM"),
        (Rates(1, roofline=LINE), "seconds", "the PRM's size"),
        (Rates(1, 1, roofline=LINE), "seconds", None),
        (SPED, "usd", "give --usd-per-hour"),
        (Rates(usd_per_hour=1.0), "usd", "give --device NAME"),
        (replace(SPED, usd_per_hour=1.0), "usd", None),
        (Rates(policy_price=PRICE), "usd", "the PRM has no price"),
        (Rates(policy_price=PRICE, prm_price=PRICE), "usd", None),
        (Rates(watts=1.0), "kwh", "give --device NAME"),
        (SPED, "kwh", "give --watts"),
        (replace(SPED, watts=1.0), "kwh", None),
    ],
)
def test_what_is_missing_is_named_exactly_where_nothing_is_known(
    rates: Rates, quantity: str, message: str | None
) -> None:
    said = rates.missing(quantity, scored=True)
    assert (said is None) == (message is None)
    assert message is None or message in str(said)
    assert (getattr(rates.price(1, 1, 1), quantity) is None) == (said is not None)


def test_rates_are_read_back_as_they_were_written() -> None:
    shaped = replace(MEASURED, policy_shape=SHAPE, prm_shape=SHAPE, policy_price=PRICE)
    rates = replace(applied(shaped, device="l40s-48gb", context=9.0), policy_price=PRICE)
    assert Rates.from_dict(rates.to_dict()) == rates
    for damage in (
        {"watts": "much"},
        {"hope": 1},
        {"roofline": {"device": {}}},
        {"policy_shape": 1},
    ):
        with pytest.raises((LookupError, TypeError)):
            Rates.from_dict(rates.to_dict() | damage)
