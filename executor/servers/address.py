"""How a model on servers is named: `http://host:port/v1`, several with commas, `NAME@` before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from executor.errors import InputError

_SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a model is served.

    Attributes:
        model: what its tokenizer, template and evidence go by: a catalog name, a checkpoint
            folder or a hub id; empty where the servers must be asked.
        urls: of the servers, without `/v1` at the end.
    """

    model: str
    urls: tuple[str, ...]

    def __str__(self) -> str:
        """The form `read_address` reads."""
        at = f"{self.model}@" if self.model else ""
        return at + ",".join(f"{url}/v1" for url in self.urls)


def read_address(name: str) -> Address | None:
    """The address that `name` spells; None where it names a model that is not served.

    Raises:
        InputError: it begins like one, and is none.
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
    """What `--policy NAME --policy-model MODEL` name together (or the same of a PRM).

    Args:
        name: a model or an address.
        model: whose address it is.
        option: `policy` or `prm`, for messages.

    Raises:
        InputError: `model` is given, and `name` is no address.
    """
    if model is None:
        return name
    address = None if name is None else read_address(name)
    if address is None:
        raise InputError(
            f"--{option}-model {model}: goes with the address of a server, "
            f"as in --{option} http://localhost:8000/v1"
        )
    return str(Address(model, address.urls))


def first_line(text: Any) -> str:
    """A server's words on one line, not too long a one."""
    return " ".join(str(text).split())[:200]
