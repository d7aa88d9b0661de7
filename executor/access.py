"""Keys, headers and query parameters of an endpoint, which no message, file or store ever shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from executor.errors import InputError

DEFAULT_KEY = "OPENAI_API_KEY"
"""Environment variable of the key of a chat policy, if no other is named."""
# Headers that let a request in. With one of them, nobody expects a further key.
_LETS_IN = frozenset({"authorization", "api-key", "x-api-key", "x-goog-api-key"})
_HIDDEN = "***"
_LEAST = 4  # characters of a secret that is hidden in texts; shorter ones would blot out words


class Secret:
    """A text that is sent to an endpoint and shown to nobody.

    Its `repr` and `str` are stars, and it cannot be pickled.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the request."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({_HIDDEN})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __deepcopy__(self, memo: Any) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")


@dataclass(frozen=True, slots=True)
class Access:
    """What lets requests into an endpoint.

    Attributes:
        key: key that is sent as `Authorization: Bearer`; None: none is.
        is_default: whether the key is that of `DEFAULT_KEY`, which nobody named: only chat policies
            are sent it.
        headers: further headers, with the values that environment variables gave them.
        query: further parameters of every URL.
    """

    key: Secret | None = None
    is_default: bool = False
    headers: tuple[tuple[str, Secret], ...] = ()
    query: tuple[tuple[str, str], ...] = ()

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str],
        *,
        key_env: str | None = None,
        key_file: Path | None = None,
        headers: Iterable[str] = (),
        query: Iterable[str] = (),
    ) -> Access:
        """Read keys and headers.

        Args:
            environ: the environment.
            key_env: variable of the key; None: `DEFAULT_KEY`, if it is set and no header lets in.
            key_file: file that holds the key and nothing else.
            headers: `NAME=VARIABLE` each: the variable holds the value of the header.
            query: `NAME=VALUE` each.

        Raises:
            InputError: a variable is not set, the file cannot be read, or something is no header,
                no parameter or no key. No message quotes a value.
        """
        if key_env is not None and key_file is not None:
            raise InputError("--api-key-env and --api-key-file: expected one of them")
        named = tuple(_header(one, environ) for one in headers)
        parameters = tuple(_pair(one, "--api-query", "NAME=VALUE") for one in query)
        if key_file is not None:
            return cls(_from_file(key_file), headers=named, query=parameters)
        if key_env is not None:
            key = _from_environment(key_env, environ, "--api-key-env")
            return cls(key, headers=named, query=parameters)
        if environ.get(DEFAULT_KEY) and not _LETS_IN & {name.lower() for name, _ in named}:
            key = _from_environment(DEFAULT_KEY, environ, "the key")
            return cls(key, is_default=True, headers=named, query=parameters)
        return cls(headers=named, query=parameters)

    @property
    def of_tokens(self) -> Access:
        """What token policies are sent: no key that nobody named."""
        return Access(None, headers=self.headers, query=self.query) if self.is_default else self

    def sent(self) -> dict[str, str]:
        """Return the headers of a request, for the HTTP client alone."""
        headers = {name: value.reveal() for name, value in self.headers}
        bearer = {} if self.key is None else {"Authorization": f"Bearer {self.key.reveal()}"}
        return bearer | headers

    def hide(self, text: str) -> str:
        """Return a text, for instance of a server that quotes its request, without the secrets."""
        secrets = [value.reveal() for _, value in self.headers]
        if self.key is not None:
            secrets.append(self.key.reveal())
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _LEAST:
                text = text.replace(secret, _HIDDEN)
        return text


NO_ACCESS = Access()
"""Requests as they are."""


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        # The text may be a key that was given in the wrong place.
        raise InputError(f"{option}: expected {form}")
    return name.strip(), value.strip()


def _header(text: str, environ: Mapping[str, str]) -> tuple[str, Secret]:
    option = "--api-header"
    name, variable = _pair(text, option, "NAME=VARIABLE, the variable of the environment that "
                                         "holds the header's value")  # fmt: skip
    if not all(one.isascii() and (one.isalnum() or one in "-_") for one in name):
        raise InputError(f"{option}: expected NAME of letters, digits, - and _")
    return name, _from_environment(variable, environ, f"{option} {name}")


def _from_environment(variable: str, environ: Mapping[str, str], option: str) -> Secret:
    if not variable.replace("_", "").isalnum() or not variable.isascii():
        raise InputError(
            f"{option}: expected the name of an environment variable, never a key itself"
        )
    value = environ.get(variable, "").strip()
    if not value:
        # A key of letters and digits alone looks like a name: only what surely is one is quoted.
        shown = f" {variable}" if variable.isupper() and "_" in variable else ""
        raise InputError(
            f"{option}: the environment variable{shown} is not set; expected one that holds the "
            "value, never the value itself"
        )
    return _secret(value, f"{option}: the environment variable {variable}")


def _from_file(file: Path) -> Secret:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"--api-key-file {file}: cannot be read; expected a file with one key") \
            from None  # fmt: skip
    if not text:
        raise InputError(f"--api-key-file {file}: is empty; expected one key")
    return _secret(text, f"--api-key-file {file}")


def _secret(value: str, where: str) -> Secret:
    """Return a value that a header can hold: an HTTP client quotes others in its errors."""
    if not (value.isascii() and value.isprintable()):
        raise InputError(f"{where}: holds several lines, or characters that no header may hold")
    return Secret(value)
