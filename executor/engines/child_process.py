"""The child process of `executor.engines.subprocess_engine`, which holds one engine.

Its argument is the file descriptor of a pipe. The first message it reads holds the arguments of
`VllmEngine`. It answers `(max_context, capacity)`, or the EngineError that says why there is no
engine. From then on each message is a batch:

- In: a list of `("add", request id, prompt ids, parameters)` and `(method, ...)` of the engine;
  None at the end of the last batch.
- Out, after steps in which something ended, and at least once a second while it steps: the current
  counters, and a list of `("ended", request id, EngineOutput)`,
  `("failed", request id, EngineError)` and, in the order of the calls, `("answer", result)`; a
  result may be an exception.

When the parent process ends, so does this one, whatever it is doing.
"""

from __future__ import annotations

import functools
import os
import select
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from executor.engines.vllm_engine import VllmEngine
from executor.errors import EngineError, InputError

# Seconds between two messages at most, so that people see a sign of life.
_COUNTERS_EVERY = 1.0


def main() -> None:
    """Load the engine, serve it, and exit without the interpreter's slow shutdown."""
    pipe: Connection[Any, Any] = Connection(int(sys.argv[1]))
    threading.Thread(target=_end_with, args=(pipe.fileno(),), daemon=True).start()
    name, model, options, extra = pipe.recv()
    try:
        engine = VllmEngine(name, model, options, extra)
    except (EngineError, InputError) as error:
        pipe.send(error)
        os._exit(1)
    pipe.send((engine.max_context, engine.capacity))
    serve(engine, pipe)
    engine.release(last=True)
    os._exit(0)


def _end_with(pipe: int) -> None:
    """End this process when the other end of the pipe is closed."""
    hung_up = select.poll()
    hung_up.register(pipe, select.POLLRDHUP)
    hung_up.poll()
    os._exit(1)


def serve(engine: VllmEngine, pipe: Connection[Any, Any]) -> None:
    """Step the engine until the parent ends it; send at most one message per step."""
    sent = time.monotonic()
    events: list[tuple[Any, ...]] = []

    def report(kind: str, request_id: str, content: Any) -> None:
        events.append((kind, request_id, content))

    def do(kind: str, *arguments: Any) -> None:
        if kind == "add":
            request_id = arguments[0]
            callbacks = (
                functools.partial(report, kind, request_id) for kind in ("ended", "failed")
            )
            engine.add(*arguments, *callbacks)
            return
        try:
            events.append(("answer", getattr(engine, kind)(*arguments)))
        except Exception as error:
            events.append(("answer", error))

    while True:
        # All pending messages are read before a step; otherwise they would wait for the next one.
        while (not engine.busy and not events) or pipe.poll():
            for command in pipe.recv():
                if command is None:
                    return
                do(*command)
        if engine.busy:
            engine.step()
        now = time.monotonic()
        if events or now - sent >= _COUNTERS_EVERY:
            pipe.send((engine.count(), events))
            events, sent = [], now


if __name__ == "__main__":
    main()
