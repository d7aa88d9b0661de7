"""Answers: extracted and compared."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.answers.grader import Grader, MathGrader
from executor.testing.grader_conformance import GraderConformance
from tests.helpers.exact_grader import Exact

ROOT = Path(__file__).parents[3]


EQUAL_IN_PROCESS = [
    ("1/2", "0.5"),
    ("1/2", r"\frac{1}{2}"),
    (r"\frac43", "4/3"),
    (r"-\dfrac{1}{2}", "-.5"),
    (r"\frac{270}7\text{ degrees}", r"\frac{270}{7}"),
    (r"1\frac{4}{5}", "1.8"),
    (r"137 \frac{1}{2}", "137.5"),
    ("1 4/5", "9/5"),
    (r"50\%", "50"),
    ("50%", "50"),
    ("025", "25"),
    ("18.00", "18"),
    ("18.", "18"),
    ("1,234", "1234"),
    (r"10,\!080", "10080"),
    (r"11,\! 111,\! 111,\! 100", "11111111100"),
    (r"\$32,\!348", "$32348"),
    (r"18\text{ dollars}", "18"),
    ("18 dollars", "$18"),
    (r"15\mbox{ cm}^2", "15"),
    ("15 cm^2", "15"),
    (r"5.4 \text{ cents}", "5.4"),
    (r"90^\circ", "90"),
    (r"90^{\circ}", "90 degrees"),
    (r"\textbf{(315) }", "(315)"),
    ("\u22123", "-3"),
    ("0.6666666667", "2/3"),
    ("3.33333", r"\frac{10}{3}"),
    (r"\text{Evelyn}", "Evelyn"),
    (r"\text{east}", "East."),
    (r"\text{(C)}", "C"),
    ("(C)", "C"),
    (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\dfrac{\pi}{2})"),
    ("4210_5", "4210_{5}"),
    ("2pi", r"2 \pi"),
]
EQUAL_BY_VALUE = [
    ("x=5", "5"),
    ("2k+2", "2(k+1)"),
    (r"\sqrt{12}", r"2\sqrt{3}"),
    ("sqrt(12)", r"2\sqrt{3}"),
    (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}"),
    ("1,-2", "-2,1"),
    (r"\{1,2\}", r"\{2,1\}"),
    (r"x \in [-2,7]", "[-2,7]"),
    (r"(3,\frac{\pi}{2})", "(3, 0.5pi)"),
    (r"1 \pm \sqrt{19}", r"1-\sqrt{19}, 1+\sqrt{19}"),
    (r"\begin{pmatrix} -2 \\ -14 \end{pmatrix}", r"\begin{pmatrix} -4/2 \\ -14 \end{pmatrix}"),
    ("6 - 5i", "-5i + 6"),
    (r"(-\infty, 2) \cup (3, \infty)", r"(3, \infty) \cup (-\infty, 2)"),
]
UNEQUAL = [
    ("5", "6"),
    ("0.33", "1/3"),
    ("0.66668", "2/3"),
    ("50%", "0.5"),
    ("1,2", "12"),
    ("1,234", "234"),
    ("1 4/5", "14/5"),
    ("1/0", "1"),
    ("5 million", "5"),
    ("528", "52_8"),
    ("-3", "3"),
    ("Evelyn", "Navin"),
    ("even", "neve"),
    ("Evelyn", "5"),
    ("Yes", "No"),
    ("52_8", "52_9"),
    ("3:4", "4:3"),
    ("2:4", "1:2"),
    ("5 a.m.", "5 p.m."),
    ("(3,4)", "(4,3)"),
    ("(3,4)", "(3,4]"),
    (r"\{1,2\}", r"\{1,3\}"),
    ("x^2", "x^3"),
    (r"\sqrt{2}", "1.41"),
    ("p - q", "q - p"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 2 \\ 1 \end{pmatrix}"),
    (r"\frac{1", "1"),
]


@pytest.mark.process
class TestMathGrader(GraderConformance):
    @pytest.fixture
    def grader(self, grader: Grader) -> Grader:
        return grader

    @pytest.fixture
    def responses(self) -> list[tuple[str, str | None]]:
        return [
            (r"So it is \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
            ("The answer is 18 dollars.", "18"),
            ("I add them.\n#### 42", "42"),
            ("I do not know.", None),
        ]

    @pytest.fixture
    def equal(self) -> list[tuple[str, str]]:
        return EQUAL_IN_PROCESS + EQUAL_BY_VALUE

    @pytest.fixture
    def unequal(self) -> list[tuple[str, str]]:
        return UNEQUAL


class TestExactGrader(GraderConformance):
    @pytest.fixture
    def grader(self) -> Exact:
        return Exact()

    @pytest.fixture
    def responses(self) -> list[tuple[str, str | None]]:
        return [("red", "red")]

    @pytest.fixture
    def equal(self) -> list[tuple[str, str]]:
        return [("red", "red")]

    @pytest.fixture
    def unequal(self) -> list[tuple[str, str]]:
        return [("red", "blue")]


@pytest.mark.parametrize(("a", "b"), EQUAL_IN_PROCESS)
def test_equal_without_the_child_process(a: str, b: str) -> None:
    fresh = MathGrader()
    assert fresh.equivalent(a, b)
    assert fresh.equivalent(b, a)
    assert fresh.correct(a, b)
    assert fresh.worker_pid is None


@pytest.mark.process
@pytest.mark.parametrize(("a", "b"), EQUAL_BY_VALUE)
def test_equal_by_value_or_by_parts(grader: MathGrader, a: str, b: str) -> None:
    assert grader.equivalent(a, b)
    assert grader.equivalent(b, a)
    assert grader.correct(b, a)


@pytest.mark.process
@pytest.mark.parametrize(("a", "b"), UNEQUAL)
def test_unequal(grader: MathGrader, a: str, b: str) -> None:
    assert not grader.equivalent(a, b)
    assert not grader.equivalent(b, a)
    assert not grader.correct(a, b)


def test_no_answer_is_never_correct(grader: MathGrader) -> None:
    assert not grader.correct(None, "None")


def test_very_long_answers_are_compared_as_strings_only() -> None:
    fresh = MathGrader()
    long = "9" * 5000
    assert fresh.equivalent(long, long + " ")
    assert not fresh.equivalent(long, "x+" + long)
    assert fresh.worker_pid is None


def written(value: Fraction) -> st.SearchStrategy[str]:
    """Ways of writing one number."""
    top, bottom = value.numerator, value.denominator
    ways = [f"{top}/{bottom}", rf"\frac{{{top}}}{{{bottom}}}", f"{3 * top}/{3 * bottom} dollars"]
    if bottom == 1:
        ways += [str(top), f"{top:,}", f"{top}.0", f"${top}$"]
    if 10**4 % bottom == 0:
        ways.append(f"{top * 10**4 // bottom / 10**4:.4f}")
    return st.sampled_from(ways)


numbers = st.builds(Fraction, st.integers(-5000, 5000), st.sampled_from([1, 2, 3, 4, 7, 25, 1000]))


@given(st.data(), numbers, numbers)
def test_numbers_are_equal_exactly_when_their_values_are(
    data: st.DataObject, one: Fraction, two: Fraction
) -> None:
    fresh = MathGrader()
    a, same, b = (data.draw(written(value)) for value in (one, one, two))
    assert fresh.equivalent(a, a)
    assert fresh.equivalent(a, same)
    assert fresh.equivalent(a, b) == (one == two) == fresh.equivalent(b, a)
    assert fresh.worker_pid is None


@given(numbers)
def test_decimals_of_many_places_equal_what_they_round(value: Fraction) -> None:
    fraction = f"{value.numerator}/{value.denominator}"
    off = value + Fraction(2, 10**8)
    assert MathGrader().equivalent(f"{float(value):.8f}", fraction)
    assert not MathGrader().equivalent(f"{float(off):.8f}", fraction)


@given(st.text(max_size=60))
def test_any_text_is_extracted_read_and_equal_to_itself(text: str) -> None:
    answer = MathGrader().extract(text)
    assert MathGrader().equivalent(text, text)
    assert answer is None or answer.strip() == answer != ""


@pytest.mark.process
def test_mpmath_is_not_imported_by_the_parent() -> None:
    code = (
        "import sys, executor.answers.grader; print({'mpmath', 'sympy', 'torch'} & {*sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("deadline", [0, -1, math.nan, math.inf])
def test_deadline_must_be_positive(deadline: float) -> None:
    with pytest.raises(ValueError, match="deadline"):
        MathGrader(deadline=deadline)
