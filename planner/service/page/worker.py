"""Runs the page's work in one thread beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_MAX_WAITING = 32  # calls; they take some seconds, after which a client may ask again


class BusyError(Exception):
    """Too many calls wait already."""


class SerialWorker:
    """Runs calls one after the other, in a thread that starts with the first call.

    Calls must not run side by side, because plots are drawn with global settings. One thread also
    saves work: if two equal questions come together, the second finds the cached answer.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="page")
        self._waiting = 0

    async def ask(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return the result of `work`.

        Raises:
            BusyError: too many calls wait already.
        """
        if self._waiting >= _MAX_WAITING:
            raise BusyError("too many questions at once; ask again in a second")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))
        finally:
            self._waiting -= 1
