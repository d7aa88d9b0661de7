"""The gain of a PRM's votes: paired by problem, with a note that names a PRM that hurts."""

from __future__ import annotations

import pandas as pd
import pytest

from executor.answers.voting import Vote
from executor.strategy import BestOfN, Majority, Score, Strategy
from planner.choice.scorer_verdict import LEAST_PROBLEMS, vote_gain, vote_note
from planner.evidence.bundled import bundled_rows
from planner.evidence.comparable import for_pair
from planner.notes import Note, NoteCode
from profiling.laboratory.catalog import POLICIES, prms_of
from profiling.scorers.rewards import Verdict
from tests.helpers.evidence_frames import frame_of, row


def weighted(n: int, score: Score = Score.LAST) -> BestOfN:
    return BestOfN(n, score, Vote.WEIGHTED)


def evidence_of(accuracies: dict[Strategy, list[float]]) -> pd.DataFrame:
    return frame_of(
        [
            row(strategy, f"p{index}", accuracy)
            for strategy, each in accuracies.items()
            for index, accuracy in enumerate(each)
        ]
    )


PLAIN = [0.1 * (i % 8) for i in range(20)]


@pytest.mark.parametrize(
    ("by", "verdict"), [(0.2, Verdict.HELPS), (-0.1, Verdict.HURTS), (0.0, Verdict.UNKNOWN)]
)
def test_a_weighted_vote_is_compared_on_the_same_problems(by: float, verdict: Verdict) -> None:
    """The problems vary far more than the difference: only pairing shows it."""
    frame = evidence_of({Majority(16): PLAIN, weighted(16): [p + by for p in PLAIN]})
    found = vote_gain(frame, "prm")
    assert found is not None
    assert found.difference.value == pytest.approx(by)
    assert (found.samples, found.problems, found.verdict) == (16, 20, verdict)
    one = found.difference
    assert vote_note(one, found.samples, "prm") == Note.of(
        NoteCode.VOTE_GAIN, prm="prm", samples=16, difference=one.value, low=one.low, high=one.high
    )


def test_the_budget_nearest_to_the_stated_one_is_taken() -> None:
    frame = evidence_of(
        {kind: PLAIN for n in (1, 4, 64) for kind in (Majority(n), weighted(n))}
        | {Majority(16): PLAIN, weighted(16, Score.MIN): PLAIN}
    )
    found = vote_gain(frame, "prm")
    assert found is not None and found.samples == 4


def test_nothing_is_said_without_a_prm_votes_or_enough_problems() -> None:
    frame = evidence_of({Majority(16): PLAIN, weighted(16): PLAIN})
    assert vote_gain(frame, None) is None
    assert vote_gain(evidence_of({Majority(16): PLAIN}), "prm") is None
    few = PLAIN[: LEAST_PROBLEMS - 1]
    assert vote_gain(evidence_of({Majority(16): few, weighted(16): few}), "prm") is None


def test_the_strong_prms_help_in_the_bundled_evidence() -> None:
    frame = bundled_rows()
    for policy in POLICIES:
        prm = prms_of(policy)["strong"]
        found = vote_gain(for_pair(frame, policy, prm), prm)
        assert found is not None and found.verdict is Verdict.HELPS
