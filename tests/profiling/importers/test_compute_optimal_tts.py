"""Output folders of compute-optimal-tts: every method, layout and fault of them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from executor.answers.voting import Vote
from executor.errors import InputError
from executor.ledger import Ledger
from executor.strategy import BeamSearch, Dvts, Greedy, Score
from profiling.importers.compute_optimal_tts import read
from profiling.importers.readings import Given, Reading
from tests.helpers.foreign_runs import (
    POLICY,
    PRM,
    config,
    packed,
    path,
    question,
    record,
    write,
)

_SCORES = (Score.MIN, Score.LAST, Score.MEAN)


def fault(root: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(root, Given())
    message = str(caught.value)
    assert "\n" not in message
    return message


def by_question(found: list[Reading], number: int) -> list[Reading]:
    return [reading for reading in found if reading.problem.text == question(number)]


def test_records_of_one_path_are_samples_with_the_files_label(tmp_path: Path) -> None:
    wrong = record(3, path(7), majority_vote=0)
    write(tmp_path, "best_of_n", {3: [record(3, path(6)), wrong], 4: [record(4, path(8))]})
    found = read(tmp_path, Given())
    assert [r.samples[0].correct for r in by_question(found, 3)] == [True, False]
    reading = found[0]
    assert (reading.policy, reading.prm, reading.benchmark) == (POLICY, PRM, "MATH-500")
    assert reading.strategy is None
    assert (reading.problem.answer, dict(reading.problem.meta)) == ("6", {"benchmark": "MATH-500"})
    (sample,) = reading.samples
    assert sample.text == "Let us add.\n\nThe sum is \\(\\boxed{6}\\)."
    assert (sample.answer, sample.n_tokens, sample.steps) == ("6", 16, (10, 6))
    assert sample.rewards == (0.5, 0.25)
    assert sample.logprob == pytest.approx(16 * math.log(0.5))


def test_policy_tokens_are_known_and_others_are_not(tmp_path: Path) -> None:
    write(tmp_path, "best_of_n", {3: [record(3, path(6))]})
    (reading,) = read(tmp_path, Given())
    assert reading.ledger == Ledger(generated=16)
    assert reading.unknown == {"prompt", "cached", "prm", "prm_cached"}


def test_a_record_of_many_paths_is_samples_without_a_label(tmp_path: Path) -> None:
    votes = {"prm_last_max": 1, "prm_min_vote": 1}
    write(
        tmp_path, "best_of_n", {3: [record(3, path(6), path(6), path(7), **votes)]},
        parameters="1_3_3",
    )  # fmt: skip
    (reading,) = read(tmp_path, Given())
    assert [sample.correct for sample in reading.samples] == [None] * 3
    assert reading.ledger == Ledger(generated=48)


def test_a_search_of_one_path_charges_what_it_dropped(tmp_path: Path) -> None:
    write(tmp_path, "beam_search", {3: [record(3, path(6), spent=100)]}, parameters="40_4_1")
    (reading,) = read(tmp_path, Given())
    assert reading.strategy == BeamSearch(4, 4)
    assert reading.correct is True
    assert reading.ledger == Ledger(generated=16, discarded=84)


def test_a_search_of_several_paths_is_an_outcome_for_every_vote(tmp_path: Path) -> None:
    votes = {
        "majority_vote": 0, "prm_min_max": 1, "prm_min_vote": 0, "prm_last_max": 1,
        "prm_last_vote": 0, "prm_avg_max": 1, "prm_avg_vote": 0,
    }  # fmt: skip
    one = record(3, path(6), path(7), path(7), path(7), spent=900, **votes)
    write(tmp_path, "beam_search", {3: [one]}, parameters="40_16_4")
    found = {reading.strategy: reading for reading in read(tmp_path, Given())}
    assert {strategy: reading.correct for strategy, reading in found.items()} == {
        BeamSearch(16, 4, vote=Vote.MAJORITY): False,
        **{BeamSearch(16, 4, score, Vote.MAX): True for score in _SCORES},
        **{BeamSearch(16, 4, score, Vote.WEIGHTED): False for score in _SCORES},
    }
    # The paths share steps: what was dropped cannot be told from their lengths.
    assert all(r.ledger == Ledger(generated=900) for r in found.values())
    assert all("discarded" in r.unknown for r in found.values())


def test_chain_of_thought_is_greedy_unless_it_was_sampled(tmp_path: Path) -> None:
    cold, warm = config("cot", temperature=0.0), config("cot", temperature=0.6)
    write(tmp_path / "a", "cot", {3: [record(3, path(6, [0.0]))]}, prm="dummy", settings=cold)
    write(tmp_path / "b", "cot", {3: [record(3, path(6, [0.0]))]}, prm="dummy", settings=warm)
    (greedy,), (sampled,) = read(tmp_path / "a", Given()), read(tmp_path / "b", Given())
    assert (greedy.strategy, greedy.correct, greedy.prm) == (Greedy(), True, None)
    assert (sampled.strategy, sampled.samples[0].correct, sampled.prm) == (None, True, None)
    assert dict(sampled.sampling) == {"temperature": 0.6, "top_p": 1.0}


def test_samples_of_a_dummy_prm_have_no_rewards(tmp_path: Path) -> None:
    write(tmp_path, "best_of_n", {3: [record(3, path(6, [0.0]))]}, prm="dummy")
    (reading,) = read(tmp_path, Given())
    assert reading.prm is None
    assert reading.samples[0].rewards == ()


def test_a_response_of_as_many_tokens_as_allowed_was_cut(tmp_path: Path) -> None:
    records = {3: [record(3, path(6, tokens=[64]))], 4: [record(4, path(8, tokens=[63]))]}
    write(tmp_path, "best_of_n", records, settings=config("best_of_n"))
    assert [r.samples[0].state for r in read(tmp_path, Given())] == ["cut", "finished"]


def test_many_searches_of_one_path_are_subtrees_of_dvts_too(tmp_path: Path) -> None:
    """Groups of 2 and of 4, at N = 8 and 16, each tree in one group of a size."""
    trees = [
        record(3, path(6 if i == 1 else 7, [0.9 if i == 1 else 0.1]), spent=10 * i + 16,
               majority_vote=int(i == 1))
        for i in range(5)
    ]  # fmt: skip
    write(tmp_path, "beam_search", {3: trees, 4: [record(4, path(8))] * 4},
          parameters="40_4_1")  # fmt: skip
    found = by_question(read(tmp_path, Given()), 3)
    assert [r.strategy for r in found] == [
        *[BeamSearch(4, 4)] * 5, Dvts(8, 4), Dvts(8, 4), Dvts(16, 4)
    ]  # fmt: skip
    assert [r.samples[0].rewards for r in found[5:]] == [(0.1,), (0.1,), (0.1,)]
    assert [len(r.samples) for r in found[5:]] == [2, 2, 4]
    assert found[5].ledger == Ledger(generated=32, discarded=10)


def test_where_one_problem_has_one_search_there_are_no_subtrees(tmp_path: Path) -> None:
    records = {3: [record(3, path(6))] * 2, 4: [record(4, path(8))]}
    write(tmp_path, "beam_search", records, parameters="40_4_1")
    assert {r.strategy for r in read(tmp_path, Given())} == {BeamSearch(4, 4)}


@pytest.mark.parametrize("level", ["root", "method", "parameters", "question", "file", "tar"])
def test_any_folder_of_the_layout_will_do(tmp_path: Path, level: str) -> None:
    root = tmp_path / "output"
    folder = write(root, "best_of_n", {3: [record(3, path(6))]}, settings=config("best_of_n"))
    (folder / "avg_result.json").write_text("[]")
    (folder / "lock_dir").mkdir()
    given = {
        "root": root,
        "method": root / "MATH_best_of_n",
        "parameters": folder,
        "question": folder / "question_3",
        "file": folder / "question_3" / "record_0.jsonl",
        "tar": packed(root, tmp_path / "run.tar.gz"),
    }[level]
    (reading,) = read(given, Given())
    assert (reading.policy, reading.prm, reading.benchmark) == (POLICY, PRM, "MATH-500")


def test_folders_of_other_names_are_what_their_config_says(tmp_path: Path) -> None:
    """OpenR: all records in one file, in folders of a task, a method and a time."""
    folder = tmp_path / "results" / "20250101"
    settings = config("beam_search", width=4, paths=1)
    records = [record(3, path(6)), record(4, path(8))]
    for one in records:
        # That code wrote neither histories nor answers.
        for output in one["output"]:
            for name in ("token_history", "prob_history", "reward_history", "extracted_answer"):
                del output[name]
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "record.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    found = read(tmp_path, Given())
    assert [(r.policy, r.prm, r.strategy) for r in found] == [(POLICY, PRM, BeamSearch(4, 4))] * 2
    assert found[0].ledger == Ledger(generated=16)
    assert {"n_tokens", "logprob", "discarded"} <= found[0].unknown
    assert found[0].samples[0].answer is None  # it is found when it is graded


def test_a_method_of_another_name_is_what_the_user_says_it_is(tmp_path: Path) -> None:
    write(tmp_path, "lazy_beam_search", {3: [record(3, path(6))]}, parameters="40_4_1")
    message = fault(tmp_path)
    assert message.endswith(
        "question_3/record_0.jsonl: records of method 'lazy_beam_search'; right would be "
        "best_of_n, beam_search, cot (--strategy says which of them it is under another name)"
    )
    (reading,) = read(tmp_path, Given(strategy="beam_search"))
    assert reading.strategy == BeamSearch(4, 4)


def test_of_config_and_folder_the_config_tells_task_from_method(tmp_path: Path) -> None:
    settings = config("best_of_n")
    settings["method_config"]["task_name"] = "gsm8k_hard"
    write(tmp_path, "best_of_n", {3: [record(3, path(6))]}, task="gsm8k_hard", settings=settings)
    assert read(tmp_path, Given())[0].benchmark == "gsm8k_hard"


def test_half_a_line_is_named_by_file_and_line(tmp_path: Path) -> None:
    folder = write(tmp_path, "best_of_n", {3: [record(3, path(6))]})
    broken = folder / "question_3" / "record_0.jsonl"
    broken.write_text(broken.read_text() + broken.read_text()[:80])
    message = fault(tmp_path)
    assert message.startswith(f"{broken}, line 2: not JSON (")
    broken.write_text("")
    assert fault(tmp_path) == f"{broken}: is empty; one JSON object a line is needed"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": None}, "'question' is None; right would be text"),
        ({"output": []}, "'output' is []; right would be a list of objects"),
        ({"output": [{"text": 3}]}, "output[0]: 'text' is 3; right would be text"),
        ({"output": [path(6, [1.5])]}, "'value' is [1.5]; right would be a reward in [0, 1] for"),
        ({"result": {"majority_vote": 2}}, "'majority_vote' is 2; right would be true or false"),
        ({"result": 1}, "result: not a JSON object"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    folder = write(tmp_path, "best_of_n", {3: [record(3, path(6)) | change]})
    said = fault(tmp_path)
    assert said.startswith(f"{folder / 'question_3' / 'record_0.jsonl'}, line 1")
    assert message in said


def test_a_search_that_does_not_branch_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "beam_search", {3: [record(3, path(6))]}, parameters="40_4_4")
    assert "beam search of width 4 with 4 paths" in fault(tmp_path)


def test_records_that_nothing_says_the_strategy_of_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, "best_of_n", {3: [record(3, path(6))]})
    (folder / "question_3").rename(tmp_path / "question_3")
    assert "neither the folders' names" in fault(tmp_path / "question_3")


def test_what_holds_no_records_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert "holds no record_*.jsonl" in fault(tmp_path)
    assert fault(tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere'}: no such file; expected")


def test_half_an_archive_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "output"
    write(root, "best_of_n", {n: [record(n, path(2 * n))] for n in range(40)})
    archive = packed(root, tmp_path / "run.tar.gz")
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    assert fault(archive).startswith(f"{archive}: is no whole tar archive (")
