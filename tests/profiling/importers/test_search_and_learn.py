"""Completions of search-and-learn: every approach and release, and what they do not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from executor.answers.voting import Vote
from executor.errors import InputError
from executor.ledger import Ledger
from executor.strategy import BeamSearch, Dvts, key
from profiling.importers.readings import Given, Reading
from profiling.importers.search_and_learn import read
from tests.helpers.foreign_runs import POLICY, completions, lines

VOTES = (Vote.MAJORITY, Vote.MAX, Vote.WEIGHTED)  # that the program has


def place(root: Path, name: str) -> Path:
    return root / "data" / "org" / POLICY / f"{name}_completions.jsonl"


def fault(path: Path, **given: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(path, Given(**given))
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(path), "FILE")


def test_best_of_n_is_samples_with_their_lengths(tmp_path: Path) -> None:
    file = lines(
        place(tmp_path, "best_of_n"),
        completions(3, [6, 7], [0.9, 0.1], completion_tokens=[20, 30], **{"pred_maj@2": "x"}),
    )
    (reading,) = read(file, Given())
    assert (reading.policy, reading.prm, reading.strategy) == (POLICY, "", None)
    assert reading.problem.answer == "6"
    assert [s.rewards for s in reading.samples] == [(0.5, 0.9), (0.5, 0.1)]
    assert [s.n_tokens for s in reading.samples] == [20, 30]
    assert [s.correct for s in reading.samples] == [None, None]
    assert reading.ledger == Ledger(generated=50)
    assert reading.unknown == {"prompt", "cached", "prm", "prm_cached", "logprob"}


@pytest.mark.parametrize("tokens", [{}, {"completion_tokens": -1}, {"completion_tokens": [0, 0]}])
@pytest.mark.parametrize("approach", ["best_of_n", "beam_search"])
def test_what_stands_for_no_count_is_no_count(
    tmp_path: Path, tokens: dict[str, Any], approach: str
) -> None:
    file = lines(place(tmp_path, approach), completions(3, [6, 7], [0.9, 0.1], **tokens))
    for reading in read(file, Given(width=2)):
        assert reading.ledger == Ledger()
        assert {"generated", "n_tokens"} <= reading.unknown


def test_token_counts_of_a_search_are_those_of_its_last_beams_and_not_believed(
    tmp_path: Path,
) -> None:
    one = completions(3, [6, 7], [0.9, 0.1], completion_tokens=[20, 30])
    file = lines(place(tmp_path, "beam_search"), one)
    assert all("generated" in r.unknown for r in read(file, Given(width=2)))


def test_a_beam_search_is_an_outcome_of_every_vote_at_all_of_its_beams(tmp_path: Path) -> None:
    votes = {"pred_naive@4": "\\boxed{1}", "pred_maj@4": "\\boxed{2}", "pred_maj@2": "\\boxed{3}"}
    file = lines(place(tmp_path, "beam_search"), completions(3, [6] * 4, [0.5] * 4, **votes))
    found = read(file, Given())
    assert {r.strategy: r.answer for r in found} == {
        BeamSearch(4, 4, vote=Vote.WEIGHTED): None,  # not in the file: voted on when graded
        BeamSearch(4, 4, vote=Vote.MAX): "\\boxed{1}",
        BeamSearch(4, 4, vote=Vote.MAJORITY): "\\boxed{2}",
    }


def test_the_first_subtrees_of_dvts_are_a_smaller_dvts(tmp_path: Path) -> None:
    file = lines(place(tmp_path, "dvts"), completions(3, [6] * 16, [0.5] * 16))
    found = read(file, Given())

    def strategies(of: list[Reading]) -> set[str]:
        return {key(r.strategy) for r in of if r.strategy is not None}

    assert strategies(found) == {key(Dvts(n, 4, vote=v)) for n in (4, 8, 16) for v in VOTES}
    assert all(r.strategy is not None and len(r.samples) == r.strategy.n for r in found)
    assert strategies(read(file, Given(width=8))) == {
        key(Dvts(n, 8, vote=v)) for n in (8, 16) for v in VOTES
    }


def test_a_name_that_says_no_approach_needs_one(tmp_path: Path) -> None:
    """Every file of the releases of 2024 was called so, whatever was in it."""
    file = lines(place(tmp_path, "bon"), completions(3, [6] * 4, [0.5] * 4))
    assert fault(file) == (
        "FILE: its name does not say which approach it is of; give it with "
        "--strategy best_of_n|beam_search|dvts"
    )
    assert {r.strategy for r in read(file, Given(strategy="best_of_n"))} == {None}
    assert fault(file, strategy="mcts") == (
        "--strategy mcts: right would be best_of_n, beam_search, dvts"
    )


def test_a_folder_is_searched_for_its_files(tmp_path: Path) -> None:
    lines(place(tmp_path, "best_of_n"), completions(3, [6], [0.5]))
    lines(place(tmp_path, "dvts"), completions(3, [6] * 4, [0.5] * 4))
    lines(tmp_path / "other.jsonl", {"else": 1})
    assert len(read(tmp_path, Given())) == 1 + 3
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no *_completions.jsonl" in fault(empty)


def test_away_from_its_folders_a_file_has_no_policy(tmp_path: Path) -> None:
    file = lines(tmp_path / "best_of_n_completions.jsonl", completions(3, [6], [0.5]))
    assert read(file, Given())[0].policy == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"completions": "text"}, "'completions' is 'text'; right would be a list of texts"),
        ({"completions": [1, 2, 3, 4]}, "'completions' is 1; right would be text"),
        ({"scores": [[0.5]]}, "'scores' is [[0.5]]; right would be a list of step scores for each"),
        ({"scores": [[2]] * 4}, "'scores' is [2]; right would be a reward in [0, 1] for each step"),
        ({"problem": ""}, "'problem' is ''; right would be text"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    good = completions(3, [6] * 4, [0.5] * 4)
    file = lines(place(tmp_path, "best_of_n"), good, good | change)
    said = fault(file)
    assert said.startswith("FILE, line 2")
    assert message in said


def test_a_width_that_does_not_divide_the_beams_is_refused(tmp_path: Path) -> None:
    file = lines(place(tmp_path, "beam_search"), completions(3, [6] * 6, [0.5] * 6))
    assert "FILE, line 1: budget 6 with width 4" in fault(file)
    assert "--width" in fault(file)
