"""The processes that compare formulas by their values.

`executor.answers.grader.MathGrader` runs this file as a script and never imports it, so that these
processes hold no locks of the parent. They import the modules that read answers there, and mpmath.

The script is a nursery (`executor.answers.killable.Nursery`): it imports these, then waits on
the Unix socket that is its stdin. For each `{"fork": true}`, which comes with a socket, it forks a
child that serves that socket, and replies `{"pid": int}`. For each `{"end": int}` it kills that
child and replies `{"ended": int}`. It ends when the socket does, and its children with it. It has
one thread and compares nothing after its start, so a fork is safe and takes milliseconds, where a
new interpreter takes a second.

A child replies to each line of its socket, a JSON request `{"gold": str, "target": str, "seconds":
float}`, with a line `{"equal": bool}`. It ends when its socket does.

The first line that the nursery writes is `{"ready": true}`, or `{"error": str}` if it cannot work.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any

MEMORY_BYTES = 2 << 30
"""Largest address space of a child; a tower of powers must not take all memory."""

SPARE_SECONDS = 1.0
"""Seconds of its processor time that a child has beyond its request's, for the parent to end it."""

WARM_UP = ("x", r"\frac{\sqrt{3}}{2}", r"(1, \pi]", r"\{x^2, -1\}")
"""Expressions that the nursery compares first, so that no child has to fill caches."""

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1  # of linux/prctl.h


ROOT = Path(__file__).parents[2]


def equal(gold: str, target: str) -> bool:
    """Whether two answers are equal; a formula that cannot be read is equal to nothing else."""
    # The script runs without its package on the path.
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from executor.answers.equality import same
    from executor.answers.evaluation import Evaluated
    from executor.answers.reading import read

    return bool(same(read(gold), read(target), Evaluated()))


def serve(channel: socket.socket) -> None:
    """Answer requests until the socket ends; an error that is not foreseen ends this."""
    with channel.makefile("rb") as requests:
        for line in requests:
            request: dict[str, Any] = json.loads(line)
            _arm(request["seconds"] + SPARE_SECONDS)
            result = equal(request["gold"], request["target"])
            _arm(0)
            _send(channel, {"equal": result})


def _arm(seconds: float) -> None:
    """Make the kernel end this process after `seconds` of its processor time (0: never).

    If the parents die, nothing else ends a child that is deep in one long multiplication and does
    not read its socket. The signal's default action needs no Python code. The clock is that of
    `killable.Child.receive`, so that a child which gets little of a core is the parent's to end.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _limit_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _send(channel: socket.socket, message: dict[str, Any]) -> None:
    channel.sendall(json.dumps(message).encode() + b"\n")


def _die_with(parent: int) -> None:
    """Make Linux kill this process when its parent dies; elsewhere `_arm` has to do."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before that call
            os._exit(1)


def _fork(control: socket.socket, channel: socket.socket) -> int:
    """Start a child that serves `channel`, and return its process id."""
    nursery = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _die_with(nursery)
            control.close()
            serve(channel)
        finally:
            os._exit(0)
    channel.close()
    return pid


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def nurse(control: socket.socket) -> None:
    """Fork and end children as the control socket asks, until it ends."""
    children: set[int] = set()
    try:
        while True:
            line, sockets, _, _ = socket.recv_fds(control, 4096, 1)
            if not line:
                return
            request: dict[str, Any] = json.loads(line)
            if "fork" in request:
                pid = _fork(control, socket.socket(fileno=sockets[0]))
                children.add(pid)
                _send(control, {"pid": pid})
            else:
                children.remove(request["end"])
                _end(request["end"])
                _send(control, {"ended": request["end"]})
    finally:
        for pid in children:
            _end(pid)


def main() -> None:
    """Set the nursery up, report that it is ready, and serve."""
    # What libraries print must not end up between the replies.
    control = socket.socket(fileno=os.dup(0))
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    logging.disable(logging.CRITICAL)
    _limit_memory()
    try:
        for text in WARM_UP:  # imports and the first evaluations, before anybody waits for a reply
            equal(text, "2x")
    except ImportError as error:
        _send(control, {"error": str(error)})
        return
    gc.freeze()  # keeps the children's collections from copying what they share
    _send(control, {"ready": True})
    nurse(control)


if __name__ == "__main__":
    main()
