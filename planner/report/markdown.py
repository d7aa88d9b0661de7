"""A report as Markdown: its words and tables, and its plots in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from planner.report.document import (
    Block,
    Card,
    Cards,
    Cell,
    Code,
    Kind,
    Listing,
    Plots,
    Report,
    Table,
    Text,
    Weight,
)

# Characters with a meaning in Markdown, or in the HTML within it.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|&~$])")


def to_markdown(report: Report) -> str:
    """Return the report as Markdown; equal data gives equal bytes."""
    parts = [f"# {_escape(report.title)}", _escape(report.subtitle)]
    for section in report.sections:
        parts.append(f"## {_escape(section.heading)}")
        for block in section.blocks:
            parts += _block(block)
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(words, weight):
            text = _escape(words)
            yield f"**{text}**" if weight is Weight.STRONG else text
        case Code(text):
            yield _code(text)
        case Listing(items):
            if items:
                yield "\n".join(f"- {_escape(item)}" for item in items)
        case Cards(cards):
            for card in cards:
                yield from _card(card)
        case Table():
            yield f"*{_escape(block.caption)}*"
            yield _table(block)
        case Plots(plots):
            for plot in plots:
                yield f"*{_escape(plot.title)}.* {_escape(plot.text)}"


def _card(card: Card) -> Iterator[str]:
    yield f"### {_escape(card.title)}"
    for block in card.blocks:
        yield from _block(block)


def _table(table: Table) -> str:
    marked = any(row.marks for row in table.rows)
    headings = [_escape(column.heading) for column in table.columns] + ["Marks"] * marked
    rules = ["--:" if c.kind is Kind.NUMBER else ":--" for c in table.columns] + [":--"] * marked
    lines = [headings, rules]
    for row in table.rows:
        cells = [
            _cell(cell, code=column.kind is Kind.CODE)
            for column, cell in zip(table.columns, row.cells, strict=True)
        ]
        lines.append(cells + [_escape(", ".join(row.marks))] * marked)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Cell, *, code: bool) -> str:
    text = _code(cell.text).replace("|", "\\|") if code else _escape(cell.text)
    return f"{text} {_escape(cell.interval)}" if cell.interval else text


def _code(text: str) -> str:
    """Return a code span, whose fence is longer than any run of backticks within it."""
    plain = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", plain)), default=0))
    return f"{fence}{plain}{fence}" if fence == "`" else f"{fence} {plain} {fence}"


def _escape(text: str) -> str:
    """Return text on one line, with Markdown's special characters escaped."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
