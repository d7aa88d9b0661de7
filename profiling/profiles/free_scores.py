"""Profiles with the scores that a free scorer gives their stored samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from profiling.profiles.profiler import ProblemProfile
from profiling.scorers.free import can_score, scored_free


def scored_freely(profiles: Iterable[ProblemProfile], scorer: str) -> list[ProblemProfile]:
    """Return the profiles that hold what a free scorer needs, as it scores their samples."""
    found = []
    for one in profiles:
        samples = one.outcome.samples
        if can_score(samples, scorer, one.outcome.problem):
            ledger = replace(one.outcome.ledger, prm=0, prm_cached=0)
            scored = replace(one.outcome, samples=scored_free(samples, scorer), ledger=ledger)
            found.append(replace(one, outcome=scored))
    return found
