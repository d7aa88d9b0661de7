"""Turns a request into queries, and the results of the queries into a response."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from fastapi import Response
from starlette.types import Receive, Scope, Send

from executor.ledger import Ledger
from planner.notes import Note, NoteCode
from planner.service.answering.answerer import Answerer, Query
from planner.service.http.faults import RequestError
from planner.service.http.request_handler import Exchange, RequestHandler
from planner.service.http.requests import CommonRequest, CompletionRequest, ConversationFields
from planner.service.http.response_formats import writer_of
from planner.service.http.responses import notes_header, summary_header
from planner.service.http.settings import ServiceSettings
from planner.service.http.streaming import LatestProgress, send_events

SUMMARY_HEADER = "X-Apportion"
NOTES_HEADER = "X-Apportion-Notes"
MAX_CHOICES = 256
"""Most choices of one response, over all its prompts, unless more prompts are allowed."""


def conversation_queries(
    request: ConversationFields, exchange: Exchange, settings: ServiceSettings
) -> tuple[Query, ...]:
    """Return the one query of a conversation: its question is the user's last message."""
    said = request.conversation
    turns = (*said.before, ("user", said.question))
    messages = tuple({"role": role, "content": text} for role, text in turns)
    queries = _queries(request, exchange, settings, [said.question], messages)
    return tuple(replace(query, begun=said.begun) for query in queries)


def completion_queries(
    request: CompletionRequest, exchange: Exchange, settings: ServiceSettings, answerer: Answerer
) -> tuple[Query, ...]:
    """Return one query for each prompt."""
    return _queries(request, exchange, settings, _prompts(request, answerer), ())


def _prompts(request: CompletionRequest, answerer: Answerer) -> list[str]:
    prompt = request.prompt
    if isinstance(prompt, str):
        return [prompt]
    # A list of integers is one prompt of token ids.
    prompts = [prompt] if isinstance(prompt[0], int) else prompt
    return [one if isinstance(one, str) else answerer.decode(one) for one in prompts]


def _queries(
    request: CommonRequest,
    exchange: Exchange,
    settings: ServiceSettings,
    texts: Sequence[str],
    messages: tuple[dict[str, str], ...],
) -> tuple[Query, ...]:
    if len(texts) > settings.max_questions:
        raise RequestError(
            400,
            f"prompt: the request has {len(texts)} prompts; this server takes at most "
            f"{settings.max_questions} in one request",
            param="prompt", code="too_many_prompts",
        )  # fmt: skip
    choices, most_choices = len(texts) * request.choices, max(MAX_CHOICES, settings.max_prompts)
    if choices > most_choices:
        raise RequestError(
            400,
            f"n: {request.choices} choices for each of {len(texts)} prompts are {choices}; this "
            f"server writes at most {most_choices} in one response",
            param="n", code="invalid_value",
        )  # fmt: skip
    max_tokens, notes = request.token_limit, [*exchange.notes, *request.notes()]
    if max_tokens is not None and max_tokens > settings.max_tokens:
        max_tokens = settings.max_tokens
        notes.append(Note.of(NoteCode.TOKENS_CAPPED, max_tokens=max_tokens))
    if request.budget is not None and request.budget > settings.max_budget:
        raise RequestError(
            400,
            f"budget: {request.budget} is more than the {settings.max_budget} this server allows",
            param="budget", code="invalid_value",
        )  # fmt: skip
    drawing = request.drawing(
        settings.max_budget, off=exchange.off, greedy_at_zero=settings.greedy_at_zero
    )
    query = Query(
        id=f"{request.id_prefix}{exchange.id}",
        text="",
        messages=messages,
        constraint=replace(settings.constraint, **request.limits()),
        strategy=drawing.strategy,
        n=request.choices,
        stop=request.stop_strings(),
        seed=request.seed,
        max_tokens=max_tokens,
        temperature=drawing.temperature,
        top_p=drawing.top_p,
        json_schema=request.json_schema,
        param=request.question_field,
        notes=(*notes, *drawing.notes),
        explain=bool(request.explain),
        arrived=exchange.started_at,
    )
    if len(texts) == 1:
        return (replace(query, text=texts[0]),)
    return tuple(
        replace(query, id=f"{query.id}-{index}", text=text, ledger=Ledger())
        for index, text in enumerate(texts)
    )


class AnswerResponse(Response):
    """The response to a request; its queries are answered while the response is being sent.

    Args:
        handler: passes the queries to the answerer.
        exchange: receives the queries and the results.
        request: the request.
        queries: its questions.
    """

    def __init__(
        self,
        handler: RequestHandler,
        exchange: Exchange,
        request: CommonRequest,
        queries: tuple[Query, ...],
    ) -> None:
        super().__init__()
        self._handler = handler
        self._exchange = exchange
        self._writer = writer_of(request, exchange.id, handler.answerer.model)
        exchange.queries = queries
        exchange.stream = bool(request.stream)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer and send; errors before the first byte are raised."""
        progress = LatestProgress()
        work = self._handler.answer(self._exchange, progress.report)
        async with self._handler.run_for_client(work, receive) as task:
            if self._exchange.stream:
                await send_events(
                    self._writer, task, progress, send,
                    heartbeat=self._handler.settings.heartbeat, on_failure=self._record_failure,
                )  # fmt: skip
                return
            results = await task.result()
            body = json.dumps(self._writer.whole(results)).encode()
            headers = {SUMMARY_HEADER: summary_header(results)}
            if noted := notes_header(results):
                headers[NOTES_HEADER] = noted
            response = Response(body, media_type="application/json", headers=headers)
            await response(scope, receive, send)

    def _record_failure(self, error: Exception) -> None:
        self._handler.record_failure(self._exchange, error)
