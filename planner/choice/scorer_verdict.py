"""The gain of PRM-weighted votes over plain ones, so that a recommendation can name a bad PRM.

Evidence rows hold no rewards, but they hold the weighted and the plain vote on the same problems.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from executor.answers.voting import Vote
from executor.strategy import BestOfN, Majority, Score, key
from planner.evidence.cells import rows_of
from planner.notes import Note, NoteCode
from profiling.pass_rate import ALL
from profiling.scorers.rewards import VOTES_AT, Estimate, Verdict, mean_over_problems, verdict_of

LEAST_PROBLEMS = 10  # with fewer, resampling does not estimate the variance over problems


@dataclass(frozen=True, slots=True)
class VoteGain:
    """Accuracy of the vote weighted by last-step rewards minus that of the plain vote.

    Attributes:
        difference: mean difference over problems, with its interval.
        samples: budget of either vote.
        problems: number of problems that have both votes.
    """

    difference: Estimate
    samples: int
    problems: int

    @property
    def verdict(self) -> Verdict:
        """The verdict on the PRM that the votes alone support."""
        return verdict_of(None, self.difference)


def vote_gain(rows: pd.DataFrame, prm: str | None) -> VoteGain | None:
    """Return the gain at the budget nearest to `VOTES_AT` at which both votes have evidence.

    Args:
        rows: evidence of a policy and its PRM (`planner.evidence.comparable.for_pair`).
        prm: name of the PRM; None means no PRM.

    Returns:
        None without a PRM, or if no budget has `LEAST_PROBLEMS` problems with both votes.
    """
    if prm is None:
        return None
    wide = rows_of(rows, ALL).pivot_table(index="problem", columns="strategy", values="accuracy")
    budgets = []
    for n in sorted(set(rows["n"]), key=lambda n: (abs(n - VOTES_AT), n)):
        names = [key(BestOfN(int(n), Score.LAST, Vote.WEIGHTED)), key(Majority(int(n)))]
        if n > 1 and set(names) <= set(wide.columns):
            budgets.append((int(n), wide[names].dropna()))
    for n, both in budgets:
        if len(both) >= LEAST_PROBLEMS:
            differences = (both.iloc[:, 0] - both.iloc[:, 1]).to_numpy(float)
            return VoteGain(mean_over_problems(differences), n, len(both))
    return None


def vote_note(difference: Estimate, samples: int, prm: str) -> Note:
    """Return the note on whether the vote weighted by a PRM beats the plain one.

    Args:
        difference: accuracy of the weighted vote minus that of the plain one.
        samples: budget of either vote.
        prm: name of the PRM.
    """
    return Note.of(
        NoteCode.VOTE_GAIN,
        prm=prm,
        samples=samples,
        difference=difference.value,
        low=difference.low,
        high=difference.high,
    )
