"""The interface between the server and what answers queries."""

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


class DeadlineExceededError(TimeoutError):
    """The time of a query ran out before any response was written."""


class FieldError(InputError):
    """A field of a request has a value that this policy or plan cannot honour.

    Args:
        param: the field.
        reason: why, in one line.
    """

    def __init__(self, param: str, reason: str) -> None:
        super().__init__(f"{param}: {reason}")
        self.param = param


class ContextExceededError(FieldError):
    """A question fills the policy's context, so that there is no room for an answer.

    Args:
        query: the query that asks the question.
        context: context length of the policy, in tokens; None: a chat policy's, which is unknown.
    """

    def __init__(self, query: Query, context: int | None) -> None:
        # OpenAI's own words: some clients recognise the error by them.
        length = "exceeded" if context is None else f"{context} tokens"
        super().__init__(
            query.param,
            f"this model's maximum context length is {length}, which leaves no room for an answer",
        )


@dataclass(frozen=True, slots=True)
class Query:
    """One question of a request.

    Attributes:
        id: id of the response; if a request has several questions, `-0`, `-1`, ... follow it.
        text: the question: the last user message, or the prompt.
        messages: the whole conversation, `role` and `content` each; empty for completions.
        constraint: limits on the choice of a strategy; `max_seconds` counts from `arrived`.
        strategy: the strategy that the request forces; None: the router chooses.
        n: number of answers wanted: the n best different responses by the strategy's own vote.
        stop: strings that end an answer; the server cuts the answer at them after it was drawn.
        seed: equal seeds and texts give equal draws; None: draws differ from query to query.
        max_tokens: most tokens of one response; None: as the plan says.
        temperature: above 0 and at most 2; None: as the plan says.
        top_p: nucleus mass, above 0 and at most 1; None: as the plan says.
        begun: text that the answer begins with, and that is not part of it.
        json_schema: JSON Schema, as JSON, that the answer must follow; None: free text.
        param: the field of the request that holds the question.
        notes: what the request asked for and does not get; the server puts these notes before those
            of the result.
        explain: whether the client wants `QueryResult.explain`, which may be empty otherwise.
        arrived: time at which the request came, by `time.perf_counter`.
        ledger: tokens spent on the query so far, also if it gets no answer.
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
    top_p: float | None = None
    begun: str = ""
    json_schema: str | None = None
    param: str = "prompt"
    notes: tuple[Note, ...] = ()
    explain: bool = False
    arrived: float = field(default_factory=time.perf_counter)
    ledger: Ledger = field(default_factory=Ledger, compare=False)

    @property
    def format_param(self) -> str:
        """The field of the request that holds the format of the answer."""
        return "text" if self.param == "input" else "response_format"

    @property
    def characters(self) -> int:
        """Number of characters of the question and of the messages before it."""
        return len(self.text) + sum(len(one["content"]) for one in self.messages[:-1])

    def seconds_left(self) -> float | None:
        """Return the seconds until the query's time runs out; None if it has no limit."""
        most = self.constraint.max_seconds
        return None if most is None else most - (time.perf_counter() - self.arrived)


@dataclass(frozen=True, slots=True)
class QueryProgress:
    """Progress of the search for an answer.

    Attributes:
        stage: `probing`, `routed` or `searching`.
        generated_tokens: number of tokens generated so far.
        strategy, difficulty: None until they are chosen.
    """

    stage: str
    generated_tokens: int
    strategy: str | None
    difficulty: str | None


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answers to one query, and what they took.

    Attributes:
        texts: up to n full responses of the policy, the best first.
        finish: `stop` or `length` for each text.
        answer: the answer in the first text; None if it has none.
        strategy: the strategy that was run.
        difficulty: `easy`, `medium`, `hard`, or `all` if it was not estimated.
        predicted_accuracy, interval: None if there is no evidence on such questions.
        ledger: all tokens that were spent, including probes and dropped responses.
        seconds: time from the query to the answer.
        cost: `flops`, `usd`, `seconds`; None for each that is not known.
        notes: fallbacks, a deadline that cut the search, what was not known.
        explain: the estimate, the alternatives considered, and why the strategy was chosen.
        routing: seconds spent on estimating, choosing, and recording the answer; drawing and
            scoring probes is not included.
        uncompared: see `executor.outcome.Outcome.uncompared`.
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
    uncompared: int = 0


ReportProgress = Callable[[QueryProgress], None]


class Answerer(Protocol):
    """Answers many queries at once, on one event loop."""

    @property
    def model(self) -> str:
        """Name under which clients ask for the model."""
        ...

    async def answer(self, query: Query, progress: ReportProgress) -> QueryResult:
        """Answer a query; cancelling the awaiting task ends its work in the engines.

        Args:
            query: the question and its limits.
            progress: called with the progress; the first call comes once the models are loaded.

        Raises:
            InputError: the query cannot be answered as it stands; a ContextExceededError if it
                fills the policy's context.
            EngineError: an engine is lost; a later query may find it again.
            DeadlineExceededError: the query's time ran out before any response was written.
        """
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of a prompt that came as token ids.

        Raises:
            InputError: an id is not a token of the model.
        """
        ...

    @property
    def concurrency(self) -> int:
        """Number of questions that the engines can usefully work on at once, now."""
        ...

    async def ready(self) -> str | None:
        """Return None if queries can be answered now, else the reason in one line."""
        ...

    async def close(self) -> None:
        """Release the engines."""
        ...
