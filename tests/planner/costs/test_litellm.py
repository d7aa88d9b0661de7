"""LiteLLM's file of prices: read as it is published, and the bundled extract of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from executor.errors import InputError
from planner.costs.cost import Rates
from planner.costs.litellm import read_litellm
from planner.costs.prices import PriceBook
from planner.costs.pricing import Pricing
from planner.costs.token_price import TokenPrice

PUBLISHED: dict[str, Any] = {
    "sample_spec": {"mode": "one of: chat, embedding", "input_cost_per_token": 0.0},
    "thinker": {
        "mode": "chat", "litellm_provider": "host", "input_cost_per_token": 2.5e-06,
        "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06,
        "output_cost_per_reasoning_token": 3e-05, "input_cost_per_token_batches": 1.25e-06,
        "output_cost_per_token_batches": 5e-06, "supports_vision": True,
    },
    "host/plain-8b": {
        "mode": "chat", "input_cost_per_token": 1e-07, "output_cost_per_token": 2e-07
    },
    "vectors": {"mode": "embedding", "input_cost_per_token": 1e-07, "output_cost_per_token": 0},
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model_prices.json"
    path.write_text(json.dumps(PUBLISHED))
    return path


def test_prices_are_read_per_million_tokens(file: Path) -> None:
    prices = read_litellm(file)
    assert prices == {
        "thinker": TokenPrice(
            "thinker", 2.5, 10.0, 1.25, reasoning=30.0, source="model_prices.json"
        ),
        "host/plain-8b": TokenPrice("host/plain-8b", 0.1, 0.2, source="model_prices.json"),
    }
    assert prices["thinker"].usd(1e6, 1e6, 1e6, 1e6) == pytest.approx(2.5 + 1.25 + 10 + 30)
    assert prices["thinker"].most(1e6, 1e6) == pytest.approx(2.5 + 30)
    assert prices["host/plain-8b"].usd(0, 1e6, 0, 1e6) == pytest.approx(0.1 + 0.2)


def test_batches_have_prices_of_their_own_or_none(file: Path) -> None:
    prices = read_litellm(file, batch=True)
    assert list(prices) == ["thinker"]
    assert (prices["thinker"].input, prices["thinker"].output) == (1.25, 5.0)


def test_costs_are_counted_by_them(file: Path) -> None:
    pricing = Pricing(prices=file, names={"mine": "thinker"})
    rates = pricing.apply(Rates(), "mine", None)
    assert rates.price(generated=1e6, prompt=1e6, prm=0, cached=1e6).usd == pytest.approx(13.75)
    assert "reasoning" in rates.to_dict()["policy_price"]
    assert Rates.from_dict(rates.to_dict()) == rates


def test_a_plan_of_a_price_without_thoughts_reads_as_before() -> None:
    rates = Rates(policy_price=TokenPrice("p", 1, 2))
    assert "reasoning" not in rates.to_dict()["policy_price"]
    assert Rates.from_dict(rates.to_dict()) == rates


@pytest.mark.parametrize(
    ("model", "near"),
    [("plain-8b", "names like it: host/plain-8b"), ("Thinkr", "names like it: thinker")],
)
def test_a_model_that_is_missing_is_named_with_those_like_it(
    file: Path, model: str, near: str
) -> None:
    with pytest.raises(InputError, match=f"has no price of {model}; {near}; give --price-name"):
        Pricing(prices=file).token_price(model)


def test_an_extract_is_bundled_and_says_its_source() -> None:
    book = PriceBook.load(Path("litellm"))
    price = book.price_of("gpt-4o")
    assert (price.input, price.output, price.cached) == (2.5, 10.0, 1.25)
    assert price.source.startswith("litellm ") and price.date.startswith("20")
    assert book.devices  # those of data/prices.toml stay
    assert PriceBook.load(Path("litellm"), batch=True).price_of("gpt-4o").output == 5.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "expected a JSON object with an object for each model"),
        ('{"a": {"mode": "embedding"}}', "has no price of a language model"),
        (
            '{"a": {"mode": "chat", "input_cost_per_token": "1", "output_cost_per_token": 1}}',
            "input_cost_per_token of a is '1'; expected USD per token",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_litellm(path)


def test_batches_need_a_file_that_has_them() -> None:
    with pytest.raises(InputError, match="--batch-prices: only files of LiteLLM"):
        Pricing(batch=True).book()
