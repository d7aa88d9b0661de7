"""How far one problem's right answers stand out from its wrong ones: what votes and PRMs live on.

Both are of a single problem, so that means over some problems say nothing of others.
"""

from __future__ import annotations

import numpy as np

from executor.strategy import Score
from profiling.pools.replay import Pool
from profiling.scorers.rewards import auc


def rival_share(pool: Pool) -> float:
    """Share of a pool's samples that give its most common wrong answer; 0 where none is wrong."""
    wrong = pool.answer_class[~pool.correct & (pool.answer_class >= 0)]
    return float(np.bincount(wrong).max() / len(pool)) if len(wrong) else 0.0


def separation(pool: Pool, score: Score) -> tuple[float, float]:
    """The AUC of a score within the problem, and its mean over right minus that over wrong samples.

    Both are NaN where no sample is right, none is wrong, or nothing was scored.
    """
    if not pool.scores or pool.correct.all() or not pool.correct.any():
        return float("nan"), float("nan")
    scores = pool.scores[score]
    gap = scores[pool.correct].mean() - scores[~pool.correct].mean()
    return auc(scores, pool.correct), float(gap)
