"""One self-contained HTML page: what is recommended for a policy and PRM, and what it rests on."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from executor.errors import InputError
from executor.strategy import STRATEGIES, key
from planner.recommend import LEVELS, Recommendation
from planner.report import plots, prm_words, words
from planner.report.plots import Point
from planner.summary import PairedDifference, RunSummary

__all__ = ["ReportData", "render", "write"]


@dataclass(frozen=True)
class ReportData:
    """What a report shows.

    Attributes:
        policy, prm: names of the models; None where no PRM is used.
        cells: as `planner.evidence.cells` gives them for this policy and PRM, and columns `mean`,
            `low`, `high`: accuracy with its 90 % interval.
        recommendations: one a difficulty.
        rewards: `RewardStatistics.to_dict()`, or None.
        fit: `planner.tuning.Fit.metrics()`, or None.
        runs: held-out runs, the plan first.
        paired: accuracy of the first run minus that of others, which they are named by.
        notes: what was and was not measured.
    """

    policy: str
    prm: str | None
    cells: pd.DataFrame
    recommendations: Sequence[Recommendation]
    rewards: Mapping[str, Any] | None
    fit: Mapping[str, Any] | None
    runs: Sequence[RunSummary]
    paired: Sequence[PairedDifference]
    notes: Sequence[str]


def render(data: ReportData) -> str:
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
    environment.globals |= {"words": words, "prm_words": prm_words}
    cells: list[dict[Any, Any]] = data.cells.to_dict("records")
    chosen = {r.difficulty: key(r.choice.strategy) for r in data.recommendations}
    shown: list[str] = [str(cell["difficulty"]) for cell in cells] + list(chosen)
    order = [*LEVELS, *sorted(set(shown) - set(LEVELS))]
    sections = [
        _Section.of(level, cells, chosen.get(level), _flops(data.recommendations, level))
        for level in order
    ]
    return environment.get_template("page.html.j2").render(
        data=data,
        recommendations=[(r, key(r.choice.strategy)) for r in data.recommendations],
        missing=[level for level in LEVELS if level not in chosen],
        sections=sections,
        legends=[_legend(cells, plot) for plot in ("budget", "tokens")],
        basis=_basis(sections),
        record=_plain(_record(data, sections)),
    )


def write(data: ReportData, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        InputError: the folder is missing, or the file cannot be written.
    """
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; the name of a file is needed")
    page = render(data).encode("utf-8", errors="replace")
    # Not tempfile: its files are readable by their owner alone, and a report is for others.
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with scratch.open("xb") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        scratch.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Row:
    """A strategy in the table of its difficulty; `cell` is its record of the cells."""

    cell: Mapping[str, Any]
    flops: float | None
    marks: tuple[str, ...]


@dataclass(frozen=True)
class _Section:
    """Everything shown for one difficulty.

    Attributes:
        level: the difficulty.
        slug: the difficulty as part of an id.
        rows: its strategies, the most accurate first.
        lines: points of the plot against budget, by kind.
        points: those of the plot against tokens.
        flops_known: whether any row has FLOPs.
        by_budget, by_tokens: the plots, None where there is nothing to draw.
    """

    level: str
    slug: str
    rows: list[_Row]
    lines: dict[str, list[Point]]
    points: list[Point]
    flops_known: bool
    by_budget: Any
    by_tokens: Any

    @classmethod
    def of(
        cls,
        level: str,
        cells: Iterable[Mapping[Any, Any]],
        chosen: str | None,
        flops: Mapping[str, float],
    ) -> _Section:
        """The section of `level`, of the cells that belong to it."""
        own = sorted((cell for cell in cells if cell["difficulty"] == level), key=_rank)
        points = _token_points(own, chosen)
        lines = _budget_lines(own)
        front = {point.strategy for point in points if point.front}
        rows = []
        for cell in own:
            name = cell["strategy"]
            marks = (
                ("recommended", name == chosen),
                ("highest accuracy", cell is own[0] and words.finite(cell["mean"]) is not None),
                ("Pareto front", name in front),
            )
            rows.append(_Row(cell, flops.get(name), tuple(m for m, holds in marks if holds)))
        where, slug = words.among(level), re.sub(r"\W", "-", level)
        return cls(
            level=level,
            slug=slug,
            rows=rows,
            lines=lines,
            points=points,
            flops_known=any(row.flops is not None for row in rows),
            by_budget=lines
            and plots.by_budget(
                lines, f"budget-{slug}", f"Accuracy against budget, {where}", _lines_text(lines)
            ),
            by_tokens=points
            and plots.by_tokens(
                points,
                f"tokens-{slug}",
                f"Accuracy against generated tokens, {where}",
                _points_text(points),
            ),
        )


def _rank(cell: Mapping[str, Any]) -> tuple[float, float, str]:
    """The most accurate first; of equals the cheapest; unknown accuracies last."""
    mean = words.finite(cell["mean"])
    tokens = (words.finite(cell["generated_tokens"]) or 0.0) + (
        words.finite(cell["prm_tokens"]) or 0.0
    )
    return (-mean if mean is not None else 1.0), tokens, str(cell["strategy"])


