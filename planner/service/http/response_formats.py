"""The two formats of answers, chat and plain completions, each whole or as chunks of a stream."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from planner.service.answering.answerer import QueryProgress, QueryResult
from planner.service.http.requests import ChatRequest, CompletionRequest
from planner.service.http.responses import FinishReason, explanation, select_choices, usage

JsonObject = Mapping[str, Any]

_WORD = re.compile(r"\s*\S+|\s+$")


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The format of an endpoint's responses.

    Attributes:
        id_prefix: prefix of the ids of responses.
        whole_object, chunk_object: `object` of a whole response, and of a chunk of a stream.
        choice: makes a choice from its index, text and finish reason.
        first_piece: makes the first piece of a choice in a stream; None: there is none.
        text_piece: makes a piece with some of a choice's text.
        last_piece: makes the last piece of a choice, with its finish reason.
    """

    id_prefix: str
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
    id_prefix="chatcmpl",
    whole_object="chat.completion",
    chunk_object="chat.completion.chunk",
    choice=_message,
    first_piece=lambda index: _delta(index, {"role": "assistant", "content": ""}),
    text_piece=lambda index, text: _delta(index, {"content": text}),
    last_piece=lambda index, finish: _delta(index, {}, finish),
)
TEXT_FORMAT = ResponseFormat(
    id_prefix="cmpl",
    whole_object="text_completion",
    chunk_object="text_completion",
    choice=_text,
    first_piece=None,
    text_piece=_text,
    last_piece=lambda index, finish: _text(index, "", finish),
)


@dataclass(frozen=True, slots=True)
class ResponseWriter:
    """Writes the response to one request.

    Attributes:
        format: format of the endpoint.
        id: id of the exchange.
        request: the request.
        created: time of the response, in seconds since the epoch.
    """

    format: ResponseFormat
    id: str
    request: ChatRequest | CompletionRequest
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, results: Sequence[QueryResult]) -> dict[str, Any]:
        """Return the whole response."""
        written = [
            self.format.choice(index, text, finish)
            for index, (text, finish) in enumerate(self._choices(results))
        ]
        record = self._record(self.format.whole_object, written)
        explanations = self._explanations(results) if self.request.explain else {}
        return record | {"usage": usage(results)} | explanations

    def chunks(self, results: Sequence[QueryResult]) -> Iterator[dict[str, Any]]:
        """Yield the chunks of a stream, one by one: all of them together may take a gigabyte.

        The last chunk with a choice always has the field `apportion`: the header of a stream is
        sent too early to have it. If usage is asked for, it comes afterwards in a chunk without
        choices, as OpenAI sends it.
        """
        options = self.request.stream_options
        with_usage = options is not None and options.include_usage
        no_usage = {"usage": None} if with_usage else {}
        kind = self.format.chunk_object
        texts = self._choices(results)
        for index, (text, finish) in enumerate(texts):
            if self.format.first_piece is not None:
                yield self._record(kind, [self.format.first_piece(index)]) | no_usage
            for word in split_words(text):
                yield self._record(kind, [self.format.text_piece(index, word)]) | no_usage
            last = self._record(kind, [self.format.last_piece(index, finish)]) | no_usage
            yield last | (self._explanations(results) if index == len(texts) - 1 else {})
        if with_usage:
            yield self._record(kind, []) | {"usage": usage(results)}

    def progress(self, progress: QueryProgress) -> dict[str, Any]:
        """Return a chunk without choices that has the progress of the search."""
        record = self._record(self.format.chunk_object, [])
        return record | {"apportion": {"progress": asdict(progress)}}

    def _record(self, kind: str, choices: Sequence[JsonObject]) -> dict[str, Any]:
        return {
            "id": f"{self.format.id_prefix}-{self.id}",
            "object": kind,
            "created": self.created,
            "model": self.request.model,
            "choices": list(choices),
        }

    def _choices(self, results: Sequence[QueryResult]) -> list[tuple[str, FinishReason]]:
        return select_choices(results, self.request.n or 1, self.request.stop_strings())

    def _explanations(self, results: Sequence[QueryResult]) -> dict[str, Any]:
        name = f"{self.format.id_prefix}-{self.id}"
        names = [name] if len(results) == 1 else [f"{name}-{i}" for i in range(len(results))]
        pairs = zip(names, results, strict=True)
        return {"apportion": [{"id": one, **explanation(result)} for one, result in pairs]}


def split_words(text: str) -> list[str]:
    """Return the words of a text, each with the space before it; a stream sends word by word."""
    return _WORD.findall(text)
