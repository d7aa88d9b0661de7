"""The entry point, in this process: codes, one line for an error, a document on stdout."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import apportion
from planner.cli.arguments import COMMANDS
from planner.cli.main import build_parser, main


def test_a_document_goes_to_the_stream_that_is_given(tmp_path: Path) -> None:
    page = io.StringIO()
    arguments = ["serve-command", "--policy", "lab-0.4m", "--json"]
    assert main(arguments, stdout=page) == 0
    assert json.loads(page.getvalue())["command"]


def test_an_error_is_one_line_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    page = io.StringIO()
    assert main(["run", "--problems", "good.jsonl"], stdout=page) == 2
    error = capsys.readouterr().err
    assert error.startswith("apportion: run: give either --plan FILE")
    assert error.count("\n") == 1 and page.getvalue() == ""


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"apportion {apportion.__version__}\n"


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == "" and "recommend" in shown.err


def test_every_command_has_a_summary_an_example_and_a_module() -> None:
    for command in COMMANDS:
        assert not command.summary.endswith(".")
        for example in command.examples.splitlines():
            program, *arguments = example.split()
            assert program == "apportion"
            assert build_parser().parse_args(arguments).module == command.module
