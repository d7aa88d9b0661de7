"""The child process that compares mathematical expressions with math-verify.

`executor.answers.grader.MathGrader` runs it as a script and never imports it, so the child holds
neither the parent's modules nor its locks. Each line of stdin is a JSON request, each line of
stdout a JSON reply; the process ends when stdin does.

Request: `{"gold": str, "target": str, "both": bool, "seconds": float}`. Reply: `{"equal": bool}`.
The first line it writes is `{"ready": true}`, or `{"error": str}` if it cannot work.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import sys
from typing import IO, Any

MEMORY_BYTES = 2 << 30
"""Largest address space of the child; a tower of powers must not take all memory."""


def equal(gold: str, target: str, *, both: bool) -> bool:
    """Whether math-verify accepts `target` for `gold`, or if `both`, in either direction.

    Its own time-outs are off, since the parent has a deadline. An expression that it cannot read
    is equal to nothing.
    """
    from math_verify import parse, verify

    sides = [parse(f"${text}$", parsing_timeout=None) for text in (gold, target)]
    if not all(sides):
        return False
    if verify(sides[0], sides[1], timeout_seconds=None):
        return True
    return both and bool(verify(sides[1], sides[0], timeout_seconds=None))


def serve(requests: IO[bytes], replies: IO[str]) -> None:
    """Answer requests until stdin ends; an error that math-verify does not catch ends the child."""
    for line in requests:
        request: dict[str, Any] = json.loads(line)
        _arm(math.ceil(request["seconds"]) + 1)
        result = equal(request["gold"], request["target"], both=request["both"])
        _arm(0)
        _send(replies, {"equal": result})


def _arm(seconds: int) -> None:
    """Make the kernel end this process after `seconds` (0: never).

    If the parent dies, nothing else ends a child that is deep in one long multiplication and does
    not read its stdin. The signal's default action needs no Python code.
    """
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _send(replies: IO[str], message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def main() -> None:
    """Set the child up, report that it is ready, and serve."""
    # A library's prints must not end up between the replies.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    logging.disable(logging.CRITICAL)
    _limit_memory()
    try:
        equal("x", "x", both=False)  # imports and the first parse, before a deadline runs
    except ImportError as error:
        _send(replies, {"error": str(error)})
        return
    _send(replies, {"ready": True})
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
