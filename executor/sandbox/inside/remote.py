"""The program as the judge has it: objects that send each call to the guest.

What comes back are plain values (`wire.py`), or numbers of objects that stay in the guest.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

from executor.sandbox.inside.wire import Channel, ChannelError, decode, encode

_LONGEST_TEXT = 300
OF_PROGRAM = "_of_program"
"""Attribute of an error of the program's: what it was, and in which line."""


class ProgramError(Exception):
    """An error of the program whose type is none of Python's own."""


class EndedError(BaseException):
    """The guest ended, or broke the rules; no `except Exception` of the tests may catch this."""


class Remote:
    """An object of the program's that stays in the guest.

    Two are equal if they are the same object: the program has no say in a comparison.
    """

    __slots__ = ("_coded", "_guest")

    def __init__(self, guest: Guest, coded: list[Any]) -> None:
        object.__setattr__(self, "_guest", guest)
        object.__setattr__(self, "_coded", coded)

    def _do(self, do: str, *arguments: Any, **more: Any) -> Any:
        guest: Guest = object.__getattribute__(self, "_guest")
        return guest.ask(do, object.__getattribute__(self, "_coded"), arguments, more)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        guest: Guest = object.__getattribute__(self, "_guest")
        return guest.call(object.__getattribute__(self, "_coded"), arguments, named)

    def __getattr__(self, name: str) -> Any:
        return self._do("get", name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._do("set", value, name=name)

    def __getitem__(self, key: Any) -> Any:
        return self._do("item", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._do("set_item", key, value)

    def __contains__(self, value: Any) -> bool:
        return bool(self._do("contains", value))

    def __iter__(self) -> Iterator[Any]:
        iterator: Iterator[Any] = self._do("iter")
        return iterator

    def __next__(self) -> Any:
        return self._do("next")

    def __len__(self) -> int:
        return int(self._do("len"))

    def __bool__(self) -> bool:
        return bool(self._do("bool"))

    def __str__(self) -> str:
        return str(self._do("str"))

    def __repr__(self) -> str:
        return str(self._do("repr"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and _coded(self) == _coded(other)

    def __hash__(self) -> int:
        return hash(tuple(_coded(self)))


class Guest:
    """The guest as the judge sees it.

    Args:
        channel: the way to it.

    Attributes:
        used: whether anything of the program was used.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.used = False

    def load(self, program: str) -> None:
        """Run the program's text, which defines its functions."""
        self._exchange({"program": program})

    def named(self, name: str) -> Any:
        """Return what a name of the program stands for.

        Raises:
            NameError: it stands for nothing.
        """
        return self._exchange({"do": "name", "name": name})

    def call(self, coded: list[Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a function of the program; arguments that it changes are changed here too."""
        self.used = True
        request = {
            "do": "call",
            "of": coded,
            "args": [encode(one, _coded) for one in arguments],
            "named": {name: encode(one, _coded) for name, one in named.items()},
        }
        return self._exchange(request, arguments)

    def ask(
        self, do: str, coded: list[Any], arguments: tuple[Any, ...], more: dict[str, Any]
    ) -> Any:
        """Do something with an object of the program."""
        self.used = True
        arguments_coded = [encode(one, _coded) for one in arguments]
        return self._exchange({"do": do, "of": coded, "args": arguments_coded} | more)

    def _exchange(self, request: dict[str, Any], arguments: tuple[Any, ...] = ()) -> Any:
        try:
            self._channel.send(request)
            value, error = self._read(self._channel.receive(), arguments)
        except (ChannelError, LookupError, TypeError, ValueError, AttributeError):
            raise EndedError from None
        if error is not None:
            raise error
        return value

    def _read(self, reply: Any, arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
        """Return the value of a reply, or the error that it tells of."""
        if "error" in reply:
            return None, program_error(reply)
        for position, after in reply.get("changed", {}).items():
            _replace(arguments[int(position)], decode(after, self._remote))
        return decode(reply["value"], self._remote), None

    def _remote(self, coded: list[Any]) -> Remote:
        code, number = coded
        if code != "h" or type(number) is not int:
            raise ValueError
        return Remote(self, [code, number])


def _coded(one: Any) -> list[Any]:
    """Return what names an object of the program.

    Raises:
        TypeError: it is an object of the tests, which cannot be sent.
    """
    if not isinstance(one, Remote):
        raise TypeError(f"the sandbox cannot hand an object of type {type(one).__name__} over")
    coded: list[Any] = object.__getattribute__(one, "_coded")
    return coded


def program_error(reply: dict[str, Any]) -> Exception:
    """Return the error that a reply tells of, with the line of the program.

    Raises:
        ValueError: the reply is none.
    """
    names, text, line = reply["error"], reply["text"], reply["line"]
    if not (
        isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and isinstance(text, str)
        and isinstance(line, int | None)
    ):
        raise ValueError
    kinds = (getattr(builtins, name, None) for name in names)
    kind = next((k for k in kinds if isinstance(k, type) and issubclass(k, Exception)), None)
    try:
        error: Exception = (kind or ProgramError)(text[:_LONGEST_TEXT])
    except Exception:  # UnicodeDecodeError and its like want more
        error = ProgramError(text[:_LONGEST_TEXT])
    place = "" if line is None else f" in line {line} of the program"
    error.__dict__[OF_PROGRAM] = f"{names[0][:80]}{place}: {text[:_LONGEST_TEXT]}"
    return error


def _replace(argument: Any, after: Any) -> None:
    """Give an argument the content that the program's function gave it."""
    if (isinstance(argument, dict) and isinstance(after, dict)) or (
        isinstance(argument, set) and isinstance(after, set)
    ):
        argument.clear()
        argument.update(after)
    elif isinstance(argument, (list, bytearray)) and type(argument) is type(after):
        argument[:] = after
    else:
        raise ValueError
