"""The gain of a PRM's votes over plain ones, so that a recommendation can name a PRM that hurts.

Evidence rows have no rewards, but a vote weighted by a PRM and a plain one on the same problems.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from executor.answers.voting import Vote
from executor.strategy import BestOfN, Majority, Score, key
from planner.notes import Note, NoteCode
from profiling.scorers.rewards import VOTES_AT, Estimate, Verdict, mean_over_problems, verdict_of

LEAST_PROBLEMS = 10  # on fewer, resampling problems says nothing of how they vary


@dataclass(frozen=True, slots=True)
class VoteGain:
    """Accuracy of a vote weighted by last-step rewards minus a plain one's, paired by problem."""

    difference: Estimate
    samples: int
    problems: int

    @property
    def verdict(self) -> Verdict:
        """As far as votes alone show it."""
        return verdict_of(None, self.difference)


def vote_gain(rows: pd.DataFrame, prm: str | None) -> VoteGain | None:
    """The difference at the budget nearest to `VOTES_AT` that both votes have evidence of.

    None where there is no such budget, or too few problems that have both.

    Args:
        rows: evidence on a policy and its PRM, see `planner.evidence.comparable.for_pair`.
        prm: the PRM's name.
    """
    if prm is None:
        return None
    wide = rows.pivot_table(index="problem", columns="strategy", values="accuracy")
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
    """A note on whether a vote weighted by a PRM beats a plain one.

    Args:
        difference: accuracy of the weighted vote minus that of the plain one.
        samples: of either vote.
        prm: the PRM's name.
    """
    return Note.of(
        NoteCode.VOTE_GAIN,
        prm=prm,
        samples=samples,
        difference=difference.value,
        low=difference.low,
        high=difference.high,
    )
