"""Records of imports as strangers write them: one slip never refuses more than it must."""

from __future__ import annotations

import gzip
import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from executor.answers.grader import MathGrader
from executor.errors import InputError
from profiling.importers import FORMATS, Given, graded, read
from tests.helpers.foreign_runs import lines

GIVEN = Given(policy="p", prm="r", benchmark="b", strategy="best_of_n")
PLAIN = Given()
RECORD = {
    "problem": "2+3?", "answer": 5, "completions": ["so \\boxed{5}", "so \\boxed{6}"],
    "scores": [[0.9], [0.1]],
}  # fmt: skip
SAMPLES: dict[str, Any] = {
    "problem": "2+3?", "answer": "5", "policy": "p",
    "samples": [{"text": "so \\boxed{5}"}, {"text": "so \\boxed{6}"}],
}  # fmt: skip
RUN: dict[str, Any] = {
    "problem": "2+3?",
    "answer": "5",
    "policy": "p",
    "strategy": "majority",
    "n": 4,
}


def verdicts(name: str, path: Path, given: Given) -> list[list[bool | None]]:
    """Of each problem, whether its samples are right."""
    with MathGrader() as grader:
        made = graded(read(name, path, given), "s", grader)
    return [
        [sample.correct for outcome in found for sample in outcome.samples]
        for family in made.families
        for found in family.outcomes.values()
    ]


def fault(name: str, path: Path, given: Given = PLAIN) -> str:
    with pytest.raises(InputError) as caught:
        verdicts(name, path, given)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(path), "FILE")


@pytest.mark.parametrize("empty", ["", " ", "\n\n"])
def test_an_empty_completion_is_wrong_and_the_rest_counts(tmp_path: Path, empty: str) -> None:
    path = lines(
        tmp_path / "best_of_n_completions.jsonl",
        RECORD | {"completions": ["so \\boxed{5}", empty], "scores": [[0.9], []]},
        RECORD | {"problem": "4+1?"},
    )
    assert verdicts("search-and-learn", path, GIVEN) == [[True, False], [True, False]]


@pytest.mark.parametrize("predicted", ["", None, 5, "\\boxed{5}"])
def test_a_prediction_is_no_reason_to_refuse_a_file(tmp_path: Path, predicted: object) -> None:
    record = RECORD | {
        "completions": ["\\boxed{5}"] * 4, "scores": [[0.9]] * 4, "pred_weighted@4": predicted,
    }  # fmt: skip
    given = Given(policy="p", prm="r", strategy="beam_search")
    found = verdicts("search-and-learn", lines(tmp_path / "f.jsonl", record), given)
    assert found == [[True], [True], [True]]


@pytest.mark.parametrize("tokens", [10**30, -5, 1.5, "7", True])
def test_a_count_of_tokens_that_cannot_be_is_named(tmp_path: Path, tokens: object) -> None:
    path = lines(tmp_path / "f.jsonl", RECORD | {"completion_tokens": [5, tokens]})
    said = fault("search-and-learn", path, GIVEN)
    assert said.startswith("FILE, line 1: 'completion_tokens' is [5, ")


@pytest.mark.parametrize("empty", ["", " ", "\n"])
@pytest.mark.parametrize("answer", ["5", None])
def test_an_empty_response_of_plain_jsonl_is_wrong(
    tmp_path: Path, empty: str, answer: str | None
) -> None:
    record = {**SAMPLES, "answer": answer, "samples": [{"text": empty}]}
    assert verdicts("jsonl", lines(tmp_path / "f.jsonl", record), PLAIN) == [[False]]


def test_an_empty_response_with_a_label_keeps_it(tmp_path: Path) -> None:
    record = SAMPLES | {"samples": [{"text": "", "correct": True}]}
    assert verdicts("jsonl", lines(tmp_path / "f.jsonl", record), PLAIN) == [[True]]


def test_an_empty_response_of_a_run_is_wrong(tmp_path: Path) -> None:
    path = lines(tmp_path / "f.jsonl", RUN | {"text": ""})
    assert verdicts("jsonl", path, PLAIN) == [[False]]


