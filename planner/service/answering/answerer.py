"""What answers queries: the seam between the server and the router."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from executor.errors import InputError
from executor.ledger import Ledger
from executor.strategy import Strategy
from planner.choice.constraint import Constraint
from planner.notes import Note


class LateError(TimeoutError):
    """A query's time ran out before anything was written to answer it with."""


class NoRoomError(InputError):
    """A question fills the policy's context: there is no room for an answer.

    Args:
        query: that asks it.
        context: tokens of question and answer together.

    Attributes:
        param: the field of the request that is at fault.
    """

    def __init__(self, query: Query, context: int) -> None:
        self.param = "messages" if query.messages else "prompt"
        # As OpenAI has it: some clients know it by these words.
        super().__init__(
            f"{self.param}: this model's maximum context length is {context} tokens, which leaves "
            "no room for an answer"
        )


@dataclass(frozen=True, slots=True)
class Query:
    """One question of a request.

    Attributes:
        id: of the response; of several questions of one request `-0`, `-1`, ... follow it.
        text: the question: the last user message, or the prompt.
        messages: the whole conversation, `role` and `content` each; empty for completions.
        constraint: what the choice must keep to; `max_seconds` counts from `arrived`.
        strategy: forced by the request; None: the router chooses.
        n: answers wanted: the n best different responses by the strategy's own vote.
        stop: strings that end an answer; the server cuts at them, whatever is drawn.
        seed: equal seeds and texts give equal draws; None: draws differ from query to query.
        max_tokens: most tokens of one response; None: as the plan says.
        temperature: above 0 and at most 2; None: as the plan says.
        explain: whether `Answered.explain` is asked for; it may be empty where it is not.
        arrived: when its request came, by `time.perf_counter`.
        ledger: what is spent on it, as it is spent: known also where no answer comes of it.
    """

    id: str
    text: str
    messages: tuple[Mapping[str, str], ...]
    constraint: Constraint
    strategy: Strategy | None
    n: int = 1
    stop: tuple[str, ...] = ()
    seed: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    explain: bool = False
    arrived: float = field(default_factory=time.perf_counter)
    ledger: Ledger = field(default_factory=Ledger, compare=False)

    def seconds_left(self) -> float | None:
        """Until its time runs out; None: it has all the time."""
        most = self.constraint.max_seconds
        return None if most is None else most - (time.perf_counter() - self.arrived)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the search for an answer is.

    Attributes:
        stage: `probing`, `routed` or `searching`.
        generated_tokens: so far.
        strategy, difficulty: None until they are chosen.
    """

    stage: str
    generated_tokens: int
    strategy: str | None
    difficulty: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What came out.

    Attributes:
        texts: up to n full responses of the policy, the best first.
        finish: `stop` or `length`, one a text.
        answer: extracted from the first text; None where it has none.
        strategy: what was run.
        difficulty: `easy`, `medium`, `hard`, or `all` where it was not estimated.
        predicted_accuracy, interval: None where nothing is known of such questions.
        ledger: all tokens that were spent, probes and dropped ones too.
        seconds: from the query to the answer.
        cost: `flops`, `usd`, `seconds`; None where it is not known.
        notes: fallbacks, deadlines that cut the search, what was not known.
        explain: the estimate, the alternatives considered, and why.
        routing: seconds of finding what is known of the question, of choosing, and of keeping what
            is learnt from it; drawing and scoring probes is not in it.
    """

    texts: tuple[str, ...]
    finish: tuple[str, ...]
    answer: str | None
    strategy: Strategy
    difficulty: str
    predicted_accuracy: float | None
    interval: tuple[float, float] | None
    ledger: Ledger
    seconds: float
    cost: Mapping[str, float | None]
    notes: tuple[Note, ...]
    explain: Mapping[str, Any]
    routing: float = 0.0


Report = Callable[[Progress], None]


class Answerer(Protocol):
    """Answers queries; many at once, on one event loop."""

    @property
    def model(self) -> str:
        """The name under which clients ask for it."""
        ...

    async def answer(self, query: Query, progress: Report) -> Answered:
        """Answer a query; cancelling the awaiting task ends its work in the engines.

        The first report comes once its models are there.

        Raises:
            InputError: the query cannot be answered as it stands; a NoRoomError where it fills the
                policy's context.
            EngineError: an engine is lost; a later query may find it again.
            LateError: its time ran out before anything was written.
        """
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of a prompt that came as token ids; InputError for ids that are none."""
        ...

    @property
    def places(self) -> int:
        """Questions that the engines have use for beside each other, now."""
        ...

    async def ready(self) -> str | None:
        """None where queries can be answered now, else why not, in one line."""
        ...

    async def close(self) -> None:
        """Release the engines."""
        ...
