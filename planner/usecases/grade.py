"""Grade responses or answers by their references, and say why each is right or wrong."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from executor.answers.grader import Grader
from executor.answers.reasons import GradeReason
from executor.domains.code.grader import CodeGrader
from executor.domains.registry import CODE, find_domain, open_grader
from executor.errors import InputError
from executor.files import read_whole
from executor.problem import MATHS
from planner.report.grades import why
from planner.runtime.reporter import Reporter, SilentReporter
from profiling.pass_rate import PassRate
from profiling.problems.file_bytes import unpack
from profiling.problems.json_text import parse_json
from profiling.problems.lost_backslashes import lost_backslash, lost_in_response
from profiling.problems.programs import suite_of
from profiling.problems.records import Record, lost_fault
from profiling.problems.solutions import is_solution, require_final_answer

STDIN = "-"
"""Name of the file that is the standard input."""

_AT_ONCE = 16  # threads that compare; the grader has a process for each core
_PART = 32  # answers that a thread takes at once: most need less time than a change of threads
_LINE = 'expected {"response": ..., "reference": ...} or {"answer": ..., "reference": ...}'
_CODE_LINE = 'expected {"response": ..., "tests": ...} or {"answer": ..., "tests": ...}'


@runtime_checkable
class _Judging(Protocol):
    """A grader that tells why."""

    def judge(self, answer: str | None, reference: str) -> GradeReason: ...


@dataclass(frozen=True, slots=True)
class Gradable:
    """A response, or the answer in one, and the reference that decides.

    Attributes:
        reference: the right answer; of code the tests (`executor.sandbox.suite.Suite.to_json`).
        response: text of a response, whose final answer counts.
        answer: the answer itself; it counts if `response` is None. None: none was given.
        id: name that the grade keeps; None: no name.
    """

    reference: str
    response: str | None = None
    answer: str | None = None
    id: Any = None


@dataclass(frozen=True, slots=True)
class Grade:
    """The grade of one answer.

    Attributes:
        extracted: the answer that was compared; None if there is none.
        reason: how it was compared.
        id: name of what was graded.
        detail: more on the reason, such as the test that a program failed.
    """

    extracted: str | None
    reason: GradeReason
    id: Any = None
    detail: str = ""

    @property
    def correct(self) -> bool:
        """Whether the answer is right."""
        return self.reason.correct

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; `id` is there if it was given."""
        named = {} if self.id is None else {"id": self.id}
        return {
            **named,
            "extracted": self.extracted,
            "correct": self.correct,
            "why": why(self.reason) + (f": {self.detail}" if self.detail else ""),
            "reason": self.reason.value,
        }


