"""Answers are found in responses, and found fast."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from executor.answers.equality import Values, same
from executor.answers.extraction import last_boxed
from executor.answers.extraction.boxes import VOID
from executor.answers.grader import MathGrader
from executor.answers.reading import read
from tests.helpers.extracted_prose import PROSE
from tests.helpers.extracted_responses import ALL
from tests.helpers.shared import SHARED

MATH_500 = SHARED / "data" / "benchmarks" / "math500.jsonl"

EXTRACTED = [
    # boxed
    (r"$\boxed{18}$ dollars", "18"),
    (r"\boxed{\$18}", "18"),
    (r"\boxed{18\text{ dollars}}", r"18\text{ dollars}"),
    (r"\boxed{1,234}", "1,234"),
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    (r"\boxed {\{1,2\}}", r"\{1,2\}"),
    (r"\fbox{7}", "7"),
    (r"\boxed{$x^2$}.", "x^2"),
    (r"\boxed{3} no, \boxed{4}", "4"),
    (r"\boxed{3} and \boxed{ }", "3"),
    (r"\boxed{\left\{ 1 \right.}", r"\left\{ 1 \right."),
    (r"Hence {a \boxed{5}. The answer is 6", "5"),
    # cut off inside a box: what is in it may be half an answer
    (r"\boxed{12} then \boxed{13", "12"),
    (r"5 + 7 = 12. The answer is \boxed{1", "12"),
    (r"\boxed{\frac{1}{2", None),
    # stated
    ("The answer is 3.5 apples.", "3.5"),
    ("The answer is 5 + 3 = 8.", "8"),
    ("The answer is 5 x 3 = 15 apples. I am sure of 100%.", "15"),
    ("The answer is $5 \\times 3 = 15$.", "15"),
    ("The answer is 12 (not 13)", "12"),
    ("The answer is 12, since 3 x 4 is 12 and 2 x 6 too", "12"),
    ("The answer is that Tom has 5 apples. Is it 6?", "5"),
    ("The final answer is: $\\frac{1}{2}$. I checked it 3 times.", r"\frac{1}{2}"),
    ("The answer is $1,450,000 per year.", "1,450,000"),
    ("The answer is -$5.", "-5"),
    ("The answer is \u22125.", "-5"),
    ("answer = 50%, twice 25%", "50"),
    ("The answer is 2\\sqrt{3}.", r"2\sqrt{3}"),
    ("The answer is \\(x=5\\).", "x=5"),
    ("The answer is $2x + y = 0$.", "2x + y = 0"),
    ("**Final Answer:** 42 (of 50)", "42"),
    ("**Answer: 42** of 50", "42"),
    ("The answer is Mrs. Hilt. She has 3.", "Mrs. Hilt"),
    ("The answer is 3:30 p.m.", "3:30 p.m"),
    ("The answer is 3:4.", "3:4"),
    ("work 1+1=2\n#### 1,234", "1,234"),
    ("The answer is 3.\nNo, the answer is 4.\nI had 9.", "4"),
    ("The answer is 7. So what is the answer? The answer is", "7"),
    # last number
    ("so she has 10 - 3 = 7 left.", "7"),
    ("that makes 10-3", "10-3"),
    ("the temperature is -5 degrees", "-5"),
    ("It costs $5.00.", "5.00"),
    ("It is $-2$.", "-2"),
    ("in total 1,234,567.", "1,234,567"),
    ("that is 3/4 of it", "3/4"),
    ("so x = \\frac{3}{4}", r"\frac{3}{4}"),
    ("he eats 1, 2, 3", "3"),
    ("model gpt2 says 8.", "8"),
    # none
    ("I do not know.", None),
    ("", None),
]


@pytest.mark.parametrize(("response", "answer"), EXTRACTED + ALL + PROSE)
def test_extract(response: str, answer: str | None) -> None:
    assert MathGrader().extract(response) == answer


@pytest.mark.parametrize(
    "piece", ["\\boxed{", "{", "answer ", "answer is ", "1,", "$", "a b ", "9", "\\frac{1}", "-"]
)
def test_extract_and_parse_take_linear_time_on_endless_repetition(piece: str) -> None:
    response = piece * (60_000 // len(piece))
    start = time.process_time()
    answer = MathGrader().extract(response)
    if answer is not None:
        assert MathGrader().equivalent(answer, answer)
        assert not MathGrader().equivalent(answer, "7")
    assert time.process_time() - start < 8


STATEMENTS = [
    "The answer is {}.",
    "The answer is ${}$, which took 3 steps.",
    "**Final Answer**\n\n${}$",
    "The final answer is:\n\\[\n{}\n\\]\nI checked it 2 times.",
    "Therefore, the answer is \\({}\\). I hope this answer is helpful.",
    "The answer is simply **${}$**.",
    "<answer>{}</answer>",
    "<think>\\boxed{{1}}</think>\n答案是${}$，共3步。",
    "$\\boxed{{{}}}$",
]


@pytest.mark.skipif(not MATH_500.exists(), reason="needs MATH-500 in ../shared")
@pytest.mark.parametrize("statement", STATEMENTS)
def test_every_answer_of_math_500_is_found_again(statement: str) -> None:
    grader = MathGrader()
    answers = [json.loads(line)["answer"] for line in MATH_500.read_text("utf-8").splitlines()]
    for answer in answers:
        found = grader.extract(statement.format(answer))
        assert found is not None
        assert same(read(found), read(answer), Values()), answer


ENDLESS = [
    "\\boxed{",
    "\\boxed{1}, ",
    "x=\\boxed{1} and ",
    "\\boxed ",
    "\\\\",
    "$",
    "$1 and ",
    "\\(",
    "\\[\n",
    "(",
    " ",
    "\n",
    "**",
    "#### ",
    "The answer is ",
    "The answer is correct. ",
    "The answer is 1 and not ",
    "answer to the a ",
    "Answer:\n- 1\n",
    "the roots are ",
    "1 is the answer ",
    "3 hours ",
    "1 million ",
    "approximately ",
    "1:1",
    "1/ ",
    "1 or ",
    "(B) ",
    "答案是",
    "1、",
    "\nQuestion: ",
    "\nHuman: 1",
    "<think>",
    "<think>\\boxed{1}</think>",
    "\\boxed{?}",
    "not \\boxed{1} ",
    "not 1 ",
    "1 is not the answer ",
    "if it would ",
    "would ",
    "[1, ",
    "(1)",
    "1 + ",
    "\\frac{1}",
    "\\begin{a}",
    "5:30",
    "1 000 ",
    "x^2",
    "a-",
    "un jour 1",
]


@pytest.mark.parametrize(
    ("start", "end"),
    [("", ""), ("The answer is ", ""), ("Answer:\n", ""), ("\\boxed{a ", " \\text{b}}")],
)
@pytest.mark.parametrize(
    "length", [15_000, pytest.param(100_000, marks=pytest.mark.slow, id="slow")]
)
def test_time_is_linear_in_the_length_of_a_response(start: str, end: str, length: int) -> None:
    for piece in ENDLESS:
        response = start + piece * (length // len(piece)) + end
        before = time.process_time()
        MathGrader().extract(response)
        # Quadratic code takes seconds for the shorter length; linear code takes milliseconds.
        assert time.process_time() - before < 1, piece


@given(st.lists(st.sampled_from([*ENDLESS, "5", "x", ".", ", ", "\n"]), max_size=12).map("".join))
@example("1/ \\boxed{?}")
def test_an_answer_is_never_empty_or_padded(response: str) -> None:
    answer = MathGrader().extract(response)
    assert answer is None or (answer and answer == answer.strip())
    assert answer is None or VOID not in answer


PIECES = ["\\", "f", "boxed", "\\boxed{", "{", "}", "7", "x", " "]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@example("{ 7 \\\\boxed{8}")
@example("\\ffboxed{7} \\fboxed{8}")
def test_what_stands_before_the_first_box_need_not_be_read(text: str) -> None:
    content, unclosed = last_boxed(text)
    read_whole = f"boxed {text}"
    assert last_boxed(read_whole) == (content, unclosed + len("boxed "))
