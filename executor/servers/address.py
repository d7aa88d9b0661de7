"""Addresses of served models: `http://host:port/v1`, or several as `NAME@http://...,http://...`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from executor.errors import InputError

_SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a served model.

    Attributes:
        model: name of the model, which its tokenizer, template and evidence go by: a catalog name,
            a checkpoint folder or a hub id; empty if the servers must be asked.
        urls: URLs of the servers, without `/v1`.
    """

    model: str
    urls: tuple[str, ...]

    def __str__(self) -> str:
        """The form that `read_address` reads."""
        at = f"{self.model}@" if self.model else ""
        return at + ",".join(f"{url}/v1" for url in self.urls)


def read_address(name: str) -> Address | None:
    """Return the address that `name` spells, or None if it is another kind of name.

    Raises:
        InputError: it begins like an address and is none.
    """
    model, urls = "", name
    if not name.startswith(_SCHEMES):
        model, at, urls = name.partition("@")
        if not at or not urls.startswith(_SCHEMES):
            return None
    found = [_root(url.strip()) for url in urls.split(",")]
    if len(set(found)) < len(found):
        raise InputError(f"{urls}: the same server is named twice")
    return Address(model, tuple(found))


def _root(url: str) -> str:
    wanted = f"{url!r}: must be the address of a server, as in http://localhost:8000/v1"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputError(wanted) from None
    if not url.startswith(_SCHEMES) or not parts.hostname or parts.query or port == 0:
        raise InputError(wanted)
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def located(name: str | None, model: str | None, option: str) -> str | None:
    """Combine the options `--policy NAME --policy-model MODEL`, or those of a PRM, into one name.

    Args:
        name: name of a model, or an address.
        model: name of the model at the address.
        option: `policy` or `prm`, for messages.

    Raises:
        InputError: `model` is given, and `name` is no address.
    """
    if model is None:
        return name
    address = None if name is None else read_address(name)
    if address is None:
        raise InputError(
            f"--{option}-model {model}: needs the address of a server, "
            f"as in --{option} http://localhost:8000/v1"
        )
    return str(Address(model, address.urls))


def first_line(text: Any) -> str:
    """Return a server's words on one line of at most 200 characters."""
    return " ".join(str(text).split())[:200]
