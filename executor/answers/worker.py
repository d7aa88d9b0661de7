"""The child process that compares mathematical expressions with math-verify.

Run by `answers.MathGrader` as a script of its own, never imported by it: the child holds neither
the parent's modules nor its locks. One JSON request a line on stdin, one JSON reply a line on
stdout; it ends when stdin does.

Request: `{"gold": str, "target": str, "both": bool, "seconds": float}`. Reply: `{"equal": bool}`.
The first line it writes is `{"ready": true}`, or `{"error": str}` where it cannot work.
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
"""Address space of the child: a tower of powers must not take the machine's memory."""


def equal(gold: str, target: str, *, both: bool) -> bool:
    """Whether math-verify accepts `target` for `gold`, or with `both` in either direction.

    Its own time-outs are off: the parent holds the deadline. An expression that it cannot read
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
    """Answers requests until there are no more; what math-verify does not catch ends the child."""
    for line in requests:
        request: dict[str, Any] = json.loads(line)
        _arm(math.ceil(request["seconds"]) + 1)
        result = equal(request["gold"], request["target"], both=request["both"])
        _arm(0)
        _send(replies, {"equal": result})


def _arm(seconds: int) -> None:
    """Lets the kernel end this process after `seconds` (0: never).

    A parent that dies cannot kill a child that is deep in one long multiplication, and the child
    does not see the end of its stdin there. The default action needs no Python code to run.
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
    """Sets the child up, says that it is ready, and serves."""
    # What a library prints must not end up between the replies.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    logging.disable(logging.CRITICAL)
    _limit_memory()
    try:
        equal("x", "x", both=False)  # the imports, and the first parse, are not on a caller's clock
    except ImportError as error:
        _send(replies, {"error": str(error)})
        return
    _send(replies, {"ready": True})
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
