"""Addresses of served models: `http://host:port/v1`, or several as `NAME@http://...,http://...`.

`chat:NAME@https://host/v1` is an endpoint that is asked over chat completions alone, and
`tokens:NAME@...` surely is none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from executor.errors import InputError

_SCHEMES = ("http://", "https://")


class Api(StrEnum):
    """How a policy behind an address is asked; the values are those of `--policy-api`."""

    TOKENS = "tokens"  # token ids over `/v1/completions` of a `vllm serve`
    CHAT = "chat"  # messages over `/chat/completions` of any OpenAI-compatible endpoint


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a served model.

    Attributes:
        model: name of the model, which its tokenizer, template and evidence go by: a catalog name,
            a checkpoint folder or a hub id; empty if the servers must be asked.
        urls: URLs of the servers, without `/v1`; of a chat endpoint its base URL, as it is.
        api: how it is asked; None: nobody has said, and the model decides.
    """

    model: str
    urls: tuple[str, ...]
    api: Api | None = None

    def __str__(self) -> str:
        """The form that `read_address` reads."""
        at = f"{self.model}@" if self.model else ""
        if self.api is Api.CHAT:
            return f"{self.api.value}:{at}{self.urls[0]}"
        said = f"{self.api.value}:" if self.api else ""
        return said + at + ",".join(f"{url}/v1" for url in self.urls)

    def as_chat(self) -> Address:
        """Return the same as a chat endpoint.

        Raises:
            InputError: it has no name of a model, or several servers.
        """
        if not self.model:
            raise InputError(
                f"{self.urls[0]}: an endpoint over chat completions has many models; "
                "name one with --policy-model"
            )
        if len(self.urls) > 1:
            raise InputError(f"{','.join(self.urls)}: expected one address of a chat endpoint")
        if self.api is Api.CHAT:
            return self
        return replace(self, urls=(f"{self.urls[0]}/v1",), api=Api.CHAT)


def read_address(name: str) -> Address | None:
    """Return the address that `name` spells, or None if it is another kind of name.

    Raises:
        InputError: it begins like an address and is none.
    """
    begins = [at for scheme in _SCHEMES if (at := name.find(f"@{scheme}")) >= 0]
    if name.startswith(_SCHEMES):
        said, urls = "", name
    elif begins:
        said, urls = name[: min(begins)], name[min(begins) + 1 :]
    else:
        # `chat:` and `tokens:` before a plain URL.
        word, colon, urls = name.partition(":")
        if not colon or word not in [*Api] or not urls.startswith(_SCHEMES):
            return None
        said = f"{word}:"
    api, model = _api_of(said)
    if api is Api.CHAT:
        return Address(model, tuple(_base(url.strip()) for url in urls.split(",")), api).as_chat()
    found = [_root(url.strip()) for url in urls.split(",")]
    if len(set(found)) < len(found):
        raise InputError(f"{urls}: the same server is named twice")
    return Address(model, tuple(found), api)


def _api_of(said: str) -> tuple[Api | None, str]:
    """Return what stands before an address: how it is asked, and the name of its model."""
    for api in Api:
        if said.startswith(f"{api.value}:"):
            return api, said.removeprefix(f"{api.value}:")
    return None, said


def _base(url: str) -> str:
    """Return the base URL of a chat endpoint, to which `/chat/completions` is added."""
    _root(url)
    return url.rstrip("/").removesuffix("/chat/completions").rstrip("/")


def _root(url: str) -> str:
    if "@" in url:  # before it is quoted
        raise InputError(
            "an address holds a name or password before its host; expected none, and a key with "
            "--api-key-env or --api-key-file"
        )
    wanted = f"{url!r}: must be the address of a server, as in http://localhost:8000/v1"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputError(wanted) from None
    if parts.query:
        raise InputError(
            f"{url.partition('?')[0]}: an address has no ?query; give its parameters with "
            "--api-query NAME=VALUE"
        )
    if not url.startswith(_SCHEMES) or not parts.hostname or port == 0:
        raise InputError(wanted)
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def located(name: str | None, model: str | None, option: str, api: str | None = None) -> str | None:
    """Combine the options `--policy NAME --policy-model MODEL`, or those of a PRM, into one name.

    Args:
        name: name of a model, or an address.
        model: name of the model at the address.
        option: `policy` or `prm`, for messages.
        api: value of `--policy-api`; None: it was not given.

    Raises:
        InputError: `model` or `api` is given, and `name` is no address; or a chat endpoint has no
            name of a model.
    """
    if model is None and api is None:
        return name
    address = None if name is None else read_address(name)
    if address is None or name is None:
        given = f"--{option}-api {api}" if model is None else f"--{option}-model {model}"
        raise InputError(
            f"{given}: needs the address of a server, as in --{option} http://localhost:8000/v1"
        )
    asked = address.api if api is None else Api(api)
    named = address.model if model is None else model
    if asked is not Api.CHAT:
        return str(Address(named, address.urls, asked))
    if address.api is not Api.CHAT:  # the base URL as it was written
        start = min(at for scheme in _SCHEMES if (at := name.find(scheme)) >= 0)
        address = Address(
            named, tuple(_base(url.strip()) for url in name[start:].split(",")), asked
        )
    return str(replace(address, model=named, api=asked).as_chat())


def shows_keys(url: str) -> bool:
    """Whether a key on its way to an address could be read: it is not encrypted, nor stays here."""
    parts = urlsplit(url)
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return parts.scheme == "http" and not here


def first_line(text: Any) -> str:
    """Return a server's words on one line of at most 200 characters."""
    return " ".join(str(text).split())[:200]
