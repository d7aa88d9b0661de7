"""Executions of samples (`executor.domains.execution`) in the note of their problem.

Many samples of a problem are the same program, or behave alike, so each execution is stored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from executor.domains.execution import Execution
from executor.outcome import SampleRecord


def executions_of(samples: Sequence[SampleRecord]) -> dict[str, Any] | None:
    """Return the executions as plain values: `runs`, and `of` each sample its place there.

    A sample that was not executed has no place. None if none was.
    """
    places: dict[Execution, int] = {}
    of = [
        None if one.execution is None else places.setdefault(one.execution, len(places))
        for one in samples
    ]
    return {"runs": [one.to_list() for one in places], "of": of} if places else None


def executed_samples(
    samples: Sequence[SampleRecord], stored: dict[str, Any] | None
) -> tuple[SampleRecord, ...]:
    """Return samples with their executions, of which `executions_of` made `stored`."""
    if stored is None or not samples:
        return tuple(samples)
    runs = [Execution.from_list(one) for one in stored["runs"]]
    return tuple(
        one if place is None else replace(one, execution=runs[place])
        for one, place in zip(samples, stored["of"], strict=True)
    )
