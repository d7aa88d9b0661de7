"""`--max-usd`: a hard cap on what a whole command spends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import apportion, document
from tests.helpers.simulated_command import POLICY, simulated_command, write_problems

PROBLEMS = 30
COMMANDS = {
    "profile": ["profile", "--max-samples", "4"],
    "measure": ["measure", "--strategies", "majority,greedy", "--budgets", "4"],
    "run": ["run", "--strategy", "majority", "--budget", "4"],
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder with problems and a price of the simulated policy; commands find that policy."""
    write_problems(tmp_path / "p.jsonl", PROBLEMS)
    (tmp_path / "prices.toml").write_text(f'[tokens."{POLICY}"]\ninput = 1\noutput = 2\n')
    with simulated_command():
        yield tmp_path


def line(name: str, *more: str) -> list[str]:
    given = ["--policy", POLICY, "--problems", "p.jsonl", "--max-tokens", "100"]
    return [*COMMANDS[name], *given, *more]


def capped(name: str, limit: str) -> list[str]:
    return line(name, "--max-usd", limit, "--prices", "prices.toml")


def finished(made: dict[str, Any]) -> int:
    if "runs" in made:
        return int(made["runs"][0]["problems"])
    return len(made["problems"])


@pytest.mark.long
@pytest.mark.parametrize("name", COMMANDS)
def test_the_cap_ends_a_command_and_the_next_goes_on(place: Path, name: str) -> None:
    made = document(place, *capped(name, "0.003"))
    assert made["limit_reached"] is True
    spending = made["spending"]
    assert 0 < spending["usd"] <= 0.003 == spending["max_usd"] and spending["lost_usd"] == 0
    assert 0 < finished(made) < PROBLEMS
    rest = document(place, *capped(name, "1"))
    assert rest["limit_reached"] is False and finished(rest) == PROBLEMS
    nothing = document(place, *capped(name, "1"))
    assert nothing["spending"]["usd"] == 0


def test_people_are_told_what_was_spent(place: Path) -> None:
    ended = apportion(place, *capped("profile", "0.003"))
    assert ended.returncode == 0
    said = " ".join(ended.stdout.split())
    assert " of 0.003 USD; the limit ended the command, and finished problems are kept" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (capped("profile", "0.00001"), "--max-usd 1e-05: ended before a problem was finished (0 U"),
        (capped("profile", "0"), "--max-usd is 0; expected a number above 0"),
        (capped("run", "nan"), "--max-usd is nan; expected a number above 0"),
        (line("measure", "--max-usd", "1"), f"has no price of {POLICY}"),
        (line("profile", "--prices", "prices.toml"), "are what --max-usd counts by; give it too"),
        ([*capped("profile", "1"), "--prm", "r"], "counts the requests of the policy alone, and s"),
        ([*capped("profile", "1"), "--ray"], "--max-usd: workers of --ray share no cap"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(place: Path, words: list[str], message: str) -> None:
    ended = apportion(place, *words)
    assert ended.returncode == 2, ended.stderr
    assert message in ended.stderr


def test_without_a_cap_documents_are_as_before(place: Path) -> None:
    made = document(place, *line("profile"))
    assert "spending" not in made and "limit_reached" not in made
