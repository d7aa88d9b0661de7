"""Settings of a session: defaults are the command line's, and wrong ones are refused."""

from __future__ import annotations

import pytest

from executor.errors import InputError
from planner.cli.commands import common
from planner.cli.main import build_parser
from planner.runtime.settings import SessionSettings


def test_the_defaults_are_those_of_the_command_line() -> None:
    line = ["profile", "--problems", "p.jsonl", "--policy", "lab-0.4m"]
    assert common.settings(build_parser().parse_args(line)) == SessionSettings()


@pytest.mark.parametrize("option", ["concurrency", "token_cap"])
def test_what_is_counted_is_at_least_one(option: str) -> None:
    message = f"--{option.replace('_', '-')} is 0; expected at least 1"
    with pytest.raises(InputError, match=message):
        SessionSettings(**{option: 0})  # type: ignore[arg-type]