def test_an_empty_path_of_compute_optimal_tts_is_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "MATH_best_of_n" / "p" / "r" / "1_1_2" / "question_0"
    output = {"text": "", "value": [], "extracted_answer": ""}
    right = {"text": "\\boxed{5}", "value": [0.5], "extracted_answer": "5"}
    record = {"question": "2+3?", "groundtruth": "\\boxed{5}", "output": [right, output]}
    lines(folder / "record_0.jsonl", record)
    assert verdicts("compute-optimal-tts", tmp_path, PLAIN) == [[True, False]]


@pytest.mark.parametrize("name", ["f.jsonl.gz", "f.jsonl.xz", "f.jsonl"])
def test_packed_files_are_read(tmp_path: Path, name: str) -> None:
    pack = lzma.compress if name.endswith("xz") else gzip.compress
    (tmp_path / name).write_bytes(pack(json.dumps(SAMPLES).encode()))
    assert verdicts("jsonl", tmp_path / name, PLAIN) == [[True, False]]
    if name != "f.jsonl":
        assert verdicts("jsonl", tmp_path, PLAIN) == [[True, False]]


def test_packed_files_of_an_archive_are_read(tmp_path: Path) -> None:
    packed = tmp_path / "f.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(SAMPLES).encode()))
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        archive.add(packed, "deep/f.jsonl.gz")
    assert verdicts("jsonl", tmp_path / "all.tar", PLAIN) == [[True, False]]


def test_parquet_is_read_though_its_rows_have_the_fields_of_all(tmp_path: Path) -> None:
    rows = [SAMPLES, RUN | {"problem": "1+4?", "correct": True}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "f.parquet")
    names = sorted({key for row in rows for key in row})
    table = pa.Table.from_pylist([dict.fromkeys(names) | row for row in rows])
    parquet.write_table(table, tmp_path / "f.parquet")
    assert verdicts("jsonl", tmp_path / "f.parquet", PLAIN) == [[True, False], [True]]


def test_a_list_and_objects_over_several_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps([SAMPLES], indent=1))
    (tmp_path / "b.jsonl").write_text(json.dumps(SAMPLES | {"problem": "q"}, indent=1))
    assert verdicts("jsonl", tmp_path, PLAIN) == [[True, False], [True, False]]


@pytest.mark.parametrize(
    ("answer", "reference"),
    [(5, "5"), (5.0, "5"), ("5", "5"), (["5"], "5"), ([5], "5"), (True, "true"), (2.5, "2.5"),
     ([3, -3], "3, -3"), (1e22, "1" + "0" * 22)],
)  # fmt: skip
def test_answers_of_every_type(tmp_path: Path, answer: Any, reference: str) -> None:
    path = lines(tmp_path / "f.jsonl", SAMPLES | {"answer": answer})
    assert read("jsonl", path, PLAIN)[0].problem.answer == reference


