"""The rows of `data/published/reasoning.csv`, as the scripts on reasoning models read them."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path

from common import ROOT

FIGURES = ROOT / "data" / "published" / "reasoning.csv"
BENCHMARKS = ("AIME24", "AIME25", "GPQA-Diamond")
Row = Mapping[str, str]


class Figures:
    """The rows of `reasoning.csv`."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            sys.exit(f"{path}: no such file; bench/reasoning.py writes it")
        with path.open(encoding="utf-8", newline="") as file:
            self.rows: list[Row] = list(csv.DictReader(file))

    def where(self, **of: str) -> list[Row]:
        """Rows with these values."""
        return [row for row in self.rows if all(row[name] == of[name] for name in of)]

    def one(self, **of: str) -> Row:
        """The only such row."""
        [row] = self.where(**of)
        return row

    def used(self) -> list[tuple[str, str]]:
        """Policies and benchmarks of which predictions use the figures."""
        rows = self.where(difficulty="all", strategy="majority", n="1", reliability="replayed")
        own = [row for row in rows if not row["policy"].startswith("mean of ")]
        return [(row["policy"], row["benchmark"]) for row in own]

    def means(self, benchmark: str, *, alike: bool = False) -> list[Row]:
        """Means over policies."""
        ends = "openings alike" if alike else "policies"
        rows = self.where(benchmark=benchmark, difficulty="all")
        return [
            row
            for row in rows
            if row["policy"].startswith("mean of ") and row["policy"].endswith(ends)
        ]
