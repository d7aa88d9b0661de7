"""Right or wrong, told of an answer: kept in the store as evidence.

An answer is a run of one strategy on one question; told to be right or wrong, it is what a row of
`apportion measure` is, but for one thing: which strategy a question got depends on the question. So
it counts for the difficulty it was taken for, and not for all questions
(`planner.evidence.gathering`).

Until it is told of, an answer is kept in the store, too (`executor.store.pending`), so that a
restart forgets none. A thread of its own writes, some times a second, all that was answered since.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from executor.errors import InputError
from executor.problem import Problem
from executor.run.runner import PRM_TRAINED_ON
from executor.store.pending import Bounds, Pending
from executor.store.store import RunSpec, Store
from executor.strategy import Sampling, to_dict
from planner.evidence.gathering import DIFFICULTY, FEEDBACK
from planner.runtime.router import Routed
from planner.service.answering.answerer import Query

KEPT = Bounds()
UNWRITTEN = Bounds(answers=10_000, size=16 << 20)
"""What may wait for the writer: where the store cannot be written, the oldest are forgotten."""
ELSEWISE = "the request had a temperature or max_tokens of its own, not the plan's"
_WAITING = 32  # of what is told, most that wait for the store
_PATIENCE = 2.0  # seconds that one of them waits for the writer
_PAUSE = 0.25  # seconds between two writes: what a crash may lose
_RETRY = 5.0  # seconds after which it is tried again where the store cannot be written
_PRUNING = 60.0  # seconds between two looks at all that is kept
_SHARE = 0.05  # of the bounds: who has written as much since the last look takes the next one
_ENTRY = 4096  # bytes of an answer besides its question, about


class UnknownAnswerError(InputError):
    """There is no such answer that could be told of."""


class Feedback:
    """The answers that may still be told right or wrong; safe to use from several threads.

    Args:
        store: where answers and what is told of them go; not used by others beside it where it is
            in memory.
        bounds: how much is kept in the store.
        unwritten: how much may wait in memory to be written there.
        warn: told, in a line, when the store cannot be written.
        sampling: the plan's: feedback on answers of another is no evidence of what it runs. None:
            on any is.
    """

    def __init__(
        self,
        store: Store,
        bounds: Bounds = KEPT,
        unwritten: Bounds = UNWRITTEN,
        warn: Callable[[str], None] = lambda line: None,
        sampling: Sampling | None = None,
    ) -> None:
        self._store = store
        self._bounds = bounds
        self._most = unwritten
        self._warn = warn
        self._sampling = None if sampling is None else dataclasses.asdict(sampling)
        self._unwritten: OrderedDict[str, Pending] = OrderedDict()
        self._size = 0
        self._since = self._since_size = 0  # what was written since the store was pruned
        self._next_prune = 0.0
        self._lock = threading.Lock()  # of what is unwritten; held for moments only
        self._writing = threading.Lock()  # of the store
        self._came = threading.Event()
        self._closed = threading.Event()
        self._writer: threading.Thread | None = None
        self._failing = False  # the writer's last try
        # Of its own: a store that waits takes no thread that questions need.
        self._teller = ThreadPoolExecutor(1, thread_name_prefix="told")
        self._places = threading.BoundedSemaphore(_WAITING)

    def remember(
        self,
        query: Query,
        routed: Routed,
        policy: str,
        prm: str | None,
        settings: Mapping[str, Any],
    ) -> None:
        """Keep an answer for feedback on it; does not wait for the store.

        Those that time had cut short are no outcomes of their strategy: nothing is kept of them.

        Args:
            query: that was answered.
            routed: how.
            policy, prm: names of the models.
            settings: of the executor that answered (`Executor.settings`).
        """
        if routed.cut:
            return
        strategy, outcome = routed.decision.strategy, routed.outcome
        scored = strategy.needs_prm
        models = {r: d for r, d in settings["models"].items() if scored or r != "prm"}
        run = {
            "kind": FEEDBACK,
            "policy": policy,
            "prm": prm if scored else None,
            "settings": dict(settings) | {
                "models": models, "strategy": to_dict(strategy),
                DIFFICULTY: routed.decision.difficulty, "request": query.id,
                PRM_TRAINED_ON: bool(routed.seen.get(PRM_TRAINED_ON)),
            },
        }  # fmt: skip
        # In a conversation the last message alone is no question.
        said = [f"{one['role']}: {one['content']}" for one in query.messages[:-1]]
        problem = Problem(query.id, "\n\n".join([*said, query.text]))
        kept = dataclasses.replace(outcome, problem=problem, samples=(), chosen=None)
        with self._lock:
            self._forget(query.id)
            self._unwritten[query.id] = answer = Pending(query.id, run, kept)
            self._size += _size(answer)
            while len(self._unwritten) > self._most.answers or self._size > self._most.size:
                self._forget(next(iter(self._unwritten)))
            if self._writer is None and not self._closed.is_set():
                self._writer = threading.Thread(target=self._write, name="feedback", daemon=True)
                self._writer.start()
        self._came.set()

    def submit(self, request: str, *, right: bool) -> Future[str | None]:
        """Have `tell` done in a thread of its own, one after the other.

        Raises:
            InputError: too many wait already, or the store could not be written just now.
        """
        if self._failing:
            raise InputError("the store could not be written; it is tried again")
        if not self._places.acquire(blocking=False):
            raise InputError(f"{_WAITING} wait for the store already")
        try:
            told = self._teller.submit(self.tell, request, right=right)
        except RuntimeError:  # closed
            self._places.release()
            raise InputError("the store is closed") from None
        told.add_done_callback(lambda _: self._places.release())
        return told

    def tell(self, request: str, *, right: bool) -> str | None:
        """Store that an answer was right or wrong; told again, the last word counts.

        Blocks on the store.

        Returns:
            Why it does not count as evidence, and so is not stored; None where it does.

        Raises:
            UnknownAnswerError: no such request was answered here, it was too long ago, or its
                deadline had cut it short.
            InputError: the store cannot be read or written, or the writer has it for too long.
        """
        if not self._writing.acquire(timeout=_PATIENCE):
            raise InputError("the store is being written")
        try:
            with self._lock:
                answer = self._unwritten.get(request)
            answer = answer or self._store.find_pending(request, self._bounds)
            if answer is None:
                raise UnknownAnswerError(
                    f"request {request!r}: was not answered here, or too long ago, or was cut "
                    f"short by its deadline; the last {self._bounds.answers:,} are remembered, "
                    f"for {self._bounds.days:g} days"
                )
            if self._sampling not in (None, answer.run["settings"]["sampling"]):
                return ELSEWISE
            spec = RunSpec(**answer.run)
            told = dataclasses.replace(answer.outcome, correct=right)
            self._store.save_runs([(spec, [told])], replacing=[spec])
            return None
        finally:
            self._writing.release()

    def flush(self) -> None:
        """Write what was not written yet.

        Raises:
            InputError: the store cannot be written; nothing is lost by that.
        """
        with self._writing:
            with self._lock:
                batch = list(self._unwritten.values())
            if not batch:
                return
            self._store.keep_pending(batch, self._bounds if self._pruning(batch) else None)
            with self._lock:
                for answer in batch:
                    if self._unwritten.get(answer.id) is answer:
                        self._forget(answer.id)

    def _pruning(self, batch: Sequence[Pending]) -> bool:
        """Whether the store is to be pruned with this batch: once a minute, and sooner where much
        has come since."""
        self._since += len(batch)
        self._since_size += sum(map(_size, batch))
        if (
            time.monotonic() < self._next_prune
            and self._since < _SHARE * self._bounds.answers
            and self._since_size < _SHARE * self._bounds.size
        ):
            return False
        self._since = self._since_size = 0
        self._next_prune = time.monotonic() + _PRUNING
        return True

    def close(self) -> None:
        """Write what was not written yet, and end the writer."""
        self._closed.set()
        self._came.set()
        if self._writer is not None:
            self._writer.join()
        self._teller.shutdown(cancel_futures=True)
        self._try()

    def _write(self) -> None:
        while not self._closed.is_set():
            self._came.wait()
            self._came.clear()
            if not self._closed.wait(_PAUSE) and not self._try():
                self._closed.wait(_RETRY)
                self._came.set()

    def _try(self) -> bool:
        try:
            self.flush()
        except (InputError, SQLAlchemyError) as error:
            # Of the database's own errors only the kind: they quote what was to be written.
            why = str(error) if isinstance(error, InputError) else type(error).__name__
            self._failing = True
            self._warn(f"answers cannot be kept for feedback on them: {why}")
            return False
        self._failing = False
        return True

    def _forget(self, name: str) -> None:
        gone = self._unwritten.pop(name, None)
        if gone is not None:
            self._size -= _size(gone)


def _size(answer: Pending) -> int:
    """Bytes in memory, at most about: a character has up to four."""
    return _ENTRY + 4 * len(answer.outcome.problem.text)
