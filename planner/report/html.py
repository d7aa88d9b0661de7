"""A report as one self-contained HTML page: no scripts, no fonts, nothing that is elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup, escape

from planner.report import plots
from planner.report.document import Line, Plots, Report
from planner.report.plain import to_dict


def to_html(report: Report) -> str:
    """The page; the same bytes for the same data."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "allow_nan": False}
    environment.filters |= {"kind": lambda block: type(block).__name__, "breakable": breakable}
    environment.globals |= {"draw": plots.draw, "legend": _legend}
    template = environment.get_template("page.html.j2")
    return template.render(report=report, record=to_dict(report))


def breakable(text: str) -> Markup:
    """Text whose lines break after the commas of a strategy's key, and not within `--option`."""
    escaped = re.sub(r",(?=[a-z])", ",<wbr>", str(escape(text)))
    return Markup(re.sub(r"(?<!\S)(--[\w-]+)", r'<span class="whole">\1</span>', escaped))


def _legend(group: Plots) -> list[tuple[str, object]]:
    """Every series of a group of plots with its line and marker."""
    series = {one.name: one for plot in group.plots for one in plot.series}
    # Marks come before the line they may lie on.
    ordered = sorted(series.values(), key=lambda one: one.line is Line.STEPS)
    first = group.plots[0].name
    return [(one.name, plots.swatch(one, f"{first}-legend-{i}")) for i, one in enumerate(ordered)]
