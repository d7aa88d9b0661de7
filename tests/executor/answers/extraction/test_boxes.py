"""Boxes: which belong together, and what they hold."""

from __future__ import annotations

import pytest

from executor.answers.extraction.boxes import final_boxes, last_box_end


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        (r"\boxed{1}, \boxed{2}", ["1", "2"]),
        (r"\boxed{1} then \boxed{2}", ["2"]),
        (r"$a=\boxed{1}$, $b=\boxed{2}$", ["a=1", "b=2"]),
        (r"$\boxed{1}$ and $b=\boxed{2}$", ["1", "2"]),
        (r"\boxed{\boxed{1}}", ["1"]),
        (r"\boxed{1} or \boxed{}", ["1"]),
        (r"\boxed{\boxed{}}", []),
        ("no box", []),
    ],
)
def test_boxes_that_only_a_separator_divides_are_one_answer(text: str, contents: list[str]) -> None:
    assert final_boxes(text) == (contents, len(text))


def test_an_unclosed_box_is_not_read() -> None:
    assert final_boxes(r"\boxed{1}, \boxed{2") == (["1"], len(r"\boxed{1}, "))


@pytest.mark.parametrize(("text", "end"), [(r"a \boxed{1} b", 11), ("a", 0), (r"\boxed{1", 0)])
def test_the_end_of_the_last_closed_box(text: str, end: int) -> None:
    assert last_box_end(text) == end
