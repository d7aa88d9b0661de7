"""Programs in responses: where they are, how they are completed, and which are the same."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domains.code.programs import completed, find_program, normal_form, same_program

ADD = "def add(a, b):\n    return a + b\n"
OTHER = "def sub(a, b):\n    return a - b\n"


def fenced(code: str, tag: str = "python") -> str:
    return f"```{tag}\n{code}```"


RESPONSES = {
    "one block": (f"Here:\n\n{fenced(ADD)}\n\nIt adds.", ADD),
    "no tag": (fenced(ADD, ""), ADD),
    "a short tag": (fenced(ADD, "py"), ADD),
    "tildes": (f"~~~python\n{ADD}~~~", ADD),
    "the last of two": (f"{fenced(OTHER)}\nBetter:\n{fenced(ADD)}", ADD),
    "not its use": (f"{fenced(ADD)}\nUse it:\n{fenced('print(add(1, 2))' + chr(10))}", ADD),
    "not its output": (f"{fenced(ADD)}\nIt prints:\n{fenced('3 and then 4' + chr(10), '')}", ADD),
    "not another language": (f"{fenced(ADD)}\n{fenced('pip install x' + chr(10), 'bash')}", ADD),
    "only another language": (fenced("add(a, b)\n", "javascript"), None),
    "in a list": ("1. So:\n   ```python\n   def f():\n       return 1\n   ```\n",
                  "def f():\n    return 1\n"),
    "not complete": (f"Here:\n```python\n{ADD}", ADD),
    "a script": (fenced("print(int(input()))\n"), "print(int(input()))\n"),
    "bare": (ADD, ADD),
    "bare in prose": (f"The function is this.\n\n{ADD}\nIt adds two numbers.\n", ADD),
    "a continuation": ("    return a + b\n", "    return a + b\n"),
    "a continuation cut at its start": ("return a + b\n", "    return a + b\n"),
    "after a thought": (f"<think>\n{fenced(OTHER)}\n</think>\n{fenced(ADD)}", ADD),
    "prose": ("I do not know.", None),
    "a word": ("None", None),
    "nothing": ("", None),
    "an empty block": ("```python\n```", None),
}  # fmt: skip


@pytest.mark.parametrize("name", RESPONSES)
def test_the_program_of_a_response(name: str) -> None:
    response, program = RESPONSES[name]
    assert find_program(response) == program


@given(st.text("ab`~\n \tdef:()=1python#", max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    program = find_program(text)
    assert program is None or (same_program(program, program) and program.strip())


HEAD = (
    "from typing import List\n\ndef helper(n):\n    return n\n\n"
    'def add(a, b):\n    """Add two numbers."""\n'
)


def run(program: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(program, names)
    return names


@pytest.mark.parametrize(
    "answer",
    [
        ADD,
        "def add(a: List[int], b):\n    return helper(a) + b\n",
        "    return helper(a) + b\n",
        "    return a + b\n\nprint('and on it goes\n",
        "    return a + b\n\ndef more(:\n",
        "  if a:\n    return a + b\n  return b\n",
        "\ts = a + b\n\treturn s\n",
    ],
)
def test_programs_are_completed_by_the_head(answer: str) -> None:
    add = run(completed(answer, HEAD, "add"))["add"]
    assert callable(add) and add(1, 2) == 3


def test_the_end_of_a_long_program_is_found_in_time() -> None:
    """Prose behind a program, and a bracket that never closes, in ten thousand lines."""
    started = time.process_time()
    body = "def f(n):\n    return n\n"
    assert find_program(f"{body}So this is it.\n" + "And it goes on.\n" * 10_000) == body
    assert find_program("import os\nx = (\n" + "1,\n" * 10_000) == "import os\n"
    assert time.process_time() - started < 5


def test_the_function_to_write_is_not_kept_beside_the_one_that_was_written() -> None:
    assert completed(ADD, HEAD, "add").count("def add") == 1


def test_without_a_head_or_an_entry_point_a_program_stays_as_it_is() -> None:
    assert completed(ADD, "", "add") == completed(ADD, HEAD, None) == ADD


SAME = [
    (ADD, "def add(a,b): return a+b  # the sum\n"),
    (ADD, 'def add(a, b):\n    """Add."""\n\n    return (a + b)\n'),
    ("    return 1\n", "    return  1  # one\n"),
    ("not python", "not python  \n"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_comments_and_layout_do_not_count(a: str, b: str) -> None:
    assert same_program(a, b) and same_program(b, a)


@pytest.mark.parametrize(("a", "b"), [(ADD, OTHER), (ADD, ADD.replace("a + b", "b + a"))])
def test_different_programs(a: str, b: str) -> None:
    assert not same_program(a, b)


@pytest.mark.parametrize("text", ["(" * 5000, "-" * 20000 + "1", "x = " + "9" * 5000, "\x00"])
def test_what_cannot_be_parsed_is_compared_as_text(text: str) -> None:
    assert same_program(text, text) and not same_program(text, ADD) and normal_form(text)
