"""Which evidence can be compared: strategies of one policy and PRM on the same problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from executor.strategy import Strategy, key
from planner.evidence.gathering import FEEDBACK
from planner.notes import Note, NoteCode

MIN_SHARED = 5  # problems; fewer cannot be compared on at all
ENOUGH = 30  # problems that are worth comparing on, though others were run on many more


@dataclass(frozen=True, slots=True)
class Comparable:
    """Rows of one policy and PRM whose strategies can be compared.

    Attributes:
        rows: evidence.
        problems: how many problems the policy was asked, with this PRM where it was asked of many.
        left_out: strategies that were run on too few of these, and on how many.
    """

    rows: pd.DataFrame
    problems: int
    left_out: Mapping[str, int]

    def notes(self) -> Iterator[Note]:
        """Notes on strategies that were left out, and on the problems of the comparison."""
        if self.left_out:
            yield Note.of(
                NoteCode.RUN_ON_TOO_FEW,
                strategies=tuple(self.left_out.items()),
                problems=self.problems,
            )
        shared = int(self.rows["problem"].nunique())
        if shared < self.problems:
            yield Note.of(NoteCode.COMPARED_ON_SHARED, shared=shared, problems=self.problems)


def comparable(frame: pd.DataFrame, policy: str, prm: str | None) -> Comparable:
    """The rows a plan for this policy and PRM may rest on: its own, and those without a PRM.

    With a PRM, only problems that have evidence with it count. Strategies are compared on the
    problems all of them were run on, where these are at least `MIN_SHARED`: not one on easy and
    another on hard ones; so feedback, which is of one strategy a question, is left to the outcome
    model. What was run on fewer than `ENOUGH` problems and on less than a quarter of
    them (a measurement under way) does not make all others rest on these few: it is left out.
    """
    rows = frame[(frame["policy"] == policy) & (frame["source"] != FEEDBACK)]
    left_out: dict[str, int] = {}
    plain, scored = rows[rows["prm"] == ""], rows[rows["prm"] == (prm or "")]
    if prm is None:
        rows = plain
    elif scored.empty:
        rows = scored
    elif _too_few(scored["problem"].nunique(), plain["problem"].nunique()):
        left_out |= _problems_of(scored)
        rows = plain
    else:
        rows = pd.concat([plain[plain["problem"].isin(set(scored["problem"]))], scored])
        rows = rows.sort_index()
    asked, counts = rows["problem"].nunique(), _problems_of(rows)
    few = {name: count for name, count in counts.items() if _too_few(count, asked)}
    rows = rows[~rows["strategy"].isin(few)]
    shared = shared_problems(rows)
    if len(shared) >= MIN_SHARED:
        rows = rows[rows["problem"].isin(shared)]
    return Comparable(rows, asked, left_out | few)


def for_pair(frame: pd.DataFrame, policy: str, prm: str | None) -> pd.DataFrame:
    """The rows of `comparable`."""
    return comparable(frame, policy, prm).rows


def _too_few(problems: int, of: int) -> bool:
    return problems < min(ENOUGH, of / 4)


def _problems_of(rows: pd.DataFrame) -> dict[str, int]:
    """How many problems each strategy was run on."""
    counts = rows.groupby("strategy")["problem"].nunique()
    return {str(name): int(count) for name, count in counts.items()}


def shared_problems(rows: pd.DataFrame) -> set[str]:
    """The problems that every strategy in `rows` was run on."""
    by_strategy = [set(group) for _, group in rows.groupby("strategy")["problem"]]
    return set.intersection(*by_strategy) if by_strategy else set()


def paired_accuracies(rows: pd.DataFrame, strategies: Sequence[Strategy]) -> NDArray[np.float64]:
    """Accuracies on the problems that all of these were run on, shape `(problems, strategies)`."""
    names = [key(strategy) for strategy in strategies]
    means = rows.groupby(["problem", "strategy"])["accuracy"].mean()
    return np.asarray(means.unstack().reindex(columns=names).dropna(), dtype=float)
