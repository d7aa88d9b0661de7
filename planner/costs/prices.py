"""Devices, prices and assumptions, as `data/prices.toml` and the user's own file hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from executor.errors import InputError
from executor.files import data_folder
from planner.toml_files import read_toml

_T = TypeVar("_T", "Device", "TokenPrice", "Assumptions")


@dataclass(frozen=True, slots=True)
class Device:
    """A device by its data sheet.

    Attributes:
        name: as `--device` takes it.
        tflops: dense peak in the number format of the weights, 1e12 FLOP/s.
        tb_per_second: memory bandwidth, 1e12 bytes/s.
        memory_gb: 1e9 bytes.
        watts: of the board, at most.
        usd_per_hour: price of one; None where none is stated.
        date, source: of the figures.
        price_date, price_source: of the price.
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
class TokenPrice:
    """What a host bills, in USD per million tokens.

    Attributes:
        name: of the model.
        input, output: prompt tokens, generated tokens.
        cached: prompt tokens that the host's cache spared; None: billed as any other.
        date, source: of the price.
    """

    name: str
    input: float
    output: float
    cached: float | None = None
    date: str = ""
    source: str = ""

    def usd(self, prompt: float, cached: float, generated: float) -> float:
        """The bill for so many tokens."""
        spared = self.input if self.cached is None else self.cached
        return (prompt * self.input + cached * spared + generated * self.output) / 1e6


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a roofline needs and no data sheet says.

    Attributes:
        mfu, mbu: shares of peak FLOP/s and of peak bandwidth that are reached.
        batch: sequences an engine decodes at once.
        context: tokens of a whole sequence, prompt and response.
        bytes_per_parameter: of weights and of the key-value cache.
    """

    mfu: float
    mbu: float
    batch: float
    context: float
    bytes_per_parameter: float

    def __post_init__(self) -> None:
        for name in ("mfu", "mbu"):
            if getattr(self, name) > 1:
                raise InputError(f"{name} = {getattr(self, name)}: a share is at most 1")


@dataclass(frozen=True, slots=True)
class PriceBook:
    """All of it.

    Attributes:
        devices: by name.
        tokens: by the name of the model.
        assumptions: of rooflines.
    """

    devices: Mapping[str, Device]
    tokens: Mapping[str, TokenPrice]
    assumptions: Assumptions

    @classmethod
    def load(cls, own: Path | None = None) -> PriceBook:
        """The bundled book, and what the user's file `own` says instead.

        Raises:
            InputError: the file cannot be read, or says what no book has.
        """
        path = data_folder() / "prices.toml"
        record, where = read_toml(path, "prices"), f"prices {path}"
        if own is not None:
            where = f"prices {own}"
            record = _overlay(record, read_toml(own, "prices"), where)
        devices, tokens = record["devices"], record["tokens"]
        return cls(
            {name: _make(Device, devices[name], name, f"{where}: devices.") for name in devices},
            {name: _make(TokenPrice, tokens[name], name, f"{where}: tokens.") for name in tokens},
            _make(Assumptions, record["assumptions"], None, f"{where}: assumptions"),
        )

    def device(self, name: str) -> Device:
        """The device of that name; InputError with the names known."""
        if name not in self.devices:
            raise InputError(
                f"--device {name}: must be one of {', '.join(sorted(self.devices))}, or one that a "
                "file given with --prices describes"
            )
        return self.devices[name]


def _overlay(bundled: dict[str, Any], own: dict[str, Any], where: str) -> dict[str, Any]:
    """`bundled` with what `own` says instead: by key, but a model's token prices as a whole."""
    for table, entries in own.items():
        if table not in bundled:
            raise InputError(
                f"{where}: [{table}] is not known; must be [assumptions], [devices.NAME] or "
                "[tokens.NAME]"
            )
        single = table == "assumptions"
        if not isinstance(entries, dict) or not (
            single or all(isinstance(entry, dict) for entry in entries.values())
        ):
            raise InputError(f"{where}: [{table}]: must be {'a table' if single else 'tables'}")
    devices = dict(bundled["devices"])
    for name, entry in own.get("devices", {}).items():
        kept = dict(devices.get(name, {}))
        if "usd_per_hour" in entry:
            # Another price is not of the bundled one's date and source.
            kept |= {"price_date": "", "price_source": where}
        devices[name] = kept | entry
    return {
        "devices": devices,
        "tokens": bundled["tokens"] | own.get("tokens", {}),
        "assumptions": bundled["assumptions"] | own.get("assumptions", {}),
    }


def _make(kind: type[_T], entry: dict[str, Any], name: str | None, where: str) -> _T:
    """An entry as a dataclass; InputError for unknown, missing or senseless keys."""
    where += name or ""
    known = {field.name: field for field in fields(kind) if field.name != "name"}
    if unknown := sorted(set(entry) - set(known)):
        raise InputError(f"{where}: {unknown[0]} is not known; must be some of {', '.join(known)}")
    for key, field in known.items():
        given = entry.get(key)
        if key not in entry:
            if field.default is MISSING:
                raise InputError(f"{where}: {key} is missing")
        elif field.type == "str":
            if not isinstance(given, str):
                raise InputError(f"{where}: {key} = {given!r}: must be text in quotes")
        elif isinstance(given, bool) or not isinstance(given, int | float):
            raise InputError(f"{where}: {key} = {given!r}: must be a number")
        elif not _least(kind, key) <= given < math.inf:
            least = "at least 0" if _least(kind, key) == 0 else "more than 0"
            raise InputError(f"{where}: {key} = {given}: must be {least}")
    named: dict[str, Any] = entry if name is None else {"name": name} | entry
    try:
        return kind(**named)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _least(kind: type[Any], key: str) -> float:
    """The least a number may be: prices may be 0, nothing else may."""
    return 0.0 if kind is TokenPrice or key == "usd_per_hour" else math.ulp(0.0)
