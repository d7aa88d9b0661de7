r"""Reads problems from the files in which benchmarks are published.

A layout is recognised by the fields of a record, never by the name of the file, so a new file of
a known layout needs nothing; a new layout is one more row of `LAYOUTS`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from executor.answers.extraction import last_boxed
from executor.errors import InputError
from executor.problem import Problem, content_id
from profiling.problems.json_text import decode, parse_json

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
    text = text.strip()
    return re.sub(r"(?<=\d)\.0+", "", text) if re.fullmatch(r"-?\d+\.0+", text) else text or None


def _after_hashes(text: str) -> str | None:
    """What follows the last `####` of a worked answer (GSM8K), else the answer itself."""
    return _as_written(text.rpartition("####")[2])


def _without_unit(text: str) -> str | None:
    """`9` of `9 (apples)` (ASDiv); a time or a name stays whole, a worked answer is cut."""
    text = text.rpartition("####")[2]
    number = re.fullmatch(r"\s*(-?[\d.,/]+)\s+\([^()]*\)\s*", text)
    return _as_written(number.group(1) if number else text)


def _boxed(text: str) -> str | None:
    r"""The last `\boxed{}` of a worked solution (MATH)."""
    return last_boxed(text)[0]


LAYOUTS = (
    Layout(("body", "question"), "answer", _without_unit),  # ASDiv, SVAMP
    Layout(("problem",), "extracted_groundtruth", _as_written),  # AIME and AMC of arXiv 2502.06703
    Layout(("problem",), "answer", _after_hashes),  # MATH-500
    Layout(("question",), "answer", _after_hashes),  # GSM8K
    Layout(("input",), "target", _as_written),  # MAWPS
    Layout(("problem",), "solution", _boxed),  # MATH
)
"""Tried in this order; the first whose fields a record has is its layout."""

ID_FIELDS = ("id", "unique_id", "problem_id", "question_id", "task_id")
"""Names, not positions: a row number (`idx`) names another problem in another file."""


@dataclass(frozen=True, slots=True)
class _Record:
    """One record of a file: where it stands (for messages) and its fields."""

    where: str
    fields: Mapping[str, Any]

    def find(self, name: str) -> str | None:
        """The record's own spelling of a field, where it has the field and a value in it."""
        spelling = {key.lower(): key for key in self.fields}
        key = name if name in self.fields else spelling.get(name)
        return key if key is not None and self.fields[key] not in (None, "") else None

    def listing(self) -> str:
        return ", ".join(map(repr, self.fields)) or "none"