def _flops(recommendations: Iterable[Recommendation], level: str) -> dict[str, float]:
    """FLOPs by strategy, where a recommendation priced them."""
    found = {}
    for one in recommendations:
        if one.difficulty == level:
            for choice in (one.choice, *one.alternatives):
                if (flops := words.finite(choice.cost.flops)) is not None:
                    found[key(choice.strategy)] = flops
    return found


def _point(cell: Mapping[str, Any], x: Any) -> Point | None:
    """A cell as a point, or None where it cannot be drawn."""
    at, mean = words.finite(x), words.finite(cell["mean"])
    if at is None or at <= 0 or mean is None:
        return None
    low, high = words.finite(cell["low"]), words.finite(cell["high"])
    return Point(str(cell["strategy"]), str(cell["name"]), at, mean, low, high)


def _budget_lines(ranked: Iterable[Mapping[str, Any]]) -> dict[str, list[Point]]:
    """The best cell of every kind at every budget, by kind, of cells in the order of `_rank`."""
    best: dict[tuple[str, float], Point] = {}
    for cell in ranked:
        point = _point(cell, cell["n"])
        if point is not None:
            best.setdefault((point.kind, point.x), point)
    return {
        kind: sorted((p for (k, _), p in best.items() if k == kind), key=lambda p: p.x)
        for kind in _kinds(p.kind for p in best.values())
    }


def _token_points(ranked: Iterable[Mapping[str, Any]], chosen: str | None) -> list[Point]:
    """All cells against their tokens; on the Pareto front is what nothing cheaper matches."""
    found = [p for cell in ranked if (p := _point(cell, cell["generated_tokens"])) is not None]
    front, best = set(), float("-inf")
    for point in sorted(found, key=lambda p: (p.x, -p.mean)):
        if point.mean > best:
            best = point.mean
            front.add(point.strategy)
    return [
        Point(p.strategy, p.kind, p.x, p.mean, p.low, p.high,
              front=p.strategy in front, recommended=p.strategy == chosen)
        for p in found
    ]  # fmt: skip


def _kinds(names: Iterable[str]) -> list[str]:
    """Kinds in the order of `STRATEGIES`."""
    found = set(names)
    return [name for name in STRATEGIES if name in found] + sorted(found - set(STRATEGIES))


def _lines_text(lines: Mapping[str, Sequence[Point]]) -> str:
    """The plot against budget in words."""
    return " ".join(
        f"{kind}: " + ", ".join(f"{words.decimal(p.mean)} at N = {p.x:g}" for p in points) + "."
        for kind, points in lines.items()
    )


def _points_text(points: Sequence[Point]) -> str:
    """The plot against tokens in words: its front, and the choice."""
    front = sorted((p for p in points if p.front), key=lambda p: p.x)
    listed = "; ".join(
        f"{p.strategy} {words.decimal(p.mean)} for {words.count(p.x)} tokens" for p in front
    )
    text = f"{words.plural(len(points), 'strategy cell')}. On the Pareto front: {listed}."
    for point in points:
        if point.recommended:
            text += f" Recommended: {point.strategy} {words.decimal(point.mean)}."
    return text


def _legend(cells: Iterable[Mapping[Any, Any]], plot: str) -> list[tuple[str, Any]]:
    """Every kind with its line and marker; each plot has its own, since ids occur once a page."""
    kinds = _kinds(str(cell["name"]) for cell in cells)
    return [(kind, plots.swatch(kind, f"{plot}-legend-{i}")) for i, kind in enumerate(kinds)]


def _basis(sections: Sequence[_Section]) -> tuple[list[str], list[tuple[str, list[int], int]]]:
    """Sources, and for every difficulty its rows by source and its number of problems."""
    cells = [row.cell for section in sections for row in section.rows]
    sources = sorted({str(cell["sources"]) for cell in cells})
    table = []
    for section in sections:
        own = [row.cell for row in section.rows]
        if own:
            rows = [sum(int(c["rows"]) for c in own if str(c["sources"]) == s) for s in sources]
            table.append((section.level, rows, max(int(c["problems"]) for c in own)))
    return sources, table


def _record(data: ReportData, sections: Sequence[_Section]) -> dict[str, Any]:
    """What the page embeds for programs: the numbers behind its plots and tables."""
    return {
        "policy": data.policy,
        "prm": data.prm,
        "cells": data.cells.to_dict("records"),
        "recommendations": [
            {"difficulty": r.difficulty, "notes": r.notes, **r.choice.to_dict()}
            for r in data.recommendations
        ],
        "rewards": data.rewards,
        "fit": data.fit,
        "runs": [run.to_dict() for run in data.runs],
        "paired": [asdict(one) for one in data.paired],
        "notes": data.notes,
        "plots": {
            section.level: {"by_budget": section.lines, "by_tokens": section.points}
            for section in sections
        },
    }


def _plain(value: Any) -> Any:
    """Values as strict JSON has them; numbers that are none become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):  # numpy's scalars
        value = value.item()
    if isinstance(value, float):
        return words.finite(value)
    return str(value) if isinstance(value, str) else value
