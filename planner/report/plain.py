"""A report as plain values: one JSON document, which the page embeds too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from planner.report.document import Report, Section
from planner.report.wording import finite

FORMAT = "apportion-report"
VERSION = 1


def to_json(report: Report) -> str:
    """Return one strict JSON document: NaN and infinite numbers become null."""
    return json.dumps(to_dict(report), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def to_dict(report: Report) -> dict[str, Any]:
    """Return, by section, facts, sentences, tables as records, and plots."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "policy": str(report.policy),
        "prm": report.prm,
        "sections": {section.name: _section(section) for section in report.sections},
    }


def _section(section: Section) -> dict[str, Any]:
    record: dict[str, Any] = _plain(
        {
            "heading": section.heading,
            **section.facts,
            "words": section.prose(),
            "tables": {table.name: table.records() for table in section.tables()},
            "plots": {
                plot.name: {
                    "title": plot.title,
                    "x": plot.x_label,
                    "y": plot.y_label,
                    "series": {one.name: one.points for one in plot.series},
                }
                for plot in section.plots()
            },
        }
    )
    return record


def _plain(value: Any) -> Any:
    """Return a value in the types of strict JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):  # numpy's scalars
        value = value.item()
    if isinstance(value, float):
        return finite(value)
    return str(value) if isinstance(value, str) else value
