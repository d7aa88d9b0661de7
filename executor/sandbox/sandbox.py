"""The sandbox as others use it: keepers that wait for programs, and the calls of them."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from executor.answers.killable import START_SECONDS, WorkerError
from executor.answers.pool import Lane, cores
from executor.concurrency import current_stop, must_not_wait_here
from executor.errors import InputError
from executor.sandbox.inside.wire import MOST_BYTES, Channel, ChannelError, NoMessageError
from executor.sandbox.suite import Suite, Verdict, VerdictKind, all_passed

_LOG = logging.getLogger(__name__)
_SCRIPT = Path(__file__).with_name("inside") / "keeper.py"
_WAIT_SECONDS = 20.0
"""Seconds beyond a run's own limit after which a silent keeper is given up."""
_MOST_BROKEN = 3
_BROKEN = (VerdictKind.TIMED_OUT, VerdictKind.MEMORY, VerdictKind.OUTPUT, VerdictKind.ENDED)


class Isolation(StrEnum):
    """What keeps a program from this machine."""

    NAMESPACES = "namespaces"
    """No network, no files but Python's own, no other processes: they do not exist for it."""
    FILTERS = "filters"
    """The kernel refuses it the network, files but Python's own, and new processes."""
    NOTHING = "nothing"
    """A process of its own with limits, and nothing else: for programs that are trusted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use.

    Attributes:
        seconds: most seconds of processor time for a unit of tests; a wait for it may take twice
            as long.
        memory: most bytes of memory of all its processes together.
        processes: most processes and threads.
        files: most bytes of the files that it writes.
    """

    seconds: float = 5.0
    memory: int = 512 << 20
    processes: int = 32
    files: int = 32 << 20


class Sandbox:
    """Runs programs that nobody trusts; any thread may call it.

    A program gets no network, no files but those of Python's standard library, no environment and
    no other processes; it has limits, and what it starts ends with it. It cannot fake a pass: the
    tests run in another process, and get plain values from it (`executor.sandbox.inside`).

    Args:
        limits: what a run may use.
        places: runs at once; None: one for each core, and at least 2.
        unsafe: whether to run programs without isolation if the system allows none.
        isolation: the isolation to use; None: the best that the system allows.

    Raises:
        ValueError: a limit is not positive.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        places: int | None = None,
        unsafe: bool = False,
        isolation: Isolation | None = None,
    ) -> None:
        self._limits = limits or Limits()
        if min(asdict(self._limits).values()) <= 0:
            raise ValueError(f"a limit of {self._limits} is not positive")
        self._places = places or max(2, cores())
        self._lane = Lane(self._places)
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._unsafe = unsafe
        self._isolation = isolation
        self._checked = False
        self._idle: list[_Keeper] = []
        self._slots = list(range(self._places))
        self._runs = 0

    @property
    def isolation(self) -> Isolation | None:
        """What keeps programs from this machine; None: not known before `check` or `run`."""
        return self._isolation

    def check(self) -> Isolation:
        """Find out what the system allows, before any program is there.

        Raises:
            InputError: the system does not allow the isolation, or none, and `unsafe` was not
                given.
            WorkerError: the sandbox's processes do not start.
        """
        with self._starting:
            if not self._checked:
                self._isolation = self._find_isolation()
                self._checked = True
            assert self._isolation is not None
            return self._isolation

    @property
    def runs(self) -> int:
        """Number of times that a program has been started."""
        return self._runs

    def run(
        self,
        program: str,
        suite: Suite,
        *,
        until_failed: bool = False,
        most_broken: int = _MOST_BROKEN,
    ) -> tuple[Verdict, ...]:
        """Test a program.

        Args:
            program: text of the program.
            suite: its tests.
            until_failed: whether to stop at the first unit that it does not pass.
            most_broken: units that may be ended by force; further ones are not tried, and get the
                verdict of the last of them.

        Returns:
            A verdict for each unit, in their order; fewer if it stopped early.

        Raises:
            AbandonedError: nobody waits for the result any more (`executor.concurrency.Stop`).
            InputError: the system allows no isolation, and `unsafe` was not given.
            WorkerError: the sandbox's processes do not start.
        """
        must_not_wait_here()
        current_stop().check()
        if not _can_be_sent(program, suite):
            return (Verdict(VerdictKind.ENDED, "the program is too long"),) * len(suite.units)
        verdicts: list[Verdict] = []
        while len(verdicts) < len(suite.units):
            if until_failed and verdicts and not verdicts[-1].passed:
                break
            broken = [one for one in verdicts if one.kind in _BROKEN]
            if len(broken) >= most_broken:
                verdicts.append(replace(broken[-1], detail="not tried, after the units before"))
                continue
            rest = replace(suite, units=suite.units[len(verdicts) :])
            for verdict in self._attempt(program, rest):
                verdicts.append(verdict)
                if until_failed and not verdict.passed:
                    break
        return tuple(verdicts)

    def passes(self, program: str, suite: Suite) -> bool:
        """Whether a program passes all units of its tests; see `run`."""
        return all_passed(self.run(program, suite, until_failed=True))

    def close(self) -> None:
        """End all processes; a later run starts new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._slots += [keeper.slot for keeper in idle]
        for keeper in idle:
            keeper.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _attempt(self, program: str, suite: Suite) -> list[Verdict]:
        """Return the verdicts of the first units, one at least; the last may be a forced end."""
        for _ in range(2):  # a keeper may have been killed from outside
            with self._keeper() as keeper:
                verdicts, done = keeper.run(program, suite, self._limits.seconds)
            if done or verdicts:
                return verdicts
        return [Verdict(VerdictKind.ENDED, "the sandbox's own process ended twice")]

    @contextlib.contextmanager
    def _keeper(self) -> Iterator[_Keeper]:
        """Return a keeper that nobody else uses until this context ends."""
        isolation = self.check()
        stop = current_stop()
        self._lane.enter(None, stop)
        try:
            with self._lock:
                self._runs += 1
                keeper = self._idle.pop() if self._idle else None
                slot = self._slots.pop() if keeper is None else keeper.slot
            try:
                if keeper is None:
                    keeper = _Keeper(isolation, self._limits, slot)
                with stop.waking(keeper.wake):
                    yield keeper
                stop.check()
            finally:
                with self._lock:
                    if keeper is not None and keeper.usable:
                        self._idle.append(keeper)
                    else:
                        self._slots.append(slot)
                if keeper is not None and not keeper.usable:
                    keeper.close()
        finally:
            self._lane.leave()

    def _find_isolation(self) -> Isolation:
        """Return the isolation asked for, else the best that the system allows."""
        refusals = []
        best = (Isolation.NAMESPACES, Isolation.FILTERS)
        for isolation in best if self._isolation is None else (self._isolation,):
            try:
                self._idle.append(_Keeper(isolation, self._limits, self._slots[-1]))
            except _RefusedError as refusal:
                refusals.append(f"{isolation}: {refusal}")
                continue
            self._slots.pop()
            return isolation
        if self._unsafe and self._isolation is None:
            _LOG.warning(
                "note: this system allows no isolation of programs (%s); they run with your rights",
                "; ".join(refusals),
            )
            return Isolation.NOTHING
        raise InputError(
            f"this system allows no isolation of programs ({'; '.join(refusals)}); allow user "
            "namespaces, or run programs that you trust with --unsafe-execution"
        )


