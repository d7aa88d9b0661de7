"""What all formats of answers share: the interface of a writer, events, and words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from planner.service.answering.answerer import QueryProgress, QueryResult
from planner.service.http.faults import RequestError
from planner.service.http.requests import CommonRequest

JsonObject = Mapping[str, Any]

_WORD = re.compile(r"\s*\S+|\s+$")


class Writer(Protocol):
    """Writes the response to one request, whole or as the events of a stream."""

    @property
    def request(self) -> CommonRequest:
        """The request."""
        ...

    @property
    def end(self) -> bytes:
        """What ends a stream."""
        ...

    def whole(self, results: Sequence[QueryResult]) -> dict[str, Any]:
        """Return the whole response."""
        ...

    def events(self, results: Sequence[QueryResult]) -> Iterator[bytes]:
        """Yield the events of the answer, one by one: all together may take a gigabyte."""
        ...

    def progress(self, progress: QueryProgress) -> bytes:
        """Return an event without choices that has the progress of the search."""
        ...

    def failure(self, fault: RequestError) -> bytes:
        """Return the event that ends a stream which failed."""
        ...


def event(record: JsonObject, name: str | None = None) -> bytes:
    """Return a server-sent event."""
    head = b"" if name is None else f"event: {name}\n".encode()
    return head + b"data: " + json.dumps(record).encode() + b"\n\n"


def split_words(text: str) -> list[str]:
    """Return the words of a text, each with the space before it; a stream sends word by word."""
    return _WORD.findall(text)
