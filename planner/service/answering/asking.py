"""What an answerer makes of a query: the problem, the sampling settings, and notes on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from executor.policies.base import AnyPolicy, Reads
from executor.problem import Problem, content_id
from executor.strategy import (
    AdaptiveMajority,
    Aggregate,
    BestOfN,
    Greedy,
    Majority,
    Sampling,
    ShortMOfK,
    Strategy,
)
from planner.notes import Note, NoteCode
from planner.service.answering.answerer import FieldError, Query

# Strategies that draw whole responses. A search that draws step by step cannot keep to a grammar,
# which begins with the response.
_WHOLE = (Greedy, Majority, AdaptiveMajority, ShortMOfK, BestOfN, Aggregate)


def problem_of(query: Query) -> Problem:
    """Return the question with the earlier messages.

    The problem's id decides the draws: it comes from the text if the query has a seed, else from
    the query's own id.
    """
    before = tuple((one["role"], one["content"]) for one in query.messages[:-1])
    asked = (query.text, before, query.begun, query.json_schema)
    # The id of a plain question stays what it was before there were begun answers and schemas.
    content = asked if any(asked[2:]) else asked[:2]
    name = query.id if query.seed is None else content_id(repr(content))
    return Problem(
        name, query.text, before=before, begun=query.begun, json_schema=query.json_schema
    )


def sampling_of(query: Query, plain: Sampling) -> Sampling:
    """Return a query's sampling settings: the plan's, except those that the query sets itself."""
    return replace(
        plain,
        temperature=plain.temperature if query.temperature is None else query.temperature,
        top_p=plain.top_p if query.top_p is None else query.top_p,
        max_tokens=min(query.max_tokens or plain.max_tokens, plain.max_tokens),
    )


def sampling_notes(query: Query, plain: Sampling) -> Iterator[Note]:
    """Yield notes on settings for which nothing was measured, and on limits that hold anyway."""
    if query.temperature not in (None, plain.temperature):
        yield Note.of(NoteCode.OTHER_TEMPERATURE, temperature=plain.temperature)
    if query.top_p not in (None, plain.top_p):
        yield Note.of(NoteCode.OTHER_TOP_P, top_p=plain.top_p)
    asked, most = query.max_tokens, plain.max_tokens
    if asked is not None and asked > most:
        yield Note.of(NoteCode.TOKENS_CAPPED, max_tokens=most)
    if asked is not None and asked < most:
        yield Note.of(NoteCode.OTHER_TOKEN_LIMIT, max_tokens=most, asked=asked)


def conversation_notes(query: Query, reads: Reads) -> Iterator[Note]:
    """Yield a note on what the policy reads of a conversation of more than one message."""
    if len(query.messages) <= 1:
        return
    if reads is Reads.QUESTION:
        yield Note.of(NoteCode.QUESTION_ALONE)
        return
    if reads is Reads.TEXT:
        yield Note.of(NoteCode.CONVERSATION_AS_TEXT)
    yield Note.of(NoteCode.LAST_MESSAGE_ALONE)


def json_strategy(query: Query, policy: AnyPolicy, n: int) -> Strategy:
    """Return the strategy for an answer in JSON: the one that is forced, or a majority vote.

    Args:
        query: a query with a JSON schema.
        policy: the policy that shall keep to it.
        n: number of responses if no strategy is forced.

    Raises:
        FieldError: the policy cannot keep to a schema, or the strategy searches step by step.
    """
    if not policy.writes_json:
        raise FieldError(
            query.format_param, f"policy {policy.name} cannot be bound to JSON; expected text"
        )
    if query.strategy is None:
        return Greedy() if n == 1 else Majority(n)
    if not isinstance(query.strategy, _WHOLE):
        raise FieldError(
            "strategy",
            f"{query.strategy.name} searches step by step, and JSON is written whole; expected "
            f"one of {', '.join(kind.name for kind in _WHOLE)}",
        )
    return query.strategy
