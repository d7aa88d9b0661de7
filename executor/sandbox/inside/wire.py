"""Values between the judge and the guest, as JSON that can be read without running any code.

The judge trusts nothing that the guest sends: it gets plain values of Python's own types, whatever
`__eq__` or `__class__` the program's objects have. An object of another type stays in the guest,
and the judge gets a number for it.
"""

from __future__ import annotations

import builtins
import json
import socket
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

MOST_BYTES = 16 << 20
"""Bytes of a message; longer ones end the run."""

_PLAIN_INT = 1 << 53
_DEEPEST = 200


class ChannelError(Exception):
    """The other process ended, or sent what is no message."""


class NoMessageError(ChannelError):
    """What was sent is no message; the next line may be one."""


class Channel:
    """One end of a socket pair that carries a JSON value a line."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._received = bytearray()

    def send(self, message: Any) -> None:
        """Send a value.

        Raises:
            ChannelError: it is too long, or nobody is at the other end.
        """
        data = json.dumps(message).encode() + b"\n"
        if len(data) > MOST_BYTES:
            raise ChannelError("too long")
        try:
            self._end.sendall(data)
        except OSError:
            raise ChannelError("it ended") from None

    def receive(self) -> Any:
        """Wait for a value.

        Raises:
            ChannelError: the other end closed, or sent no JSON, or too much of it.
        """
        start = 0
        while (at := self._received.find(b"\n", start)) < 0:
            start = len(self._received)
            try:
                piece = self._end.recv(1 << 16)
            except OSError:
                piece = b""
            if not piece:
                raise ChannelError("it ended")
            self._received += piece
            if len(self._received) > MOST_BYTES:
                raise ChannelError("too long")
        line = bytes(self._received[:at])
        del self._received[: at + 1]
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise NoMessageError("no message") from None


def encode(value: Any, keep: Callable[[Any], list[Any]], depth: int = 0) -> Any:
    """Return a value as JSON; `keep` encodes what has no form of its own.

    Values of subclasses are sent as values of the type of Python's own.

    Raises:
        RecursionError: it is nested too deeply, or contains itself.
    """
    if value is None or value is True or value is False:
        return value
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, int):
        number = int.__int__(value)
        return number if -_PLAIN_INT < number < _PLAIN_INT else ["i", hex(number)]
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return ["f", float.hex(value)]
    for kind, code in _SEQUENCES:
        if isinstance(value, kind):
            members: Iterable[Any] = value
            return [code, [encode(one, keep, depth + 1) for one in members]]
    if isinstance(value, dict):
        pairs = [
            [encode(key, keep, depth + 1), encode(one, keep, depth + 1)]
            for key, one in value.items()
        ]
        return ["d", pairs]
    if isinstance(value, (bytes, bytearray)):
        return ["b" if isinstance(value, bytes) else "y", value.hex()]
    if isinstance(value, complex):
        return ["c", value.real.hex(), value.imag.hex()]
    if isinstance(value, range):
        return ["r", *(encode(n, keep) for n in (value.start, value.stop, value.step))]
    if isinstance(value, Decimal):
        return ["D", Decimal.__str__(value)]
    if isinstance(value, Fraction):
        return ["F", encode(value.numerator, keep), encode(value.denominator, keep)]
    if value is Ellipsis:
        return ["e"]
    if isinstance(value, type) and value.__module__ == "builtins":
        return ["T", value.__name__]
    return keep(value)


_SEQUENCES: tuple[tuple[type[Any], str], ...] = (
    (list, "l"), (tuple, "t"), (set, "s"), (frozenset, "z"),
)  # fmt: skip


def decode(coded: Any, find: Callable[[list[Any]], Any]) -> Any:
    """Return the value of what `encode` made; `find` decodes what its `keep` encoded.

    Raises:
        ChannelError: it is no such value.
    """
    try:
        return _decode(coded, find)
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
        raise ChannelError("no value") from None


def _decode(coded: Any, find: Callable[[list[Any]], Any]) -> Any:
    if not isinstance(coded, list):
        if isinstance(coded, (float, dict)):
            raise ValueError
        return coded
    code, *rest = coded
    reader = _READERS.get(code)
    if reader is not None:
        return reader(*rest)
    if code == "d":
        return {_decode(key, find): _decode(value, find) for key, value in rest[0]}
    for kind, letter in _SEQUENCES:
        if code == letter:
            return kind(_decode(one, find) for one in rest[0])
    if code in ("r", "F"):
        numbers = [_decode(one, find) for one in rest]
        return range(*numbers) if code == "r" else Fraction(*numbers)
    return find(coded)


def _builtin_type(name: str) -> type:
    kind = getattr(builtins, name)
    if not isinstance(kind, type):
        raise TypeError
    return kind


_READERS: dict[str, Callable[..., Any]] = {
    "i": lambda digits: int(digits, 16),
    "f": float.fromhex,
    "b": bytes.fromhex,
    "y": bytearray.fromhex,
    "c": lambda real, imag: complex(float.fromhex(real), float.fromhex(imag)),
    "D": Decimal,
    "e": lambda: Ellipsis,
    "T": _builtin_type,
}
