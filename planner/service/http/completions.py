"""From a request to its questions, and from their answers to a response."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from fastapi import Response
from starlette.types import Receive, Scope, Send

from executor.ledger import Ledger
from executor.strategy import Greedy
from planner.service.answering.answerer import Answerer, Query
from planner.service.answering.request_handler import Desk, Exchange
from planner.service.http.faults import RequestError
from planner.service.http.requests import ChatRequest, CompletionRequest
from planner.service.http.response_formats import CHAT, PLAIN, Writer
from planner.service.http.responses import header
from planner.service.http.settings import Settings
from planner.service.http.streaming import Latest, stream

HEADER = "X-Apportion"
MOST_WRITTEN = 256
"""Choices of one response, those of all its prompts; more only where more prompts are allowed."""


def chat_queries(asked: ChatRequest, exchange: Exchange, settings: Settings) -> tuple[Query, ...]:
    """The one question of a conversation: the user's last message."""
    messages = tuple({"role": one.role, "content": one.text} for one in asked.messages)
    name = f"{CHAT.prefix}-{exchange.id}"
    return _queries(asked, name, exchange, settings, [messages[-1]["content"]], messages)


def plain_queries(
    asked: CompletionRequest, exchange: Exchange, settings: Settings, answerer: Answerer
) -> tuple[Query, ...]:
    """A question for each prompt."""
    name = f"{PLAIN.prefix}-{exchange.id}"
    return _queries(asked, name, exchange, settings, _prompts(asked, answerer), ())


def _prompts(asked: CompletionRequest, answerer: Answerer) -> list[str]:
    prompt = asked.prompt
    if isinstance(prompt, str):
        return [prompt]
    # One prompt of token ids reads as several prompts of a token each.
    several = [prompt] if isinstance(prompt[0], int) else prompt
    return [one if isinstance(one, str) else answerer.decode(one) for one in several]


def _queries(
    asked: ChatRequest | CompletionRequest,
    name: str,
    exchange: Exchange,
    settings: Settings,
    texts: Sequence[str],
    messages: tuple[dict[str, str], ...],
) -> tuple[Query, ...]:
    if len(texts) > settings.most_questions:
        raise RequestError(
            400,
            f"prompt: {len(texts)} of them; this server takes at most {settings.most_questions} "
            "in one request",
            param="prompt", code="too_many_prompts",
        )  # fmt: skip
    written, room = len(texts) * (asked.n or 1), max(MOST_WRITTEN, settings.max_prompts)
    if written > room:
        raise RequestError(
            400, f"n: {asked.n} choices of each of {len(texts)} prompts are {written}; this server "
            f"writes at most {room} in one response",
            param="n", code="invalid_value",
        )  # fmt: skip
    most = asked.most_tokens
    if most is not None and most > settings.max_tokens:
        field = "max_completion_tokens" if asked.max_tokens is None else "max_tokens"
        raise RequestError(
            400, f"{field}: {most} is more than the {settings.max_tokens} this server allows",
            param=field, code="invalid_value",
        )  # fmt: skip
    if asked.budget is not None and asked.budget > settings.max_budget:
        raise RequestError(
            400,
            f"budget: {asked.budget} is more than the {settings.max_budget} this server allows",
            param="budget", code="invalid_value",
        )  # fmt: skip
    strategy = asked.forced(settings.max_budget)
    one = Query(
        id=name,
        text="",
        messages=messages,
        constraint=replace(settings.constraint, **asked.limits()),
        strategy=strategy,
        n=asked.n or 1,
        stop=asked.stops(),
        seed=asked.seed,
        max_tokens=most,
        temperature=None if isinstance(strategy, Greedy) else asked.temperature,
        explain=bool(asked.explain),
        arrived=exchange.began,
    )
    if len(texts) == 1:
        return (replace(one, text=texts[0]),)
    return tuple(
        replace(one, id=f"{one.id}-{index}", text=text, ledger=Ledger())
        for index, text in enumerate(texts)
    )


class Delivery(Response):
    """The response to a request: its questions are answered while it is being sent."""

    def __init__(
        self,
        desk: Desk,
        exchange: Exchange,
        asked: ChatRequest | CompletionRequest,
        queries: tuple[Query, ...],
    ) -> None:
        super().__init__()
        self._desk = desk
        self._exchange = exchange
        form = CHAT if isinstance(asked, ChatRequest) else PLAIN
        self._writer = Writer(form, exchange.id, asked)
        exchange.queries = queries
        exchange.stream = bool(asked.stream)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; what goes wrong before anything is sent is raised."""
        latest = Latest()
        work = self._desk.answer(self._exchange, latest.report)
        async with self._desk.attend(work, receive) as attended:
            if self._exchange.stream:
                await stream(
                    self._writer, attended, latest, send,
                    heartbeat=self._desk.settings.heartbeat, failed=self._failed,
                )  # fmt: skip
                return
            answers = await attended.result()
            body = json.dumps(self._writer.whole(answers)).encode()
            response = Response(
                body, media_type="application/json", headers={HEADER: header(answers)}
            )
            await response(scope, receive, send)

    def _failed(self, error: Exception) -> None:
        self._desk.failed(self._exchange, error)
