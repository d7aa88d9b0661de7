"""The formats of answers, each whole or as events of a stream: chat and plain completions.

`responses_writer` writes those of /v1/responses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from planner.service.answering.answerer import QueryProgress, QueryResult
from planner.service.http.faults import RequestError
from planner.service.http.requests import ChatRequest, CommonRequest, CompletionRequest
from planner.service.http.responses import (
    FinishReason,
    explained,
    explanations,
    select_choices,
    usage,
)
from planner.service.http.responses_request import ResponsesRequest
from planner.service.http.responses_writer import ResponsesWriter
from planner.service.http.writing import JsonObject, Writer, event, split_words


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The format of an endpoint's responses.

    Attributes:
        whole_object, chunk_object: `object` of a whole response, and of a chunk of a stream.
        choice: makes a choice from its index, text and finish reason.
        first_piece: makes the first piece of a choice in a stream; None: there is none.
        text_piece: makes a piece with some of a choice's text.
        last_piece: makes the last piece of a choice, with its finish reason.
    """

    whole_object: str
    chunk_object: str
    choice: Callable[[int, str, FinishReason], JsonObject]
    first_piece: Callable[[int], JsonObject] | None
    text_piece: Callable[[int, str], JsonObject]
    last_piece: Callable[[int, FinishReason], JsonObject]


def _message(index: int, text: str, finish: FinishReason) -> JsonObject:
    message = {"role": "assistant", "content": text, "refusal": None}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish}


def _delta(index: int, delta: JsonObject, finish: FinishReason | None = None) -> JsonObject:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def _text(index: int, text: str, finish: FinishReason | None = None) -> JsonObject:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}


CHAT_FORMAT = ResponseFormat(
    whole_object="chat.completion",
    chunk_object="chat.completion.chunk",
    choice=_message,
    first_piece=lambda index: _delta(index, {"role": "assistant", "content": ""}),
    text_piece=lambda index, text: _delta(index, {"content": text}),
    last_piece=lambda index, finish: _delta(index, {}, finish),
)
TEXT_FORMAT = ResponseFormat(
    whole_object="text_completion",
    chunk_object="text_completion",
    choice=_text,
    first_piece=None,
    text_piece=_text,
    last_piece=lambda index, finish: _text(index, "", finish),
)


@dataclass(frozen=True, slots=True)
class CompletionWriter:
    """Writes chat and plain completions.

    Attributes:
        format: format of the endpoint.
        id: id of the exchange.
        request: the request.
        model: name of the model that is served.
        created: time of the response, in seconds since the epoch.
    """

    format: ResponseFormat
    id: str
    request: ChatRequest | CompletionRequest
    model: str
    created: int = field(default_factory=lambda: int(time.time()))
    end: bytes = b"data: [DONE]\n\n"

    def whole(self, results: Sequence[QueryResult]) -> dict[str, Any]:
        """See `Writer.whole`."""
        written = [
            self.format.choice(index, text, finish)
            for index, (text, finish) in enumerate(self._choices(results))
        ]
        record = self._record(self.format.whole_object, written)
        told = explained(self.request, results, self._name)
        return record | {"usage": usage(results)} | told

    def events(self, results: Sequence[QueryResult]) -> Iterator[bytes]:
        """See `Writer.events`."""
        return map(event, self.chunks(results))

    def chunks(self, results: Sequence[QueryResult]) -> Iterator[dict[str, Any]]:
        """Yield the chunks of a stream.

        The last chunk with a choice always has the field `apportion`: the header of a stream is
        sent too early to have it. If usage is asked for, it comes afterwards in a chunk without
        choices, as OpenAI sends it.
        """
        options = self.request.stream_options
        with_usage = options is not None and bool(options.include_usage)
        no_usage = {"usage": None} if with_usage else {}
        kind = self.format.chunk_object
        texts = self._choices(results)
        for index, (text, finish) in enumerate(texts):
            if self.format.first_piece is not None:
                yield self._record(kind, [self.format.first_piece(index)]) | no_usage
            for word in split_words(text):
                yield self._record(kind, [self.format.text_piece(index, word)]) | no_usage
            last = self._record(kind, [self.format.last_piece(index, finish)]) | no_usage
            told = explanations(results, self._name) if index == len(texts) - 1 else {}
            yield last | told
        if with_usage:
            yield self._record(kind, []) | {"usage": usage(results)}

    def progress(self, progress: QueryProgress) -> bytes:
        """See `Writer.progress`."""
        record = self._record(self.format.chunk_object, [])
        return event(record | {"apportion": {"progress": asdict(progress)}})

    def failure(self, fault: RequestError) -> bytes:
        """See `Writer.failure`."""
        return event(fault.record())

    @property
    def _name(self) -> str:
        return f"{self.request.id_prefix}{self.id}"

    def _record(self, kind: str, choices: Sequence[JsonObject]) -> dict[str, Any]:
        return {
            "id": self._name,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": list(choices),
        }

    def _choices(self, results: Sequence[QueryResult]) -> list[tuple[str, FinishReason]]:
        return select_choices(results, self.request.choices, self.request.stop_strings())


def writer_of(request: CommonRequest, exchange_id: str, model: str) -> Writer:
    """Return the writer of the response to a request."""
    match request:
        case ChatRequest():
            return CompletionWriter(CHAT_FORMAT, exchange_id, request, model)
        case CompletionRequest():
            return CompletionWriter(TEXT_FORMAT, exchange_id, request, model)
        case ResponsesRequest():
            return ResponsesWriter(exchange_id, request, model)
    raise TypeError(f"no format for {type(request).__name__}")
