"""From records to the store: graded once, stored once, never half, never beside another study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.ledger import Ledger
from executor.store.store import RunSpec, Store
from executor.strategy import BeamSearch
from profiling.importers import Given, Import, graded, read, store_import
from profiling.importers.runs import Grading
from tests.helpers.foreign_runs import (
    POLICY,
    PRM,
    completions,
    config,
    lines,
    path,
    record,
    write,
)

TTS = "compute-optimal-tts"


def imported(
    root: Path, grader: MathGrader, name: str = TTS, study: str = "study", **given: Any
) -> Import:
    return graded(read(name, root, Given(**given)), study, grader)


def contents(store: Store) -> list[tuple[RunSpec, list[Any]]]:
    return [
        (spec, [(s.outcome.problem.text, s.outcome.samples) for s in store.outcomes(spec)])
        for spec in store.runs()
    ]


def test_the_files_label_stands_and_where_ours_differs_is_counted(
    tmp_path: Path, grader: MathGrader
) -> None:
    right, wrong = {"majority_vote": 1}, {"majority_vote": 0}
    records = {
        3: [record(3, path(6), **right), record(3, path(7), **wrong)],
        4: [record(4, path(8), **wrong), record(4, path(9), **right), record(4, path(1), **right)],
    }
    write(tmp_path, "best_of_n", records)
    (family,) = imported(tmp_path, grader).families
    pools = [outcome for found in family.outcomes.values() for outcome in found]
    assert [[s.correct for s in pool.samples] for pool in pools] == [
        [True, False], [False, True, True]
    ]  # fmt: skip
    assert family.grading == Grading(by_file=5, compared=5, right_by_file=2, right_here=1)


def test_a_sample_with_a_label_still_has_its_answer_read_from_its_text(
    tmp_path: Path, grader: MathGrader
) -> None:
    """A right sample that no vote could choose would count against every vote."""
    silent = path(6) | {"extracted_answer": ""}
    write(tmp_path, "best_of_n", {3: [record(3, silent, majority_vote=1)]})
    (family,) = imported(tmp_path, grader).families
    ((pool,),) = family.outcomes.values()
    assert [(s.answer, s.correct) for s in pool.samples] == [("6", True)]


def test_what_has_no_label_is_graded_here(tmp_path: Path, grader: MathGrader) -> None:
    write(
        tmp_path, "best_of_n", {3: [record(3, path(6), path("6.0"), path(7))]}, parameters="1_3_3"
    )
    (family,) = imported(tmp_path, grader).families
    ((pool,),) = family.outcomes.values()
    assert [s.correct for s in pool.samples] == [True, True, False]
    assert (pool.answer, pool.correct) == ("6", True)
    assert family.grading == Grading(here=3)


def test_a_pool_has_all_samples_of_its_problem(tmp_path: Path, grader: MathGrader) -> None:
    write(tmp_path, "best_of_n", {3: [record(3, path(6)), record(3, path(7)), record(3, path(7))]})
    (family,) = imported(tmp_path, grader).families
    ((pool,),) = family.outcomes.values()
    assert len(pool.samples) == 3
    assert pool.ledger == Ledger(generated=48)
    assert pool.answer == "7"


def test_the_files_own_choice_goes_before_a_vote_here(tmp_path: Path, grader: MathGrader) -> None:
    """The weighted answer of the file is 7, which a vote over the completions would not choose."""
    one = completions(3, [6, 6, 6, 7], [0.9] * 4, **{"pred_weighted@4": "\\boxed{7}"})
    file = lines(tmp_path / "beam_search_completions.jsonl", one)
    made = imported(file, grader, "search-and-learn", policy=POLICY, prm=PRM)
    found = {f.strategy: o for f in made.families for (o,) in f.outcomes.values()}
    assert found[BeamSearch(4, 4)].answer == "7"
    assert found[BeamSearch(4, 4)].correct is False
    assert sorted(o.answer or "" for o in found.values()) == ["6", "6", "7"]


def test_subtrees_are_right_where_the_chosen_one_is(tmp_path: Path, grader: MathGrader) -> None:
    """By the label of the tree that the vote chooses, be it what our grader would not say."""
    trees = [record(3, path(7, [0.9]), majority_vote=1), record(3, path(6, [0.1]), majority_vote=0)]
    write(tmp_path, "beam_search", {3: trees}, parameters="40_4_1")
    both = imported(tmp_path, grader).families[1]
    ((outcome,),) = both.outcomes.values()
    assert (outcome.answer, outcome.correct) == ("7", True)
    assert len(outcome.samples) == 1


def test_what_cannot_be_graded_is_refused_with_its_line(tmp_path: Path, grader: MathGrader) -> None:
    long = record(3, path(6), path(7)) | {"groundtruth": "First we add.\nThen we are done."}
    folder = write(tmp_path, "best_of_n", {3: [long]}, parameters="1_2_2")
    with pytest.raises(InputError) as caught:
        imported(tmp_path, grader)
    where = folder / "question_3" / "record_0.jsonl"
    assert str(caught.value).startswith(f"{where}, line 1: nothing says whether this is right")


def test_stored_runs_name_their_study_and_what_is_not_known(
    tmp_path: Path, grader: MathGrader
) -> None:
    settings = config("beam_search", width=4)
    records = {3: [record(3, path(6), spent=90)]}
    write(tmp_path, "beam_search", records, parameters="40_4_1", settings=settings)
    with Store.open("sqlite://") as store:
        assert store_import(store, imported(tmp_path, grader)) == {
            "added": 1, "unchanged": 0, "replaced": 0
        }  # fmt: skip
        (spec,) = store.runs("measure")
        (stored,) = store.outcomes(spec)
    assert (spec.policy, spec.prm) == (POLICY, PRM)
    assert spec.settings["study"] == "study"
    assert spec.settings["benchmark"] == "MATH-500"
    assert spec.settings["sampling"] == {"temperature": 0.7, "top_p": 1.0}
    assert stored.outcome.ledger == Ledger(generated=16, discarded=74)
    assert stored.outcome.unknown == {"prompt", "cached", "prm", "prm_cached"}


def test_further_outcomes_of_a_problem_are_further_runs(tmp_path: Path, grader: MathGrader) -> None:
    records = {
        3: [record(3, path(6)), record(3, path(7), majority_vote=0)],
        4: [record(4, path(8))],
    }
    write(tmp_path, "beam_search", records, parameters="40_4_1")
    with Store.open("sqlite://") as store:
        store_import(store, imported(tmp_path, grader))
        sizes = sorted(len(found) for _, found in contents(store))
    assert sizes == [1, 2]


def test_importing_again_changes_nothing(tmp_path: Path, grader: MathGrader) -> None:
    write(tmp_path / "a", "best_of_n", {3: [record(3, path(6)), record(3, path(7))]})
    searches = {3: [record(3, path(6)), record(3, path(7))]}
    write(tmp_path / "a", "beam_search", searches, parameters="40_4_1")
    with Store.open("sqlite://") as store:
        store_import(store, imported(tmp_path / "a", grader))
        before = contents(store)
        counts = store_import(store, imported(tmp_path / "a", grader))
        assert counts == {"added": 0, "unchanged": len(before), "replaced": 0}
        # Nor does importing a part of it.
        store_import(store, imported(tmp_path / "a" / "MATH_best_of_n", grader))
        assert contents(store) == before


def test_importing_what_another_process_imports_meanwhile_stores_it_once(
    database: str, tmp_path: Path, grader: MathGrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a", "best_of_n", {3: [record(3, path(6)), record(3, path(7))]})
    with Store.open(database) as store, Store.open(database) as others:
        save = store.save_runs

        def overtaken(*arguments: Any, **options: Any) -> None:
            monkeypatch.undo()
            store_import(others, imported(tmp_path / "a", grader))
            save(*arguments, **options)

        monkeypatch.setattr(store, "save_runs", overtaken)
        counts = store_import(store, imported(tmp_path / "a", grader))
        assert counts == {"added": 0, "unchanged": 1, "replaced": 0}
        assert len(contents(store)) == 1


def test_a_folder_that_has_grown_takes_the_place_of_what_it_was(
    tmp_path: Path, grader: MathGrader
) -> None:
    write(tmp_path, "best_of_n", {3: [record(3, path(6))]})
    with Store.open("sqlite://") as store:
        store_import(store, imported(tmp_path, grader))
        more = {3: [record(3, path(6)), record(3, path(7))], 4: [record(4, path(8))]}
        write(tmp_path, "best_of_n", more)
        counts = store_import(store, imported(tmp_path, grader))
        assert counts == {"added": 0, "unchanged": 0, "replaced": 1}
        ((_, found),) = contents(store)
    assert sorted(len(samples) for _, samples in found) == [1, 2]


def test_other_samples_of_the_same_kind_stand_beside(tmp_path: Path, grader: MathGrader) -> None:
    for seed in (6, 7):
        write(tmp_path / str(seed), "best_of_n", {3: [record(3, path(seed))]})
    with Store.open("sqlite://") as store:
        for seed in (6, 7):
            counts = store_import(store, imported(tmp_path / str(seed), grader))
            assert counts["added"] == 1
        assert [spec.settings["part"] for spec in store.runs()] == [0, 1]


def test_two_temperatures_in_one_study_are_refused(tmp_path: Path, grader: MathGrader) -> None:
    for name, temperature in (("a", 0.7), ("b", 1.0)):
        settings = config("best_of_n", temperature=temperature)
        write(tmp_path / name, "best_of_n", {3: [record(3, path(6))]}, settings=settings)
    cold = config("cot", temperature=0.0)
    write(tmp_path / "a", "cot", {3: [record(3, path(6))]}, prm="dummy", settings=cold)
    with Store.open("sqlite://") as store:
        store_import(store, imported(tmp_path / "a", grader))
        before = contents(store)
        with pytest.raises(InputError, match="each with a --study of its own"):
            store_import(store, imported(tmp_path / "b", grader))
        assert contents(store) == before
        store_import(store, imported(tmp_path / "b", grader, study="warm"))
        assert len(store.runs()) == len(before) + 1


def test_names_that_files_do_not_say_must_be_given(tmp_path: Path) -> None:
    file = lines(tmp_path / "best_of_n_completions.jsonl", completions(3, [6], [0.5]))
    with pytest.raises(InputError, match="line 1: nothing says which policy this is of"):
        read("search-and-learn", file, Given())
    with pytest.raises(InputError, match="which prm this is of; name it with --prm"):
        read("search-and-learn", file, Given(policy="p"))
    (reading,) = read("search-and-learn", file, Given(policy="p", prm="r", benchmark="b"))
    assert (reading.policy, reading.prm, reading.benchmark) == ("p", "r", "b")
    assert reading.problem.meta == {"benchmark": "b"}


def test_one_name_for_two_policies_is_refused(tmp_path: Path) -> None:
    runs = [
        {"problem": "1?", "policy": name, "strategy": "greedy", "correct": True}
        for name in ("one", "two")
    ]
    file = lines(tmp_path / "f.jsonl", *runs)
    with pytest.raises(InputError, match="--policy x: there are records of one and two"):
        read("jsonl", file, Given(policy="x"))
