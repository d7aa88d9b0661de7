"""Devices, prices and assumptions, read from `data/prices.toml` and the user's own file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from executor.errors import InputError
from executor.files import data_folder
from planner.costs.litellm import is_litellm, near_names, read_litellm
from planner.costs.token_price import TokenPrice
from planner.toml_files import read_toml

_T = TypeVar("_T", "Device", "TokenPrice", "Assumptions")


@dataclass(frozen=True, slots=True)
class Device:
    """A device with the figures of its data sheet.

    Attributes:
        name: value of the option `--device`.
        tflops: dense peak in the number format of the weights, 1e12 FLOP/s.
        tb_per_second: memory bandwidth, 1e12 bytes/s.
        memory_gb: memory, 1e9 bytes.
        watts: maximum power of the board.
        usd_per_hour: price of one device per hour; None if it is not known.
        date, source: date and source of the figures.
        price_date, price_source: date and source of the price.
    """

    name: str
    tflops: float
    tb_per_second: float
    memory_gb: float
    watts: float
    usd_per_hour: float | None = None
    date: str = ""
    source: str = ""
    price_date: str = ""
    price_source: str = ""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Inputs of a roofline that no data sheet gives.

    Attributes:
        mfu, mbu: achieved shares of peak FLOP/s and of peak bandwidth.
        batch: number of sequences that an engine decodes at once.
        context: tokens of a whole sequence, prompt and response.
        bytes_per_parameter: bytes per value of the weights and of the key-value cache.
    """

    mfu: float
    mbu: float
    batch: float
    context: float
    bytes_per_parameter: float

    def __post_init__(self) -> None:
        for name in ("mfu", "mbu"):
            if getattr(self, name) > 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected a share of at most 1")


@dataclass(frozen=True, slots=True)
class PriceBook:
    """All devices, prices and assumptions.

    Attributes:
        devices: devices by name.
        tokens: token prices by name of the model.
        assumptions: assumptions of rooflines.
        source: the user's file, for messages; empty without one.
    """

    devices: Mapping[str, Device]
    tokens: Mapping[str, TokenPrice]
    assumptions: Assumptions
    source: str = ""

    @classmethod
    def load(cls, own: Path | None = None, *, batch: bool = False) -> PriceBook:
        """Read the bundled prices and overlay those of the user's file `own`.

        Args:
            own: a TOML file laid out as `data/prices.toml`; or a JSON file of LiteLLM, or `litellm`
                for the bundled extract of it, whose token prices replace the bundled ones.
            batch: whether to take a LiteLLM file's prices of batch requests.

        Raises:
            InputError: the file cannot be read, or has an unknown key or a wrong value.
        """
        if own is not None and is_litellm(own):
            book = cls.load()
            return cls(book.devices, read_litellm(own, batch=batch), book.assumptions, str(own))
        if batch:
            raise InputError(
                "--batch-prices: only files of LiteLLM have prices of batches; expected --prices "
                "litellm, or --prices FILE.json"
            )
        path = data_folder() / "prices.toml"
        record, where = _bundled(path), f"prices {path}"
        if own is not None:
            where = f"prices {own}"
            record = _overlay(record, read_toml(own, "prices"), where)
        devices, tokens = record["devices"], record["tokens"]
        return cls(
            {name: _make(Device, devices[name], name, f"{where}: devices.") for name in devices},
            {name: _make(TokenPrice, tokens[name], name, f"{where}: tokens.") for name in tokens},
            _make(Assumptions, record["assumptions"], None, f"{where}: assumptions"),
            "" if own is None else str(own),
        )

    def price_of(self, model: str) -> TokenPrice:
        """Return the token price of a model; an InputError names those with names like its."""
        if model not in self.tokens:
            near = near_names(model, self.tokens)
            like = f"; names like it: {', '.join(near)}" if near else ""
            raise InputError(
                f"--prices {self.source or 'data/prices.toml'}: has no price of {model}{like}; "
                f"give --price-name {model}=NAME for one of its names"
            )
        return self.tokens[model]

    def device(self, name: str) -> Device:
        """Return the device of this name; an InputError lists the known names."""
        if name not in self.devices:
            raise InputError(
                f"--device {name}: must be one of {', '.join(sorted(self.devices))}, or one that a "
                "file given with --prices describes"
            )
        return self.devices[name]


@cache  # an answer over many models asks for the prices of each
def _bundled(path: Path) -> dict[str, Any]:
    return read_toml(path, "prices")


def _overlay(bundled: dict[str, Any], own: dict[str, Any], where: str) -> dict[str, Any]:
    """Return `bundled` with the values of `own` in place of its own.

    Devices and assumptions are replaced key by key, the token prices of a model as a whole.
    """
    for table, entries in own.items():
        if table not in bundled:
            raise InputError(
                f"{where}: [{table}] is not known; expected [assumptions], [devices.NAME] or "
                "[tokens.NAME]"
            )
        single = table == "assumptions"
        if not isinstance(entries, dict) or not (
            single or all(isinstance(entry, dict) for entry in entries.values())
        ):
            tables = "a table" if single else f"tables [{table}.NAME]"
            raise InputError(f"{where}: [{table}] holds a plain value; expected {tables}")
    devices = dict(bundled["devices"])
    for name, entry in own.get("devices", {}).items():
        kept = dict(devices.get(name, {}))
        if "usd_per_hour" in entry:
            # The date and source of the bundled price do not hold for the user's price.
            kept |= {"price_date": "", "price_source": where}
        devices[name] = kept | entry
    return {
        "devices": devices,
        "tokens": bundled["tokens"] | own.get("tokens", {}),
        "assumptions": bundled["assumptions"] | own.get("assumptions", {}),
    }


def _make(kind: type[_T], entry: dict[str, Any], name: str | None, where: str) -> _T:
    """Make a dataclass of an entry; InputError if a key or a value is wrong or missing."""
    where += name or ""
    by_name = {field.name: field for field in fields(kind) if field.name != "name"}
    if unknown := sorted(set(entry) - set(by_name)):
        names = ", ".join(by_name)
        raise InputError(f"{where}: {unknown[0]} is not known; expected one of {names}")
    for key, field in by_name.items():
        given = entry.get(key)
        if key not in entry:
            if field.default is MISSING:
                raise InputError(f"{where}: {key} is missing")
        elif field.type == "str":
            if not isinstance(given, str):
                raise InputError(f"{where}: {key} is {given!r}; expected text in quotes")
        elif isinstance(given, bool) or not isinstance(given, int | float):
            raise InputError(f"{where}: {key} is {given!r}; expected a number")
        elif not _least(kind, key) <= given < math.inf:
            least = "of at least 0" if _least(kind, key) == 0 else "above 0"
            raise InputError(f"{where}: {key} is {given}; expected a number {least}")
    named: dict[str, Any] = entry if name is None else {"name": name} | entry
    try:
        return kind(**named)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _least(kind: type[Any], key: str) -> float:
    """Return the least value of a number: 0 for prices, above 0 for all others."""
    return 0.0 if kind is TokenPrice or key == "usd_per_hour" else math.ulp(0.0)
