"""Plain JSONL: both kinds of record, and every field that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from executor.errors import InputError
from executor.ledger import Ledger
from executor.strategy import BeamSearch, Greedy, Majority, Score
from profiling.importers.jsonl import read
from profiling.importers.readings import Given
from tests.helpers.foreign_runs import lines

MODELS = {"policy": "p", "prm": "r", "benchmark": "b"}
SAMPLE = {"text": "So 5.", "answer": "5", "correct": True, "rewards": [1, 0.5], "tokens": 31}
SAMPLES = {"problem": "2 + 3?", "answer": 5, **MODELS, "samples": [SAMPLE]}
RUN = {
    "problem": "2 + 3?", **MODELS, "strategy": "beam_search", "n": 16, "width": 4, "score": "min",
    "correct": False, "generated_tokens": 90, "discarded_tokens": 50, "prm_tokens": 70,
}  # fmt: skip


def fault(tmp_path: Path, record: Any) -> str:
    file = lines(tmp_path / "f.jsonl", record)
    with pytest.raises(InputError) as caught:
        read(file, Given())
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(file), "FILE")


def test_a_record_of_samples(tmp_path: Path) -> None:
    bare = {"correct": False}
    more = {"problem": "1 + 1?", "policy": "p", "samples": [bare, SAMPLE | {"logprob": -3}]}
    full, half = read(lines(tmp_path / "f.jsonl", SAMPLES, more), Given())
    assert (full.policy, full.prm, full.benchmark, full.strategy) == ("p", "r", "b", None)
    assert (full.problem.text, full.problem.answer) == ("2 + 3?", "5")
    (sample,) = full.samples
    assert (sample.text, sample.answer, sample.correct) == ("So 5.", "5", True)
    assert (sample.rewards, sample.n_tokens) == ((1.0, 0.5), 31)
    assert full.ledger == Ledger(generated=31)
    assert full.unknown == {"prompt", "cached", "prm", "prm_cached", "logprob"}
    assert half.prm == ""  # scored, and nothing says by what
    assert half.ledger == Ledger()
    assert {"generated", "n_tokens"} <= half.unknown


@pytest.mark.parametrize(
    "solution", ["48 + 24 = 72\n#### 72", "so the sum is $\\boxed{72}$."], ids=["hashes", "box"]
)
def test_a_solution_that_is_given_as_the_answer_is_read(tmp_path: Path, solution: str) -> None:
    [reading] = read(lines(tmp_path / "f.jsonl", SAMPLES | {"answer": solution}), Given())
    assert reading.problem.answer == "72"


def test_samples_without_rewards_are_of_no_prm(tmp_path: Path) -> None:
    record = SAMPLES | {"samples": [{"correct": True}]}
    assert read(lines(tmp_path / "f.jsonl", record), Given())[0].prm is None


def test_a_record_of_a_run(tmp_path: Path) -> None:
    (reading,) = read(lines(tmp_path / "f.jsonl", RUN), Given())
    assert reading.strategy == BeamSearch(16, 4, Score.MIN)
    assert reading.correct is False
    assert reading.ledger == Ledger(generated=40, discarded=50, prm=70)
    assert reading.unknown == {"prompt", "cached", "prm_cached", "n_tokens", "logprob"}


def test_strategies_without_a_prm_have_none(tmp_path: Path) -> None:
    records = [
        {"problem": "1?", "policy": "p", "strategy": "greedy", "correct": 1},
        {"problem": "1?", "policy": "p", "strategy": "majority", "n": 4, "correct": 0},
    ]
    found = read(lines(tmp_path / "f.jsonl", *records), Given())
    assert [(r.strategy, r.prm, r.correct) for r in found] == [
        (Greedy(), None, True), (Majority(4), None, False)
    ]  # fmt: skip


def test_all_files_of_a_folder_are_read(tmp_path: Path) -> None:
    lines(tmp_path / "a.jsonl", RUN)
    lines(tmp_path / "deep" / "b.jsonl", RUN)
    (tmp_path / "notes.txt").write_text("not JSON")
    assert len(read(tmp_path, Given())) == 2


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (1, "FILE, line 1: not a JSON object; a record needs named fields"),
        ({"problem": "?"}, "FILE, line 1: needs either 'samples' or 'strategy'"),
        (RUN | {"samples": [SAMPLE]}, "FILE, line 1: needs either 'samples' or 'strategy'"),
        (RUN | {"token": 3}, "FILE, line 1: no field 'token' is known; right would be problem, "),
        (SAMPLES | {"n": 3}, "FILE, line 1: no field 'n' is known"),
        (RUN | {"strategy": "mcts"}, "'strategy' is 'mcts'; right would be one of greedy, "),
        (RUN | {"n": 15}, "FILE, line 1: budget 15 with width 4 for beam_search"),
        (RUN | {"generated_tokens": 1.5}, "'generated_tokens' is 1.5; right would be a whole"),
        (RUN | {"generated_tokens": 20}, "'discarded_tokens' is 50; right would be at most"),
        (RUN | {"correct": "yes"}, "'correct' is 'yes'; right would be true or false"),
        (RUN | {"correct": None}, "'correct' is None; right would be true or false, or an answer"),
        (RUN | {"correct": None, "answer": "5"}, "or an answer of the problem and one to compare"),
        (
            SAMPLES | {"samples": [SAMPLE, SAMPLE | {"rewards": [0.5, -1]}]},
            "FILE, line 1, samples[1]: 'rewards' is [0.5, -1]; right would be a reward in [0, 1]",
        ),
        (
            SAMPLES | {"samples": [SAMPLE | {"reward": [0.5]}]},
            "FILE, line 1, samples[0]: no field 'reward' is known; right would be text, answer, ",
        ),
        (
            SAMPLES | {"answer": "words that explain and name nothing " * 4},
            "'answer' is 'words that explain and name nothing wor...; right would be the final",
        ),
        (SAMPLES | {"samples": []}, "'samples' is []; right would be a list of objects"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, record: Any, message: str) -> None:
    said = fault(tmp_path, record)
    assert said.startswith("FILE, line 1")
    assert message in said


def test_not_a_number_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text('{"problem": "1?"}\n{"rewards": [NaN]}\n')
    with pytest.raises(InputError, match="line 1: needs either"):
        read(tmp_path / "f.jsonl", Given())
    (tmp_path / "f.jsonl").write_text('\n{"rewards": [NaN]}\n')
    with pytest.raises(InputError, match="line 2: not JSON \\(NaN is no JSON number\\)"):
        read(tmp_path / "f.jsonl", Given())


def test_an_option_that_the_records_say_themselves_is_refused(tmp_path: Path) -> None:
    for given in (Given(strategy="greedy"), Given(width=4)):
        with pytest.raises(InputError, match="a jsonl record says so itself"):
            read(lines(tmp_path / "f.jsonl", RUN), given)
