"""How answers are written: whole or as the chunks of a stream, for chat and for completions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from planner.service.answering.answerer import Answered, Progress
from planner.service.http.requests import ChatRequest, CompletionRequest
from planner.service.http.responses import Finish, choices, told, usage

Record = Mapping[str, Any]

_PIECE = re.compile(r"\s*\S+|\s+$")


@dataclass(frozen=True, slots=True)
class Form:
    """How an endpoint writes what it says.

    Attributes:
        prefix: of ids.
        whole, chunk: the `object` of a whole response, and of a piece of a stream.
        choice: a choice, from its index, text and finish.
        opening: the first piece of a choice in a stream, if there is one.
        piece: some of a choice's text.
        closing: the last one, which says why the choice ends.
    """

    prefix: str
    whole: str
    chunk: str
    choice: Callable[[int, str, Finish], Record]
    opening: Callable[[int], Record] | None
    piece: Callable[[int, str], Record]
    closing: Callable[[int, Finish], Record]


def _message(index: int, text: str, finish: Finish) -> Record:
    message = {"role": "assistant", "content": text, "refusal": None}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish}


def _delta(index: int, delta: Record, finish: Finish | None = None) -> Record:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def _text(index: int, text: str, finish: Finish | None = None) -> Record:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}


CHAT = Form(
    prefix="chatcmpl",
    whole="chat.completion",
    chunk="chat.completion.chunk",
    choice=_message,
    opening=lambda index: _delta(index, {"role": "assistant", "content": ""}),
    piece=lambda index, text: _delta(index, {"content": text}),
    closing=lambda index, finish: _delta(index, {}, finish),
)
PLAIN = Form(
    prefix="cmpl",
    whole="text_completion",
    chunk="text_completion",
    choice=_text,
    opening=None,
    piece=_text,
    closing=lambda index, finish: _text(index, "", finish),
)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the answers to one request.

    Attributes:
        form: of the endpoint.
        id: of the request.
        asked: the request.
        created: when, in seconds since the epoch.
    """

    form: Form
    id: str
    asked: ChatRequest | CompletionRequest
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answers: Sequence[Answered]) -> dict[str, Any]:
        """All of it."""
        written = [
            self.form.choice(index, text, finish)
            for index, (text, finish) in enumerate(self._choices(answers))
        ]
        record = self._record(self.form.whole, written)
        explained = self._told(answers) if self.asked.explain else {}
        return record | {"usage": usage(answers)} | explained

    def chunks(self, answers: Sequence[Answered]) -> Iterator[dict[str, Any]]:
        """The chunks of a stream, made as they are asked for: all at once may take a gigabyte.

        The last that has a choice says what was run, whether or not that was asked for: a stream
        begins before it is known, so no header can. Usage, where it is asked for, comes after it in
        a chunk without choices, as OpenAI sends it.
        """
        options = self.asked.stream_options
        counted = options is not None and options.include_usage
        null = {"usage": None} if counted else {}
        texts = self._choices(answers)
        for index, (text, finish) in enumerate(texts):
            if self.form.opening is not None:
                yield self._record(self.form.chunk, [self.form.opening(index)]) | null
            for piece in split(text):
                yield self._record(self.form.chunk, [self.form.piece(index, piece)]) | null
            closing = self._record(self.form.chunk, [self.form.closing(index, finish)]) | null
            yield closing | (self._told(answers) if index == len(texts) - 1 else {})
        if counted:
            yield self._record(self.form.chunk, []) | {"usage": usage(answers)}

    def progress(self, progress: Progress) -> dict[str, Any]:
        """A chunk without choices that says how far the search is."""
        return self._record(self.form.chunk, []) | {"apportion": {"progress": asdict(progress)}}

    def _record(self, kind: str, written: Sequence[Record]) -> dict[str, Any]:
        return {
            "id": f"{self.form.prefix}-{self.id}",
            "object": kind,
            "created": self.created,
            "model": self.asked.model,
            "choices": list(written),
        }

    def _choices(self, answers: Sequence[Answered]) -> list[tuple[str, Finish]]:
        return choices(answers, self.asked.n or 1, self.asked.stops())

    def _told(self, answers: Sequence[Answered]) -> dict[str, Any]:
        name = f"{self.form.prefix}-{self.id}"
        names = [name] if len(answers) == 1 else [f"{name}-{i}" for i in range(len(answers))]
        pairs = zip(names, answers, strict=True)
        return {"apportion": [{"id": one, **told(answered)} for one, answered in pairs]}


def split(text: str) -> list[str]:
    """A text as the words it is streamed by, each with the space before it."""
    return _PIECE.findall(text)
