"""All references of public benchmarks equal another spelling, and no two different ones are equal.

The benchmarks are not part of this repository; the tests are skipped if they do not lie beside it.
"""

from __future__ import annotations

import random
import re
from fractions import Fraction

import pytest

from executor.answers.equality import same
from executor.answers.evaluation import Evaluated
from executor.answers.meanings import number_of
from executor.answers.reading import read
from profiling.problems.files import load_problems
from tests.helpers.shared import SHARED

BENCHMARKS = SHARED / "data" / "benchmarks"
FILES = (
    "math500", "aime24", "amc23", "gsm8k_test", "svamp", "asdiv", "addsub", "multiarith",
    "singleeq", "singleop",
)  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="shared/data is not beside the repository"),
]


def references(name: str) -> list[str]:
    problems = load_problems(BENCHMARKS / f"{name}.jsonl")
    return [problem.answer for problem in problems if problem.answer is not None]


def equal(a: str, b: str) -> bool:
    return bool(same(read(a), read(b), Evaluated()))


def respelled(reference: str, source: random.Random) -> str:
    """Another spelling of a reference, as a model may write it."""
    number = number_of(read(reference).meaning)
    if number is not None and re.fullmatch(r"-?[\d.,]+", reference):
        value = number.value
        if value.denominator == 1:
            whole = value.numerator
            spellings = [f"{whole:,}", f"{whole}.0", f"{2 * whole}/2", f"${whole}$", f"**{whole}**"]
            spellings += [f"{whole} units", rf"\boxed{{{whole}}}", f"x = {whole}"]
            return source.choice([spelling for spelling in spellings if spelling != reference])
        half = Fraction(value)
        return source.choice([rf"\frac{{{half.numerator}}}{{{half.denominator}}}", f"{reference}0"])
    changes = [
        (r"\\frac", r"\\dfrac"),
        (r"\\pi", "π"),
        (r"\\sqrt\{(\w+)\}", r"√{\1}"),
        (r"\^\\circ", "°"),
        (r"\\infty", "∞"),
        (r"\\text\{([^{}]*)\}", r"\\textbf{\1}"),
        (r"\\cup", "∪"),
        (r"-(?=[\d(\\])", "−"),
        (r" ", "  "),
        (r"\^(\d)(?!\d)", r"^{\1}"),
    ]
    spelled = reference
    for pattern, replacement in changes:
        spelled = re.sub(pattern, replacement, spelled)
    return f"${spelled}$" if spelled == reference else spelled


@pytest.mark.parametrize("name", FILES)
def test_every_reference_equals_itself_and_another_spelling(name: str) -> None:
    source = random.Random(name)
    for reference in references(name):
        assert equal(reference, reference)
        other = respelled(reference, source)
        assert other != reference
        assert equal(reference, other) and equal(other, reference), (reference, other)


def value_of(reference: str) -> object:
    """A second opinion on which references are equal: floating-point numbers, or the text."""
    try:
        return float(Fraction(reference.replace(",", "").replace("$", "").strip()))
    except ValueError:
        return reference


SAME_VALUES = [
    (r"\frac{3}{2}", "1.5"), (r"90^\circ", "90"), (r"10,\!080", "10080"), (r"\frac43", "4/3"),
]  # fmt: skip
"""References of one benchmark that are spelled differently and are one value."""


@pytest.mark.parametrize("name", FILES)
def test_no_two_different_references_are_equal(name: str) -> None:
    source = random.Random(name)
    different = sorted(set(references(name)))
    drawn = [tuple(source.sample(different, 2)) for _ in range(500)]
    found = [(a, b) for a, b in drawn if value_of(a) != value_of(b) and equal(a, b)]
    assert not [pair for pair in found if pair not in SAME_VALUES and pair[::-1] not in SAME_VALUES]
