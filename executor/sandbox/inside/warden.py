"""The warden: the process that forks guest and judge for each run, watches them and ends them.

It never reads a request: the judge does. A guest is a fork of the warden, so whatever the warden
had ever read, the guest could read in its own memory.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from executor.sandbox.inside import guest, judge, landlock, namespaces, seccomp
from executor.sandbox.inside.folders import DEVICES, library_folders
from executor.sandbox.inside.kernel import (
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    die_with_parent,
    drop_capabilities,
    prctl,
)
from executor.sandbox.inside.wire import Channel

_LOOK_SECONDS = 0.02
"""Time between two looks at what a run uses."""
_TICKS = os.sysconf("SC_CLK_TCK")
_CHANNEL = 3  # descriptor of a guest's channel

NAMESPACES, FILTERS, NOTHING = "namespaces", "filters", "nothing"
TIMED_OUT, MEMORY = "timed_out", "memory"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use.

    Attributes:
        seconds: most seconds of processor time for a unit of tests, and half of the wait for it.
        memory: most bytes of memory of all its processes together.
        processes: most processes and threads.
        files: most bytes of the files that it writes.
    """

    seconds: float
    memory: int
    processes: int
    files: int


class Warden:
    """Serves the runs of one caller.

    Args:
        control: socket to the caller.
        isolation: `NAMESPACES`, `FILTERS` or `NOTHING`.
        limits: what a run may use.
    """

    def __init__(self, control: socket.socket, isolation: str, limits: Limits) -> None:
        self._control = control
        self._isolation = isolation
        self._limits = limits
        self._runs = 0
        if isolation == NAMESPACES and os.getpid() != 1:
            # `_end_all` kills all processes that this one may kill.
            raise RuntimeError("the warden is not the first process of a namespace of its own")
        if isolation != NAMESPACES:
            prctl(PR_SET_CHILD_SUBREAPER, 1)

    def serve(self) -> None:
        """Serve runs until the caller is gone."""
        while self._run():
            pass

    def _run(self) -> bool:
        """Serve one run; return whether there may be another."""
        if self._isolation == NAMESPACES:
            if self._runs:
                namespaces.fresh_work(self._limits.files, again=True)
            os.chdir(namespaces.WORK)
        self._runs += 1
        theirs, mine = socket.socketpair()
        output, written = os.pipe()
        status, told = os.pipe()
        guest_pid = self._fork(lambda: self._be_guest(theirs, written))
        theirs.close()
        os.close(written)  # only the guest's end may keep the judge waiting
        judge_pid = self._fork(lambda: self._be_judge(mine, output, told))
        mine.close()
        os.close(output)
        os.close(told)
        end: str | None = judge.ENDED
        try:
            end = self._watch(status, (guest_pid, judge_pid))
        finally:
            os.close(status)
            code = self._end_all(guest_pid, judge_pid)
        if code == judge.GONE or end == _HUNG_UP:
            return False
        if end is not None:
            # The judge may have been killed within a line.
            self._control.sendall(b'\n{"broken": "%s"}\n' % end.encode())
        return True

    def _fork(self, work: Callable[[], None]) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                work()
            finally:
                os._exit(1)
        return pid

    def _be_guest(self, channel: socket.socket, output: int) -> None:
        stdin = os.memfd_create("stdin") if hasattr(os, "memfd_create") else os.dup(0)
        end = os.dup(channel.fileno())
        os.dup2(stdin, 0)
        os.dup2(output, 1)
        os.dup2(end, _CHANNEL)
        os.closerange(_CHANNEL + 1, 1 << 16)
        self._confine(namespaces.GUEST_USER)
        guest.run(Channel(socket.socket(fileno=_CHANNEL)))

    def _be_judge(self, channel: socket.socket, output: int, status: int) -> None:
        self._confine(namespaces.JUDGE_USER)
        judge.run(Channel(self._control), channel, output, status)

    def _confine(self, user: int) -> None:
        """Take all rights away from this process that it does not need."""
        os.setsid()  # a signal to its group must not reach the keeper, which is outside
        _limit(self._limits)
        if self._isolation == NAMESPACES:
            _become(user)
        if self._isolation == FILTERS:
            landlock.confine([*library_folders(), *DEVICES])
        if self._isolation != NOTHING:
            drop_capabilities()
        die_with_parent()
        if user == namespaces.JUDGE_USER:
            prctl(PR_SET_DUMPABLE, 0)  # then no process may look into its memory
        if self._isolation != NOTHING:
            seccomp.confine(alone=self._isolation == FILTERS)

    def _watch(self, status: int, pids: tuple[int, int]) -> str | None:
        """Wait until the run is over; return why it had to be ended, or None if it was not."""
        poll = select.poll()
        poll.register(status, select.POLLIN)
        poll.register(self._control, _GONE)
        since: tuple[float, float] | None = None
        while True:
            ready = poll.poll(None if since is None else 1000 * _LOOK_SECONDS)
            for descriptor, _ in ready:
                if descriptor != status:
                    return _HUNG_UP
                steps = os.read(status, 4096)
                if b"d" in steps:
                    return None
                if not steps:
                    return judge.ENDED if since is not None else None
                since = time.monotonic(), self._usage(pids)[0]
            if not ready and since is not None:
                started, before = since
                cpu, memory = self._usage(pids)
                waited = (time.monotonic() - started) / _STARVED
                if max(cpu - before, waited) > self._limits.seconds:
                    return TIMED_OUT
                if memory > self._limits.memory:
                    return MEMORY

    def _usage(self, pids: tuple[int, int]) -> tuple[float, int]:
        """Return the processor seconds and the bytes of memory of all processes of the run."""
        times = os.times()
        cpu, memory = times.children_user + times.children_system, 0
        for pid in self._processes(pids):
            with contextlib.suppress(OSError, IndexError, ValueError):
                with open(f"/proc/{pid}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                # With the children that it waited for, which are gone.
                cpu += sum(map(int, fields[11:15])) / _TICKS
                memory += _resident(pid)
        return cpu, memory

    def _processes(self, pids: tuple[int, int]) -> Iterator[int]:
        if self._isolation == NAMESPACES:
            own = os.getpid()
            yield from (
                int(one) for one in os.listdir("/proc") if one.isdigit() and int(one) != own
            )
        else:
            yield from descendants(os.getpid()) if self._isolation == NOTHING else pids

    def _end_all(self, guest_pid: int, judge_pid: int) -> int | None:
        """End all processes of the run; return the judge's exit status."""
        code = None
        while True:
            if self._isolation == NAMESPACES:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(-1, signal.SIGKILL)  # all processes of the namespace but this
            else:
                for pid in {guest_pid, judge_pid, *descendants(os.getpid())}:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                return code
            if pid == judge_pid:
                code = os.waitstatus_to_exitcode(status)


_HUNG_UP = "hung up"
_GONE = getattr(select, "POLLRDHUP", select.POLLHUP)  # what only Linux has comes at once
_STARVED = 2.0
"""Seconds of waiting that count as one of work, as for graders (`executor.answers.killable`)."""


def _become(user: int) -> None:
    """Become another user, if the namespace has one; its only user is that of the caller's."""
    try:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except OSError:
        return


def _limit(limits: Limits) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, 2 * limits.memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, limits.files),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_CPU, int(limits.seconds * 100) + 60),  # if the warden should die
    ):
        with contextlib.suppress(ValueError, OSError):
            _, hard = resource.getrlimit(kind)
            bounded = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (bounded, bounded))


def _resident(pid: int) -> int:
    """Return the bytes of memory that a process has to itself, or shares by no file."""
    total = 0
    with open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith((b"RssAnon:", b"RssShmem:")):
                total += 1024 * int(line.split()[1])
    return total


def descendants(pid: int) -> list[int]:
    """Return the processes that descend from one, as far as the system tells."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                for child in map(int, file.read().split()):
                    found += [child, *descendants(child)]
    return found


def check(isolation: str) -> None:
    """Check that this system allows an isolation; of namespaces, that these have been entered.

    Raises:
        OSError: it does not.
    """
    if isolation != NOTHING and not seccomp.available():
        raise OSError(f"the system calls of {os.uname().machine} are not known")
    if isolation == FILTERS and not landlock.available():
        raise OSError("the kernel has no Landlock")
