"""Problems whose answer is a program: the forms of HumanEval, of MBPP, and plain records.

A record of HumanEval's form has `prompt`, `entry_point` and `test`; one of MBPP's form `text` or
`prompt`, and `test_list`; a plain one `prompt`, or another field of the question, and `tests`, and
perhaps `public_tests`, `entry_point`, `setup` and `starter_code`. Tests are texts in Python, or
pairs of an input and an output of a script.

The tests of a problem are its answer, so that nobody sees them but the grader. The policy and
scorers may see the public ones: those that the record calls so; for HumanEval's form the examples
in the prompt; for MBPP's form the first of the list, since the question alone does not name the
function.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from executor.domains.registry import CODE
from executor.errors import InputError
from executor.problem import DOMAIN, PUBLIC_TESTS, Problem
from executor.sandbox.suite import Pair, Source, Suite, Unit
from profiling.problems.examples import examples
from profiling.problems.records import Record, bad_character

_QUESTIONS = ("prompt", "text", "question", "problem", "description")
_INPUTS, _OUTPUTS = ("input", "stdin"), ("output", "stdout", "expected_output")
_FIELDS = frozenset(
    {
        *_QUESTIONS, "tests", "hidden_tests", "public_tests", "test", "test_list", "entry_point",
        "test_setup_code", "test_imports", "challenge_test_list", "setup", "starter_code",
        "canonical_solution", "code",
    }
)  # fmt: skip
"""Fields that a code problem uses, or that hold its solution."""
_IDS = ("task_id", "id", "unique_id", "problem_id", "question_id")
_META = 200  # characters of the longest field that is kept as a property of the problem


def is_code(fields: Mapping[str, Any]) -> bool:
    """Whether the record is a problem whose answer is a program."""
    record = Record("", fields)
    if record.find("tests") or record.find("hidden_tests") or record.find("test_list"):
        return _question_field(record) is not None
    return all(map(record.find, ("prompt", "test", "entry_point")))


def suite_of(record: Record) -> Suite:
    """Return all tests of a record.

    Raises:
        InputError: there are none, a field is of the wrong kind, or tests in Python are none.
    """
    return _suites(record)[0]


def code_problem(record: Record) -> Problem:
    """Return the problem of a record that `is_code`; its id is the record's own or empty.

    Raises:
        InputError: a field is of the wrong kind, or tests in Python are none.
    """
    suite, public = _suites(record)
    question_key = _question_field(record)
    assert question_key is not None
    question = _text(record, question_key).strip("\n")
    if record.find("test_list"):
        (shown,) = public
        assert isinstance(shown, Source)
        question += f"\n\nThe program must pass this test:\n\n{shown.source.strip()}"
    if suite.head.strip() and suite.head.strip() not in question:
        question += f"\n\n{suite.head.strip()}"
    # Without public tests, what everybody may see is still the head and the function's name.
    meta = _meta(record) | {DOMAIN: CODE, PUBLIC_TESTS: replace(suite, units=public).to_json()}
    return Problem(_identity(record), question, suite.to_json(), meta)


def _suites(record: Record) -> tuple[Suite, tuple[Unit, ...]]:
    """Return all tests of a record, and those that are public."""
    entry_point = _text(record, "entry_point").strip() or None
    if entry_point is not None and not entry_point.isidentifier():
        raise InputError(
            f"{record.where}: field 'entry_point' is {entry_point!r:.60}; expected the name of a "
            "function"
        )
    setup = "\n".join(
        filter(None, (*_texts(record, "test_imports"), _text(record, "test_setup_code"),
                      _text(record, "setup")))
    )  # fmt: skip
    head = _text(record, "starter_code")
    public: tuple[Unit, ...]
    if record.find("test_list"):
        listed = tuple(Source(text) for text in _texts(record, "test_list"))
        more = tuple(Source(text) for text in _texts(record, "challenge_test_list"))
        units: tuple[Unit, ...] = (*listed, *more)
        public = listed[:1]
        entry_point = entry_point or _called(listed[0].source)
    elif record.find("tests") or record.find("hidden_tests"):
        public = _units(record, "public_tests")
        units = (*public, *_units(record, "tests"), *_units(record, "hidden_tests"))
    else:
        units = tuple(Source(text) for text in _texts(record, "test"))
        head = head or _text(record, "prompt")
        public = tuple(map(Source, examples(head, entry_point or "")))
    _check_sources(record, units, setup)
    return Suite(units, entry_point, head, setup), public


def _question_field(record: Record) -> str | None:
    return next((key for name in _QUESTIONS if (key := record.find(name))), None)


def _text(record: Record, name: str) -> str:
    """Return a field's text as it stands there, or "" if it has none."""
    key = record.find(name)
    return "" if key is None else _checked(record, key, record.fields[key])


