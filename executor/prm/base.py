"""The process reward model: what a strategy needs of the model that scores steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from executor.engine import EngineCounters
from executor.ledger import Ledger
from executor.tokens import Step


class Prm(Protocol):
    """A step scorer; one implementation for each convention of input and output."""

    name: str
    trained_on: frozenset[str]
    """Ids (`executor.problem.question_id`) of questions it was trained on, where that is known."""

    async def score(
        self, question: str, steps: Sequence[Step], *, start: int, ledger: Ledger
    ) -> list[float]:
        """Rewards in [0, 1] of `steps[start:]`, each given the question and the steps before it.

        Steps before `start` were scored earlier; the engine's prefix cache spares what it can.
        All tokens forwarded are charged to `ledger`.

        Raises:
            EngineError: the engine was lost.
        """
        ...

    def counters(self) -> EngineCounters:
        """The engine's own token counts since it started."""
        ...

    def close(self) -> None:
        """Release the engine."""
        ...