@dataclass(frozen=True, slots=True)
class Grades:
    """The grades of several answers, in the order in which these were given."""

    grades: tuple[Grade, ...]

    @property
    def right(self) -> int:
        """Number of right answers."""
        return sum(one.correct for one in self.grades)

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / len(self.grades)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy; see `profiling.pass_rate.PassRate`."""
        return PassRate(self.right, len(self.grades)).interval()

    @property
    def reasons(self) -> Mapping[GradeReason, int]:
        """Number of grades for each reason, the most frequent first."""
        return dict(Counter(one.reason for one in self.grades).most_common())

    def to_list(self) -> list[dict[str, Any]]:
        """Return plain values, for JSON."""
        return [one.to_dict() for one in self.grades]


def grade(
    answers: Path | str | Iterable[Gradable],
    *,
    domain: str = MATHS,
    unsafe_execution: bool = False,
    reporter: Reporter = SilentReporter(),
) -> Grades:
    """Grade responses or answers by their references.

    Args:
        answers: what to grade: records, or a JSONL file of them, `-` for the standard input. Each
            line is an object with `reference`, either `response` or `answer`, and perhaps `id`. Of
            code, the fields of a problem (`profiling.problems.programs`) stand for `reference`.
        domain: kind of the answers (`executor.domains.registry`).
        unsafe_execution: whether programs may run if this system allows no isolation.
        reporter: receives progress.

    Raises:
        InputError: the domain is not known, the file cannot be read, or a line is wrong.

    Example:
        >>> from apportion import Gradable, grade
        >>> graded = grade([Gradable("1/2", response="So the answer is 0.5.")])
        >>> graded.grades[0].extracted, graded.grades[0].reason.value
        ('0.5', 'same_value')
    """
    find_domain(domain)
    if isinstance(answers, Path | str):
        given = list(_read(str(answers), domain))
        if not given:
            line = _CODE_LINE if domain == CODE else _LINE
            raise InputError(f"{_shown(str(answers))}: holds nothing to grade; {line} a line")
    else:
        given = list(answers)
        if not given:
            raise InputError("nothing to grade; expected at least one answer")
    with (
        open_grader(domain, unsafe_execution=unsafe_execution) as grader,
        ThreadPoolExecutor(_AT_ONCE) as threads,
        reporter.progress("grading", len(given)) as progress,
    ):
        parts = [given[start : start + _PART] for start in range(0, len(given), _PART)]
        grades: list[Grade] = []
        for part in threads.map(lambda each: [_grade(one, grader) for one in each], parts):
            grades += part
            progress(len(part))
    return Grades(tuple(grades))


def _grade(given: Gradable, grader: Grader) -> Grade:
    answer = given.answer if given.response is None else grader.extract(given.response)
    reason, detail = _judge(answer, given.reference, grader)
    return Grade(answer, reason, given.id, detail)


def _judge(answer: str | None, reference: str, grader: Grader) -> tuple[GradeReason, str]:
    """Return why an answer is right or wrong, and more on that."""
    if isinstance(grader, CodeGrader):
        return grader.explain(answer, reference)
    if isinstance(grader, _Judging):
        return grader.judge(answer, reference), ""
    if answer is None:
        return GradeReason.NO_ANSWER, ""
    if not grader.correct(answer, reference):
        return GradeReason.DIFFERENT_VALUES, ""
    same_text = answer.strip() == reference.strip()
    return GradeReason.SAME_TEXT if same_text else GradeReason.SAME_VALUE, ""


def _read(name: str, domain: str) -> Iterator[Gradable]:
    """Read the lines of a file, or of the standard input."""
    where = _shown(name)
    # Not lines of text: U+2028 and its like may stand inside a JSON string.
    for number, raw in enumerate(unpack(_bytes(name), where).split(b"\n"), start=1):
        place = f"{where}, line {number}"
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{place}: is not UTF-8 (byte {error.start + 1})") from None
        if line.strip():
            # Decimal keeps a number as it is written.
            value = parse_json(line, where, number, parse_float=Decimal)
            yield _gradable(value, place, domain)


def _bytes(name: str) -> bytes:
    if name == STDIN:
        return sys.stdin.buffer.read()
    return read_whole(Path(name), "a JSONL file")


def _shown(name: str) -> str:
    return "standard input" if name == STDIN else name


def _gradable(value: Any, place: str, domain: str) -> Gradable:
    expected = _CODE_LINE if domain == CODE else _LINE
    if not isinstance(value, dict):
        raise InputError(f"{place}: is not a JSON object; {expected}")
    if domain != CODE and "reference" not in value:
        fields = ", ".join(map(repr, value)) or "none"
        raise InputError(f"{place}: no field 'reference' (fields: {fields}); {expected}")
    given = [name for name in ("response", "answer") if name in value]
    if len(given) != 1:
        which = "both 'response' and 'answer'" if given else "neither 'response' nor 'answer'"
        raise InputError(f"{place}: has {which}; {expected}")
    texts = {
        name: _text(value[name], name, place, domain) for name in given if value[name] is not None
    }
    if value.get("response", "") is None:
        raise InputError(f"{place}: field 'response' is null; expected the text of a response")
    if domain == CODE:
        name = _name(value.get("id", value.get("task_id")), place)
        return Gradable(suite_of(Record(place, value)).to_json(), id=name, **texts)
    reference = _text(value["reference"], "reference", place, domain)
    if not reference.strip():
        raise InputError(f"{place}: field 'reference' is empty; expected the right answer")
    if domain == MATHS and is_solution(reference):
        reference = require_final_answer(reference, f"{place}: field 'reference'")
    return Gradable(reference, id=_name(value.get("id"), place), **texts)


def _text(value: Any, field: str, place: str, domain: str) -> str:
    """Return a field's value as text; numbers as they are written."""
    if isinstance(value, str):
        if domain != MATHS:  # backslashes mean something else there
            return value
        is_response = field == "response"
        lost = lost_in_response(value) if is_response else lost_backslash(value, answer=True)
        if lost is not None:
            raise InputError(f"{place}: field {field!r} {lost_fault(value, lost, json=True)}")
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    shown = "null" if value is None else json.dumps(value, default=str)
    raise InputError(f"{place}: field {field!r} is {shown[:40]}; expected text or a number")


def _name(value: Any, place: str) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Decimal):
        return float(value)
    raise InputError(f"{place}: field 'id' is {type(value).__name__}; expected text or a number")
