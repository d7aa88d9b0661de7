"""The price book: bundled figures are dated, the user's file goes over them or is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from executor.errors import InputError
from planner.costs.prices import PriceBook, TokenPrice

BOOK = PriceBook.load()


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


def test_every_bundled_figure_has_a_date_and_a_source() -> None:
    assert BOOK.devices and BOOK.tokens
    for device in BOOK.devices.values():
        assert device.date and device.source
        priced = device.usd_per_hour is not None
        assert bool(device.price_date) == bool(device.price_source) == priced
    for price in BOOK.tokens.values():
        assert price.date and price.source


def test_the_users_file_overrides_single_keys_and_adds_entries(tmp_path: Path) -> None:
    path = own(
        tmp_path,
        "[assumptions]\nbatch = 8\n"
        "[devices.l4-24gb]\nusd_per_hour = 0.5\n[devices.mine]\ntflops = 1\ntb_per_second = 2\n"
        'memory_gb = 3\nwatts = 4\n[tokens."GPT-4o"]\ninput = 1\noutput = 2\n',
    )
    book = PriceBook.load(path)
    assert book.assumptions == replace(BOOK.assumptions, batch=8)
    cheaper = replace(
        BOOK.devices["l4-24gb"], usd_per_hour=0.5, price_date="", price_source=f"prices {path}"
    )
    assert book.devices["l4-24gb"] == cheaper
    assert book.device("mine").tb_per_second == 2
    assert book.devices["h100-sxm-80gb"] == BOOK.devices["h100-sxm-80gb"]
    # Token prices are a whole: the bundled price of cached tokens is of another price list.
    assert book.tokens["GPT-4o"] == TokenPrice("GPT-4o", 1, 2)


def test_a_bill_by_hand() -> None:
    price = TokenPrice("model", input=3.0, output=10.0, cached=1.0)
    assert price.usd(2e6, 5e6, 0.1e6) == pytest.approx(6 + 5 + 1)
    assert replace(price, cached=None).usd(0, 1e6, 0) == 3.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[devices", "not TOML (Expected"),
        ("a = 1", "[a] is not known"),
        ("devices = 1", "[devices] holds a plain value; expected tables [devices.NAME]"),
        ("[devices]\nx = 1", "[devices] holds a plain value; expected tables [devices.NAME]"),
        ("assumptions = 3", "[assumptions] holds a plain value; expected a table"),
        ("[assumptions]\nmfu = 1.5", "assumptions: mfu is 1.5; expected a share of at most 1"),
        ("[assumptions]\nmfu = 0", "assumptions: mfu is 0; expected a number above 0"),
        ("[assumptions]\nmfu = true", "mfu is True; expected a number"),
        ("[assumptions]\nmbu = nan", "mbu is nan; expected a number above 0"),
        ("[assumptions]\nhope = 1", "hope is not known; expected one of mfu, mbu"),
        ("[devices.x]\ntflops = 1", "devices.x: tb_per_second is missing"),
        ("[devices.l4-24gb]\nusd_per_hour = -1", "devices.l4-24gb: usd_per_hour is -1"),
        (
            "[devices.l4-24gb]\ndate = 2024-01-01",
            "date is datetime.date(2024, 1, 1); expected text",
        ),
        ('[tokens.m]\ninput = "free"', "tokens.m: input is 'free'; expected a number"),
        ("[tokens.m]\ninput = 1", "tokens.m: output is missing"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    path = own(tmp_path, text)
    with pytest.raises(InputError) as caught:
        PriceBook.load(path)
    said = str(caught.value)
    assert said.startswith(f"prices {path}: ") and message in said and "\n" not in said


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        PriceBook.load(tmp_path / "none.toml")
    with pytest.raises(InputError, match="--device tpu: must be one of a100-sxm-80gb, h100"):
        BOOK.device("tpu")