def _texts(record: Record, name: str) -> list[str]:
    """Return the texts of a field that lists some, or that is one."""
    key = record.find(name)
    value = [] if key is None else record.fields[key]
    return [
        _checked(record, str(key), one) for one in (value if isinstance(value, list) else [value])
    ]


def _checked(record: Record, key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(
            f"{record.where}: field {key!r} has a value of type {type(value).__name__}; "
            "expected text"
        )
    if fault := bad_character(value):
        raise InputError(f"{record.where}: field {key!r} {fault}")
    return value


def _units(record: Record, name: str) -> tuple[Unit, ...]:
    """Return the tests of a field: texts in Python, or pairs of an input and an output."""
    key = record.find(name)
    if key is None:
        return ()
    value = record.fields[key]
    if isinstance(value, Mapping):  # {"input": [...], "output": [...]}, as APPS has it
        value = _pairs_by_column(record, key, value)
    return tuple(_unit(record, key, one) for one in (value if isinstance(value, list) else [value]))


def _pairs_by_column(record: Record, key: str, value: Mapping[str, Any]) -> list[Any]:
    columns = []
    for names in (_INPUTS, _OUTPUTS):
        column = next(
            (value[one] for name in names for one in (name, f"{name}s") if one in value), None
        )
        columns.append(column if isinstance(column, list) else [column])
    if len(columns[0]) != len(columns[1]):
        raise InputError(
            f"{record.where}: field {key!r} has {len(columns[0])} inputs and {len(columns[1])} "
            "outputs; expected as many"
        )
    return [{"input": one, "output": other} for one, other in zip(*columns, strict=True)]


def _unit(record: Record, key: str, value: Any) -> Unit:
    if isinstance(value, str):
        return Source(_checked(record, key, value))
    texts = []
    for names in (_INPUTS, _OUTPUTS):
        held = [name for name in names if isinstance(value, Mapping) and name in value]
        if not held or not isinstance(value[held[0]], str):
            raise InputError(
                f"{record.where}: field {key!r} has a test that is neither text in Python nor an "
                'object {"input": text, "output": text}'
            )
        texts.append(_checked(record, key, value[held[0]]))
    return Pair(*texts)


def _check_sources(record: Record, units: tuple[Unit, ...], setup: str) -> None:
    if not units:
        raise InputError(
            f"{record.where}: has no tests (fields: {record.listing()}); expected tests, or "
            "entry_point and test, or test_list"
        )
    for text in (setup, *(one.source for one in units if isinstance(one, Source))):
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise InputError(
                f"{record.where}: a test is not Python ({error}): {text.strip()!r:.80}"
            ) from None


def _called(test: str) -> str | None:
    """Return the function that a test is about: the first called that Python does not have."""
    for node in ast.walk(ast.parse(test)) if _is_python(test) else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if not hasattr(builtins, name):
                return name
    return None


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _identity(record: Record) -> str:
    key = next((key for name in _IDS if (key := record.find(name))), None)
    return record.plain(key).strip() if key else ""


def _meta(record: Record) -> dict[str, str]:
    """Return the other short fields, which are texts."""
    return {
        key: value
        for key, value in record.fields.items()
        if key.lower() not in {*_FIELDS, *_IDS}
        and isinstance(value, str)
        and 0 < len(value) <= _META
    }
