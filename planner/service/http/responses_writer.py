"""Answers of /v1/responses: a response whole, or as its events."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from planner.service.answering.answerer import QueryProgress, QueryResult
from planner.service.http.faults import RequestError
from planner.service.http.responses import explained, explanations, response_usage, select_choices
from planner.service.http.responses_request import ResponsesRequest
from planner.service.http.writing import event, split_words


@dataclass(slots=True)
class ResponsesWriter:
    """Writes the response to one request of /v1/responses.

    Attributes:
        id: id of the exchange.
        request: the request.
        model: name of the model that is served.
        created: time of the response, in seconds since the epoch.
        end: what ends a stream: nothing, since its last event is `response.completed`.
    """

    id: str
    request: ResponsesRequest
    model: str
    created: int = field(default_factory=lambda: int(time.time()))
    end: bytes = b""
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _begun: bool = False

    def whole(self, results: Sequence[QueryResult]) -> dict[str, Any]:
        """See `Writer.whole`."""
        return self._ended(results) | explained(self.request, results, self._name)

    def events(self, results: Sequence[QueryResult]) -> Iterator[bytes]:
        """See `Writer.events`; the last one always has the field `apportion`."""
        yield from self._begin()
        text, _ = self._answer(results)
        place = {"item_id": self._item_id, "output_index": 0, "content_index": 0}
        item = self._item("", "in_progress") | {"content": []}
        yield self._event("output_item.added", output_index=0, item=item)
        yield self._event("content_part.added", **place, part=_part(""))
        for word in split_words(text):
            yield self._event("output_text.delta", **place, delta=word, logprobs=[])
        yield self._event("output_text.done", **place, text=text, logprobs=[])
        yield self._event("content_part.done", **place, part=_part(text))
        ended = self._ended(results)
        yield self._event("output_item.done", output_index=0, item=ended["output"][0])
        told = ended | explanations(results, self._name)
        yield self._event(ended["status"], response=told)

    def progress(self, progress: QueryProgress) -> bytes:
        """See `Writer.progress`."""
        told = {"apportion": {"progress": asdict(progress)}}
        return b"".join([*self._begin(), self._event("in_progress", response=self._open() | told)])

    def failure(self, fault: RequestError) -> bytes:
        """See `Writer.failure`."""
        told = {"code": fault.code, "message": fault.message, "param": fault.param}
        record = {"type": "error", "sequence_number": next(self._numbers)}
        # OpenAI's client raises an error only if there is one in its older form.
        return event(record | told | fault.record(), "error")

    @property
    def _name(self) -> str:
        return f"{self.request.id_prefix}{self.id}"

    @property
    def _item_id(self) -> str:
        return f"msg_{self.id}"

    def _begin(self) -> Iterator[bytes]:
        if not self._begun:
            self._begun = True
            yield self._event("created", response=self._open())
            yield self._event("in_progress", response=self._open())

    def _event(self, kind: str, **more: Any) -> bytes:
        name = f"response.{kind}"
        return event({"type": name, "sequence_number": next(self._numbers)} | more, name)

    def _answer(self, results: Sequence[QueryResult]) -> tuple[str, str]:
        [(text, finish)] = select_choices(results, 1, ())
        return text, finish

    def _item(self, text: str, status: str) -> dict[str, Any]:
        return {
            "id": self._item_id, "type": "message", "role": "assistant", "status": status,
            "content": [_part(text)],
        }  # fmt: skip

    def _ended(self, results: Sequence[QueryResult]) -> dict[str, Any]:
        text, finish = self._answer(results)
        status = "incomplete" if finish == "length" else "completed"
        details = {"reason": "max_output_tokens"} if finish == "length" else None
        return self._open() | {
            "status": status,
            "incomplete_details": details,
            "output": [self._item(text, status)],
            "usage": response_usage(results),
        }

    def _open(self) -> dict[str, Any]:
        """Return the response before it has an answer."""
        request = self.request
        text = request.model_dump(include={"text"}, by_alias=True, exclude_none=True).get("text")
        return {
            "id": self._name,
            "object": "response",
            "created_at": self.created,
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": request.instructions,
            "max_output_tokens": request.max_output_tokens,
            "metadata": _strings(request.metadata),
            "model": self.model,
            "output": [],
            "parallel_tool_calls": bool(request.parallel_tool_calls),
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            "store": False,
            "temperature": request.temperature,
            "text": {"format": {"type": "text"}} | (text or {}),
            "tool_choice": "auto",
            "tools": [],
            "top_p": request.top_p,
            "truncation": "disabled",
            "usage": None,
            "user": request.user,
        }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _strings(metadata: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (metadata or {}).items()}
