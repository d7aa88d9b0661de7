"""A report before it is laid out: sections of text, tables and plots.

Whatever a page, a Markdown file or a JSON document of a report shows is here, in words and as plain
values; they lay it out and compute nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Weight(StrEnum):
    """How much a sentence is stressed."""

    PLAIN = "plain"
    STRONG = "strong"
    MUTED = "muted"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    words: str
    weight: Weight = Weight.PLAIN


@dataclass(frozen=True, slots=True)
class Code:
    """A command line, or the key of a strategy."""

    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Short sentences below each other."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A box that can be read alone."""

    title: str
    blocks: tuple[Text | Code | Listing, ...]


@dataclass(frozen=True, slots=True)
class Cards:
    """Boxes beside each other."""

    cards: tuple[Card, ...]


class Kind(StrEnum):
    """What a column holds."""

    NUMBER = "number"
    WORD = "word"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name among plain values, its heading, and what it holds."""

    name: str
    heading: str
    kind: Kind = Kind.NUMBER


@dataclass(frozen=True, slots=True)
class Cell:
    """A value in words, beside them its interval in words, and the value itself."""

    text: str
    value: Any
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row; `marks` say in words what is special about it, `best` that it stands out."""

    cells: tuple[Cell, ...]
    marks: tuple[str, ...] = ()
    best: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table; a long one is `folded`: shown when asked for, where that is possible."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    folded: bool = False

    def records(self) -> list[dict[str, Any]]:
        """Its plain values, a record a row."""
        return [
            {column.name: cell.value for column, cell in zip(self.columns, row.cells, strict=True)}
            | ({"marks": list(row.marks)} if row.marks else {})
            for row in self.rows
        ]


@dataclass(frozen=True, slots=True)
class Point:
    """A mark in a plot.

    Attributes:
        label: what it is of.
        x, y: where it is.
        low, high: interval of y; None where it is not known.
        stressed: whether it is one of those that the plot is about.
        chosen: whether it is the one recommended.
    """

    label: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    stressed: bool = True
    chosen: bool = False


class Line(StrEnum):
    """What is drawn between the marks of a series, and around them."""

    NONE = "none"  # marks alone, each with its interval where it is stressed
    BAND = "band"  # straight lines, and a band for the intervals
    LEVEL = "level"  # as high everywhere as at its first mark
    STEPS = "steps"  # the line of a front, without marks


@dataclass(frozen=True, slots=True)
class Series:
    """Marks that belong together, by rising x; its `name` is also what it is drawn like."""

    name: str
    points: tuple[Point, ...]
    line: Line = Line.NONE


class Scale(StrEnum):
    """How an axis counts."""

    LINEAR = "linear"
    LOG2 = "log2"
    LOG10 = "log10"


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot.

    Attributes:
        name: unique in the report.
        caption: above it.
        title, text: what it shows, in a line and in full, for who cannot see it.
        x_label, y_label, x_scale: its axes; y is a share in [0, 1].
        series: what is drawn, later ones above earlier ones.
        diagonal: whether x = y is drawn, both axes from 0 to 1.
        limit: x beyond which nothing may be chosen, which is shaded; None: there is none.
    """

    name: str
    caption: str
    title: str
    text: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    x_scale: Scale = Scale.LINEAR
    diagonal: bool = False
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Plots:
    """Plots beside each other under one legend."""

    plots: tuple[Plot, ...]


Block = Text | Code | Listing | Cards | Table | Plots


@dataclass(frozen=True, slots=True)
class Section:
    """A section.

    Attributes:
        name: unique in the report.
        heading, short: in full, and for a list of contents.
        blocks: what it shows.
        facts: plain values that its sentences are made of.
    """

    name: str
    heading: str
    short: str
    blocks: tuple[Block, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def prose(self) -> list[str]:
        """All its sentences and command lines, in order."""
        return [line for block in self.blocks for line in _lines(block)]

    def tables(self) -> Iterator[Table]:
        """Its tables."""
        return (block for block in self.blocks if isinstance(block, Table))

    def plots(self) -> Iterator[Plot]:
        """Its plots."""
        return (plot for block in self.blocks if isinstance(block, Plots) for plot in block.plots)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report on a policy, and on a PRM where there is one."""

    policy: str
    prm: str | None
    title: str
    subtitle: str
    sections: tuple[Section, ...]


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Text(words):
            yield words
        case Code(text):
            yield text
        case Listing(items):
            yield from items
        case Cards(cards):
            for card in cards:
                yield card.title
                for part in card.blocks:
                    yield from _lines(part)
