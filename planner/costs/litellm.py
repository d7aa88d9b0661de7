"""Prices of tokens in the form of LiteLLM's public file, of which this project bundles an extract.

The file is a JSON object with one entry a model (BerriAI/litellm,
`model_prices_and_context_window.json`); prices are in USD per token. Surcharges that depend on the
length of a context, prices of tools and images, and those of writing into a cache are not read.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from executor.errors import InputError, one_line
from executor.files import data_folder, read_whole
from planner.costs.token_price import TokenPrice

BUNDLED = "litellm"
"""What stands for the bundled extract in place of a file."""
ABOUT = "_about"
"""Entry of the extract that is no model: its source, date, licence and units."""
MODES = ("chat", "completion", "responses")
_PRICES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "reasoning": "output_cost_per_reasoning_token",
}
_BATCHES = "_batches"
FIELDS = (
    "litellm_provider", "mode", "max_input_tokens", "max_output_tokens", "deprecation_date",
    *(field + end for field in _PRICES.values() for end in ("", _BATCHES)),
)  # fmt: skip
"""Fields of an entry that the extract keeps."""
_PER = 1e6  # tokens of a price here
_DIGITS = 9  # of a price per million tokens; what is beyond comes from binary fractions


def is_litellm(path: Path) -> bool:
    """Whether a value of `--prices` means this form: the extract, or a JSON file."""
    return str(path) == BUNDLED or path.suffix == ".json"


def read_litellm(path: Path, *, batch: bool = False) -> Mapping[str, TokenPrice]:
    """Read the prices of all language models, by name.

    Args:
        path: the file, or `BUNDLED`.
        batch: whether to read the prices of batch requests; models without have none then.

    Raises:
        InputError: the file cannot be read, or an entry is wrong.
    """
    bundled = str(path) == BUNDLED
    file = data_folder() / "prices" / "litellm.json" if bundled else path
    try:
        changed = file.stat().st_mtime_ns
    except OSError:
        changed = 0
    return _read(file, changed, batch)


@lru_cache(maxsize=4)  # an answer over many models asks for the prices of each
def _read(path: Path, changed: int, batch: bool) -> Mapping[str, TokenPrice]:
    where = f"prices {path}"
    raw = read_whole(path, "a JSON file with one entry a model, as LiteLLM publishes it", "prices")
    try:
        record = json.loads(raw)
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({one_line(error)})") from None
    if not isinstance(record, dict) or not all(isinstance(one, dict) for one in record.values()):
        raise InputError(f"{where}: expected a JSON object with an object for each model")
    about = record.get(ABOUT, {})
    source = str(about.get("source", path.name))
    prices = {}
    for name, entry in record.items():
        if name == ABOUT or entry.get("mode") not in MODES:
            continue
        price = _price(name, entry, _BATCHES if batch else "", where)
        if price is not None:
            prices[name] = replace(price, date=str(about.get("date", "")), source=source)
    if not prices:
        raise InputError(f"{where}: has no price of a language model; expected LiteLLM's form")
    return prices


def _price(name: str, entry: Mapping[str, Any], end: str, where: str) -> TokenPrice | None:
    """The prices of one entry, per million tokens; None if it has none of input or of output."""
    found: dict[str, float] = {}
    for kind, field in _PRICES.items():
        given = entry.get(field + end)
        if given is None:
            continue
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if not number or not 0 <= given < math.inf:
            raise InputError(
                f"{where}: {field + end} of {name} is {given!r}; expected USD per token, at least 0"
            )
        found[kind] = round(given * _PER, _DIGITS)
    if not {"input", "output"} <= found.keys():
        return None
    return TokenPrice(
        name,
        found["input"],
        found["output"],
        found.get("cached"),
        reasoning=found.get("reasoning"),
    )


def near_names(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The names that are most like one that is not known; hosts' names before a slash count less.

    Args:
        name: the unknown name.
        known: all names.
        most: most names to return.
    """
    wanted = name.lower().rsplit("/", 1)[-1]
    by_end: dict[str, list[str]] = {}
    for one in known:
        by_end.setdefault(one.lower().rsplit("/", 1)[-1], []).append(one)
    inside = sorted((end for end in by_end if wanted in end), key=len)
    ends = inside or difflib.get_close_matches(wanted, by_end, n=most, cutoff=0.5)
    return [one for end in ends for one in sorted(by_end[end], key=len)][:most]