def sample(**fields: Any) -> dict[str, Any]:
    return SAMPLES | {"samples": [{"text": "so 5", **fields}]}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (sample(tokens=-5), "samples[0]: 'tokens' is -5; right would be a whole number"),
        (sample(tokens=10**30), "'tokens' is 1000000000000000000000000000000; right would be"),
        (sample(tokens=True), "'tokens' is True"),
        (sample(tokens=1.5), "'tokens' is 1.5"),
        (sample(logprob=10**400), "'logprob' is 1000"),
        (sample(rewards=[10**400]), "'rewards' is [1000"),
        (sample(answer={"a": 1}), "'answer' is {'a': 1}; right would be an answer"),
        (sample(answer=[{"a": 1}]), "field 'answer' is of type dict"),
        (sample(text="\ud83d"), "samples[0]: 'text' holds half a character"),
        (sample(text="a\x00"), "samples[0]: 'text' holds the character NUL"),
        (sample(text=None, answer=None), "'text' is None; right would be text"),
        (sample(logprob=0.5), "'logprob' is 0.5; right would be a number of at most 0"),
        (RUN | {"strategy": "greedy", "n": 4, "correct": True}, "its budget n is 1, not 4"),
        (SAMPLES | {"problem": "\udc00"}, "line 1: 'problem' holds half a character"),
        (SAMPLES | {"policy": "\udc00"}, "line 1: 'policy' holds half a character"),
        (RUN | {"n": 10**30, "correct": True}, "'n' is 1000000000000000000000000000000; right"),
        (RUN | {"correct": True, "generated_tokens": 10**30}, "'generated_tokens' is 1000"),
        (RUN | {"correct": True, "generated_tokens": -5}, "'generated_tokens' is -5"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_one_line(tmp_path: Path, record: Any, message: str) -> None:
    said = fault("jsonl", lines(tmp_path / "f.jsonl", record))
    assert said.startswith("FILE, line 1")
    assert message in said


@pytest.mark.parametrize("tokens", [0, -1, None])
def test_tokens_that_were_not_counted_are_not_known(tmp_path: Path, tokens: int | None) -> None:
    (found,) = read("jsonl", lines(tmp_path / "f.jsonl", sample(tokens=tokens)), PLAIN)
    assert "n_tokens" in found.unknown


LINES = [
    (rb'"answer": "\frac{1}{2}", "problem": "q"', "'answer' holds a form feed", r"\\frac"),
    (rb'"answer": "1", "problem": "2 \times 3?"', "'problem' holds a tab", r"\\times"),
    (rb'"answer": "1", "problem": "q", "x": 1, "x": 2', "the field 'x' twice", "keep one"),
    (rb'"answer": 1e400, "problem": "q"', "'answer' is inf", "finite"),
    (rb'"answer": NaN, "problem": "q"', "not JSON (NaN", "no JSON number"),
    (b'"answer": ' + b"[" * 100_000, "nested too deep", "line 1"),
    (b'"answer": ' + b"9" * 5000, "thousands of digits", "line 1"),
    (rb'"answer": "\sqrt{2}"', "one backslash before 'sqrt'", r"write \\sqrt"),
]


@pytest.mark.parametrize(("fields", "one", "other"), LINES)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, fields: bytes, one: str, other: str) -> None:
    path = tmp_path / "f.jsonl"
    path.write_bytes(b'{"policy": "p", "samples": [{"text": "5"}], ' + fields + b"}")
    message = fault("jsonl", path)
    assert message.startswith("FILE, line 1")
    assert one in message
    assert other in message


@pytest.mark.parametrize("text", [r"so \boxed{5}", r"is \frac{1}{2}", r"3 \times 4", r"\theta"])
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "csv"])  # has no responses
def test_a_response_that_lost_its_backslashes_is_named(
    tmp_path: Path, text: str, name: str
) -> None:
    said = '"' + text + '"'
    file, content = {
        "jsonl": ("f.jsonl", '{"problem": "q", "answer": "5", "policy": "p", "samples": '
                             '[{"text": %s}]}'),
        "search-and-learn": ("best_of_n_completions.jsonl",
                             '{"problem": "q", "answer": 5, "completions": [%s], "scores": [[1]]}'),
        "compute-optimal-tts": ("MATH_best_of_n/p/r/1_1_1/question_0/record_0.jsonl",
                                '{"question": "q", "groundtruth": "5", "output": [{"text": %s, '
                                '"value": [1]}]}'),
    }[name]  # fmt: skip
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content % said)
    given = GIVEN if name == "search-and-learn" else PLAIN
    message = fault(name, path, given)
    assert "FILE, line 1" in message
    assert "holds a" in message


@pytest.mark.parametrize(
    "text", ["so\nnot 5\tbut \\boxed{5}", "\x0crac is odd, \\frac{1}{2} is not: \\boxed{5}"]
)
def test_a_response_that_was_stored_well_is_read(tmp_path: Path, text: str) -> None:
    path = lines(tmp_path / "f.jsonl", SAMPLES | {"samples": [{"text": text}]})
    assert verdicts("jsonl", path, PLAIN) == [[True]]


@pytest.mark.parametrize("solution", ["so $\\boxed 5$.", "so $\\boxed 5$ years", "\\boxed{5}"])
def test_a_box_without_braces_is_an_answer(tmp_path: Path, solution: str) -> None:
    record = {key: value for key, value in RECORD.items() if key != "answer"}
    path = lines(tmp_path / "best_of_n_completions.jsonl", record | {"solution": solution})
    assert verdicts("search-and-learn", path, GIVEN) == [[True, False]]


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"%PDF-1.7", "is a PDF"), (b"PK\x03\x04", "is a ZIP archive"), (b"<html>", "a web page"),
     (b"PAR1xx", "no whole Parquet file"), (b"\x1f\x8bxx", "no whole gzip file"),
     (b"", "is empty")],
)  # fmt: skip
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "f.jsonl"
    path.write_bytes(content)
    assert kind in fault("jsonl", path)
