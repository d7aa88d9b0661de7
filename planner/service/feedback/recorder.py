"""Records clients' verdicts on answers, right or wrong, in the store as evidence.

An answer is a run of one strategy on one question. With a verdict it is the same as a row of
`apportion measure`, with one difference: the strategy was chosen for the question. So it counts for
the estimated difficulty of the question only, and not for all questions
(`planner.evidence.gathering`).

An answer without a verdict is kept in the store too (`executor.store.pending`), so that it outlasts
a restart. A thread of its own writes new answers to the store a few times a second.
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
from planner.evidence.layout import DIFFICULTY, FEEDBACK
from planner.runtime.router import Routed
from planner.service.answering.answerer import Query

STORE_BOUNDS = Bounds()
"""Limits on the answers without a verdict in the store."""
MEMORY_BOUNDS = Bounds(answers=10_000, size=16 << 20)
"""Limits on the answers that wait in memory to be written; the oldest ones are dropped."""
OTHER_SAMPLING = "the request had its own temperature or max_tokens, not the plan's"
_MAX_WAITING = 32  # verdicts that wait for the store
_LOCK_SECONDS = 2.0  # longest wait of a verdict for the writer thread
_WRITE_PAUSE = 0.25  # seconds between two writes; a crash may lose the answers of this time
_RETRY_PAUSE = 5.0  # seconds until the next try after a failed write
_PRUNE_PAUSE = 60.0  # seconds after which old answers in the store are pruned
_PRUNE_SHARE = 0.05  # share of the bounds: after so many new answers they are pruned sooner
_ENTRY_BYTES = 4096  # approximate size of an answer without its question


class UnknownAnswerError(InputError):
    """There is no such answer to give a verdict on."""


class FeedbackRecorder:
    """Keeps answers until a client says whether they are right; safe to use from several threads.

    Args:
        store: keeps answers and verdicts; if it is in memory, nothing else may use it.
        bounds: limits on the answers without a verdict in the store.
        unwritten: limits on the answers that wait in memory to be written to the store.
        on_failure: called with one line if the store cannot be written.
        sampling: the plan's sampling settings; a verdict on an answer with others is no evidence.
            None: every verdict is evidence.
    """

    def __init__(
        self,
        store: Store,
        bounds: Bounds = STORE_BOUNDS,
        unwritten: Bounds = MEMORY_BOUNDS,
        on_failure: Callable[[str], None] = lambda line: None,
        sampling: Sampling | None = None,
    ) -> None:
        self._store = store
        self._bounds = bounds
        self._memory_bounds = unwritten
        self._on_failure = on_failure
        self._sampling = None if sampling is None else sampling.to_dict()
        self._unwritten: OrderedDict[str, Pending] = OrderedDict()
        self._size = 0
        self._new_answers = self._new_bytes = 0  # written since the store was pruned
        self._next_prune = 0.0
        self._lock = threading.Lock()  # guards the unwritten answers; held for moments only
        self._store_lock = threading.Lock()
        self._new_answer = threading.Event()
        self._closed = threading.Event()
        self._writer: threading.Thread | None = None
        self._failing = False  # whether the last write failed
        # A separate thread, so that a slow store takes no thread that questions need.
        self._verdicts = ThreadPoolExecutor(1, thread_name_prefix="verdicts")
        self._free_slots = threading.BoundedSemaphore(_MAX_WAITING)

    def remember(
        self,
        query: Query,
        routed: Routed,
        policy: str,
        prm: str | None,
        settings: Mapping[str, Any],
    ) -> None:
        """Keep an answer for a verdict on it; does not wait for the store.

        An answer that a deadline cut short is not kept: it is no outcome of its strategy.

        Args:
            query: the query that was answered.
            routed: its answer.
            policy, prm: names of the models.
            settings: settings of the executor that answered (`Executor.settings`).
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
        # In a conversation the last message alone is not the question.
        earlier = [f"{one['role']}: {one['content']}" for one in query.messages[:-1]]
        problem = Problem(query.id, "\n\n".join([*earlier, query.text]))
        kept = dataclasses.replace(outcome, problem=problem, samples=(), chosen=None)
        with self._lock:
            self._drop(query.id)
            self._unwritten[query.id] = answer = Pending(query.id, run, kept)
            self._size += _size(answer)
            while (
                len(self._unwritten) > self._memory_bounds.answers
                or self._size > self._memory_bounds.size
            ):
                self._drop(next(iter(self._unwritten)))
            if self._writer is None and not self._closed.is_set():
                self._writer = threading.Thread(
                    target=self._run_writer, name="feedback", daemon=True
                )
                self._writer.start()
        self._new_answer.set()

    def submit(self, request: str, *, right: bool) -> Future[str | None]:
        """Call `record_verdict` in a thread of its own, one verdict after the other.

        Raises:
            InputError: too many verdicts wait already, or the last write to the store failed.
        """
        if self._failing:
            raise InputError("the store could not be written; the server tries again")
        if not self._free_slots.acquire(blocking=False):
            raise InputError(f"{_MAX_WAITING} verdicts wait for the store already")
        try:
            future = self._verdicts.submit(self.record_verdict, request, right=right)
        except RuntimeError:  # closed
            self._free_slots.release()
            raise InputError("the store is closed") from None
        future.add_done_callback(lambda _: self._free_slots.release())
        return future

    def record_verdict(self, request: str, *, right: bool) -> str | None:
        """Store whether an answer was right; of several verdicts the last one counts.

        Blocks on the store.

        Args:
            request: id of the answer.
            right: the verdict.

        Returns:
            None if the verdict is evidence; else the reason why it is not, and is not stored.

        Raises:
            UnknownAnswerError: there was no such answer here, it is too old, or its deadline cut it
                short.
            InputError: the store cannot be read or written, or the writer thread holds it for too
                long.
        """
        if not self._store_lock.acquire(timeout=_LOCK_SECONDS):
            raise InputError("the store is being written")
        try:
            with self._lock:
                answer = self._unwritten.get(request)
            answer = answer or self._store.find_pending(request, self._bounds)
            if answer is None:
                raise UnknownAnswerError(
                    f"request {request!r}: it was not answered here, or is too old, or was cut "
                    f"short by its deadline; the last {self._bounds.answers:,} answers are kept "
                    f"for {self._bounds.days:g} days"
                )
            if self._sampling not in (None, answer.run["settings"]["sampling"]):
                return OTHER_SAMPLING
            spec = RunSpec(**answer.run)
            graded = dataclasses.replace(answer.outcome, correct=right)
            self._store.save_runs([(spec, [graded])], replacing=[spec])
            return None
        finally:
            self._store_lock.release()

    def flush(self) -> None:
        """Write the unwritten answers to the store.

        Raises:
            InputError: the store cannot be written; the answers stay in memory.
        """
        with self._store_lock:
            with self._lock:
                batch = list(self._unwritten.values())
            if not batch:
                return
            self._store.keep_pending(batch, self._bounds if self._should_prune(batch) else None)
            with self._lock:
                for answer in batch:
                    if self._unwritten.get(answer.id) is answer:
                        self._drop(answer.id)

    def _should_prune(self, batch: Sequence[Pending]) -> bool:
        """Return whether to prune the store with this batch: each minute, or after many answers."""
        self._new_answers += len(batch)
        self._new_bytes += sum(map(_size, batch))
        if (
            time.monotonic() < self._next_prune
            and self._new_answers < _PRUNE_SHARE * self._bounds.answers
            and self._new_bytes < _PRUNE_SHARE * self._bounds.size
        ):
            return False
        self._new_answers = self._new_bytes = 0
        self._next_prune = time.monotonic() + _PRUNE_PAUSE
        return True

    def close(self) -> None:
        """Write the unwritten answers, and end the threads."""
        self._closed.set()
        self._new_answer.set()
        if self._writer is not None:
            self._writer.join()
        self._verdicts.shutdown(cancel_futures=True)
        self._try_flush()

    def _run_writer(self) -> None:
        while not self._closed.is_set():
            self._new_answer.wait()
            self._new_answer.clear()
            if not self._closed.wait(_WRITE_PAUSE) and not self._try_flush():
                self._closed.wait(_RETRY_PAUSE)
                self._new_answer.set()

    def _try_flush(self) -> bool:
        try:
            self.flush()
        except (InputError, SQLAlchemyError) as error:
            # The message of a database error quotes the data: only its type is logged.
            reason = str(error) if isinstance(error, InputError) else type(error).__name__
            self._failing = True
            self._on_failure(f"answers cannot be kept for feedback: {reason}")
            return False
        self._failing = False
        return True

    def _drop(self, name: str) -> None:
        dropped = self._unwritten.pop(name, None)
        if dropped is not None:
            self._size -= _size(dropped)


def _size(answer: Pending) -> int:
    """Return an upper estimate of the bytes in memory; a character takes up to four."""
    return _ENTRY_BYTES + 4 * len(answer.outcome.problem.text)
