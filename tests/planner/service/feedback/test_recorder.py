"""Feedback: evidence for the difficulty an answer's question was taken for, and nothing else."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.ledger import Ledger
from executor.outcome import Outcome
from executor.problem import Problem
from executor.run.runner import PRM_TRAINED_ON, run_settings
from executor.store.pending import Bounds
from executor.store.store import Store
from executor.strategy import BestOfN, Majority, Sampling, Strategy, key
from planner.choice.constraint import Constraint
from planner.evidence.cells import cells
from planner.evidence.comparable import for_pair
from planner.evidence.gathering import gather
from planner.evidence.runs import current_runs
from planner.runtime.decision import Decision, ProbeDecision
from planner.runtime.router import Routed
from planner.service.answering.answerer import Query
from planner.service.feedback import recorder
from planner.service.feedback.recorder import FeedbackRecorder, UnknownAnswerError
from tests.helpers.served_app import until

SETTINGS = run_settings(
    Sampling(), 0, None, True, {"policy": "a", "prm": "b"}, {"user": "{problem}"}, {}
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


@pytest.fixture(scope="module")
def grader() -> Iterator[MathGrader]:
    with MathGrader() as shared:
        yield shared


def remember(
    feedback: FeedbackRecorder, name: str, strategy: Strategy = Majority(4), level: str = "hard",  # noqa: B008
    **options: Any,
) -> None:  # fmt: skip
    text = options.pop("text", f"What is {name}?")
    outcome = Outcome(
        Problem(name, text), "7", None, 0, (), ledger=Ledger(prompt=9, generated=40, prm=8)
    )
    routed = Routed(
        outcome, Decision(strategy, level, None), ProbeDecision(0, classifies=True), None,
        options.pop("cut", False), options.pop("note", {}),
    )  # fmt: skip
    messages = options.pop("messages", ())
    query = Query(name, text, messages, Constraint(), None)
    feedback.remember(query, routed, "policy", "prm", SETTINGS)


def rows(store: Store, grader: MathGrader) -> pd.DataFrame:
    return gather(store, grader)


def test_what_is_told_is_evidence_of_the_strategy_and_the_difficulty(
    store: Store, grader: MathGrader
) -> None:
    feedback = FeedbackRecorder(store)
    remember(feedback, "one")
    remember(feedback, "two", BestOfN(16), "easy")
    assert rows(store, grader).empty
    feedback.record_verdict("one", right=True)
    feedback.record_verdict("two", right=False)
    found = rows(store, grader).set_index("strategy")
    one, two = found.loc[key(Majority(4))], found.loc[key(BestOfN(16))]
    assert (one["accuracy"], one["difficulty"], one["source"]) == (1.0, "hard", "feedback")
    assert (two["accuracy"], two["difficulty"], two["prm"]) == (0.0, "easy", "prm")
    assert (one["prm"], one["generated_tokens"], one["prm_tokens"]) == ("", 40, 0)
    assert two["prm_tokens"] == 8


def test_the_last_word_counts_once(store: Store, grader: MathGrader) -> None:
    feedback = FeedbackRecorder(store)
    remember(feedback, "one")
    for right in (True, True, False, False):
        feedback.record_verdict("one", right=right)
    found = rows(store, grader)
    assert found["accuracy"].tolist() == [0.0]
    assert len(store.runs()) == 1


def test_the_same_question_asked_twice_counts_twice(store: Store, grader: MathGrader) -> None:
    feedback = FeedbackRecorder(store)
    for name, right in (("one", True), ("two", False)):
        remember(feedback, name, text="What is x?")
        feedback.record_verdict(name, right=right)
    found = rows(store, grader)
    assert found["accuracy"].mean() == 0.5
    assert len(store.runs()) == 2


def test_what_was_not_answered_here_is_refused(store: Store) -> None:
    feedback = FeedbackRecorder(store, Bounds(answers=2))
    remember(feedback, "cut", cut=True)
    for name in ("oldest", "older", "new"):
        remember(feedback, name)
    feedback.flush()
    for name in ("unheard of", "oldest", "cut"):
        with pytest.raises(UnknownAnswerError, match=f"request '{name}': it was not answered here"):
            feedback.record_verdict(name, right=True)
    assert store.runs() == []


def test_answers_outlast_a_restart(tmp_path: Path, grader: MathGrader) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with Store.open(url) as first:
        feedback = FeedbackRecorder(first)
        remember(feedback, "one", BestOfN(16), "easy", text="What is x?")
        remember(feedback, "two")
        feedback.record_verdict("two", right=True)
        feedback.close()
        assert gather(first, grader)["accuracy"].tolist() == [1.0]
    with Store.open(url) as second:
        again = FeedbackRecorder(second)
        again.record_verdict("one", right=True)
        again.record_verdict("two", right=False)
        found = rows(second, grader).set_index("strategy")
        [spec] = [run for run in second.runs() if run.settings["request"] == "one"]
        [stored] = second.outcomes(spec)
    assert found.loc[key(Majority(4)), "accuracy"] == 0.0  # the last word, whoever was told
    one = found.loc[key(BestOfN(16))]
    assert (one["accuracy"], one["difficulty"], one["prm_tokens"]) == (1.0, "easy", 8)
    assert stored.outcome.problem.text == "What is x?" and stored.outcome.answer == "7"


def test_what_is_answered_is_written_without_being_asked_to(store: Store) -> None:
    feedback = FeedbackRecorder(store)
    remember(feedback, "one")
    until(lambda: store.find_pending("one", Bounds()) is not None)
    until(lambda: not feedback._unwritten and feedback._size == 0)
    feedback.close()


def test_an_answer_does_not_wait_for_the_store(store: Store) -> None:
    feedback = FeedbackRecorder(store)
    with feedback._store_lock:  # as while a write takes long
        began = time.perf_counter()
        for number in range(200):
            remember(feedback, f"{number}")
        # To wait once would take as long as this.
        assert time.perf_counter() - began < recorder._LOCK_SECONDS
    feedback.close()
    assert store.find_pending("199", Bounds()) is not None


def test_what_is_told_does_not_wait_long_for_the_writer(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    feedback = FeedbackRecorder(store)
    remember(feedback, "one")
    with monkeypatch.context() as hurried, feedback._store_lock:
        hurried.setattr(recorder, "_LOCK_SECONDS", 0.05)
        with pytest.raises(InputError, match="is being written"):
            feedback.submit("one", right=True).result(60)
    monkeypatch.setattr(recorder, "_LOCK_SECONDS", 60)
    feedback.submit("one", right=True).result(60)
    assert len(store.runs()) == 1
    feedback.close()


def test_memory_is_bounded_while_the_store_cannot_be_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise InputError("store: database or disk is full")

    said: list[str] = []
    feedback = FeedbackRecorder(
        store, unwritten=Bounds(answers=100, size=1 << 20), on_failure=said.append
    )
    with monkeypatch.context() as patched:
        patched.setattr(store, "keep_pending", full)
        for number in range(150):
            remember(feedback, f"{number}")
        assert len(feedback._unwritten) == 100
        for number in range(150, 200):
            remember(feedback, f"{number}", text="x" * 50_000)
        assert 1 < len(feedback._unwritten) < 10 and feedback._size <= 1 << 20
        until(lambda: said)
        assert "disk is full" in said[0] and "xxx" not in said[0]
        with pytest.raises(InputError, match="could not be written"):
            feedback.submit("199", right=True)
    feedback.close()
    assert store.find_pending("199", Bounds()) is not None
    assert store.find_pending("0", Bounds()) is None


def test_it_says_nothing_of_all_questions_nor_in_comparisons(
    store: Store, grader: MathGrader
) -> None:
    feedback = FeedbackRecorder(store)
    for number in range(8):
        remember(feedback, f"{number}")
        feedback.record_verdict(f"{number}", right=True)
    remember(feedback, "unknown", level="all")
    feedback.record_verdict("unknown", right=True)
    frame = rows(store, grader)
    assert len(frame) == 9
    [cell] = cells(frame).to_dict("records")
    assert (cell["difficulty"], cell["problems"], cell["successes"]) == ("hard", 8, 8)
    assert for_pair(frame, "policy", None).empty


def test_rewards_on_questions_the_prm_was_trained_on_are_no_evidence(
    store: Store, grader: MathGrader
) -> None:
    feedback = FeedbackRecorder(store)
    remember(feedback, "one", BestOfN(4), note={PRM_TRAINED_ON: True})
    feedback.record_verdict("one", right=True)
    assert rows(store, grader).empty


def test_a_conversation_is_a_question_of_its_own(store: Store) -> None:
    feedback = FeedbackRecorder(store)
    said = ({"role": "user", "content": "Tom has 3."}, {"role": "assistant", "content": "Yes."})
    last = {"role": "user", "content": "And twice that?"}
    remember(feedback, "one", text="And twice that?", messages=(*said, last))
    feedback.record_verdict("one", right=True)
    [stored] = store.outcomes(store.runs()[0])
    assert stored.outcome.problem.text == "user: Tom has 3.\n\nassistant: Yes.\n\nAnd twice that?"


def test_other_sampling_is_not_of_one_kind_with_the_profile(store: Store) -> None:
    feedback = FeedbackRecorder(store)
    remember(feedback, "one")
    feedback.record_verdict("one", right=True)
    [spec] = store.runs()
    assert current_runs([spec]) == [spec]
    warmer = spec.settings | {"sampling": spec.settings["sampling"] | {"temperature": 1.0}}
    profile = dataclasses.replace(spec, kind="profile", settings=warmer)
    assert current_runs([spec, profile]) == [profile]
