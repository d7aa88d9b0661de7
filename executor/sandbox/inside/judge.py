"""The judge: the process that holds the tests, calls the program's functions and says who passed.

The tests run here and not beside the program, so that the program cannot reach them. A name that
the tests use and that neither they nor their head define is one of the program's: it is bound to an
object that sends each call to the guest and takes plain values back (`remote.py`).
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib
import linecache
import os
import select
import socket
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from executor.sandbox.inside.outputs import canonical
from executor.sandbox.inside.remote import OF_PROGRAM, EndedError, Guest, Remote, program_error
from executor.sandbox.inside.wire import Channel, ChannelError

LONGEST_OUTPUT = 1 << 20
"""Bytes of a program's output that are read."""
_LONGEST_DETAIL = 300

PASSED = "passed"
FAILED = "failed"
RAISED = "raised"
SYNTAX = "syntax_error"
ENDED = "ended"
UNUSED = "unused"
OUTPUT = "output"
Reply = tuple[str, str, str]
"""A verdict, its detail and the output; see `executor.sandbox.suite.Verdict`."""


class Judge:
    """Runs the tests of one request.

    Args:
        request: `program`, `head`, `setup`, `entry_point` and `units`; see
            `executor.sandbox.suite.Suite`.
        channel: the way to the guest.
        guest_socket: descriptor of that channel, to wait for.
        output: descriptor of the program's standard output.
    """

    def __init__(
        self, request: dict[str, Any], channel: Channel, guest_socket: int, output: int
    ) -> None:
        self._request = request
        self._channel = channel
        self._guest = Guest(channel)
        self._socket = guest_socket
        self._output = output
        self._names: dict[str, Any] = {"__name__": "tests"}
        self._loaded = False
        self._load_error: Exception | None = None
        self._ready = False

    def verdicts(self) -> Iterator[Reply]:
        """Yield the verdict, detail and output of each unit, until the guest cannot go on."""
        for unit in self._request["units"]:
            if "stdin" in unit:
                yield self._of_pair(unit)
                return  # a guest runs one script
            verdict = self._of_source(unit["call" if "call" in unit else "source"], "call" in unit)
            yield verdict
            if verdict[0] == ENDED:
                return

    def _of_source(self, source: str, is_call: bool) -> Reply:
        self._guest.used = False
        output = ""
        try:
            self._load()
            self._bind(source)
            self._prepare()
            if is_call:
                output = canonical(eval(compile(source, TESTS, "eval"), self._names))
            else:
                self._exercise(source)
        except EndedError:
            return ENDED, "the process of the program ended", ""
        except BaseException as error:
            return (*_verdict(error, self._loaded), "")
        if not self._guest.used:
            return UNUSED, "the tests used nothing of the program", ""
        return PASSED, "", output

    def _load(self) -> None:
        if self._load_error is not None:
            raise self._load_error
        if not self._loaded:
            try:
                self._guest.load(self._request["program"])
            except Exception as error:
                self._load_error = error
                raise
            self._loaded = True
            _run_head(self._request["head"], self._names)

    def _prepare(self) -> None:
        """Run the statements before the first unit, once."""
        if not self._ready:
            self._bind(self._request["setup"])
            exec(compile(self._request["setup"], "setup.py", "exec"), self._names)
            self._ready = True

    def _exercise(self, source: str) -> None:
        """Run tests, and the functions among them that they only define."""
        entry = self._request["entry_point"]
        function = self._names.get(entry)
        linecache.cache[TESTS] = (len(source), None, source.splitlines(keepends=True), TESTS)
        exec(compile(source, TESTS, "exec"), self._names)
        for name in _uncalled(ast.parse(source)):
            test = self._names[name]
            if name != "check":
                test()
            elif entry:
                self._names[entry] = function  # tests may be of a function `check`
                test(function)
        for case in self._test_cases(source):
            case.debug()

    def _test_cases(self, source: str) -> list[Any]:
        """Return the suites of the classes of `unittest` that tests define and do not run."""
        unittest = sys.modules.get("unittest")
        if unittest is None or "unittest.main(" in source:
            return []
        defined = (node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
        kinds = (self._names[name] for name in defined)
        return [
            unittest.defaultTestLoader.loadTestsFromTestCase(kind)
            for kind in kinds
            if isinstance(kind, type) and issubclass(kind, unittest.TestCase)
        ]

    def _bind(self, source: str) -> None:
        """Bind the names that tests use and do not define."""
        tree = ast.parse(source)
        entry = self._request["entry_point"]
        if entry:
            self._names[entry] = self._guest.named(entry)
        for name, as_module in _free_names(tree).items():
            if name in self._names or hasattr(builtins, name):
                continue
            if as_module and name in sys.stdlib_module_names:
                # Not the program's: its `math.isclose` would have the last word.
                self._names[name] = importlib.import_module(name)
                continue
            if as_module and name != entry and not name[:1].isupper():
                # A module that the tests forgot to import: the program may have another in its
                # place, whose `allclose` would have the last word. Classes begin with a capital.
                continue
            try:
                self._names[name] = self._guest.named(name)
            except NameError:
                continue
            if not isinstance(self._names[name], Remote):
                self._guest.used = True

    def _of_pair(self, unit: dict[str, Any]) -> Reply:
        try:
            self._channel.send({"program": self._request["program"], "stdin": unit["stdin"]})
            output, reply = self._listen()
            if output is None:
                return OUTPUT, f"more than {LONGEST_OUTPUT:,} bytes of output", ""
            if reply is not None and "error" in reply:
                error = program_error(reply)
                return (*_verdict(error, "SyntaxError" not in reply["error"]), "")
        except (ChannelError, LookupError, TypeError, ValueError):
            return ENDED, "the process of the program ended", ""
        shown = output.decode("utf-8", "replace")
        written = canonical("\n".join(_lines(shown)))
        if _lines(shown) == _lines(unit["stdout"]):
            return PASSED, "", written
        why = f"for the input {unit['stdin']!r:.80} the output is {shown!r:.80}"
        return FAILED, _short(why), written

    def _listen(self) -> tuple[bytes | None, Any]:
        """Return what the program wrote, None if too much, and its last message, None if none."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(self._output, select.POLLIN)
        os.set_blocking(self._output, False)
        output = bytearray()
        while True:
            ready = dict(poll.poll())
            output += _available(self._output)
            if len(output) > LONGEST_OUTPUT:
                return None, None
            if self._socket in ready:
                try:
                    reply = self._channel.receive()
                except ChannelError:
                    reply = None
                return bytes(output + _available(self._output)), reply
            if ready.get(self._output, 0) & select.POLLHUP:
                poll.unregister(self._output)


TESTS = "tests.py"


def _available(descriptor: int) -> bytes:
    """Return what can be read at once, and a little more than the limit at most."""
    data = bytearray()
    with contextlib.suppress(BlockingIOError):
        while len(data) <= LONGEST_OUTPUT and (piece := os.read(descriptor, 1 << 16)):
            data += piece
    return bytes(data)


def _lines(text: str) -> list[str]:
    """Return the lines of an output, without the white space at their ends and at the text's."""
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _run_head(head: str, names: dict[str, Any]) -> None:
    """Define the helpers of a prompt's head, which are the benchmark's and not the program's."""
    for text in (head, f"{head.rstrip()}\n    pass\n"):
        with contextlib.suppress(Exception):
            exec(compile(text, "head.py", "exec"), names)
            return


def _free_names(tree: ast.Module) -> dict[str, bool]:
    """Return the names that are read, each with whether it is only read as `name.attribute`."""
    owners = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    names: dict[str, bool] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            names[node.id] = names.get(node.id, True) and id(node) in owners
    return names


def _uncalled(tree: ast.Module) -> list[str]:
    """Return the functions `check` and `test_...` that tests define and do not call."""
    called = {
        node.func.id
        for statement in tree.body
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and node.name not in called
        and (node.name == "check" or (node.name.startswith("test") and not node.args.args))
    ]


def _verdict(error: BaseException, loaded: bool) -> tuple[str, str]:
    """Return the verdict that an error in the tests or in the program leads to."""
    told = getattr(error, OF_PROGRAM, None)
    if told is not None:
        is_syntax = isinstance(error, SyntaxError) and not loaded
        return (SYNTAX if is_syntax else RAISED), _short(told)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == TESTS]
    line = frames[-1].line if frames else None
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    return FAILED, _short(f"{line} ({said})" if line else said)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}..."


def run(control: Channel, guest: socket.socket, output: int, status: int) -> None:
    """Judge one request, and report each verdict; never returns.

    Args:
        control: the caller's channel.
        guest: socket of the guest.
        output: descriptor of the guest's standard output.
        status: descriptor that tells the warden how far this is: `s` started, `u` a unit is done,
            `d` all is done.
    """
    try:
        request = control.receive()
    except ChannelError:
        os._exit(GONE)
    os.write(status, b"s")
    judge = Judge(request, Channel(guest), guest.fileno(), output)
    for kind, detail, written in judge.verdicts():
        control.send({"verdict": kind, "detail": detail, "output": written})
        os.write(status, b"u")
    control.send({"done": True})
    os.write(status, b"d")
    os._exit(0)


GONE = 3
"""Exit status of a judge to whom nobody sends requests any more."""
