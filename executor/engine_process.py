"""The process of an engine that runs apart; `executor.apart` starts it.

It is handed the file descriptor of a pipe and reads from it, first, what `Stepped` is made with. It
answers `(max_context, capacity)`, or the EngineError that says why there is no engine. From then on
both sides send lists: this one is told `("add", request id, prompt ids, parameters)` and
`(method, ...)` of the engine, and tells `("ended", request id, Output)`,
`("failed", request id, EngineError)` and, in the order it was asked, `("answer", result)`. None
ends it, and so does the end of the process that started it.
"""

from __future__ import annotations

import functools
import os
import sys
from multiprocessing.connection import Connection
from typing import Any

from executor.errors import EngineError
from executor.stepped import Stepped


def main() -> None:
    """Load the engine, then serve it."""
    pipe: Connection[Any, Any] = Connection(int(sys.argv[1]))
    name, model, options, extra = pipe.recv()
    try:
        engine = Stepped(name, model, options, extra)
    except EngineError as error:
        pipe.send(error)
        return
    pipe.send((engine.max_context, engine.capacity))
    try:
        serve(engine, pipe)
    finally:
        engine.release(last=True)
    # All that is left is taking the interpreter down, for which others would wait some seconds.
    os._exit(0)


def serve(engine: Stepped, pipe: Connection[Any, Any]) -> None:
    """Step the engine until told to end; one letter a step, however much there is to tell."""
    told: list[tuple[Any, ...]] = []

    def tell(kind: str, request_id: str, what: Any) -> None:
        told.append((kind, request_id, what))

    while True:
        if not engine.busy or pipe.poll():
            try:
                letters = pipe.recv()
            except (EOFError, OSError):
                return
            for letter in letters:
                if letter is None:
                    return
                kind, *arguments = letter
                if kind == "add":
                    request_id = arguments[0]
                    ways = (functools.partial(tell, way, request_id) for way in ("ended", "failed"))
                    engine.add(*arguments, *ways)
                else:
                    told.append(("answer", getattr(engine, kind)(*arguments)))
        if engine.busy:
            engine.step()
        if told:
            pipe.send(told)
            told = []


if __name__ == "__main__":
    main()
