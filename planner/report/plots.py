"""The report's plots: matplotlib figures as SVG that takes its colours and font from the page.

Figures are drawn in placeholder colours that become CSS variables, so that one plot serves light,
dark and print. The same numbers give the same bytes.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

PANEL_INCHES = (4.6, 3.3)
_SWATCH_INCHES = (0.5, 0.22)
_MIN_SPAN = 0.1  # of an accuracy axis: narrower, noise would look like a finding
_MAX_DOUBLINGS = 5  # of a budget axis with a tick at every power of two


@dataclass(frozen=True, slots=True)
class Style:
    """How a kind of strategy is drawn: colour (a CSS variable), marker and dashes all differ."""

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
}
_OTHER = Style("#010216", "--other", "P", "-")
_INK, _MUTED, _GRID, _PAPER = "#010201", "#010202", "#010203", "#010204"
_VARIABLES = {
    _INK: "--ink", _MUTED: "--muted", _GRID: "--grid", _PAPER: "--paper",
    **{style.colour: style.variable for style in (*STYLES.values(), _OTHER)},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """One strategy in a plot.

    Attributes:
        strategy, kind: its key and its name.
        x: budget or generated tokens, above 0.
        mean, low, high: accuracy and its interval; the ends are None where not known.
        front: whether it lies on the Pareto front.
        recommended: whether it is the choice.
    """

    strategy: str
    kind: str
    x: float
    mean: float
    low: float | None
    high: float | None
    front: bool = False
    recommended: bool = False


def style(kind: str) -> Style:
    """How a kind is drawn."""
    return STYLES.get(kind, _OTHER)


def by_budget(lines: dict[str, list[Point]], name: str, title: str, text: str) -> Markup:
    """Accuracy against budget: a line and a band a kind.

    Args:
        lines: points of rising budget, by kind.
        name: prefix of the ids in the SVG, unique on the page.
        title, text: its name and its text alternative.
    """
    with _drawing() as (figure, axes):
        budgets = sorted({point.x for points in lines.values() for point in points})
        for kind, points in lines.items():
            _draw_line(axes, kind, points, reference=kind == "greedy" and len(budgets) > 1)
        axes.set_xscale("log", base=2)
        low, high = math.log2(budgets[0]), math.log2(budgets[-1])
        axes.set_xlim(2 ** (low - 0.5), 2 ** (high + 0.5))
        step = 1 if high - low <= _MAX_DOUBLINGS else 2
        ticks = [2**power for power in range(math.ceil(low), math.floor(high) + 1, step)]
        ticks = ticks or [int(n) for n in budgets]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("budget N (generations a problem)")
        _accuracy_axis(axes, [point for points in lines.values() for point in points])
        return _svg(figure, name, title, text)


def by_tokens(points: Sequence[Point], name: str, title: str, text: str) -> Markup:
    """Accuracy against generated tokens: a mark a strategy, the Pareto front joined.

    Args: see `by_budget`.
    """
    with _drawing() as (figure, axes):
        front = sorted((p for p in points if p.front), key=lambda p: p.x)
        axes.step([p.x for p in front], [p.mean for p in front], where="post",
                  color=_INK, linewidth=1.2, linestyle="-", alpha=0.65, zorder=2)  # fmt: skip
        for point in points:
            _draw_mark(axes, point)
        axes.set_xscale("log", base=10)
        _token_axis(axes, [point.x for point in points])
        axes.set_xlabel("generated tokens a problem")
        _accuracy_axis(axes, points, ends=[p for p in points if p.front or p.recommended])
        return _svg(figure, name, title, text)


def swatch(kind: str, name: str) -> Markup:
    """A kind's line and marker for a legend; decoration, its name stands beside it."""
    with _drawing(_SWATCH_INCHES) as (figure, axes):
        drawn = style(kind)
        axes.set_axis_off()
        axes.plot([0, 1, 2], [0, 0, 0], color=drawn.colour, linestyle=drawn.dashes, linewidth=1.8)
        axes.plot([1], [0], **_marker(drawn, 8))
        return _svg(figure, name)


