"""Tests of programs, and what comes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Source:
    """A test in Python: it passes if it runs to its end without an error and used the program.

    Functions `test_...` that it defines and does not call are called, and so is `check`, with the
    function that is the entry point.
    """

    source: str


@dataclass(frozen=True, slots=True)
class Pair:
    """An input and the output that the program, run as a script, must write for it.

    White space at the end of a line and at the end of the output does not count.
    """

    stdin: str
    stdout: str


@dataclass(frozen=True, slots=True)
class Call:
    """An expression in Python, such as a call of the program: it passes if it has a value."""

    call: str


Unit = Source | Pair | Call


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests of one program.

    Attributes:
        units: tests, each of which passes or not.
        entry_point: name of the function that is tested; None: the tests name what they use.
        head: text whose definitions the tests may use, and which is not the program's.
        setup: statements before the first unit; they may use the program.
    """

    units: tuple[Unit, ...]
    entry_point: str | None = None
    head: str = ""
    setup: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Suite:
        """Return the suite of which `to_dict` made `value`.

        Raises:
            KeyError, TypeError: it is no such value.
        """
        units = tuple(_unit(one) for one in value["units"])
        return cls(units, value["entry_point"], value["head"], value["setup"])

    def to_json(self) -> str:
        """Return the suite as text, the same for the same suite."""
        return json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Suite:
        """Return the suite of which `to_json` made `text`.

        Raises:
            ValueError: it is no such text.
        """
        try:
            return cls.from_dict(json.loads(text))
        except (KeyError, TypeError, AttributeError):
            raise ValueError("these are no tests of a program") from None


def _unit(value: dict[str, Any]) -> Unit:
    kind: type[Unit] = Source if "source" in value else Call if "call" in value else Pair
    return kind(**value)


class VerdictKind(StrEnum):
    """How a program did in a unit of tests."""

    PASSED = "passed"
    FAILED = "failed"
    """A test found a wrong value."""
    RAISED = "raised"
    """The program raised an error."""
    SYNTAX_ERROR = "syntax_error"
    TIMED_OUT = "timed_out"
    MEMORY = "memory"
    """It took too much memory."""
    OUTPUT = "output"
    """It wrote too much."""
    ENDED = "ended"
    """Its process ended, or broke the rules of the sandbox, before the tests did."""
    UNUSED = "unused"
    """The tests used nothing of the program, so they say nothing about it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one unit of tests.

    Attributes:
        kind: how the program did.
        detail: more on it, for people; it may quote tests.
        output: of a `Pair` what the program wrote, of a `Call` its value; as a text that is the
            same for equal outputs (`executor.sandbox.inside.outputs`). Empty without one.
    """

    kind: VerdictKind
    detail: str = ""
    output: str = ""

    @property
    def passed(self) -> bool:
        """Whether the program passed."""
        return self.kind is VerdictKind.PASSED


def all_passed(verdicts: Sequence[Verdict]) -> bool:
    """Whether there are verdicts, and all say that the program passed."""
    return bool(verdicts) and all(one.passed for one in verdicts)
