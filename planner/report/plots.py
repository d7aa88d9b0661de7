"""The report's plots: matplotlib figures as SVG that takes its colours and font from the page.

Figures are drawn in placeholder colours that become CSS variables, so that one plot serves light,
dark and print. Every mark carries the numbers it stands for as `data-` attributes. The same numbers
give the same bytes.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

from planner.report.document import Line, Plot, Point, Scale, Series
from planner.report.wording import superscript

PANEL_INCHES = (4.6, 3.3)
_SWATCH_INCHES = (0.5, 0.22)
_MIN_SPAN = 0.1  # of an axis of shares: on a narrower one, noise would look like a finding
_MAX_DOUBLINGS = 5  # of a budget axis with a tick at every power of two


@dataclass(frozen=True, slots=True)
class Style:
    """Style of a series: colour (a CSS variable), marker and dashes, all different."""

    colour: str
    variable: str
    marker: str
    dashes: str | tuple[int, tuple[int, ...]]


STYLES = {
    "greedy": Style("#010211", "--greedy", "o", ":"),
    "majority": Style("#010212", "--majority", "s", "-"),
    "best_of_n": Style("#010213", "--best-of-n", "^", "--"),
    "beam_search": Style("#010214", "--beam-search", "D", "-."),
    "dvts": Style("#010215", "--dvts", "X", (0, (5, 1, 1, 1, 1, 1))),
    "adaptive_majority": Style("#010218", "--adaptive-majority", "*", (0, (4, 1))),
    "particle_filter": Style("#010217", "--particle-filter", "v", (0, (2, 2))),
    "short_m_of_k": Style("#010223", "--short-m-of-k", "p", (0, (1, 1))),
    "aggregate": Style("#010224", "--aggregate", "h", (0, (6, 1, 1, 1))),
    "divided": Style("#010219", "--divided", "o", "-"),
    "equal": Style("#010220", "--equal", "s", "--"),
    "outcome model": Style("#010221", "--link", "o", "-"),
    "PRM": Style("#010222", "--link", "D", "-"),
}
_OTHER = Style("#010216", "--other", "P", "-")
_INK, _MUTED, _GRID, _PAPER = "#010201", "#010202", "#010203", "#010204"
_VARIABLES = {
    _INK: "--ink", _MUTED: "--muted", _GRID: "--grid", _PAPER: "--paper",
    **{style.colour: style.variable for style in (*STYLES.values(), _OTHER)},
}  # fmt: skip
_FRONT = {"color": _INK, "linewidth": 1.2, "linestyle": "-", "alpha": 0.65}


def draw(plot: Plot) -> Markup:
    """Return a plot as an SVG element."""
    with _drawing() as (figure, axes):
        marks: dict[str, Mapping[str, Any]] = {}
        if plot.diagonal:
            axes.plot([0, 1], [0, 1], color=_MUTED, linewidth=1.2, linestyle="--", zorder=1)
        for series in plot.series:
            _draw_series(axes, series, marks)
        points = [point for series in plot.series for point in series.points]
        _x_axis(axes, plot, sorted({point.x for point in points}))
        _y_axis(axes, plot, points)
        if plot.limit is not None and plot.limit < (right := axes.get_xlim()[1]):
            axes.axvspan(plot.limit, right, color=_GRID, alpha=0.6, linewidth=0, zorder=0.5)
        return _svg(figure, plot.name, marks, plot.title, plot.text)


def swatch(series: Series, name: str) -> Markup:
    """Return a series' line and marker for a legend, as decoration beside the series' name."""
    return _swatch(series.like or series.name, series.line, name)


@lru_cache(maxsize=256)  # a page that is redrawn at every move has the same legend each time
def _swatch(series: str, line: Line, name: str) -> Markup:
    with _drawing(_SWATCH_INCHES) as (figure, axes):
        axes.set_axis_off()
        if line is Line.STEPS:
            axes.plot([0, 1, 2], [0, 0, 0], **_FRONT)
        else:
            drawn = style(series)
            if line is not Line.NONE:
                axes.plot([0, 1, 2], [0, 0, 0], color=drawn.colour, linestyle=drawn.dashes,
                          linewidth=1.8)  # fmt: skip
            axes.plot([0, 1, 2], [0, 0, 0], alpha=0)  # keeps the width of a swatch without a line
            axes.plot([1], [0], **_marker(drawn, 8))
        return _svg(figure, name, {})


def style(name: str) -> Style:
    """Return the style of a series by its name."""
    return STYLES.get(name, _OTHER)


def _draw_series(axes: Any, series: Series, marks: dict[str, Mapping[str, Any]]) -> None:
    drawn = style(series.like or series.name)
    xs, ys = [p.x for p in series.points], [p.y for p in series.points]
    if series.line is Line.STEPS:
        axes.step(xs, ys, where="post", zorder=2, **_FRONT)
        return
    if series.line is Line.LEVEL:
        axes.axhline(ys[0], color=drawn.colour, linestyle=drawn.dashes, linewidth=1.4)
    elif series.line is Line.BAND:
        axes.plot(xs, ys, color=drawn.colour, linestyle=drawn.dashes, linewidth=1.8)
    known = [p for p in series.points if p.low is not None and p.high is not None]
    if series.line is Line.BAND and len(known) > 1:
        axes.fill_between([p.x for p in known], [p.low for p in known], [p.high for p in known],
                          color=drawn.colour, alpha=0.13, linewidth=0)  # fmt: skip
    else:
        for point in known:
            if point.stressed:
                axes.vlines(point.x, point.low, point.high, color=drawn.colour, linewidth=1.2,
                            alpha=0.8)  # fmt: skip
    for point in series.points:
        gid = f"mark-{len(marks)}"
        marks[gid] = {
            "series": series.name, "label": point.label, "x": point.x, "y": point.y,
            "low": point.low, "high": point.high, "stressed": point.stressed,
            "chosen": point.chosen,
        }  # fmt: skip
        _draw_mark(axes, drawn, point, gid, in_line=series.line is not Line.NONE)


def _draw_mark(axes: Any, drawn: Style, point: Point, gid: str, *, in_line: bool) -> None:
    # Marks that are not stressed are faded, and also smaller.
    size = 7 if in_line else 8 if point.stressed else 5
    axes.plot([point.x], [point.y], gid=gid, alpha=1.0 if point.stressed else 0.45,
              zorder=4 if point.stressed else 3, **_marker(drawn, size))  # fmt: skip
    if point.chosen:
        axes.plot(
            [point.x], [point.y], marker="o", markersize=16, markerfacecolor="none",
            markeredgecolor=_INK, markeredgewidth=1.6, linestyle="none", zorder=5,
        )  # fmt: skip


def _marker(drawn: Style, size: float) -> dict[str, Any]:
    return {
        "marker": drawn.marker, "markersize": size, "markerfacecolor": drawn.colour,
        "markeredgecolor": _PAPER, "markeredgewidth": 0.8, "linestyle": "none",
    }  # fmt: skip


def _x_axis(axes: Any, plot: Plot, xs: list[float]) -> None:
    axes.set_xlabel(plot.x_label)
    if plot.diagonal:
        axes.set_xlim(-0.02, 1.02)
    elif plot.x_scale is Scale.LOG2:
        _budget_axis(axes, xs)
    elif plot.x_scale is Scale.LOG10:
        _cost_axis(axes, xs)


def _y_axis(axes: Any, plot: Plot, points: Sequence[Point]) -> None:
    """Set limits within [0, 1] that hold all marks and drawn intervals, with a margin."""
    axes.set_ylabel(plot.y_label)
    if plot.diagonal:
        axes.set_ylim(-0.02, 1.02)
        return
    values = [p.y for p in points]
    values += [v for p in points if p.stressed for v in (p.low, p.high) if v is not None]
    low, high = min(values), max(values)
    middle, half = (low + high) / 2, max(high - low, _MIN_SPAN) * 0.54
    low, high = middle - half, middle + half
    if low < 0:
        low, high = -0.02 * (high - low), max(high, 2 * half)
    if high > 1:
        low, high = min(low, 1 - 2 * half), 1 + 0.02 * (high - low)
    axes.set_ylim(low, high)


def _budget_axis(axes: Any, budgets: Sequence[float]) -> None:
    """Set ticks at powers of two."""
    axes.set_xscale("log", base=2)
    low, high = math.log2(budgets[0]), math.log2(budgets[-1])
    axes.set_xlim(2 ** (low - 0.5), 2 ** (high + 0.5))
    step = 1 if high - low <= _MAX_DOUBLINGS else 2
    ticks = [2**power for power in range(math.ceil(low), math.floor(high) + 1, step)]
    ticks = ticks or [int(n) for n in budgets]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)


def _cost_axis(axes: Any, costs: Sequence[float]) -> None:
    """Set ticks at 1, 2 and 5 times each power of ten, fewer on a long axis."""
    axes.set_xscale("log", base=10)
    low, high = costs[0], costs[-1]
    air = max((high / low) ** 0.06, 2 / math.sqrt(high / low), 1.1)
    low, high = low / air, high * air
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades < 1.7 else (1, 3) if decades < 2.6 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [_tick(tick, high) for tick in ticks])
    axes.set_xticks([], minor=True)


def _tick(value: float, largest: float) -> str:
    """Return `0.2`, `200` or `20,000`; powers of ten if the axis' largest number is long."""
    if largest < 1e7:
        return f"{value:,.0f}" if value >= 1 else f"{value:g}"
    mantissa, power = f"{value:.0e}".split("e")
    raised = f"10{superscript(int(power))}"
    return raised if mantissa == "1" else f"{mantissa}×{raised}"


