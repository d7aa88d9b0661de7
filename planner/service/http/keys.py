"""API keys: compared in constant time, and kept as digests only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from pathlib import Path

from executor.errors import InputError
from executor.files import read_whole

KEYS_VARIABLE = "APPORTION_API_KEYS"
KEYLESS_PATHS = frozenset({"/healthz", "/readyz"})
"""Paths that need no key: they only say whether the process lives and can answer."""
_MIN_LENGTH = 8


class ApiKeys:
    """The keys that are accepted.

    Args:
        keys: at least one.
        source: name of the file or variable that they come from, for errors.

    Raises:
        InputError: there is no key, or one is too short to be a secret or not printable ASCII.
    """

    def __init__(self, keys: Iterable[str], source: str = "keys") -> None:
        known = list(keys)
        if not known:
            raise InputError(
                f"{source}: no key in it; expected one key a line (or leave the option out)"
            )
        for number, key in enumerate(known, 1):
            if len(key) < _MIN_LENGTH or not (key.isascii() and key.isprintable()) or " " in key:
                raise InputError(
                    f"{source}: key {number} must be {_MIN_LENGTH} or more printable ASCII "
                    "characters without spaces"
                )
        self._digests = tuple(_digest(key.encode()) for key in known)

    def __len__(self) -> int:
        return len(set(self._digests))

    @classmethod
    def load(cls, file: Path | None, environment: Mapping[str, str]) -> ApiKeys | None:
        """Read the keys from a file, or from the variable APPORTION_API_KEYS.

        Args:
            file: has one key a line, and comments after `#`; if given, the variable is ignored.
            environment: variables; keys in APPORTION_API_KEYS are separated by commas.

        Returns:
            The keys; None if neither file nor variable is given.

        Raises:
            InputError: the file cannot be read, or see `ApiKeys`.
        """
        if file is not None:
            raw = read_whole(file, "a file with one key a line", "--api-keys")
            try:
                lines = raw.decode("utf-8-sig").splitlines()
            except UnicodeDecodeError:
                raise InputError(f"--api-keys {file}: not UTF-8; save the file as UTF-8") from None
            stripped = (line.strip() for line in lines)
            return cls((key for key in stripped if key and not key.startswith("#")), str(file))
        if KEYS_VARIABLE not in environment:
            return None
        parts = (part.strip() for part in environment[KEYS_VARIABLE].split(","))
        return cls((part for part in parts if part), KEYS_VARIABLE)

    def match(self, authorization: bytes) -> int | None:
        """Return the index of the key in an Authorization header; None if it is not accepted.

        The header is `Bearer KEY`, or `Basic` with the key as the password and any user name, as a
        browser sends it. The time taken does not depend on how much of a key is right.
        """
        given = _digest(_key_in(authorization))
        index = None
        for number, digest in enumerate(self._digests):
            if hmac.compare_digest(given, digest):
                index = number
        return index


def _key_in(authorization: bytes) -> bytes:
    """Return the key in a header; if there is none, an empty one, which is never accepted."""
    scheme, _, rest = authorization.partition(b" ")
    match scheme.lower():
        case b"bearer":
            return rest.strip()
        case b"basic":
            try:
                pair = base64.b64decode(rest.strip(), validate=True)
            except binascii.Error:
                return b""
            return pair.partition(b":")[2]
        case _:
            return b""


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
