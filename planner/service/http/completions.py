"""Turns a request into queries, and the results of the queries into a response."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from fastapi import Response
from starlette.types import Receive, Scope, Send

from executor.ledger import Ledger
from executor.strategy import Greedy
from planner.service.answering.answerer import Answerer, Query
from planner.service.http.faults import RequestError
from planner.service.http.request_handler import Exchange, RequestHandler
from planner.service.http.requests import ChatRequest, CompletionRequest
from planner.service.http.response_formats import CHAT_FORMAT, TEXT_FORMAT, ResponseWriter
from planner.service.http.responses import summary_header
from planner.service.http.settings import ServiceSettings
from planner.service.http.streaming import LatestProgress, send_events

SUMMARY_HEADER = "X-Apportion"
MAX_CHOICES = 256
"""Most choices of one response, over all its prompts, unless more prompts are allowed."""


def chat_queries(
    request: ChatRequest, exchange: Exchange, settings: ServiceSettings
) -> tuple[Query, ...]:
    """Return the one query of a conversation: its question is the user's last message."""
    messages = tuple({"role": one.role, "content": one.text} for one in request.messages)
    name = f"{CHAT_FORMAT.id_prefix}-{exchange.id}"
    return _queries(request, name, exchange, settings, [messages[-1]["content"]], messages)


def completion_queries(
    request: CompletionRequest, exchange: Exchange, settings: ServiceSettings, answerer: Answerer
) -> tuple[Query, ...]:
    """Return one query for each prompt."""
    name = f"{TEXT_FORMAT.id_prefix}-{exchange.id}"
    return _queries(request, name, exchange, settings, _prompts(request, answerer), ())


def _prompts(request: CompletionRequest, answerer: Answerer) -> list[str]:
    prompt = request.prompt
    if isinstance(prompt, str):
        return [prompt]
    # A list of integers is one prompt of token ids.
    prompts = [prompt] if isinstance(prompt[0], int) else prompt
    return [one if isinstance(one, str) else answerer.decode(one) for one in prompts]


def _queries(
    request: ChatRequest | CompletionRequest,
    name: str,
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
    choices, most_choices = len(texts) * (request.n or 1), max(MAX_CHOICES, settings.max_prompts)
    if choices > most_choices:
        raise RequestError(
            400,
            f"n: {request.n} choices for each of {len(texts)} prompts are {choices}; this server "
            f"writes at most {most_choices} in one response",
            param="n", code="invalid_value",
        )  # fmt: skip
    max_tokens = request.token_limit
    if max_tokens is not None and max_tokens > settings.max_tokens:
        field = "max_completion_tokens" if request.max_tokens is None else "max_tokens"
        raise RequestError(
            400, f"{field}: {max_tokens} is more than the {settings.max_tokens} this server allows",
            param=field, code="invalid_value",
        )  # fmt: skip
    if request.budget is not None and request.budget > settings.max_budget:
        raise RequestError(
            400,
            f"budget: {request.budget} is more than the {settings.max_budget} this server allows",
            param="budget", code="invalid_value",
        )  # fmt: skip
    strategy = request.forced_strategy(settings.max_budget)
    query = Query(
        id=name,
        text="",
        messages=messages,
        constraint=replace(settings.constraint, **request.limits()),
        strategy=strategy,
        n=request.n or 1,
        stop=request.stop_strings(),
        seed=request.seed,
        max_tokens=max_tokens,
        temperature=None if isinstance(strategy, Greedy) else request.temperature,
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
        request: ChatRequest | CompletionRequest,
        queries: tuple[Query, ...],
    ) -> None:
        super().__init__()
        self._handler = handler
        self._exchange = exchange
        response_format = CHAT_FORMAT if isinstance(request, ChatRequest) else TEXT_FORMAT
        self._writer = ResponseWriter(response_format, exchange.id, request)
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
            response = Response(body, media_type="application/json", headers=headers)
            await response(scope, receive, send)

    def _record_failure(self, error: Exception) -> None:
        self._handler.record_failure(self._exchange, error)
