"""Separation of right from wrong answers within one problem, by votes and by PRM scores.

Each statistic uses a single problem, so a mean over some problems leaks nothing about others.
"""

from __future__ import annotations

import numpy as np

from executor.strategy import Score
from profiling.pools.replay import Pool
from profiling.scorers.rewards import auc


def rival_share(pool: Pool) -> float:
    """Return the share of samples with the most common wrong answer; 0 if none is wrong."""
    wrong = pool.answer_class[~pool.correct & (pool.answer_class >= 0)]
    return float(np.bincount(wrong).max() / len(pool)) if len(wrong) else 0.0


def separation(pool: Pool, score: Score) -> tuple[float, float]:
    """Return the AUC of a score within the problem, and the gap of its means.

    The gap is the mean score of right samples minus that of wrong samples. Both values are NaN if
    no sample is right, no sample is wrong, or the pool has no scores.
    """
    if not pool.scores or pool.correct.all() or not pool.correct.any():
        return float("nan"), float("nan")
    scores = pool.scores[score]
    gap = scores[pool.correct].mean() - scores[~pool.correct].mean()
    return auc(scores, pool.correct), float(gap)
