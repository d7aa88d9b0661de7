"""A page as a parser reads it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """Collects what tests ask for, and fails on a tag that is not closed in order."""

    VOID = frozenset({"meta", "br", "wbr", "img", "link", "hr", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self.feed(page)
        self.close()
        assert self.open == [], "these tags were never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
            self.inside.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.inside[tag][-1] += data

    @property
    def record(self) -> dict[str, Any]:
        """The embedded JSON."""
        (text,) = self.inside["script"]
        return json.loads(text)  # type: ignore[no-any-return]

    @property
    def prose(self) -> str:
        """All text a reader sees, white space collapsed."""
        return re.sub(r"\s+", " ", self.inside["body"][0].replace(self.inside["script"][0], ""))
