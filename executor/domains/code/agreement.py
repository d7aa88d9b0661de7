"""CodeT: programs and generated tests that agree (Chen et al., arXiv 2207.10397, Sec. 2.2).

A model writes programs and tests; both may be wrong. Programs that pass exactly the same tests form
a group. Right programs pass the right tests, all of them, while wrong ones fail in their own ways,
so that a group counts for much that passes many tests and has many programs.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

TESTS_OF_A_SAMPLE = 5
"""Tests that count of each text that a model wrote, the first ones (the authors' released code)."""
_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint", "\n```")


@dataclass(frozen=True, slots=True)
class Agreement:
    """A group of programs that pass exactly the same tests.

    Attributes:
        programs: indices of the programs.
        tests: number of generated tests that they pass, with repetitions.
    """

    programs: tuple[int, ...]
    tests: int

    @property
    def score(self) -> float:
        """Number of tests times the square root of the number of programs.

        This is what the authors' released code computes (`agreement.py`).
        """
        return self.tests * math.sqrt(len(self.programs))


def agreements(passed: Sequence[frozenset[int]], repeats: Sequence[int]) -> list[Agreement]:
    """Return the groups of programs, the best first; programs that pass nothing are in none.

    Args:
        passed: for each program the different tests that it passes.
        repeats: how often each different test was generated.
    """
    groups: dict[frozenset[int], list[int]] = {}
    for program, tests in enumerate(passed):
        if tests:
            groups.setdefault(tests, []).append(program)
    found = [
        Agreement(tuple(programs), sum(repeats[test] for test in tests))
        for tests, programs in groups.items()
    ]
    return sorted(found, key=lambda one: -one.score)


def best_programs(passed: Sequence[frozenset[int]], repeats: Sequence[int]) -> list[int]:
    """Return the programs that CodeT chooses among at random: those of the best groups.

    They are all programs if none passes a test.
    """
    groups = agreements(passed, repeats)
    if not groups:
        return list(range(len(passed)))
    return [program for one in groups if one.score == groups[0].score for program in one.programs]


def generated_tests(text: str, entry_point: str) -> list[str]:
    """Return the tests in a text: the first `assert` statements about a function.

    A base model continues `assert `, so that a text may begin with what follows it; a chat model
    writes a block of code.

    Args:
        text: what the model wrote.
        entry_point: name of the function.
    """
    tests = []
    for part in re.split("assert ", f"assert {text}"):
        if entry_point in part:
            test = f"assert {part}".strip()
            for stop in _STOPS:
                test = test.split(stop)[0]
            if _is_python(test.strip()):
                tests.append(test.strip())
    return tests[:TESTS_OF_A_SAMPLE]


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
