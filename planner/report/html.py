"""A report as one self-contained HTML page: no scripts, no fonts, no external files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from planner.report import plots
from planner.report.document import Block, Line, Plots, Report, Section
from planner.report.plain import to_dict

if TYPE_CHECKING:
    from jinja2 import Environment


def to_html(report: Report) -> str:
    """Return the page; equal data gives equal bytes."""
    template = environment().get_template("page.html.j2")
    return template.render(report=report, record=to_dict(report))


def to_fragment(parts: Iterable[Section | Block]) -> str:
    """Return sections and blocks as in the page, for another page with the same style."""
    return environment().get_template("fragment.html.j2").render(parts=tuple(parts))


@cache
def environment() -> Environment:
    """Return the template environment of reports, with the functions that templates call."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"sort_keys": True, "allow_nan": False}
    made.filters |= {"kind": lambda block: type(block).__name__, "breakable": breakable}
    made.globals |= {"draw": plots.draw, "legend": _legend}
    return made


def breakable(text: str) -> Markup:
    """Return text with the right line breaks.

    Lines may break after the commas of a strategy's key and the slashes of a path, and not within
    `--option`.
    """
    escaped = re.sub(r",(?=[a-z])|(?<=\w)/(?=\w)", r"\g<0><wbr>", str(escape(text)))
    return Markup(re.sub(r"(?<!\S)(--[\w-]+)", r'<span class="whole">\1</span>', escaped))


def _legend(group: Plots) -> list[tuple[str, object]]:
    """Return every series of a group of plots with its line and marker."""
    drawn = [one for plot in group.plots for one in plot.series]
    # If only some plots draw a series' line, the legend has the line.
    series = {one.name: one for one in sorted(drawn, key=lambda one: one.line is not Line.NONE)}
    # Marks come before the line that they may lie on.
    ordered = sorted(series.values(), key=lambda one: one.line is Line.STEPS)
    first = group.plots[0].name
    return [(one.name, plots.swatch(one, f"{first}-legend-{i}")) for i, one in enumerate(ordered)]
