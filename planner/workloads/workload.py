"""A workload: numbers of queries by difficulty, from a difficulty mix or a file of queries."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.errors import InputError
from executor.files import read_whole
from planner.toml_files import parse_toml
from profiling.pass_rate import LEVELS
from profiling.problems.file_bytes import decode

_NUMBERS = (
    "queries",
    "count",
    "share",
)  # columns of a CSV file that hold the amount of a difficulty
_SUM = 1e-6  # largest distance from 1 of a sum of shares


@dataclass(frozen=True, slots=True)
class Workload:
    """Queries by difficulty.

    Attributes:
        shares: share of each difficulty that has queries; they sum to 1.
        queries: number of all queries; None if only shares were given.
        source: origin of the shares, in words.
        counts: queries of each difficulty; None if no whole numbers were given.
    """

    shares: Mapping[str, float]
    queries: int | None
    source: str
    counts: Mapping[str, int] | None = None

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], source: str) -> Workload:
        """Return the workload of given numbers of queries.

        Args:
            counts: number of queries by difficulty.
            source: origin of the counts, in words.
        """
        present = {level: n for level, n in counts.items() if n}
        total = sum(present.values())
        return cls({level: n / total for level, n in present.items()}, total, source, present)

    def split(self, queries: float) -> dict[str, float]:
        """Divide a number of queries over the difficulties.

        For the workload's own number the counts are returned, because shares would be rounded.
        """
        if self.counts is not None and queries == self.queries:
            return {level: float(n) for level, n in self.counts.items()}
        return {level: part * queries for level, part in self.shares.items()}


def read_mix(path: Path) -> Workload | None:
    """Read a difficulty mix; None if the file holds something else (queries, perhaps).

    TOML or JSON: `easy`, `medium`, `hard` (or `all` for unknown difficulty), each with a number.
    CSV: columns `difficulty` and one of `queries`, `count` and `share`. Whole numbers are numbers
    of queries; others are shares that sum to 1.

    Raises:
        InputError: the file cannot be read, a difficulty is unknown, or a number is out of range.
    """
    source = f"workload {path}"
    raw = read_whole(path, "a TOML, JSON or CSV file", "workload")
    match path.suffix.lower():
        case ".toml":
            return _mix(parse_toml(decode(raw, source), source), source)
        case ".json":
            return _json(decode(raw, source), source)
        case ".csv":
            return _csv(decode(raw, source), source)
    return None


def _json(text: str, source: str) -> Workload | None:
    try:
        record = json.loads(text)
    except ValueError:
        return None  # the reader of queries will say what is wrong with the file
    is_mix = isinstance(record, dict) and any(level in record for level in LEVELS)
    return _mix(record, source) if is_mix else None


def _csv(text: str, source: str) -> Workload | None:
    reader = csv.DictReader(io.StringIO(text))
    header = [name.strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    numbers = [name for name in _NUMBERS if name in header]
    if "difficulty" not in header or len(numbers) != 1 or len(header) != 2:
        return None
    record: dict[str, Any] = {}
    for row in reader:
        at = f"{source}, line {reader.line_num}"
        level, number = (row["difficulty"] or "").strip(), (row[numbers[0]] or "").strip()
        if level in record:
            raise InputError(f"{at}: {level} is given twice")
        try:
            record[level] = int(number) if number.isdigit() else float(number)
        except ValueError:
            raise InputError(f"{at}: {numbers[0]} is {number!r}; expected a number") from None
        _check(level, record[level], at)
    return _mix(record, source)


def _check(level: str, value: object, source: str) -> None:
    if level not in LEVELS:
        raise InputError(f"{source}: difficulty is {level!r}; expected one of {', '.join(LEVELS)}")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= float(str(value)) < math.inf:
        raise InputError(f"{source}: {level} is {value!r}; expected a number of at least 0")


def _mix(record: Mapping[str, Any], source: str) -> Workload:
    for level, value in record.items():
        _check(level, value, source)
    total = sum(record.values())
    if not total:
        raise InputError(f"{source}: holds no queries; give numbers of queries, or shares")
    if all(isinstance(value, int) for value in record.values()):
        return Workload.from_counts(record, source)
    if abs(total - 1) > _SUM:
        raise InputError(
            f"{source}: shares sum to {total:g}; expected 1, or whole numbers of queries"
        )
    return Workload({level: n / total for level, n in record.items() if n}, None, source)