def load_problems(
    path: str | Path,
    *,
    problem_field: str | None = None,
    answer_field: str | None = None,
    limit: int | None = None,
    require_answers: bool = True,
) -> list[Problem]:
    """The problems of a JSONL, JSON (a list) or CSV file, in the file's order.

    Records of equal text and answer are one problem. The id is the file's own where every record
    has one and they differ, else `content_id` of the text; a text that occurs again with another
    answer gets the suffix `-2`, `-3`. The rest of a record's short fields become `meta`.

    Args:
        path: the file; its layout is recognised by its fields (see `LAYOUTS`).
        problem_field: the field that holds the text, where no layout fits.
        answer_field: the field that holds the answer, where no layout fits.
        limit: keep the first so many problems; ids do not depend on it.
        require_answers: refuse records without an answer; else their `answer` is None.

    Raises:
        InputError: the file cannot be read, or a record holds no problem or no answer.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}: it must be 1 or more")
    path = Path(path)
    records = list(_records(path, _read_text(path)))
    if not records:
        raise InputError(f"{path}: holds no problems; one JSON object a line, or a CSV, is needed")
    found: dict[tuple[str, str | None], Problem] = {}
    for record in records:
        problem = _problem(record, problem_field, answer_field, require_answers)
        found.setdefault((problem.text, problem.answer), problem)
    return _with_unique_ids(list(found.values()))[:limit]


def problems_digest(problems: list[Problem]) -> str:
    """Twelve hex digits that name a set of problems by ids, texts and answers, in any order."""
    rows = sorted([p.id, p.text, p.answer is not None, p.answer or ""] for p in problems)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise InputError(f"{path}: is a directory; a JSONL, JSON or CSV file is needed")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    text = decode(raw, str(path))
    if not text.strip():
        raise InputError(f"{path}: is empty; one JSON object a line, or a CSV, is needed")
    return text


def _records(path: Path, text: str) -> Iterator[_Record]:
    start = text.lstrip()[0]
    suffix = path.suffix.lower()
    if suffix == ".csv" or (start not in "[{" and suffix not in (".json", ".jsonl")):
        return _csv_records(path, text)
    return _list_records(path, text) if start == "[" else _line_records(path, text)


def _line_records(path: Path, text: str) -> Iterator[_Record]:
    # Not splitlines: U+2028 and its like may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            yield _object(where, _parse(path, line, number))


def _list_records(path: Path, text: str) -> Iterator[_Record]:
    for number, value in enumerate(_parse(path, text, 1), start=1):
        yield _object(f"{path}, record {number}", value)


def _parse(path: Path, text: str, line: int) -> Any:
    # Decimal keeps a number as it is written.
    return parse_json(text, str(path), line, parse_float=Decimal)


def _object(where: str, value: Any) -> _Record:
    if not isinstance(value, dict):
        raise InputError(f"{where}: not a JSON object; a record needs named fields")
    return _Record(where, value)


def _csv_records(path: Path, text: str) -> Iterator[_Record]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    start = 1
    try:
        header = [name.strip() for name in next(rows)]
        repeated = [name for name, count in Counter(header).items() if count > 1]
        if repeated:
            raise InputError(f"{path}, line 1: the CSV header has {repeated[0]!r} more than once")
        start = rows.line_num + 1
        for row in rows:
            where = f"{path}, line {start}"
            start = rows.line_num + 1
            if not row:
                continue
            if len(row) != len(header):
                raise InputError(
                    f"{where}: bad CSV ({len(row)} fields, the header has {len(header)});"
                    " text with commas or line breaks needs double quotes"
                )
            yield _Record(where, dict(zip(header, row, strict=True)))
    except csv.Error as error:
        raise InputError(f"{path}, line {start}: bad CSV ({error})") from None


def _problem(
    record: _Record, problem_field: str | None, answer_field: str | None, require_answer: bool
) -> Problem:
    layout = _layout(record, problem_field, answer_field, require_answer)
    keys = [key for name in layout.text if (key := record.find(name))]
    text = " ".join(_text(record, key).strip() for key in keys).strip()
    if not text:
        raise InputError(f"{record.where}: the problem's text is empty (field {layout.text[-1]!r})")
    answer_key = record.find(layout.answer)
    answer = layout.final(_text(record, answer_key)) if answer_key else None
    if answer is None and require_answer:
        raise InputError(
            f"{record.where}: no answer (field {layout.answer!r} is missing or holds none;"
            f" fields: {record.listing()}); name the field with --answer-field"
        )
    id_key = next((key for name in ID_FIELDS if (key := record.find(name))), None)
    identity = _text(record, id_key).strip() if id_key else ""
    return Problem(identity, text, answer, _meta(record, {*keys, id_key, answer_key}))


def _layout(
    record: _Record, problem_field: str | None, answer_field: str | None, require_answer: bool
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


def _boxed_or_hashes(text: str) -> str | None:
    return _boxed(text) or _after_hashes(text)


def _no_problem_field(record: _Record, answer_field: str | None) -> InputError:
    known = [" and ".join(map(repr, names)) for names in dict.fromkeys(y.text for y in LAYOUTS)]
    empty = [key for key in record.fields for y in LAYOUTS if key.lower() == y.text[-1]]
    if empty:
        return InputError(f"{record.where}: the problem's text is empty (field {empty[0]!r})")
    texts = [k for k, v in record.fields.items() if isinstance(v, str) and k != answer_field]
    hint = max(texts, key=lambda key: len(record.fields[key]), default=None)
    return InputError(
        f"{record.where}: no problem field (known: {'; '.join(known)});"
        f" fields: {record.listing()}; name one with --problem-field"
        + (f", perhaps {hint!r}" if hint else "")
    )


def _text(record: _Record, key: str) -> str:
    """A field's value as text; numbers as they are written, 43.0 as 43."""
    value = record.fields[key]
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        kind = type(value).__name__
        raise InputError(
            f"{record.where}: field {key!r} is of type {kind}; text or a number is needed"
        )
    text = value if isinstance(value, str) else _number_text(value)
    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        raise InputError(f"{record.where}: field {key!r} holds half a character (a lone surrogate)")
    return text


def _number_text(value: int | Decimal) -> str:
    # Written out only where short: 1e999999999 has a billion digits.
    plain = isinstance(value, int) or (value.is_finite() and abs(value.adjusted()) < 40)
    text = f"{value:f}" if plain and isinstance(value, Decimal) else str(value)
    return _as_written(text) or text


def _meta(record: _Record, used: set[str | None]) -> dict[str, str]:
    """The record's other short fields; not those that hold the answer once more."""
    answers = {layout.answer for layout in LAYOUTS}
    return {
        key: text
        for key, value in record.fields.items()
        if key not in used
        and key.lower() not in answers
        and isinstance(value, (str, int, Decimal))
        and not isinstance(value, bool)
        and 0 < len(text := _text(record, key)) <= LONGEST_META
    }


def _with_unique_ids(problems: list[Problem]) -> list[Problem]:
    own = Counter(problem.id for problem in problems)
    if "" not in own and max(own.values()) == 1:
        return problems
    seen: Counter[str] = Counter()
    unique = []
    for problem in problems:
        name = content_id(problem.text)
        seen[name] += 1
        suffix = f"-{seen[name]}" if seen[name] > 1 else ""
        unique.append(replace(problem, id=name + suffix))
    return unique
