"""CSV of samples: columns by their names, pools by model, benchmark and problem, and faults."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.ledger import Ledger
from executor.problem import problem_uid
from profiling.importers import Given
from profiling.importers.csv_samples import read
from profiling.importers.readings import named

HEADER = "model,benchmark,problem,sample,prediction,reference,completion_tokens,finish_reason\n"
EXACT = Given(domain="exact")


def csv(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "f.csv"
    file.write_text(text)
    return file


def fault(tmp_path: Path, text: str, given: Given = EXACT) -> str:
    file = csv(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read(file, given)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(file), "FILE")


def test_a_pool_for_each_model_benchmark_and_problem(tmp_path: Path) -> None:
    text = HEADER + "a,x,0,1,C,A,30,stop\na,x,0,0,A,A,20,length\nb,x,0,0,A,A,7,\na,y,0,0,B,B,9,\n"
    first, other, elsewhere = read(csv(tmp_path, text), EXACT)
    assert (first.policy, first.benchmark, first.prm, first.strategy) == ("a", "x", None, None)
    assert [(s.answer, s.n_tokens, s.state) for s in first.samples] == [
        ("A", 20, "cut"), ("C", 30, "finished"),
    ]  # fmt: skip
    assert first.ledger == Ledger(generated=50)
    assert first.unknown == {"prompt", "cached", "prm", "prm_cached", "logprob"}
    assert problem_uid(first.problem) == problem_uid(other.problem)
    assert problem_uid(first.problem) != problem_uid(elsewhere.problem)
    assert first.problem.domain == "exact"


def test_packed_and_with_other_separators_and_names(tmp_path: Path) -> None:
    file = tmp_path / "f.csv.gz"
    file.write_bytes(gzip.compress(b"Question;Is_Correct;out\nWhat is 2 + 3?;True;12\n"))
    said: list[str] = []
    [reading] = read(file, Given(columns={"tokens": "out"}), said.append)
    assert reading.problem.text == "What is 2 + 3?"
    assert [(s.correct, s.answer, s.n_tokens) for s in reading.samples] == [(True, None, 12)]
    assert said[-1].endswith("columns problem=Question, correct=Is_Correct, tokens=out")


def test_columns_of_no_kind_are_said(tmp_path: Path) -> None:
    said: list[str] = []
    read(csv(tmp_path, "problem,correct,colour\n0,1,red\n"), EXACT, said.append)
    assert said[-1].endswith("columns problem, correct; not used: colour")


@pytest.mark.parametrize("nothing", ["", "None", "NO_ANSWER", "nan"])
def test_a_prediction_that_is_none(tmp_path: Path, nothing: str) -> None:
    [reading] = read(csv(tmp_path, HEADER + f"a,x,0,0,{nothing},A,20,\n"), EXACT)
    assert (reading.samples[0].answer, reading.samples[0].correct) == (None, None)


def test_prompts_are_counted_with_what_a_cache_had(tmp_path: Path) -> None:
    text = "problem,correct,tokens,prompt_tokens,cached_tokens\n0,1,5,40,\n0,0,6,40,32\n"
    [reading] = read(csv(tmp_path, text), EXACT)
    assert reading.ledger == Ledger(prompt=48, cached=32, generated=11)
    assert "prompt" not in reading.unknown and "cached" not in reading.unknown
    [assumed] = read(csv(tmp_path, HEADER + "a,x,0,0,A,A,20,\n"), Given(prompt_tokens=9))
    assert assumed.ledger == Ledger(prompt=9, generated=20)


def test_each_scorer_has_a_pool_of_its_own(tmp_path: Path) -> None:
    given = Given(columns={"score:good": "g", "score:bad": "b"}, domain="exact")
    plain, good, bad = read(csv(tmp_path, "problem,correct,g,b\n0,1,0.9,0.2\n"), given)
    assert [one.prm for one in (plain, good, bad)] == [None, "good", "bad"]
    assert [one.samples[0].rewards for one in (plain, good, bad)] == [(), (0.9,), (0.2,)]


def test_names_are_changed_and_those_that_are_not_there_refused(tmp_path: Path) -> None:
    file = csv(tmp_path, HEADER + "a,x,0,0,A,A,20,\nb,y,0,0,A,A,20,\n")
    given = Given(renames={"a": "A1", "y": "Y1"}, domain="exact")
    found = named(read(file, given), given)
    assert [(one.policy, one.benchmark) for one in found] == [("A1", "x"), ("b", "Y1")]
    assert found[1].problem.meta["benchmark"] == "Y1"
    wrong = Given(renames={"c": "C"}, domain="exact")
    with pytest.raises(InputError, match="--rename c=C: the files have no such name; expected "):
        named(read(file, wrong), wrong)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,correct\na,1\n", "FILE: no column is the problem (columns: model, correct); "),
        ("problem,prediction\n0,A\n", "FILE: no column is the reference (columns: problem, pr"),
        (HEADER + "a,x,0,0,A,,20,\n", "FILE, line 2: nothing says whether this is right"),
        ("problem,correct\n0,yes\n", "FILE, line 2: 'correct' is 'yes'; expected true or false"),
        (HEADER + "a,x,0,0,A,A,2.5,\n", "'completion_tokens' is '2.5'; expected a whole number"),
        (HEADER + "a,x,,0,A,A,2,\n", "FILE, line 2: the problem is empty"),
        (HEADER + "a,x,0,0,A,A,2,\na,x,0,0,B,A,2,\n", "sample 0 of this problem stands in FILE, l"),
        (HEADER + "a,x,0,0,A,A,2,\na,x,0,1,B,B,2,\n", "line 3: the reference is 'B', and 'A' in"),
        ("problem,correct,tokens,prompt_tokens,cached_tokens\n0,1,5,4,8\n", "is 8; expected at m"),
        (HEADER + "a,x,0,0,A,A\n", "FILE, line 2: bad CSV (6 fields, the header has 8)"),
        ("problem,correct\n", "holds no samples; a CSV file with a header"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    assert message in fault(tmp_path, text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Given(columns={"token": "x"}), "--column token: is no kind of column; expected problem, "),
        (Given(columns={"tokens": "lenght"}), "--column tokens=lenght: there is no such column"),
        (Given(columns={"score:": "g"}), "--column score:: is no kind of column"),
        (Given(columns={"score:r": "length"}), "'length' is '7'; expected a score from 0 to 1"),
        (Given(strategy="majority"), "--strategy: a line of a csv file is a sample"),
        (Given(prompt_tokens=-1), "--prompt-tokens is -1; expected at least 0"),
    ],
)
def test_what_the_user_says_wrong_is_named(tmp_path: Path, given: Given, message: str) -> None:
    assert message in fault(tmp_path, "problem,correct,length\n0,1,7\n", given)
