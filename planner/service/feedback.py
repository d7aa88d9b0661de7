"""Right or wrong, told of an answer: kept in the store as evidence.

An answer is a run of one strategy on one question; told to be right or wrong, it is what a row of
`apportion measure` is, but for one thing: which strategy a question got depends on the question. So
it counts for the difficulty it was taken for, and not for all questions (`planner.evidence`).
"""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from executor.errors import InputError
from executor.outcome import Outcome
from executor.problem import Problem
from executor.runner import PRM_TRAINED_ON
from executor.store import RunSpec, Store
from executor.strategy import to_dict
from planner.evidence import DIFFICULTY, FEEDBACK
from planner.router import Routed
from planner.service.answerer import Query

REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is remembered of an answer: its run, and its outcome without the samples."""

    spec: RunSpec
    outcome: Outcome


class Feedback:
    """The answers that may still be told right or wrong; safe to use from several threads.

    Args:
        store: where feedback goes.
        remembered: answers that are kept for it; of more the oldest are forgotten.
    """

    def __init__(self, store: Store, remembered: int = REMEMBERED) -> None:
        self._store = store
        self._remembered = remembered
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._lock = threading.Lock()

    def remember(
        self,
        query: Query,
        routed: Routed,
        policy: str,
        prm: str | None,
        settings: Mapping[str, Any],
    ) -> None:
        """Keep an answer for feedback on it.

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
        spec = RunSpec(
            FEEDBACK,
            policy,
            prm if scored else None,
            dict(settings) | {
                "models": models, "strategy": to_dict(strategy),
                DIFFICULTY: routed.decision.difficulty, "request": query.id,
                PRM_TRAINED_ON: bool(routed.seen.get(PRM_TRAINED_ON)),
            },
        )  # fmt: skip
        # In a conversation the last message alone is no question.
        said = [f"{one['role']}: {one['content']}" for one in query.messages[:-1]]
        problem = Problem(query.id, "\n\n".join([*said, query.text]))
        kept = dataclasses.replace(outcome, problem=problem, samples=(), chosen=None)
        with self._lock:
            self._answers[query.id] = _Answer(spec, kept)
            while len(self._answers) > self._remembered:
                self._answers.popitem(last=False)

    def tell(self, request: str, *, right: bool) -> None:
        """Store that an answer was right or wrong; told again, the last word counts.

        Raises:
            InputError: no such request was answered here, it was too long ago, or its deadline had
                cut it short.
        """
        with self._lock:
            answer = self._answers.get(request)
        if answer is None:
            raise InputError(
                f"request {request!r}: was not answered here, or too long ago, or was cut short by "
                f"its deadline; the last {self._remembered:,} are remembered"
            )
        told = dataclasses.replace(answer.outcome, correct=right)
        self._store.save_runs([(answer.spec, [told])], replacing=[answer.spec])
