"""Loading problems: every layout, ids and duplicates, and one clear line for every fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.problem import Problem, content_id
from profiling.problems.files import load_problems, problems_digest
from tests.helpers.shared import SHARED

BENCHMARKS = SHARED / "data" / "benchmarks"
COUNTS = {
    "math500": 500,
    "aime24": 30,
    "amc23": 40,
    "gsm8k_test": 1319,
    "singleop": 531,
    "addsub": 395,
    "singleeq": 508,
    "multiarith": 580,
    "asdiv": 2214,
    "svamp": 1000,
}
"""Problems in each file after identical records are merged."""


def write_lines(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def load_one(tmp_path: Path, record: dict[str, Any], **options: Any) -> Problem:
    [problem] = load_problems(write_lines(tmp_path / "p.jsonl", record), **options)
    return problem


def fault(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_problems(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(path), "FILE")


@pytest.mark.parametrize(
    ("record", "text", "answer"),
    [
        ({"problem": "P", "solution": "s", "answer": "\\frac12"}, "P", "\\frac12"),
        ({"problem": "P", "solution": "s", "extracted_groundtruth": "025"}, "P", "025"),
        ({"problem": "P", "solution": 27.0, "extracted_groundtruth": 27.0}, "P", "27"),
        ({"problem": "P", "solution": "so \\boxed{3}, or \\boxed{\\sqrt{2}}."}, "P", "\\sqrt{2}"),
        ({"question": "Q", "answer": "1+1=<<1+1=2>>2\n#### 1,002"}, "Q", "1,002"),
        ({"question": "Q", "answer": "7"}, "Q", "7"),
        ({"input": "I", "target": 43.0}, "I", "43"),
        ({"input": "I", "target": 3.33333}, "I", "3.33333"),
        ({"input": "I", "target": 39}, "I", "39"),
        ({"body": "B.", "question": "Q?", "answer": "9 (apples)"}, "B. Q?", "9"),
        ({"body": "B.", "question": "Q?", "answer": "14  (seats)"}, "B. Q?", "14"),
        ({"body": "B.", "question": "Q?", "answer": "-(1/3)"}, "B. Q?", "-(1/3)"),
        ({"body": "B.", "question": "Q?", "answer": "Ann (the first)"}, "B. Q?", "Ann (the first)"),
        ({"Body": "B", "Question": "Q?", "Answer": 145.0}, "B Q?", "145"),
        ({"Problem": " P ", "Answer": -0.50}, "P", "-0.5"),
        ({"question": "Q", "answer": "12.00"}, "Q", "12"),
        ({"question": "Q", "answer": "10.010"}, "Q", "10.010"),
    ],
)
def test_layout_is_recognised_by_its_fields(
    tmp_path: Path, record: dict[str, Any], text: str, answer: str
) -> None:
    problem = load_one(tmp_path, record)
    assert (problem.text, problem.answer) == (text, answer)


PROSE = (
    "Natalia sold half as many clips in May as she had sold in April, which makes twenty-four of "
    "them, and with those of April these are seventy-two clips altogether"
)


@pytest.mark.parametrize(
    ("record", "answer"),
    [
        ({"problem": "P", "answer": "We add: $2+3=5$, so \\boxed{5}."}, "5"),
        (
            {"problem": "P", "answer": "First \\boxed{4}. Then $x = \\boxed{\\frac{1}{2}}$"},
            "\\frac{1}{2}",
        ),
        ({"problem": "P", "answer": "thus $\\boxed 7$."}, "7"),
        ({"input": "I", "target": "48 + 24 = 72\n#### 72"}, "72"),
        ({"problem": "P", "extracted_groundtruth": "48 + 24 = 72\n#### 72"}, "72"),
        ({"question": "Q", "answer": f"{PROSE}. The answer is 72."}, "72"),
    ],
)
def test_a_solution_that_is_given_as_the_answer_is_read_and_said(
    tmp_path: Path, record: dict[str, Any], answer: str
) -> None:
    remarks: list[str] = []
    path = write_lines(tmp_path / "p.jsonl", record)
    [problem] = load_problems(path, remark=remarks.append)
    assert problem.answer == answer
    assert remarks == [
        f"{path}: 1 answer is a worked solution; the final answer counts (line 1: {answer!r})"
    ]


def test_several_solutions_are_one_remark(tmp_path: Path) -> None:
    remarks: list[str] = []
    records = [{"problem": f"P{i}", "answer": f"so \\boxed{{{i}}}"} for i in range(3)]
    path = write_lines(tmp_path / "p.jsonl", *records)
    assert [p.answer for p in load_problems(path, remark=remarks.append)] == ["0", "1", "2"]
    assert remarks == [
        f"{path}: 3 answers are worked solutions; the final answer of each counts (line 1: '0')"
    ]


def test_a_solution_without_a_final_answer_is_refused_in_one_line(tmp_path: Path) -> None:
    message = fault(write_lines(tmp_path / "p.jsonl", {"question": "Q", "answer": PROSE}))
    assert message.startswith(
        f"FILE, line 1: field 'answer' is a text of {len(PROSE)} characters that names no answer; "
        "expected the final answer, or a solution that has it in \\boxed{}"
    )


@pytest.mark.parametrize(
    "answer",
    [
        "\\begin{pmatrix} 16/49 \\\\ 48/49 \\\\ 24/49 \\end{pmatrix}",
        "The men's track team",
        "11:55 p.m. on 24 December 2014.",
        "x = 3\nu = 4",
        "x^4 + 2x^3y - 5x^2y^2 + 7xy^3 - y^4 + a^2b^2c^2 - 12abcd + " * 3 + "1",
    ],
)
def test_an_answer_that_is_none_of_a_solution_stays_as_it_is(tmp_path: Path, answer: str) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    assert load_one(tmp_path, {"problem": "P", "answer": answer}, remark=refuse).answer == answer


def test_the_box_of_a_solution_may_hold_many_words(tmp_path: Path) -> None:
    record = {"problem": "P", "solution": f"so \\boxed{{\\text{{{PROSE}}}}}"}
    assert PROSE in str(load_one(tmp_path, record).answer)


def test_number_is_kept_as_written_however_large(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"input": "a", "target": 0.1000000000000000001}\n'
                    '{"input": "b", "target": 1e999999999}\n'
                    '{"input": "c", "target": 1.5e3}\n')  # fmt: skip
    answers = [problem.answer for problem in load_problems(path)]
    assert answers == ["0.1000000000000000001", "1E+999999999", "1500"]


@pytest.mark.parametrize("suffix", ["csv", "txt"])
def test_csv_with_quotes_line_breaks_and_byte_order_mark(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"p.{suffix}"
    path.write_bytes(
        b'\xef\xbb\xbfquestion,answer,kind\r\n"one,\r\ntwo",4.0,sum\r\n\r\nthree,5,\r\n'
    )
    first, second = load_problems(path)
    assert (first.text, first.answer, first.meta) == ("one,\r\ntwo", "4", {"kind": "sum"})
    assert (second.text, second.answer, second.meta) == ("three", "5", {})


@pytest.mark.parametrize("name", ["p.json", "p.jsonl", "p"])
def test_json_list(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('\n [{"problem": "a", "answer": 1},\n {"problem": "b", "answer": 2}]')
    assert [(p.text, p.answer) for p in load_problems(path)] == [("a", "1"), ("b", "2")]


def test_byte_order_mark_blank_lines_and_line_separators_inside_text(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    text = '\ufeff{"problem": "a\u2028b", "answer": "1"}\r\n\r\n{"problem": "c", "answer": "2"}'
    path.write_bytes(text.encode())
    assert [p.text for p in load_problems(path)] == ["a\u2028b", "c"]


def test_explicit_fields_go_before_the_known_ones(tmp_path: Path) -> None:
    record = {"problem": "no", "answer": "no", "prompt": "yes", "gold": "work\n#### 4.0"}
    problem = load_one(tmp_path, record, problem_field="prompt", answer_field="gold")
    assert (problem.text, problem.answer) == ("yes", "4")


def test_explicit_problem_field_with_a_known_answer_field(tmp_path: Path) -> None:
    problem = load_one(tmp_path, {"prompt": "P", "answer": "w #### 5"}, problem_field="prompt")
    assert (problem.text, problem.answer) == ("P", "5")


def test_explicit_answer_field_with_a_known_layout(tmp_path: Path) -> None:
    problem = load_one(tmp_path, {"question": "Q", "gold": 5}, answer_field="gold")
    assert (problem.text, problem.answer) == ("Q", "5")


def test_meta_holds_the_other_short_fields_as_text(tmp_path: Path) -> None:
    record = {
        "problem": "P", "answer": "1", "id": "x", "level": 3, "subject": "Algebra", "none": None,
        "list": [1], "flag": True, "solution": "leak", "long": "z" * 201,
    }  # fmt: skip
    assert load_one(tmp_path, record).meta == {"level": "3", "subject": "Algebra"}


@pytest.mark.parametrize("field", ["id", "ID", "unique_id", "problem_id"])
def test_ids_of_the_file_are_used_where_they_are_unique(tmp_path: Path, field: str) -> None:
    records = [{"problem": f"P{i}", "answer": "1", field: 10 + i} for i in range(3)]
    path = write_lines(tmp_path / "p.jsonl", *records)
    assert [p.id for p in load_problems(path)] == ["10", "11", "12"]


@pytest.mark.parametrize("ids", [["a", "a"], ["a", None], ["a", " "], [None, None]])
def test_ids_that_do_not_tell_problems_apart_give_way_to_content_ids(
    tmp_path: Path, ids: Sequence[str | None]
) -> None:
    records = [{"problem": f"P{i}", "answer": "1", "id": id_} for i, id_ in enumerate(ids)]
    path = write_lines(tmp_path / "p.jsonl", *records)
    assert [p.id for p in load_problems(path)] == [content_id("P0"), content_id("P1")]


def test_row_number_is_no_id(tmp_path: Path) -> None:
    assert load_one(tmp_path, {"question": "Q", "answer": "1", "idx": 0}).id == content_id("Q")


def test_records_of_one_question_and_equal_answers_are_one_problem(tmp_path: Path) -> None:
    rows = [("same", 1), ("same", 1.0), ("other", 1), (" same ", "1"), ("Same", "1")]
    path = write_lines(tmp_path / "p.jsonl", *({"input": t, "target": a} for t, a in rows))
    remarks: list[str] = []
    problems = load_problems(path, remark=remarks.append)
    assert [(p.id, p.answer) for p in problems] == [
        (content_id("same"), "1"), (content_id("other"), "1")
    ]  # fmt: skip
    assert remarks == [
        f"{path}: 3 records repeat an earlier question with the same answer and do not count "
        "(line 2 that of line 1)"
    ]


def test_limit_counts_merged_problems_and_leaves_ids_alone(tmp_path: Path) -> None:
    rows = [("a", "x"), ("a", "x"), ("b", "y"), ("c", "y")]
    records = [{"problem": t, "answer": "1", "id": i} for t, i in rows]
    path = write_lines(tmp_path / "p.jsonl", *records)
    whole = load_problems(path)
    assert [p.text for p in whole] == ["a", "b", "c"]
    assert load_problems(path, limit=2) == whole[:2]
    assert load_problems(path, limit=9) == whole


def test_problems_without_answers_only_when_asked_for(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "p.jsonl", {"problem": "a"}, {"problem": "b", "answer": None},
        {"problem": "c", "answer": "1"},
    )  # fmt: skip
    answers = [p.answer for p in load_problems(path, require_answers=False)]
    assert answers == [None, None, "1"]
    message = fault(path)
    assert message.startswith("FILE, line 1: no answer") and "--answer-field" in message


def test_answer_field_that_is_not_there_is_allowed_without_answers(tmp_path: Path) -> None:
    record = {"question": "Q", "answer": "1"}
    problem = load_one(tmp_path, record, answer_field="gold", require_answers=False)
    assert problem.answer is None


def test_missing_file(tmp_path: Path) -> None:
    assert (
        fault(tmp_path / "none.jsonl")
        == "FILE: no such file; expected a JSONL, JSON, CSV or Parquet file"
    )


def test_directory(tmp_path: Path) -> None:
    assert fault(tmp_path).startswith("FILE: is a folder")


FAULTS: list[tuple[str, bytes, Sequence[str]]] = [
    ("p.jsonl", b"", ["FILE: is empty"]),
    ("p.jsonl", b"\xef\xbb\xbf \n\n", ["FILE: is empty"]),
    ("p.json", b"[]", ["FILE: holds no problems"]),
    ("p.csv", b"question,answer\n", ["FILE: holds no problems"]),
    ("p.jsonl", b'{"input": "a", "target": 1}\n\xff', ["FILE, line 2: not UTF-8"]),
    ("p.jsonl", b'{"input": "a", "target": 1}\n\n{"input": ', ["FILE, line 3: not JSON ("]),
    ("p.jsonl", b"question,answer\n", ["FILE, line 1: not JSON ("]),
    ("p.json", b'[{"input": "a",\n "target": 1},\n oops]', ["FILE, line 3: not JSON ("]),
    ("p.jsonl", b'{"input": "a", "target": NaN}', ["line 1: not JSON (NaN"]),
    ("p.jsonl", b"[" * 200_000, ["FILE, line 1: not JSON ("]),
    ("p.jsonl", b'{"input": "a", "target": 1}\n3\n', ["FILE, line 2: not a JSON object"]),
    ("p.json", b'[{"input": "a", "target": 1}, 3]', ["FILE, record 2: not a JSON object"]),
    (
        "p.jsonl",
        b'{"prompt": "a long text", "kind": "b", "answer": "1"}',
        ["line 1: no problem field", "'prompt', 'kind', 'answer'", "'question'",
         "--problem-field, perhaps 'prompt'"],
    ),
    ("p.jsonl", b'{"input": "a", "gold": 1}', ["line 1: no answer", "'gold'", "--answer-field"]),
    ("p.jsonl", b'{"problem": "a", "solution": "\\\\boxed{3"}', ["line 1: no answer"]),
    ("p.jsonl", b'{"question": "a", "answer": "work ####"}', ["line 1: no answer"]),
    ("p.jsonl", b'{"question": " ", "answer": "1"}', ["line 1: the problem's text is empty"]),
    ("p.jsonl", b'{"question": "", "answer": "1"}', ["line 1: the problem's text is empty"]),
    ("p.jsonl", b'{"question": ["a"], "answer": ""}', ["line 1: field 'question' is of type list"]),
    ("p.jsonl", b'{"question": true, "answer": 1}', ["line 1: field 'question' is of type bool"]),
    ("p.jsonl", b'{"question": "\\ud800", "answer": "1"}', ["line 1: field 'question' holds half"]),
    ("p.csv", b"question,answer\na,1\nb,1,2\n", ["FILE, line 3: bad CSV (3 fields"]),
    ("p.csv", b'question,answer\n"a\nb",1\n"c" d,1\n', ["FILE, line 4: bad CSV ("]),
    ("p.csv", b'question,answer\n"a,1\n', ["FILE, line 2: bad CSV ("]),
    ("p.csv", b"answer,answer\na,1\n", ["FILE, line 1: ", "'answer' more than once"]),
    ("p.csv", b"question,answer\na,1\nb,\n", ["FILE, line 3: no answer"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "parts"), FAULTS)
def test_fault_is_one_line_that_says_where(
    tmp_path: Path, name: str, content: bytes, parts: Sequence[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = fault(path)
    for part in parts:
        assert part in message


@pytest.mark.parametrize("option", ["problem_field", "answer_field"])
def test_explicit_field_that_is_not_there(tmp_path: Path, option: str) -> None:
    path = write_lines(tmp_path / "p.jsonl", {"question": "Q", "answer": "1"})
    message = fault(path, **{option: "gold"})
    flag = "--" + option.replace("_", "-")
    assert message == f"FILE, line 1: no field 'gold' ({flag}); fields: 'question', 'answer'"


@pytest.mark.parametrize("limit", [0, -1, True, "3", 1.5])
def test_limit_must_be_positive(tmp_path: Path, limit: Any) -> None:
    path = write_lines(tmp_path / "p.jsonl", {"question": "Q", "answer": "1"})
    assert "expected a whole number of at least 1" in fault(path, limit=limit)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: Problem("z", p.text, p.answer),
        lambda p: Problem(p.id, "z", p.answer),
        lambda p: Problem(p.id, p.text, "z"),
        lambda p: Problem(p.id, p.text, None),
    ],
    ids=["id", "text", "answer", "no answer"],
)
def test_digest_changes_with_each_part(change: Callable[[Problem], Problem]) -> None:
    one, two = Problem("a", "text", ""), Problem("b", "text", "2")
    assert problems_digest([change(one), two]) != problems_digest([one, two])


def test_digest_ignores_order_and_meta() -> None:
    one, two = Problem("a", "text", "1"), Problem("b", "text", None)
    same = Problem("a", "text", "1", {"level": "3"})
    digest = problems_digest([one, two])
    assert problems_digest([two, same]) == digest
    assert len(digest) == 12
    assert problems_digest([one]) != digest


def benchmark(name: str) -> list[Problem]:
    path = BENCHMARKS / f"{name}.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not there; set APPORTION_SHARED to the folder that holds data/")
    return load_problems(path)


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_benchmark_is_read_whole(name: str, count: int) -> None:
    problems = benchmark(name)
    assert len(problems) == count
    assert len({problem.id for problem in problems}) == count
    assert all(problem.answer and len(problem.answer) <= 60 for problem in problems)


@pytest.mark.parametrize("name", COUNTS)
def test_benchmark_answers_grade_as_correct_in_a_box_and_in_words(name: str) -> None:
    """All of them, and none needs the child process: only the spelling around them differs."""
    with MathGrader() as grader:
        for problem in benchmark(name):
            assert problem.answer is not None
            boxed = grader.extract(f"First 1 + 1 = 2. So it is $\\boxed{{ {problem.answer} }}$.")
            assert grader.correct(boxed, problem.answer), problem.answer
            stated = grader.extract(f"First 1 + 1 = 2. The answer is ${problem.answer}$.")
            if "$" not in problem.answer:
                assert grader.correct(stated, problem.answer), problem.answer
        assert grader.worker_pid is None


@pytest.mark.parametrize("name", ["gsm8k_test", "singleeq", "svamp", "aime24"])
def test_benchmark_answers_of_other_problems_are_wrong(name: str) -> None:
    problems = benchmark(name)
    with MathGrader() as grader:
        accepted = [
            (left.answer, right.answer)
            for left, right in pairwise(problems)
            if right.answer is not None and grader.correct(left.answer, right.answer)
        ]
        assert grader.worker_pid is None
    assert all(float(a.replace(",", "")) == float(b.replace(",", "")) for a, b in accepted if a)
    assert len(accepted) < len(problems) / 10


def test_math500_worked_solutions_grade_as_correct() -> None:
    path = BENCHMARKS / "math500.jsonl"
    references = {problem.id: problem.answer for problem in benchmark("math500")}
    wrong = []
    with MathGrader() as grader:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            reference = references[record["unique_id"]]
            assert reference is not None
            if not grader.correct(grader.extract(record["solution"]), reference):
                wrong.append(record["unique_id"])
        assert grader.timeouts == 0
    assert wrong == []
