"""Comparable evidence: strategies of one policy and PRM on the same problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from executor.strategy import Strategy, key
from planner.evidence.layout import FEEDBACK, REPLAYED, UNKNOWN
from planner.notes import Note, NoteCode
from profiling.pools.class_part import samples_for

MIN_SHARED = 5  # least number of shared problems of a comparison
ENOUGH = 30  # number of problems that suffices for a comparison, however many others were run on


@dataclass(frozen=True, slots=True)
class Comparable:
    """Rows of one policy and PRM whose strategies can be compared.

    Attributes:
        rows: the rows of evidence.
        problems: number of problems that the policy was run on; only those with this PRM count, if
            there are enough of them.
        left_out: number of problems of each strategy that was left out because it was run on too
            few.
    """

    rows: pd.DataFrame
    problems: int
    left_out: Mapping[str, int]

    def notes(self) -> Iterator[Note]:
        """Yield notes on strategies that were left out, and on the problems of the comparison."""
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
    """Return the rows for a plan of this policy and PRM: rows with this PRM and without a PRM.

    With a PRM, only problems that have evidence with it count. Strategies are compared on the
    problems that all of them were run on, if there are at least `MIN_SHARED`; otherwise one could
    be judged on easy and another on hard problems. Feedback has one strategy per question, so only
    the outcome model uses it. A strategy that was run on fewer than `ENOUGH` problems and on less
    than a quarter of all (an unfinished measurement) is left out, because it would reduce the
    comparison to its few problems.
    """
    rows = frame[(frame["policy"] == policy) & (frame["source"] != FEEDBACK)]
    left_out: dict[str, int] = {}
    plain, scored = rows[rows["prm"] == ""], rows[rows["prm"] == (prm or "")]
    if prm is None:
        rows = plain
    elif scored.empty:
        rows = scored
    elif too_few(scored["problem"].nunique(), plain["problem"].nunique()):
        left_out |= _problems_of(scored)
        rows = plain
    else:
        rows = pd.concat([plain[plain["problem"].isin(set(scored["problem"]))], scored])
        rows = rows.sort_index()
    asked, counts = rows["problem"].nunique(), _problems_of(rows)
    few = {name: count for name, count in counts.items() if too_few(count, asked)}
    rows = rows[~rows["strategy"].isin(few)]
    shared = shared_problems(rows)
    if len(shared) >= MIN_SHARED:
        rows = rows[rows["problem"].isin(shared)]
    return Comparable(rows, asked, left_out | few)


def for_pair(frame: pd.DataFrame, policy: str, prm: str | None) -> pd.DataFrame:
    """Return the rows of `comparable`."""
    return comparable(frame, policy, prm).rows


def too_few(problems: int, of: int) -> bool:
    """Whether so many problems are too few for a comparison on `of` problems."""
    return problems < min(ENOUGH, of / 4)


def _problems_of(rows: pd.DataFrame) -> dict[str, int]:
    """Return the number of problems that each strategy was run on."""
    counts = rows.groupby("strategy")["problem"].nunique()
    return {str(name): int(count) for name, count in counts.items()}


def shared_problems(rows: pd.DataFrame) -> set[str]:
    """Return the problems that every strategy in `rows` was run on."""
    counts = rows.groupby("problem")["strategy"].nunique()
    return set(counts.index[counts == rows["strategy"].nunique()])


def of_all_only(rows: pd.DataFrame, budget: int | None = None) -> Iterator[Note]:
    """Yield a note if replayed budgets are known for all problems together, in no difficulty.

    The samples that give a problem its difficulty are not replayed in it, so a pool replays larger
    budgets for all problems than in a difficulty.

    Args:
        rows: evidence of a policy and PRM.
        budget: largest budget of interest; None: no limit.
    """
    classed = rows["difficulty"] != UNKNOWN
    rated = rows["problem"].isin(rows["problem"][classed])
    only = rated & ~rows["strategy"].isin(rows["strategy"][classed])
    found = {int(n) for n in rows["n"][only & (rows["source"] == REPLAYED)]}
    budgets = tuple(sorted(n for n in found if budget is None or n <= budget))
    if budgets:
        yield Note.of(
            NoteCode.BUDGETS_OF_ALL_ONLY, budgets=budgets, samples=samples_for(budgets[-1])
        )


def paired_accuracies(rows: pd.DataFrame, strategies: Sequence[Strategy]) -> NDArray[np.float64]:
    """Return accuracies on the problems of all strategies, shape `(problems, strategies)`."""
    names = [key(strategy) for strategy in strategies]
    means = rows.groupby(["problem", "strategy"])["accuracy"].mean()
    return np.asarray(means.unstack().reindex(columns=names).dropna(), dtype=float)
