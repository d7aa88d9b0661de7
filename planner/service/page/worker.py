"""One thread that works out what is asked, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_MOST_WAITING = 32  # some seconds of work: who comes then had better come again


class BusyError(Exception):
    """Too many questions wait already."""


class Worker:
    """Questions are answered one after the other, in a thread that starts with the first.

    Plots are drawn under settings that are the process's, and equal questions that come together
    are worked out once: the second finds the answer of the first.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="page")
        self._waiting = 0

    async def ask(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The result of `work`.

        Raises:
            BusyError: too many wait already.
        """
        if self._waiting >= _MOST_WAITING:
            raise BusyError("too many questions at once; ask again in a second")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))
        finally:
            self._waiting -= 1
