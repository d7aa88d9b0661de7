"""Attacks on the sandbox: none succeeds, whatever keeps the program from the machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from executor.sandbox.sandbox import Isolation, Sandbox
from executor.testing.attacks import CANARY, SUITE, Attack, Bait, attacks, bait
from tests.executor.sandbox.conftest import made

pytestmark = [pytest.mark.process, pytest.mark.socket]

HONEST = "def answer(n):\n    return n * n + 1\n"
QUICK = [one for one in attacks() if not one.heavy]
HEAVY = [one for one in attacks() if one.heavy]
NAMED = {one.name: one for one in attacks()}


@pytest.fixture(scope="module")
def laid() -> Iterator[Bait]:
    """What no attack may reach."""
    with bait() as found:
        yield found


def test_there_are_forty_attacks_and_more() -> None:
    assert len(NAMED) == len(attacks()) >= 40


def withstand(sandbox: Sandbox, against: list[Attack], laid: Bait) -> None:
    succeeded = []
    for attack in against:
        if sandbox.run(attack.program(laid), attack.suite)[0].passed:
            succeeded.append(attack.name)
        assert sandbox.passes(HONEST, SUITE), f"after {attack.name}"
    assert not succeeded
    left = [(file.name, file.read_text()) for file in laid.file.parent.iterdir()]
    assert left == [("canary", CANARY)]


@pytest.mark.long
def test_no_quick_attack_succeeds(sandbox: Sandbox, laid: Bait) -> None:
    withstand(sandbox, QUICK, laid)


@pytest.mark.slow  # tens of seconds, until limits end them
def test_no_heavy_attack_succeeds(sandbox: Sandbox, laid: Bait) -> None:
    withstand(sandbox, HEAVY, laid)


def test_a_file_does_not_stay_for_the_next_run(sandbox: Sandbox, laid: Bait) -> None:
    attack = NAMED["a file that stays"]
    for _ in range(2):
        assert not sandbox.run(attack.program(laid), attack.suite)[0].passed


def test_the_attacks_are_real(laid: Bait) -> None:
    """Without isolation those that only reach for something get it."""
    harmless = [one for one in attacks() if one.harmless]
    assert len(harmless) == 4
    with made(Isolation.NOTHING) as open_to_all:
        for attack in harmless:
            assert open_to_all.passes(attack.program(laid), SUITE), attack.name


@pytest.mark.parametrize("name", [one.name for one in attacks() if not one.harmless])
def test_what_does_harm_ends_at_once_without_a_filter(name: str, laid: Bait) -> None:
    guard = "if ctypes.CDLL(None).prctl(21, 0, 0, 0, 0) != 2:\n    os._exit(1)\n"
    program = NAMED[name].program(laid)
    assert 0 <= program.find(guard) < program.index("FILE = ")
