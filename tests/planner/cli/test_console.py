"""What people see: whole lines where nobody looks at a terminal, whole numbers everywhere."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Callable
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


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Progress as lines, due every hundredth of a second; returns what was said so far."""
    monkeypatch.setattr(console, "_LINE_SECONDS", 0.01)
    said: list[str] = []

    def read() -> str:
        said.append(capsys.readouterr().err)
        return "".join(said)

    return read


def wait_for(text: str, lines: Callable[[], str]) -> None:
    while text not in lines():  # a line that never comes ends by the test's own time limit
        time.sleep(0.005)


def test_a_log_shows_life_while_nothing_is_finished(lines: Callable[[], str]) -> None:
    output = Output(as_json=False, stdout=io.StringIO())
    states = iter(["", "1 responses", "2 responses"])
    with output.progress("profiling", 3, lambda: next(states, "3 responses")) as advance:
        wait_for("profiling: 0/3 after 0 s\n", lines)
        wait_for("profiling: 0/3 after 0 s; 3 responses\n", lines)
        advance(3)
    told = lines()
    assert told.splitlines()[-1] == "profiling: 3/3 after 0 s; 3 responses"
    time.sleep(0.05)
    assert lines() == told  # nothing is said after the last line


def test_a_state_that_is_slow_to_find_holds_nothing_up(lines: Callable[[], str]) -> None:
    output = Output(as_json=False, stdout=io.StringIO())
    asked, answered = threading.Event(), threading.Event()

    def state() -> str:
        asked.set()
        answered.wait()
        return "late"

    with output.progress("profiling", 1, state) as advance:
        asked.wait()
        advance(1)
        output.say("a remark")
        assert "a remark\n" in lines()
        answered.set()
    assert lines().endswith("profiling: 1/1 after 0 s; late\n")


def test_a_log_ends_with_its_work(lines: Callable[[], str]) -> None:
    output = Output(as_json=False, stdout=io.StringIO())
    with pytest.raises(KeyError), output.progress("profiling", 3):
        raise KeyError
    told = lines()
    time.sleep(0.05)
    assert lines() == told


def test_json_alone_is_printed_with_json(lines: Callable[[], str]) -> None:
    output = Output(as_json=True, stdout=io.StringIO())
    with output.progress("profiling", 1, lambda: "1 responses") as advance:
        time.sleep(0.05)
        advance(1)
    assert lines() == ""
