"""A record's fields, checked as they are read: what is wrong is said with file and line."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from executor.errors import InputError
from profiling.problems.lost_backslashes import lost_in_response
from profiling.problems.records import Record, backslash_fault, bad_character, lost_fault
from profiling.problems.solutions import EXPECTED, final_answer, is_solution

MOST = 10**12
"""Largest number of tokens or generations; a larger one is a slip, and no database holds it."""


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object.

    Attributes:
        where: file, line, and the object's place in it, for messages.
        values: its fields.
    """

    where: str
    values: Mapping[str, Any]

    @classmethod
    def of(cls, value: Any, where: str) -> Fields:
        """A JSON value that must be an object; InputError where it is none."""
        if not isinstance(value, dict):
            raise InputError(f"{where}: not a JSON object; a record needs named fields")
        return cls(where, value)

    def fail(self, name: str, needed: str) -> NoReturn:
        """Say that a field is not what is needed."""
        found = f"is {_short(self.values[name])}" if name in self.values else "is missing"
        raise InputError(f"{self.where}: {name!r} {found}; right would be {needed}")

    def has(self, name: str) -> bool:
        """Whether the record has the field and something in it."""
        return self.values.get(name) is not None

    def text(self, name: str) -> str:
        """A field that must hold text."""
        value = self.values.get(name)
        if not isinstance(value, str) or not value.strip():
            self.fail(name, "text")
        self._check(name, bad_character(value))
        return value

    def latex(self, name: str) -> str:
        """A field that must hold text, whose LaTeX commands must have their backslashes."""
        text = self.text(name)
        self._check(name, backslash_fault(text, answer=False, json=True))
        return text

    def response(self, name: str) -> str:
        """A response of a model as text; empty if there is none in the field."""
        value = self.values.get(name)
        if not isinstance(value, str):
            self.fail(name, "text")
        self._check(name, bad_character(value))
        lost = lost_in_response(value)
        self._check(name, None if lost is None else lost_fault(value, lost, json=True))
        return value

    def answer(self, name: str) -> str | None:
        """An answer: text, a number, a truth value or a list of these; None if there is none."""
        value = self.values.get(name)
        if isinstance(value, float):
            if not math.isfinite(value):
                self.fail(name, "a finite number; write a larger one as text")
            value = Decimal(repr(value))
        if value is None or value in ("", []):
            return None
        if not isinstance(value, (str, int, Decimal, list)):
            self.fail(name, "an answer, as text")
        return Record(self.where, {name: value}).answer(name)[0].strip() or None

    def reference(self, name: str) -> str | None:
        """The right answer; of a worked solution its final answer. None if there is none."""
        answer = self.answer(name)
        if answer is None or isinstance(self.values[name], list) or not is_solution(answer):
            return answer
        final = final_answer(answer)
        if final is None:
            self.fail(name, EXPECTED)
        return final

    def _check(self, name: str, fault: str | None) -> None:
        if fault is not None:
            raise InputError(f"{self.where}: {name!r} {fault}")

    def truth(self, name: str) -> bool | None:
        """True or false, also as 1 or 0; None where there is nothing."""
        value = self.values.get(name)
        if value is not None and value not in (0, 1):
            self.fail(name, "true or false, or 1 or 0")
        return None if value is None else bool(value)

    def count(self, name: str, least: int = 1) -> int | None:
        """A number of tokens; None where it is not known, or below what it must be.

        Programs that did not count wrote 0 or -1: no run that gave an answer cost nothing.
        """
        value = self.values.get(name)
        if value is not None and not (_is_whole(value) and -1 <= value <= MOST):
            self.fail(name, "a whole number of at least 0, or -1 if it is not known")
        return value if value is not None and value >= least else None

    def counts(self, name: str) -> tuple[int, ...]:
        """Several of them; empty where not all are known."""
        value = self.values.get(name)
        if not isinstance(value, list):
            return ()
        if not all(v is None or (_is_whole(v) and -1 <= v <= MOST) for v in value):
            self.fail(name, "whole numbers of at least 0, or -1 where it is not known")
        return tuple(value) if all(v is not None and v > 0 for v in value) else ()

    def number(self, name: str) -> float | None:
        """A number; None where there is none."""
        value = self.values.get(name)
        if value is not None and not (_is_number(value) and abs(value) <= sys.float_info.max):
            self.fail(name, "a number")
        return None if value is None else float(value)

    def rewards(self, name: str) -> tuple[float, ...]:
        """The rewards of a response's steps, or the one of all of it; empty where there is none."""
        value = self.values.get(name)
        given = [] if value is None else value if isinstance(value, list) else [value]
        if not all(_is_number(v) and 0 <= v <= 1 for v in given):
            self.fail(name, "a reward in [0, 1] for each step")
        return tuple(float(v) for v in given)

    def objects(self, name: str) -> list[Fields]:
        """A list of objects, at least one."""
        value = self.values.get(name)
        if not isinstance(value, list) or not value:
            self.fail(name, "a list of objects")
        return [Fields.of(v, f"{self.where}, {name}[{i}]") for i, v in enumerate(value)]

    def inner(self, name: str) -> Fields:
        """An object, empty where there is none."""
        value = self.values.get(name)
        return Fields.of({} if value is None else value, f"{self.where}, {name}")

    def only(self, known: Sequence[str]) -> None:
        """InputError for a field that is not known: a misspelt one must not be passed over."""
        for name in self.values:
            if name not in known:
                raise InputError(
                    f"{self.where}: no field {name!r} is known; right would be {', '.join(known)}"
                )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _short(value: Any, most: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= most else text[:most] + "..."
