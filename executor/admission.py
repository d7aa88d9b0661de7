"""How many problems are in flight: as many as keep the engines full, and no more."""

from __future__ import annotations

from executor.capacity import Capacity
from executor.outcome import Outcome

# Batches of work in flight: while one is written, the sequences of another are scored, graded or
# selected from. More would only wait, and hold memory.
_BATCHES = 2
# Where nothing is known of the engines.
CONCURRENCY = 32


class Admission:
    """Lets problems in while the policy's engines have use for them.

    A problem counts as many responses as those that are finished had on average, and those as long
    as theirs were; the first ones count as their budgets, without length.

    Args:
        sequences: most sequences a problem has under way at once: its budget.
        capacity: of the policy's engines together; None where it is not known.
        most: most problems in flight, whatever the engines hold; None: no such limit, or
            `CONCURRENCY` where the capacity is not known.
    """

    def __init__(
        self, sequences: int = 1, capacity: Capacity | None = None, most: int | None = None
    ) -> None:
        self._sequences = sequences
        self._capacity = capacity
        self._most = CONCURRENCY if most is None and capacity is None else most
        self._tokens = 0
        self._responses = 0
        self._finished = 0

    def room(self, in_flight: int) -> bool:
        """Whether one more problem is of use beside those in flight; the first always is."""
        if not in_flight:
            return True
        if self._most is not None and in_flight >= self._most:
            return False
        if self._capacity is None:
            return True
        each = self._responses / self._finished if self._responses else self._sequences
        sequences = in_flight * each
        tokens = sequences * self._tokens / max(1, self._responses)
        return (
            sequences < _BATCHES * self._capacity.sequences
            and tokens < _BATCHES * self._capacity.tokens
        )

    def learn(self, outcome: Outcome) -> None:
        """Take note of how many responses a finished problem has, and of their lengths."""
        self._finished += 1
        self._responses += len(outcome.samples)
        self._tokens += sum(sample.n_tokens for sample in outcome.samples)
