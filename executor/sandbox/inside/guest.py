"""The guest: the process that runs the program, and answers the judge's calls of it.

Nothing here protects anything: the program shares this process, and can change all of it.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import types
from typing import Any

from executor.sandbox.inside.wire import Channel, ChannelError, decode, encode

_LONGEST_TEXT = 200
_RECURSION_LIMIT = 1100  # the frames of this module must not count


class Guest:
    """The program's objects, and what the judge may ask about them.

    Args:
        channel: the judge's requests.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._module = types.ModuleType("program")
        self._kept: list[Any] = []

    def serve(self) -> None:
        """Load the program, then answer requests until the judge ends."""
        request = self._channel.receive()
        sys.setrecursionlimit(_RECURSION_LIMIT)
        if "stdin" in request:
            self._script(request["program"], request["stdin"])
            return
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.modules["program"] = self._module
        self._answer(lambda: exec(compile(request["program"], "program.py", "exec"),
                                  self._module.__dict__))  # fmt: skip
        while True:
            self._request(self._channel.receive())

    def _script(self, program: str, stdin: str) -> None:
        """Run the program with `stdin` as its standard input."""
        _set_stdin(stdin)
        sys.stdin = io.TextIOWrapper(io.FileIO(0, "rb", False), "utf-8", "surrogateescape")
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "wb", False), "utf-8", "surrogateescape")
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module

        def run() -> None:
            try:
                exec(compile(program, "program.py", "exec"), module.__dict__)
            except SystemExit as end:
                if end.code not in (None, 0):
                    raise
            finally:
                with contextlib.suppress(ValueError):
                    sys.stdout.flush()

        self._answer(run)

    def _request(self, request: dict[str, Any]) -> None:
        """Answer one request, with the arguments that the call has changed."""
        target: Any = self._find(request["of"]) if "of" in request else None
        do = request["do"]
        arguments = [self._decode(one) for one in request.get("args", ())]
        named = {name: self._decode(one) for name, one in request.get("named", {}).items()}
        if do == "name":
            self._answer(lambda: self._named(request["name"]))
        elif do == "call":
            self._answer(lambda: target(*arguments, **named), (request["args"], arguments))
        elif do == "get":
            self._answer(lambda: getattr(target, request["name"]))
        elif do == "set":
            self._answer(lambda: setattr(target, request["name"], arguments[0]))
        else:
            self._answer(lambda: _OPERATIONS[do](target, *arguments))

    def _named(self, name: str) -> Any:
        try:
            return self._module.__dict__[name]
        except KeyError:
            raise NameError(f"name {name!r} is not defined") from None

    def _answer(self, work: Any, given: tuple[list[Any], list[Any]] | None = None) -> None:
        try:
            reply: dict[str, Any] = {"value": encode(work(), self._keep)}
            if given is not None:
                reply |= self._changes(*given)
        except BaseException as error:
            kinds = [kind.__name__ for kind in type(error).__mro__]
            text = ""
            with contextlib.suppress(BaseException):
                text = str(error)[:_LONGEST_TEXT]
            reply = {"error": kinds, "text": text, "line": _line(error)}
        self._channel.send(reply)

    def _changes(self, sent: list[Any], arguments: list[Any]) -> dict[str, Any]:
        """Return the arguments that the call has changed, by position."""
        changed = {}
        for position, (before, argument) in enumerate(zip(sent, arguments, strict=True)):
            if isinstance(argument, (list, dict, set, bytearray)):
                after = encode(argument, self._keep)
                if after != before:
                    changed[str(position)] = after
        return {"changed": changed} if changed else {}

    def _keep(self, value: Any) -> list[Any]:
        for number, one in enumerate(self._kept):
            if one is value:
                return ["h", number]
        self._kept.append(value)
        return ["h", len(self._kept) - 1]

    def _find(self, coded: list[Any]) -> Any:
        return self._kept[coded[1]]

    def _decode(self, coded: Any) -> Any:
        return decode(coded, self._find)


_OPERATIONS: dict[str, Any] = {
    "str": str, "repr": repr, "len": len, "iter": iter, "next": next, "bool": bool, "dir": dir,
    "item": lambda target, key: target[key],
    "set_item": lambda target, key, value: target.__setitem__(key, value),
    "contains": lambda target, value: value in target,
}  # fmt: skip


def _line(error: BaseException) -> int | None:
    """Return the line of the program in which an error arose."""
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "program.py":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _set_stdin(text: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    os.lseek(0, 0, os.SEEK_SET)
    view = memoryview(data)
    while view:
        view = view[os.write(0, view) :]
    os.lseek(0, 0, os.SEEK_SET)


def run(channel: Channel) -> None:
    """Serve the judge; never returns, and leaves through no handler of the program's."""
    leave = os._exit
    with contextlib.suppress(BaseException), contextlib.suppress(ChannelError):
        Guest(channel).serve()
    leave(0)
