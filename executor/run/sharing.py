"""One run that several processes may work on: who solves which problem, and what is saved.

A process claims the problems that it works on in the store (`executor.store.claims`), and leaves
those to others that they have claimed. When only such problems are left it waits for them, and
takes over those whose process has ended without finishing them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from executor.concurrency import retrieve
from executor.errors import StoreError, StoreLostError
from executor.outcome import Outcome
from executor.store import claims
from executor.store.store import RunSpec, Store

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds for which a run waits for a database that was lost."""
_LONGEST_PAUSE = 5.0  # seconds between two tries to reach it
_LOOK = 0.5  # seconds between two looks at problems of other processes
_BATCH = 256  # problems claimed at once


class SharedRun:
    """The unfinished problems of a run and the outcomes that this process adds.

    Use it as an asynchronous context manager: at its end everything solved is saved, and this
    process's claims are given up.

    Args:
        store: store of the run, which is started.
        spec: the run.
        uids: uids of the problems that were not finished when the run was started.
        progress: callback for the number of newly finished problems, here or by other processes.
        say: receives remarks for people.
    """

    def __init__(
        self,
        store: Store,
        spec: RunSpec,
        uids: Iterable[str],
        progress: Callable[[int], None],
        say: Callable[[str], None],
    ) -> None:
        self._store, self._spec = store, spec
        self._progress, self._say = progress, say
        self._owner = claims.new_owner()
        self._queue = deque(uids)
        self._others: list[str] = []  # problems that other processes work on
        self._next_look = 0.0
        self._waits = False  # whether people were told that only others' problems are left
        self._turn = asyncio.Lock()  # of using the store
        self._calls: set[asyncio.Task[Any]] = set()
        self._lost_since: float | None = None
        self._patience = PATIENCE

    async def __aenter__(self) -> SharedRun:
        self._renewing = asyncio.create_task(self._renew())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self._patience = 0.0  # interrupted: nobody waits for a lost database
        self._renewing.cancel()
        await asyncio.gather(self._renewing, *self._calls, return_exceptions=True)
        with contextlib.suppress(StoreError):  # the claims will be void by themselves
            await asyncio.to_thread(self._store.release_claims, self._owner)

    @property
    def left(self) -> bool:
        """Whether problems are neither finished nor taken by this process."""
        return bool(self._queue or self._others)

    @property
    def pause(self) -> float | None:
        """Seconds until `take` may find problems that it did not find last time; None: never."""
        if self._queue or not self._others:
            return None
        return max(0.0, self._next_look - time.monotonic())

    async def take(self, most: int) -> list[str]:
        """Claim problems for this process.

        Args:
            most: most problems to claim.

        Returns:
            Their uids; fewer than `most` if other processes work on the rest.
        """
        if self.pause == 0.0:
            self._queue.extend(self._others)
            self._others.clear()
        taken: list[str] = []
        while self._queue and len(taken) < most:
            number = min(most - len(taken), len(self._queue), _BATCH)
            batch = [self._queue.popleft() for _ in range(number)]
            claimed = await self._call(self._store.claim, self._spec, batch, self._owner)
            taken += [uid for uid in batch if uid in claimed.mine]
            self._others += [uid for uid in batch if uid not in claimed.mine | claimed.finished]
            self._next_look = time.monotonic() + _LOOK
            if claimed.finished:
                self._progress(len(claimed.finished))
        return taken

    def waits(self) -> None:
        """Tell people, once, that this process has nothing to do but wait for others."""
        if not self._waits:
            self._waits = True
            self._say(f"another process works on the last problems ({len(self._others)}); waiting")

    async def save(self, outcome: Outcome, note: dict[str, Any]) -> None:
        """Save a finished problem, even if the caller is cancelled meanwhile.

        Raises:
            StoreError: the store refuses it, or its database was lost for too long.
        """
        await self._call(self._store.save, self._spec, outcome, note, then=self._progress_by_one)

    def _progress_by_one(self) -> None:
        self._progress(1)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(claims.LEASE / 4)
            with contextlib.suppress(StoreError):
                await self._call(self._store.renew_claims, self._owner)

    async def _call(
        self, work: Callable[..., T], *arguments: Any, then: Callable[[], None] | None = None
    ) -> T:
        """Call the store in a thread; what was begun is done even if the caller is cancelled."""

        async def call() -> T:
            async with self._turn:
                result = await self._patiently(work, *arguments)
            if then is not None:
                then()
            return result

        task = asyncio.create_task(call())
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        task.add_done_callback(retrieve)
        return await asyncio.shield(task)

    async def _patiently(self, work: Callable[..., T], *arguments: Any) -> T:
        """Try again while the database is lost, for all calls together for `PATIENCE` seconds."""
        pause = 0.1
        while True:
            try:
                result = await asyncio.to_thread(work, *arguments)
            except StoreLostError:
                now = time.monotonic()
                if self._lost_since is None:
                    self._lost_since = now
                    self._say(f"the store cannot be reached; trying again for {self._patience:g} s")
                if now - self._lost_since >= self._patience:
                    raise
            else:
                self._lost_since = None
                return result
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