@contextmanager
def _drawing(inches: tuple[float, float] = PANEL_INCHES) -> Iterator[tuple[Any, Any]]:
    """Yield a figure with one empty panel, under settings that no user's matplotlibrc changes."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({
            "svg.fonttype": "none", "svg.hashsalt": "apportion", "font.size": 11,
            "text.color": _INK, "axes.labelcolor": _INK, "axes.edgecolor": _MUTED,
            "xtick.color": _MUTED, "ytick.color": _MUTED, "xtick.labelcolor": _INK,
            "ytick.labelcolor": _INK, "axes.grid": True, "grid.color": _GRID,
            "grid.linewidth": 0.8, "axes.axisbelow": True, "axes.spines.top": False,
            "axes.spines.right": False,
        })  # fmt: skip
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        yield figure, axes


def _svg(
    figure: Any, name: str, marks: Mapping[str, Mapping[str, Any]], title: str = "", text: str = ""
) -> Markup:
    """Return the figure as an SVG element for a page; without a title it is decoration."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    drawn = buffer.getvalue()
    view = re.search(r'viewBox="([^"]+)"', drawn)
    body = re.search(r"<svg[^>]*>(.*)</svg>", drawn, re.DOTALL)
    assert view and body
    inside = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body[1], flags=re.DOTALL)
    inside = _own_ids(inside.replace("xlink:href", "href"), name, marks)
    inside = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 var(--font)", inside)
    inside = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", inside)
    for colour, variable in _VARIABLES.items():
        inside = inside.replace(colour, f"var({variable})")
    inside = re.sub(r' style="([^"]*)"', _as_attributes, inside)
    # Last: labels are arbitrary text, which the substitutions above must not change.
    inside = re.sub(r' id="(mark-\d+)"', lambda m: f" {_attributes(marks[m[1]])}", inside)
    if not title:
        return Markup('<svg class="swatch" viewBox="{}" aria-hidden="true">{}</svg>').format(
            view[1], Markup(inside)
        )
    head = f'<title id="{name}-title">{escape(title)}</title>'
    head += f'<desc id="{name}-text">{escape(text)}</desc>'
    return Markup(
        f'<svg class="plot" viewBox="{view[1]}" role="img" '
        f'aria-labelledby="{name}-title" aria-describedby="{name}-text">{head}{inside}</svg>'
    )


def _as_attributes(style: re.Match[str]) -> str:
    """Return inline style as equivalent attributes, because a page may forbid inline style."""
    declared = (one.partition(":") for one in style[1].split(";") if one.strip())
    return "".join(f' {name.strip()}="{value.strip()}"' for name, _, value in declared)


def _attributes(mark: Mapping[str, Any]) -> str:
    """Return attributes: numbers in full, flags as `true`; unknown values are left out."""
    known = {name: value for name, value in mark.items() if value is not None}
    return " ".join(
        f'data-{name}="{escape(str(value).lower() if isinstance(value, bool) else value)}"'
        for name, value in known.items()
    )


def _own_ids(svg: str, name: str, kept: Collection[str]) -> str:
    """Prefix the ids in use with the figure's name, for a page of many; remove the others."""
    used = set(re.findall(r'(?:href="|url\()#([\w-]+)', svg))

    def owned(found: re.Match[str]) -> str:
        if found[1] in kept:
            return found[0]
        return f' id="{name}-{found[1]}"' if found[1] in used else ""

    svg = re.sub(r' id="([^"]*)"', owned, svg)
    return re.sub(r'(href="|url\()#([\w-]+)', rf"\g<1>#{name}-\g<2>", svg)
