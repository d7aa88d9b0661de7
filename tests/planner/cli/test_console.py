"""What people see: whole lines where nobody looks at a terminal, whole numbers everywhere."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from planner.cli import console
from planner.cli.commands import replay
from planner.cli.console import EMPTY, Output, known_table, table
from tests.helpers.command import apportion

NUMBERS = ("0.494 [0.325, 0.664]", "175,898", "3.26e+15")


def test_what_is_piped_away_is_not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.StringIO()
    monkeypatch.setattr(console, "_own_stdout", lambda: stdout)
    words = "word " * 300
    Output(as_json=False).result({}, lambda shown: shown.print(words.strip()))
    assert stdout.getvalue() == f"{words.strip()}\n"


def test_what_native_code_prints_is_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_: object, output: Output) -> None:
        os.write(1, b"from a library\n")
        print("from Python")
        output.result({"a": 1}, lambda shown: None)

    monkeypatch.setattr(replay, "run", run)
    ended = apportion(tmp_path, "replay", "--json")
    assert json.loads(ended.stdout) == {"a": 1}
    assert ended.stderr.splitlines() == ["from a library", "from Python"]


def test_a_narrow_table_folds_names_and_no_number() -> None:
    screen = Console(width=70, file=io.StringIO())
    with screen.capture() as captured:
        screen.print(table("t", ["strategy", "a", "b", "c"], [["name_" * 9, *NUMBERS]]))
    assert all(number in captured.get() for number in NUMBERS)
    letters = "".join(line.split("│")[1].strip() for line in captured.get().splitlines()
                      if line.startswith("│"))  # fmt: skip
    assert letters == "name_" * 9


def test_a_column_that_nothing_is_known_in_is_left_out() -> None:
    columns = ["strategy", "FLOPs", "seconds", "USD"]
    rows = [["a", "1", EMPTY, EMPTY], ["b", "2", "0.1", EMPTY]]
    assert [one.header for one in known_table("", columns, rows).columns] == columns[:3]
