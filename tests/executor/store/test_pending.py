"""Answers that wait to be told right or wrong: kept whole, and within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.ledger import Ledger
from executor.outcome import Outcome
from executor.problem import Problem
from executor.store.pending import Bounds, Pending
from executor.store.store import Store

RUN = {"kind": "feedback", "policy": "p", "prm": None, "settings": {"seed": 0, "strategy": {}}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


def answer(name: str, text: str = "What is x?") -> Pending:
    ledger = Ledger(prompt=9, generated=40, prm=8, spared=2)
    outcome = Outcome(Problem(name, text), "7", None, None, (), ledger, 1.5, frozenset({"prm"}))
    return Pending(name, RUN, outcome)


def names(store: Store, *asked: str) -> list[str]:
    return [name for name in asked if store.find_pending(name, Bounds()) is not None]


def test_an_answer_comes_back_as_it_was(store: Store) -> None:
    assert store.find_pending("one", Bounds()) is None
    store.keep_pending([answer("one", "\u00e9 \U0001f600?"), answer("two")], Bounds())
    assert store.find_pending("one", Bounds()) == answer("one", "\u00e9 \U0001f600?")
    assert store.find_pending("three", Bounds()) is None
    assert store.runs() == []


def test_of_one_name_the_newest_counts(store: Store) -> None:
    store.keep_pending([answer("one", "first?")], Bounds())
    store.keep_pending([answer("one", "second?")], Bounds())
    found = store.find_pending("one", Bounds())
    assert found is not None and found.outcome.problem.text == "second?"


def test_of_more_answers_the_oldest_go(store: Store) -> None:
    for batch in (("a", "b"), ("c",), ("d", "e")):
        store.keep_pending([answer(name) for name in batch], Bounds(answers=3))
    assert names(store, *"abcde") == ["c", "d", "e"]


def test_of_more_bytes_the_oldest_go(store: Store) -> None:
    store.keep_pending([answer(name, "x" * 1000) for name in "abcde"], Bounds(size=4200))
    assert names(store, *"abcde") == ["c", "d", "e"]  # each has some 300 bytes besides
    store.keep_pending([answer("f", "x" * 5000)], Bounds(size=4200))
    assert names(store, *"abcdef") == []


def test_what_is_too_old_is_neither_found_nor_kept(store: Store) -> None:
    store.keep_pending([answer("one")], Bounds())
    assert store.find_pending("one", Bounds(days=-1)) is None
    assert names(store, "one") == ["one"]
    store.keep_pending([], Bounds(days=-1))
    assert names(store, "one") == []
