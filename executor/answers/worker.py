"""The child process that compares formulas by their values.

`executor.answers.grader.MathGrader` runs it as a script and never imports it, so the child holds
no locks of the parent. It imports the same modules that read answers there, and mpmath. Each line
of stdin is a JSON request, each line of stdout a JSON reply; the process ends when stdin does.

Request: `{"gold": str, "target": str, "seconds": float}`. Reply: `{"equal": bool}`.
The first line it writes is `{"ready": true}`, or `{"error": str}` if it cannot work.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import sys
from pathlib import Path
from typing import IO, Any

MEMORY_BYTES = 2 << 30
"""Largest address space of the child; a tower of powers must not take all memory."""

ROOT = Path(__file__).parents[2]


def equal(gold: str, target: str) -> bool:
    """Whether two answers are equal; a formula that cannot be read is equal to nothing else."""
    # The script runs without its package on the path; another copy may be installed, which it must
    # not take for its own.
    if sys.path[0] != str(ROOT):
        sys.path.insert(0, str(ROOT))
    from executor.answers.equality import same
    from executor.answers.evaluation import Evaluated
    from executor.answers.reading import read

    return bool(same(read(gold), read(target), Evaluated()))


def serve(requests: IO[bytes], replies: IO[str]) -> None:
    """Answer requests until stdin ends; an error that is not foreseen ends the child."""
    for line in requests:
        request: dict[str, Any] = json.loads(line)
        _arm(math.ceil(request["seconds"]) + 1)
        result = equal(request["gold"], request["target"])
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
        equal("x+y", "y+x")  # imports before a deadline runs
    except ImportError as error:
        _send(replies, {"error": str(error)})
        return
    _send(replies, {"ready": True})
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
