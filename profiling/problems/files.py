r"""Reads problems from the files in which benchmarks are published.

A layout is recognised by the fields of a record, never by the name of the file, so a new file of
a known layout needs nothing; a new layout is one more row of `LAYOUTS`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from executor.domains.registry import CODE, domain_names
from executor.errors import InputError
from executor.problem import DOMAIN, MATHS, Problem, content_id
from profiling.problems.choices import field_of_choices
from profiling.problems.programs import code_problem, is_code
from profiling.problems.records import Record, Remark, bad_character, read_records, without_zeros
from profiling.problems.repeats import without_repeats
from profiling.problems.solutions import (
    HASHES,
    boxed_answer,
    is_solution,
    require_final_answer,
)

LONGEST_META = 200
"""Characters; a longer field is a worked solution or the like, and no property of the problem."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which a record holds a problem.

    Attributes:
        text: fields that make the problem's text, joined by a space; lower case, any case matches.
        answer: the field that holds the final answer.
        final: finds the final answer in that field's text; None where it holds none.
    """

    text: tuple[str, ...]
    answer: str
    final: Callable[[str], str | None]


def _as_written(text: str) -> str | None:
    """The answer itself; 43.0 is 43."""
    return without_zeros(text.strip()) or None


def _after_hashes(text: str) -> str | None:
    """What follows the last `####` of a worked answer (GSM8K), else the answer itself."""
    return _as_written(text.rpartition(HASHES)[2])


def _without_unit(text: str) -> str | None:
    """`9` of `9 (apples)` (ASDiv); a time or a name stays whole, a worked answer is cut."""
    text = text.rpartition(HASHES)[2]
    number = re.fullmatch(r"\s*(-?[\d.,/]+)\s+\([^()]*\)\s*", text)
    return _as_written(number.group(1) if number else text)


LAYOUTS = (
    Layout(("body", "question"), "answer", _without_unit),  # ASDiv, SVAMP
    Layout(("problem",), "extracted_groundtruth", _as_written),  # AIME and AMC of arXiv 2502.06703
    Layout(("problem",), "answer", _after_hashes),  # MATH-500
    Layout(("question",), "answer", _after_hashes),  # GSM8K
    Layout(("input",), "target", _as_written),  # MAWPS
    Layout(("problem",), "solution", boxed_answer),  # MATH
)
"""Tried in this order; the first whose fields a record has is its layout."""

ID_FIELDS = ("id", "unique_id", "problem_id", "question_id", "task_id")
"""Names, not positions: a row number (`idx`) names another problem in another file."""


def load_problems(
    path: str | Path,
    *,
    problem_field: str | None = None,
    answer_field: str | None = None,
    limit: int | None = None,
    require_answers: bool = True,
    domain: str | None = None,
    remark: Remark = lambda text: None,
) -> list[Problem]:
    """The problems of a JSONL, JSON, CSV or Parquet file, in the file's order.

    The file may be packed with gzip, bzip2 or xz. Records of one question and equal answers are
    one problem. The id is the file's own if every record has one and they differ, else
    `content_id` of the text. The rest of a record's short fields become `meta`.

    Args:
        path: the file; its layout is recognised by its fields (see `LAYOUTS`).
        problem_field: the field that holds the text, if no layout fits.
        answer_field: the field that holds the answer, if no layout fits.
        limit: keep the first so many problems; ids do not depend on it.
        require_answers: refuse records without an answer; else their `answer` is None.
        domain: what an answer is (`executor.domains`); None: what a record's field `domain` says,
            else code if the record has tests of programs, else maths.
        remark: receives sentences on what was read otherwise than it stands there.

    Raises:
        InputError: the file cannot be read, a record holds no problem or no answer, has choices
            that are not in its text, or lacks backslashes; or a question has two answers.
    """
    if limit is not None and (type(limit) is not int or limit < 1):
        raise InputError(f"limit is {limit!r}; expected a whole number of at least 1")
    path = Path(path)
    sets: list[str] = []
    solutions: list[tuple[str, str]] = []

    def placed() -> Iterator[tuple[str, Problem]]:
        for record in read_records(path, fits, remark):
            own = domain or _own_domain(record)
            if problem_field is None and own in (None, CODE) and is_code(record.fields):
                yield record.where, code_problem(record)
                continue
            if own == CODE:
                raise InputError(
                    f"{record.where}: has no tests (fields: {record.listing()}); a problem of "
                    "domain code needs prompt and tests, prompt, entry_point and test, or text "
                    "and test_list"
                )
            problem = _problem(
                record, problem_field, answer_field, require_answers, sets, solutions
            )
            if own not in (None, MATHS):
                problem = replace(problem, meta={**problem.meta, DOMAIN: own})
            yield record.where, problem

    def fits(fields: dict[str, str]) -> bool:
        if problem_field is not None:
            return problem_field in fields
        return is_code(fields) or _has_problem(Record("", fields))

    problems = without_repeats(placed(), str(path), remark)
    if not problems:
        raise InputError(f"{path}: holds no problems; one JSON object a line, or a CSV, is needed")
    if sets:
        counted = "1 answer lists" if len(sets) == 1 else f"{len(sets)} answers list"
        first = sets[0].removeprefix(f"{path}, ")
        remark(f"{path}: {counted} several values, which count as a set ({first})")
    if solutions:
        remark(f"{path}: {_read_from(solutions, path)}")
    return _with_unique_ids(problems)[:limit]


def _own_domain(record: Record) -> str | None:
    """The domain that a record names; a field `domain` may as well name a field of maths."""
    named = record.fields.get("domain")
    return named if isinstance(named, str) and named in domain_names() else None


def problems_digest(problems: list[Problem]) -> str:
    """Twelve hex digits that name a set of problems by ids, texts and answers, in any order."""
    rows = sorted([p.id, p.text, p.answer is not None, p.answer or ""] for p in problems)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]


def _problem(
    record: Record,
    problem_field: str | None,
    answer_field: str | None,
    require_answer: bool,
    sets: list[str],
    solutions: list[tuple[str, str]],
) -> Problem:
    """The problem of a record.

    `sets` receives the places of answers that list several values; `solutions` those of worked
    solutions that stand for an answer, each with the final answer that was read from it.
    """
    if fault := next(filter(None, map(bad_character, record.fields)), None):
        raise InputError(f"{record.where}: the name of a field {fault}")
    layout = _layout(record, problem_field, answer_field, require_answer)
    keys = [key for name in layout.text if (key := record.find(name))]
    text = " ".join(record.question(key).strip() for key in keys).strip()
    if not text:
        raise InputError(f"{record.where}: the problem's text is empty (field {layout.text[-1]!r})")
    if (choices := field_of_choices(record.fields, text)) is not None:
        raise InputError(
            f"{record.where}: choices are not put to the model (field {choices!r}); write them "
            "into the question, or leave the field out to ask without them"
        )
    answer_key = record.find(layout.answer)
    answer = None
    if answer_key is not None:
        written, values = record.answer(answer_key)
        answer = layout.final(written)
        if values > 1:
            sets.append(record.where)
        elif answer is not None and not _is_of_solutions(layout) and is_solution(answer):
            field = f"{record.where}: field {answer_key!r}"
            answer = require_final_answer(answer, field, "--answer-field names another field")
            solutions.append((record.where, answer))
    if answer is None and require_answer:
        raise InputError(
            f"{record.where}: no answer ({_without_answer(record, layout)}; fields: "
            f"{record.listing()}); name the field with --answer-field"
        )
    id_key = next((key for name in ID_FIELDS if (key := record.find(name))), None)
    identity = record.plain(id_key).strip() if id_key else ""
    return Problem(identity, text, answer, _meta(record, {*keys, id_key, answer_key}))


def _read_from(solutions: Sequence[tuple[str, str]], path: Path) -> str:
    """A remark on the answers that are worked solutions."""
    where, answer = solutions[0]
    one = len(solutions) == 1
    said = "1 answer is a worked solution" if one else (
        f"{len(solutions):,} answers are worked solutions"
    )  # fmt: skip
    place = where.removeprefix(f"{path}, ")
    return f"{said}; the final answer {'' if one else 'of each '}counts ({place}: {answer!r})"


def _without_answer(record: Record, layout: Layout) -> str:
    """Why a record has no answer, in terms of the fields that it has."""
    texts = layout.text
    names = [layout.answer, *(one.answer for one in LAYOUTS if one.text == texts), "answer"]
    held = [key for name in names if (key := record.spelling(name)) is not None]
    # The field that a layout reads comes first, but `answer` is the one that people know.
    held.sort(key=lambda key: key.lower() != "answer")
    if not held:
        name = "answer" if "answer" in names[:-1] else layout.answer
        return f"there is no field {name!r}"
    value = record.fields[held[0]]
    if value is None or (isinstance(value, str) and not value.strip()) or value == []:
        what = "null" if value is None else "empty"
        return f"field {held[0]!r} is {what}"
    boxed = " with an answer in \\boxed{}" if held[0].lower() == "solution" else ""
    return f"field {held[0]!r} holds none{boxed}"


def _has_problem(record: Record) -> bool:
    return any(all(map(record.find, layout.text)) for layout in LAYOUTS)


def _layout(
    record: Record, problem_field: str | None, answer_field: str | None, require_answer: bool
) -> Layout:
    """The record's layout; fields named by the caller go before those of the table."""
    for field, option in ((problem_field, "--problem-field"), (answer_field, "--answer-field")):
        optional = option == "--answer-field" and not require_answer
        if field is not None and field not in record.fields and not optional:
            raise InputError(
                f"{record.where}: no field {field!r} ({option}); fields: {record.listing()}"
            )
    fitting = [
        layout
        for layout in LAYOUTS
        if problem_field is not None or all(map(record.find, layout.text))
    ]
    if not fitting:
        raise _no_problem_field(record, answer_field)
    answered = [layout for layout in fitting if record.find(layout.answer)]
    layout = (answered or fitting)[0]
    if problem_field is not None:
        layout = replace(layout, text=(problem_field,))
    if answer_field is not None:
        final = _boxed_or_hashes if answer_field.lower() == "solution" else _after_hashes
        layout = replace(layout, answer=answer_field, final=final)
    return layout


