"""API keys: who may ask. Compared in constant time, kept as digests only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from pathlib import Path

from executor.errors import InputError

VARIABLE = "APPORTION_API_KEYS"
OPEN = frozenset({"/healthz", "/readyz"})
"""What is answered without a key: whether the process lives and can answer, and nothing else."""
_SHORTEST = 8


class Keys:
    """The keys that are let in.

    Args:
        keys: at least one.
        where: they come from, for errors.

    Raises:
        InputError: there is none, or one is too short to be a secret or not printable ASCII.
    """

    def __init__(self, keys: Iterable[str], where: str = "keys") -> None:
        known = list(keys)
        if not known:
            raise InputError(f"{where}: no key in it; give one a line, or leave it out")
        for number, key in enumerate(known, 1):
            if len(key) < _SHORTEST or not (key.isascii() and key.isprintable()) or " " in key:
                raise InputError(
                    f"{where}: key {number} must be {_SHORTEST} or more printable ASCII characters"
                )
        self._digests = tuple(_digest(key.encode()) for key in known)

    def __len__(self) -> int:
        return len(set(self._digests))

    @classmethod
    def find(cls, file: Path | None, environment: Mapping[str, str]) -> Keys | None:
        """The keys of a file, one a line, `#` for comments; else those of `APPORTION_API_KEYS`,
        separated by commas; None where neither is given.

        Raises:
            InputError: the file cannot be read, or see `Keys`.
        """
        if file is not None:
            try:
                lines = file.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
                raise InputError(f"--api-keys {file}: {reason}") from None
            stripped = (line.strip() for line in lines)
            return cls((key for key in stripped if key and not key.startswith("#")), str(file))
        if VARIABLE not in environment:
            return None
        parts = (part.strip() for part in environment[VARIABLE].split(","))
        return cls((part for part in parts if part), VARIABLE)

    def admit(self, authorization: bytes) -> int | None:
        """Which of the keys an Authorization header names, by its place; None where it is none.

        It may be `Bearer KEY`, or `Basic` with the key as the password and any name, which is what
        a browser sends. The time taken does not depend on how much of a key is right.
        """
        given = _digest(_presented(authorization))
        found = None
        for place, digest in enumerate(self._digests):
            if hmac.compare_digest(given, digest):
                found = place
        return found


def _presented(authorization: bytes) -> bytes:
    """The key in a header; empty, which no key is, where it holds none."""
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
