"""The script that a sandbox starts: it shuts itself in, then serves runs as a warden.

Its stdin is a Unix socket. It reads one line, `{"isolation": str, "limits": {...}, "slot": int}`,
and writes `{"ready": true}`, or `{"error": str}` if the system does not allow that isolation. Then
each request is answered with a line `{"verdict": str, "detail": str, "output": str}` for each unit
of tests, and with `{"done": true}`, or with `{"broken": str}` if the run had to be ended.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import signal
import socket
import sys
from pathlib import Path

MODULES = (
    "array", "bisect", "calendar", "cmath", "collections", "copy", "datetime", "decimal", "enum",
    "fractions", "functools", "hashlib", "heapq", "inspect", "itertools", "json", "math",
    "numbers", "operator", "queue", "random", "re", "statistics", "string", "sys", "textwrap",
    "threading", "time", "typing", "unicodedata", "zlib", "dataclasses",
)  # fmt: skip
"""What programs import most; a guest that is forked from here has them already."""


def main() -> None:
    """Shut this process in and serve, until the socket ends."""
    control = socket.socket(fileno=os.dup(0))
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    os.close(silence)
    root = str(Path(__file__).parents[3])
    sys.path.insert(0, root)
    from executor.sandbox.inside import namespaces, warden

    with contextlib.suppress(OSError):  # if memory runs out, this is what should end
        Path("/proc/self/oom_score_adj").write_text("1000")
    for name in MODULES:
        importlib.import_module(name)
    sys.path.remove(root)
    sys.modules["__main__"].__dict__.pop("__file__", None)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the first process of a namespace ignores it then
    asked = json.loads(_line(control))
    limits = warden.Limits(**asked["limits"])
    try:
        if asked["isolation"] == warden.NAMESPACES:
            namespaces.enter(asked["slot"], limits.files)
        warden.check(asked["isolation"])
    except (OSError, AttributeError) as error:  # other systems than Linux have no such calls
        control.sendall(json.dumps({"error": str(error)}).encode() + b"\n")
        return
    random.seed(0)  # the same program draws the same numbers each time
    gc.freeze()  # keeps collections of the forks from copying what they share
    control.sendall(b'{"ready": true}\n')
    warden.Warden(control, asked["isolation"], limits).serve()


def _line(control: socket.socket) -> bytes:
    """Return the first line, and read nothing beyond it."""
    line = b""
    while not line.endswith(b"\n"):
        piece = control.recv(1)
        if not piece:
            sys.exit()
        line += piece
    return line


if __name__ == "__main__":
    main()