def _is_of_solutions(layout: Layout) -> bool:
    return layout.final in (boxed_answer, _boxed_or_hashes)


def _boxed_or_hashes(text: str) -> str | None:
    return boxed_answer(text) or _after_hashes(text)


def _no_problem_field(record: Record, answer_field: str | None) -> InputError:
    known = [" and ".join(map(repr, names)) for names in dict.fromkeys(y.text for y in LAYOUTS)]
    empty = [key for key in record.fields for y in LAYOUTS if key.lower() == y.text[-1]]
    if empty:
        return InputError(f"{record.where}: the problem's text is empty (field {empty[0]!r})")
    for key, value in record.fields.items():
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            return InputError(
                f"{record.where}: no problem field, but a list of {len(value):,} objects in "
                f"{key!r}; if these are the problems, save that list as the file"
            )
    texts = [k for k, v in record.fields.items() if isinstance(v, str) and k != answer_field]
    hint = max(texts, key=lambda key: len(record.fields[key]), default=None)
    return InputError(
        f"{record.where}: no problem field (known: {'; '.join(known)});"
        f" fields: {record.listing()}; name one with --problem-field"
        + (f", perhaps {hint!r}" if hint else "")
    )


def _meta(record: Record, used: set[str | None]) -> dict[str, str]:
    """The record's other short fields; not those that hold the answer once more."""
    answers = {layout.answer for layout in LAYOUTS}
    return {
        key: text
        for key, value in record.fields.items()
        if key not in used
        and key.lower() not in answers
        and isinstance(value, (str, int, Decimal))
        and not isinstance(value, bool)
        and 0 < len(text := record.plain(key)) <= LONGEST_META
    }


def _with_unique_ids(problems: list[Problem]) -> list[Problem]:
    own = Counter(problem.id for problem in problems)
    if "" not in own and max(own.values()) == 1:
        return problems
    return [replace(problem, id=content_id(problem.text)) for problem in problems]
