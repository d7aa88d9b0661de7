"""Plain CSV: one sample a line, in columns that are found by their names.

    model,benchmark,problem,sample,prediction,reference,completion_tokens
    my-model,AIME24,0,0,204,204,1551
    my-model,AIME24,0,1,210,204,1678

Needed are `problem`, and what tells right from wrong: `correct`, or `answer` and `reference`. Each
kind of column has usual names (`csv_columns.COLUMNS`), in any case; the user names others. Columns
of no kind are left out, and a remark says which. The samples of a problem make one pool. A value of
`problem` without white space is a name, and stands for one problem of its benchmark; any other is
the question itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from executor.errors import InputError, one_line
from executor.ledger import Ledger
from executor.outcome import SampleRecord
from executor.problem import MATHS, Problem
from profiling.importers.csv_columns import COLUMNS, SCORE, check_kinds, find_columns
from profiling.importers.fields import MOST, Fields
from profiling.importers.files import read_files
from profiling.importers.readings import Given, Reading, problem_of, sample_of, unknown_of
from profiling.problems.file_bytes import check_kind, decode
from profiling.problems.tables import csv_records

STUDY = "csv"
_NEEDED = "a CSV file with a header, a folder of them or a tar archive is needed"
_NO_ANSWER = frozenset({"", "none", "null", "nan", "n/a", "no_answer"})
_CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "cutoff"})
_TRUTHS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_Key = tuple[str, str, str]  # policy, benchmark, problem


@dataclass(frozen=True, slots=True)
class _Line:
    """One sample.

    Attributes:
        where: file and line, for messages.
        number: value of the column `sample`; empty without one.
        sample: the response.
        prompt, cached: prompt tokens, and those of them that a cache had; None if not known.
        reference: the right answer, or None.
        scores: the scores of scorers, by name.
    """

    where: str
    number: str
    sample: SampleRecord
    prompt: int | None
    cached: int | None
    reference: str | None
    scores: Mapping[str, float]


def read(
    path: Path, given: Given, remark: Callable[[str], None] = lambda text: None
) -> list[Reading]:
    """All samples at `path`, a reading for each policy, problem and scorer.

    Args:
        path: the file; or a folder or an archive, of which every `.csv` and `.tsv` is read.
        given: what the user says of it.
        remark: receives sentences on the columns that are used and that are not.

    Raises:
        InputError: there is none, a column that is needed is missing, or a line is wrong.
    """
    for name in ("strategy", "width"):
        if getattr(given, name) is not None:
            raise InputError(f"--{name}: a line of a csv file is a sample, of no strategy")
    check_kinds(given.columns)
    if given.prompt_tokens is not None and not 0 <= given.prompt_tokens <= MOST:
        raise InputError(f"--prompt-tokens is {given.prompt_tokens}; expected at least 0")
    gathered: dict[_Key, list[_Line]] = defaultdict(list)
    for file in read_files(path, lambda one: one.suffix in (".csv", ".tsv")):
        check_kind(file.content, file.where, _NEEDED)
        text = decode(file.content, file.where)
        rows = _Rows(file.where, given, remark)
        for where, row in csv_records(text, file.where, rows.fits, remark):
            key, line = rows.line(where, row)
            gathered[key].append(line)
    if not gathered:
        raise InputError(f"{path}: holds no samples; {_NEEDED}")
    return [one for key, lines in gathered.items() for one in _readings(key, lines, given)]


class _Rows:
    """The lines of one file, read by the columns of its header."""

    def __init__(self, where: str, given: Given, remark: Callable[[str], None]) -> None:
        self._where, self._given, self._remark = where, given, remark
        self._columns: dict[str, str] | None = None

    def fits(self, row: Mapping[str, str]) -> bool:
        """Whether a header names what is needed; tells the separator."""
        columns = find_columns(row, self._given.columns)
        return "problem" in columns and bool({"answer", "correct"} & columns.keys())

    def line(self, where: str, row: Mapping[str, str]) -> tuple[_Key, _Line]:
        """Read one line; the first one settles the columns."""
        if self._columns is None:
            self._columns = self._settled(row)
        kinds = {kind: row[column].strip() for kind, column in self._columns.items()}
        fields = Fields(where, {self._columns[kind]: value for kind, value in kinds.items()})
        answer = kinds.get("answer", "")
        answered = answer if answer.lower() not in _NO_ANSWER else None
        reference = self._reference(fields, kinds)
        correct = self._correct(where, kinds)
        if correct is None and (reference is None or "answer" not in kinds):
            raise InputError(
                f"{where}: nothing says whether this is right; expected a value of column "
                f"{self._columns.get('correct') or self._columns.get('reference')!r}"
            )
        sample = sample_of(
            "",
            answer=answered,
            correct=correct,
            tokens=self._count(where, kinds, "tokens"),
            cut=kinds.get("finish_reason", "").lower() in _CUT,
        )
        prompt, cached = (
            self._count(where, kinds, name) for name in ("prompt_tokens", "cached_tokens")
        )
        if prompt is None:
            prompt = self._given.prompt_tokens
        if cached is not None and (prompt is None or cached > prompt):
            raise InputError(
                f"{where}: {self._columns['cached_tokens']!r} is {cached}; expected at most the "
                "prompt tokens, which are all that were sent"
            )
        benchmark = kinds.get("benchmark") or self._given.benchmark or ""
        key = kinds.get("model", ""), benchmark, self._problem(where, kinds["problem"], benchmark)
        scores = {
            kind.removeprefix(SCORE): _score(where, self._columns[kind], value)
            for kind, value in kinds.items()
            if kind.startswith(SCORE)
        }
        return key, _Line(where, kinds.get("sample", ""), sample, prompt, cached, reference, scores)

    def _settled(self, row: Mapping[str, str]) -> dict[str, str]:
        columns = find_columns(row, self._given.columns)
        if "problem" not in columns:
            raise self._missing("problem", row)
        if "correct" not in columns:
            for kind in ("answer", "reference"):
                if kind not in columns:
                    raise self._missing(kind, row)
        used = ", ".join(kind if kind == c else f"{kind}={c}" for kind, c in columns.items())
        unused = [name for name in row if name not in columns.values()]
        left = f"; not used: {', '.join(unused)}" if unused else ""
        self._remark(f"{self._where}: columns {used}{left}")
        return columns

    def _missing(self, kind: str, row: Mapping[str, str]) -> InputError:
        or_correct = "" if kind == "problem" else ", or a column 'correct'"
        return InputError(
            f"{self._where}: no column is the {kind} (columns: {', '.join(row)}); expected "
            f"{' or '.join(COLUMNS[kind])}{or_correct}, or --column {kind}=NAME"
        )

    def _reference(self, fields: Fields, kinds: Mapping[str, str]) -> str | None:
        """The right answer; of a worked solution in mathematics its final answer."""
        if not kinds.get("reference"):
            return None
        assert self._columns is not None
        if self._given.domain == MATHS:
            return fields.reference(self._columns["reference"])
        return kinds["reference"]

    def _correct(self, where: str, kinds: Mapping[str, str]) -> bool | None:
        value = kinds.get("correct", "")
        if not value:
            return None
        if value.lower() not in _TRUTHS:
            assert self._columns is not None
            raise InputError(
                f"{where}: {self._columns['correct']!r} is {one_line(value, 40)!r}; expected true "
                "or false, or 1 or 0"
            )
        return _TRUTHS[value.lower()]

    def _count(self, where: str, kinds: Mapping[str, str], kind: str) -> int | None:
        """A number of tokens; None if the field is empty."""
        value = kinds.get(kind, "")
        if not value:
            return None
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not (0 <= number <= MOST and number.is_integer()):
            assert self._columns is not None
            raise InputError(
                f"{where}: {self._columns[kind]!r} is {one_line(value, 40)!r}; expected a whole "
                "number of at least 0, or nothing"
            )
        return int(number)

    def _problem(self, where: str, value: str, benchmark: str) -> str:
        if not value:
            raise InputError(f"{where}: the problem is empty; expected its name or its question")
        is_name = not any(character.isspace() for character in value)
        return f"{benchmark}/{value}" if is_name and benchmark else value


def _score(where: str, column: str, value: str) -> float:
    try:
        score = float(value)
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise InputError(
            f"{where}: {column!r} is {one_line(value, 40)!r}; expected a score from 0 to 1"
        )
    return score


def _readings(key: _Key, lines: Sequence[_Line], given: Given) -> Iterator[Reading]:
    """One pool of a problem, and one with the scores of each scorer."""
    policy, benchmark, text = key
    _check_alike(lines)
    ordered = sorted(lines, key=lambda line: _order(line.number))
    problem = problem_of(text, lines[0].reference, benchmark, given.domain)
    yield _reading(ordered, policy, None, benchmark, problem)
    for scorer in lines[0].scores:
        yield _reading(ordered, policy, scorer, benchmark, problem)


def _reading(
    lines: Sequence[_Line], policy: str, scorer: str | None, benchmark: str, problem: Problem
) -> Reading:
    samples = tuple(
        sample_of(
            "",
            answer=line.sample.answer,
            correct=line.sample.correct,
            tokens=line.sample.n_tokens,
            rewards=() if scorer is None else (line.scores[scorer],),
            cut=line.sample.state == "cut",
        )
        for line in lines
    )
    tokens = sum(s.n_tokens for s in samples) if all(s.n_tokens for s in samples) else 0
    known = ["generated", "discarded"] if tokens else []
    prompt = cached = 0
    if all(line.prompt is not None for line in lines):
        # Without a column of cached tokens the whole prompt of each request was paid for.
        cached = sum(line.cached or 0 for line in lines)
        prompt = sum(line.prompt or 0 for line in lines) - cached
        known += ["prompt", "cached"]
    return Reading(
        lines[0].where, policy, scorer, benchmark, problem, None, samples,
        ledger=Ledger(prompt=prompt, cached=cached, generated=tokens),
        unknown=unknown_of(samples, known),
    )  # fmt: skip


def _check_alike(lines: Sequence[_Line]) -> None:
    """Refuse two references of one problem, and one sample of it twice."""
    first = lines[0]
    seen: dict[str, str] = {}
    for line in lines:
        if line.reference != first.reference:
            raise InputError(
                f"{line.where}: the reference is {one_line(line.reference, 40)!r}, and "
                f"{one_line(first.reference, 40)!r} in {first.where}; expected one for a problem "
                "of a benchmark"
            )
        if line.number and seen.setdefault(line.number, line.where) != line.where:
            raise InputError(
                f"{line.where}: sample {one_line(line.number, 40)} of this problem stands in "
                f"{seen[line.number]} too; expected each sample once"
            )


def _order(number: str) -> tuple[float, str]:
    """The order of samples: by number, else by name; without either, as they stand."""
    try:
        return float(number), ""
    except ValueError:
        return float("inf"), number
