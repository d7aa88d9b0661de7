"""Children that compare answers: as many as there are cores, and a fair order of service.

There are two lanes. Every request starts in the quick one, which has a place for each core. If a
reply takes longer than `PATIENCE`, its child moves to the slow lane, which has few places; if none
is free, the child is killed, and the request starts again when it is its turn there. So requests
that never end wait for each other, and the quick lane is free for all others.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.answers.killable import Child, ChildDiedError, Nursery
from executor.concurrency import Stop, current_stop, must_not_wait_here

PATIENCE = 0.1
"""Seconds after which a request moves to the slow lane; nearly all take a few milliseconds."""

_SLOW_NICENESS = (
    5  # beside a child of the quick lane, one of the slow lane gets a quarter of a core
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a request.

    Attributes:
        value: the child's reply; None if there was none in time, or two children crashed on it.
        seconds: seconds that children worked on it; see `Child.receive`.
        slow: whether it was in the slow lane.
        started: whether a child worked on it; if not, none was free before the deadline.
    """

    value: dict[str, Any] | None
    seconds: float
    slow: bool = False
    started: bool = True


class ChildPool:
    """Children of one nursery, forked when they are needed; any thread may ask.

    Args:
        script: script of the nursery; see `executor.answers.killable.Nursery`.
        places: children of the quick lane; None: one for each core, and at least 2.
        slow_places: children of the slow lane; None: half as many.
    """

    def __init__(
        self, script: Path, places: int | None = None, slow_places: int | None = None
    ) -> None:
        places = places or max(2, cores())
        self._nursery = Nursery(script)
        self._places = places
        self._quick = Lane(places)
        self._slow = Lane(slow_places or max(1, places // 2))
        self._lock = threading.Lock()
        self._idle: list[Child] = []

    @property
    def pid(self) -> int | None:
        """Process id of the nursery, or None if it is not running."""
        return self._nursery.pid

    def ask(
        self,
        request: dict[str, Any],
        seconds: float,
        *,
        slow: bool = False,
        deadline: float | None = None,
    ) -> Reply:
        """Return a child's reply; after one crash the request is sent to another child.

        A child may have been killed from outside, but one that crashes twice is not tried again.

        Args:
            request: request of at most 64 KiB as JSON; it must fit the socket's buffer, so that
                sending never waits.
            seconds: most seconds that a child may work on it (`Child.receive`); waiting for a child
                does not count.
            slow: whether it belongs to the slow lane from the start.
            deadline: time by `time.monotonic` at which it ends without a reply.

        Raises:
            AbandonedError: nobody waits for the result any more (`executor.concurrency.Stop`).
            WorkerError: the children cannot be started.
        """
        must_not_wait_here()
        stop = current_stop()
        stop.check()
        visit = _Visit(json.dumps(request).encode() + b"\n", seconds, deadline, stop, slow)
        for _ in range(2):
            try:
                value = self._visit(visit)
            except ChildDiedError:
                stop.check()
                visit.fresh = True
                continue
            return Reply(value, visit.spent, visit.slow, visit.started)
        return Reply(None, visit.spent, visit.slow)

    def close(self) -> None:
        """End all children and their nursery; a later request starts new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        self._nursery.close()
        for child in idle:
            child.line.close()

    def _visit(self, visit: _Visit) -> dict[str, Any] | None:
        """Make a visit to the quick lane, and to the slow one if need be."""
        if not visit.slow:
            reply, restart = self._try_quick(visit)
            if not restart:
                return reply
        visit.slow = True
        if not self._slow.enter(visit.deadline, visit.stop):
            return None
        try:
            child = self._start(visit)
            child.slow_down(_SLOW_NICENESS)
            return self._work(visit, child, visit.seconds)
        finally:
            self._slow.leave()

    def _try_quick(self, visit: _Visit) -> tuple[dict[str, Any] | None, bool]:
        """Return the reply, and whether the request must start again in the slow lane."""
        if not self._quick.enter(visit.deadline, visit.stop):
            return None, False
        lane = self._quick
        try:
            child = self._start(visit)
            short = visit.seconds <= PATIENCE
            reply = self._work(visit, child, min(PATIENCE, visit.seconds), last=short)
            if reply is not None or short:
                return reply, False
            visit.slow = True
            if not self._slow.enter_now():
                child.end()
                return None, True
            lane = self._slow
            self._quick.leave()
            child.slow_down(_SLOW_NICENESS)
            return self._work(visit, child, visit.seconds - PATIENCE), False
        finally:
            lane.leave()

    def _start(self, visit: _Visit) -> Child:
        """Send the request to a child."""
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle and not visit.fresh else None
            if child is None:
                child = self._nursery.child()
                break
            if child.usable:
                break
            child.end()
        try:
            child.send(visit.line)
        except BaseException:
            child.end()
            raise
        visit.started = True
        return child

    def _work(
        self, visit: _Visit, child: Child, seconds: float, *, last: bool = True
    ) -> dict[str, Any] | None:
        """Wait for the reply; keep the child if it came, end it if not and this wait is the last.

        Args:
            visit: the visit.
            child: child that works on the request.
            seconds: most seconds of the wait.
            last: whether no further wait follows if the reply does not come.
        """
        reply, ended = None, True
        try:
            with visit.stop.waking(child.line.wake):
                reply, spent = child.receive(seconds, visit.deadline)
            visit.spent += spent
            ended = reply is None and last
        finally:
            # Also after an interrupt: a late reply would be read as the next request's.
            if ended:
                child.end()
        if reply is not None:
            self._keep(child)
        return reply

    def _keep(self, child: Child) -> None:
        with self._lock:
            if len(self._idle) < self._places and not child.slowed:
                self._idle.append(child)
                return
        child.end()


@dataclass(slots=True)
class _Visit:
    """A request on its way through the lanes."""

    line: bytes
    seconds: float
    deadline: float | None
    stop: Stop
    slow: bool
    spent: float = 0.0
    started: bool = False
    fresh: bool = False
    """Whether it goes to a new child: those that are idle may all have been killed from outside."""


class Lane:
    """Places that are given away in the order in which they were asked for."""

    def __init__(self, places: int) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._queue: deque[_Ticket] = deque()

    def enter(self, deadline: float | None, stop: Stop) -> bool:
        """Wait for a place; False if the deadline passed first.

        Raises:
            AbandonedError: the signal to stop was given first.
        """
        with self._lock:
            if self._free and not self._queue:
                self._free -= 1
                return True
            ticket = _Ticket()
            self._queue.append(ticket)
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            with stop.waking(ticket.event.set):
                ticket.event.wait(wait)
        except BaseException:
            if self._granted(ticket):
                self.leave()
            raise
        granted = self._granted(ticket)
        if not granted:
            stop.check()
        return granted

    def _granted(self, ticket: _Ticket) -> bool:
        """Whether the ticket has got a place; if not, it leaves the queue."""
        with self._lock:
            if not ticket.granted:
                self._queue.remove(ticket)
            return ticket.granted

    def enter_now(self) -> bool:
        """Take a place if one is free and nobody waits for it."""
        with self._lock:
            if not self._free or self._queue:
                return False
            self._free -= 1
            return True

    def leave(self) -> None:
        """Give a place to the one who waits longest."""
        with self._lock:
            if self._queue:
                ticket = self._queue.popleft()
                ticket.granted = True
                ticket.event.set()
            else:
                self._free += 1


class _Ticket:
    """A wait for a place."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.granted = False


def cores() -> int:
    """Number of cores that this process may use."""
    with contextlib.suppress(AttributeError):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
