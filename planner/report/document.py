"""A report before it is laid out: sections of text, tables and plots.

These types hold all content of a report, in words and as plain values. The HTML page, the Markdown
file and the JSON document only lay it out; they compute nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Weight(StrEnum):
    """Emphasis of a sentence."""

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
    """Kind of value that a column holds."""

    NUMBER = "number"
    WORD = "word"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name among plain values, its heading, and its kind of value."""

    name: str
    heading: str
    kind: Kind = Kind.NUMBER


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: a value in words, its interval in words, and the plain value."""

    text: str
    value: Any
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row; `marks` are words for what is special about it, and `best` highlights it."""

    cells: tuple[Cell, ...]
    marks: tuple[str, ...] = ()
    best: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table; if it is `folded`, a page shows it only after a click."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    folded: bool = False

    def records(self) -> list[dict[str, Any]]:
        """Return the plain values, one record per row."""
        return [
            {column.name: cell.value for column, cell in zip(self.columns, row.cells, strict=True)}
            | ({"marks": list(row.marks)} if row.marks else {})
            for row in self.rows
        ]


@dataclass(frozen=True, slots=True)
class Point:
    """A mark in a plot.

    Attributes:
        label: name of the thing that the mark stands for.
        x, y: position.
        low, high: interval of y; None if it is not known.
        stressed: whether the mark is emphasised.
        chosen: whether the mark is the recommended choice.
    """

    label: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    stressed: bool = True
    chosen: bool = False


class Line(StrEnum):
    """Style of drawing between the marks of a series, and around them."""

    NONE = "none"  # marks alone; stressed ones have their intervals
    BAND = "band"  # straight lines, and a band for the intervals
    LEVEL = "level"  # a horizontal line at the height of the first mark
    STEPS = "steps"  # the line of a front, without marks


@dataclass(frozen=True, slots=True)
class Series:
    """Marks that belong together, by rising x.

    Attributes:
        name: name for people; it also determines colour and marker, unless `like` is given.
        points: the marks.
        line: style of drawing between them.
        like: name of the series whose colour and marker this one has; empty: its own.
    """

    name: str
    points: tuple[Point, ...]
    line: Line = Line.NONE
    like: str = ""


class Scale(StrEnum):
    """Scale of an axis."""

    LINEAR = "linear"
    LOG2 = "log2"
    LOG10 = "log10"


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot.

    Attributes:
        name: unique in the report.
        caption: line above the plot.
        title, text: description in one line and in full, for readers who cannot see the plot.
        x_label, y_label, x_scale: labels and scale of the axes; y is a share in [0, 1].
        series: series to draw; later ones lie above earlier ones.
        diagonal: whether x = y is drawn, with both axes from 0 to 1.
        limit: largest allowed x, beyond which the plot is shaded; None: no limit.
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
        heading, short: heading, and its short form for the table of contents.
        blocks: content, in order.
        facts: plain values behind the sentences.
    """

    name: str
    heading: str
    short: str
    blocks: tuple[Block, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def prose(self) -> list[str]:
        """Return all sentences and command lines, in order."""
        return [line for block in self.blocks for line in _lines(block)]

    def tables(self) -> Iterator[Table]:
        """Yield the tables."""
        return (block for block in self.blocks if isinstance(block, Table))

    def plots(self) -> Iterator[Plot]:
        """Yield the plots."""
        return (plot for block in self.blocks if isinstance(block, Plots) for plot in block.plots)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report on a policy, and on a PRM if there is one."""

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