def _can_be_sent(program: str, suite: Suite) -> bool:
    # A character may take six bytes as JSON.
    texts = [program, suite.head, suite.setup]
    for unit in suite.units:
        texts += asdict(unit).values()
    return 6 * sum(map(len, texts)) < MOST_BYTES // 2


class _RefusedError(Exception):
    """The system does not allow an isolation."""


class _Keeper:
    """A keeper, see `executor.sandbox.inside.keeper`; one thread at a time may use it.

    Raises:
        _RefusedError: the system does not allow the isolation.
        WorkerError: it does not start.
    """

    def __init__(self, isolation: Isolation, limits: Limits, slot: int) -> None:
        self.slot = slot
        self.usable = True
        mine, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-P", str(_SCRIPT)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                process_group=0,  # Ctrl-C is the parent's to handle
                # Nothing of the caller's; sets keep their order from run to run.
                env={
                    "HOME": "/tmp", "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1", "PATH": "/usr/bin",
                    "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
                },
            )  # fmt: skip
        self._socket = mine
        self._channel = Channel(mine)
        self._finish = weakref.finalize(self, _end, mine, self._process)
        mine.settimeout(START_SECONDS)
        settings = {"isolation": isolation.value, "limits": asdict(limits), "slot": slot}
        try:
            self._channel.send(settings)
            hello = self._channel.receive()
        except ChannelError:
            self.close()
            raise WorkerError(f"{_SCRIPT.name} does not start") from None
        if "error" in hello:
            self.close()
            raise _RefusedError(hello["error"])

    def run(self, program: str, suite: Suite, seconds: float) -> tuple[list[Verdict], bool]:
        """Test a program.

        Returns:
            The verdicts of the first units, and whether the run ended as it should. If not, the
            keeper cannot be used any more.
        """
        self._socket.settimeout(2 * seconds + _WAIT_SECONDS)
        verdicts: list[Verdict] = []
        try:
            self._channel.send(suite.to_dict() | {"program": program})
            while True:
                message = self._receive()
                if "verdict" in message:
                    kind = VerdictKind(message["verdict"])
                    detail, output = str(message["detail"]), str(message["output"])
                    verdicts.append(Verdict(kind, detail, output))
                elif "broken" in message:
                    return [*verdicts, Verdict(VerdictKind(message["broken"]))], True
                else:
                    return verdicts, True
        except (ChannelError, ValueError, LookupError, TypeError):
            self.usable = False
            return verdicts, False

    def _receive(self) -> dict[str, Any]:
        while True:
            with contextlib.suppress(NoMessageError):  # the rest of a line that was cut off
                message: dict[str, Any] = self._channel.receive()
                return message

    def wake(self) -> None:
        """Make a thread that waits in `run` return; this cannot be used any more."""
        self.usable = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it and all that it started."""
        self.usable = False
        self._finish()


def _end(end: socket.socket, process: subprocess.Popen[bytes]) -> None:
    end.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(2.0)
    process.kill()
    process.wait()