def _draw_line(axes: Any, kind: str, points: list[Point], *, reference: bool) -> None:
    drawn = style(kind)
    budgets = [p.x for p in points]
    means = [p.mean for p in points]
    if reference:
        axes.axhline(means[0], color=drawn.colour, linestyle=drawn.dashes, linewidth=1.4)
    else:
        axes.plot(budgets, means, color=drawn.colour, linestyle=drawn.dashes, linewidth=1.8)
    known = [p for p in points if p.low is not None and p.high is not None]
    if len(known) > 1:
        axes.fill_between(
            [p.x for p in known], [p.low for p in known], [p.high for p in known],
            color=drawn.colour, alpha=0.13, linewidth=0,
        )  # fmt: skip
    elif known:
        axes.vlines(known[0].x, known[0].low, known[0].high, color=drawn.colour, linewidth=1.4)
    axes.plot(budgets, means, **_marker(drawn, 7))


def _draw_mark(axes: Any, point: Point) -> None:
    drawn = style(point.kind)
    stressed = point.front or point.recommended
    if stressed and point.low is not None and point.high is not None:
        axes.vlines(point.x, point.low, point.high, color=drawn.colour, linewidth=1, alpha=0.7)
    # On purpose not faded by opacity alone: marks off the front are smaller too.
    axes.plot([point.x], [point.mean], alpha=1.0 if stressed else 0.45, zorder=4 if stressed else 3,
              **_marker(drawn, 8 if stressed else 5))  # fmt: skip
    if point.recommended:
        axes.plot(
            [point.x], [point.mean], marker="o", markersize=16, markerfacecolor="none",
            markeredgecolor=_INK, markeredgewidth=1.6, linestyle="none", zorder=5,
        )  # fmt: skip


def _marker(drawn: Style, size: float) -> dict[str, Any]:
    return {
        "marker": drawn.marker, "markersize": size, "markerfacecolor": drawn.colour,
        "markeredgecolor": _PAPER, "markeredgewidth": 0.8, "linestyle": "none",
    }  # fmt: skip


def _accuracy_axis(axes: Any, points: Sequence[Point], ends: Sequence[Point] | None = None) -> None:
    """Limits that hold all means, and the intervals of `ends`, with some air, within [0, 1]."""
    values = [p.mean for p in points]
    values += [v for p in (points if ends is None else ends) for v in (p.low, p.high)
               if v is not None]  # fmt: skip
    low, high = min(values), max(values)
    middle, half = (low + high) / 2, max(high - low, _MIN_SPAN) * 0.54
    low, high = middle - half, middle + half
    if low < 0:
        low, high = -0.02 * (high - low), max(high, 2 * half)
    if high > 1:
        low, high = min(low, 1 - 2 * half), 1 + 0.02 * (high - low)
    axes.set_ylim(low, high)
    axes.set_ylabel("accuracy")


def _token_axis(axes: Any, tokens: list[float]) -> None:
    """Ticks at 1, 2, 5 of each power of ten, fewer on a long axis."""
    low, high = min(tokens), max(tokens)
    air = max((high / low) ** 0.06, 2 / math.sqrt(high / low), 1.1)
    low, high = low / air, high * air
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades < 1.7 else (1, 3) if decades < 2.6 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [f"{tick:,.0f}" if tick >= 1 else f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)


@contextmanager
def _drawing(inches: tuple[float, float] = PANEL_INCHES) -> Iterator[tuple[Any, Any]]:
    """A figure with one empty panel, under settings that no user's matplotlibrc changes."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({
            "svg.fonttype": "none", "svg.hashsalt": "apportion", "font.size": 12,
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


def _svg(figure: Any, name: str, title: str = "", text: str = "") -> Markup:
    """The figure as an element to put into a page; without a title it is decoration."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    drawn = buffer.getvalue()
    view = re.search(r'viewBox="([^"]+)"', drawn)
    body = re.search(r"<svg[^>]*>(.*)</svg>", drawn, re.DOTALL)
    assert view and body
    inside = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body[1], flags=re.DOTALL)
    inside = _own_ids(inside.replace("xlink:href", "href"), name)
    inside = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 var(--font)", inside)
    inside = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", inside)
    for colour, variable in _VARIABLES.items():
        inside = inside.replace(colour, f"var({variable})")
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


def _own_ids(svg: str, name: str) -> str:
    """Ids that are used get the figure's name before them, for a page holds many; others go."""
    used = set(re.findall(r'(?:href="|url\()#([\w-]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", svg)
    return re.sub(r'(href="|url\()#([\w-]+)', rf"\g<1>#{name}-\g<2>", svg)
