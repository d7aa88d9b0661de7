"""Features of a cell: what the outcome model knows of a policy, a PRM and a strategy.

Structural features say what theory expects; the learned model corrects them rather than starting
from nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from executor.strategy import STRATEGIES
from profiling.passrate import Difficulty

Floats = NDArray[np.float64]

_VOTES = ("majority", "max", "weighted")
_SCORES = ("min", "last", "mean", "prod")
_LEVELS = (*(level.value for level in Difficulty), "all")
NAMES = (
    "log2_n", "logit_pass_at_1", "prm_signal", "expected_coverage", "expected_best_of_n",
    *(f"difficulty_{level}" for level in _LEVELS),
    *(f"strategy_{name}" for name in STRATEGIES),
    *(f"vote_{vote}" for vote in _VOTES),
    *(f"score_{score}" for score in _SCORES),
)  # fmt: skip

# Gauss-Hermite nodes: exact enough for the smooth integrand at budgets up to 256.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)


def features(cells: pd.DataFrame) -> Floats:
    """Shape `(cells, len(NAMES))`.

    Args:
        cells: columns `difficulty, name, n, score, vote, pass_at_1, prm_auc`; the last two are
            means over the cell's problems and may be NaN where nothing is known.
    """
    n = cells["n"].to_numpy(float)
    rate = cells["pass_at_1"].fillna(0.5).to_numpy(float).clip(0.01, 0.99)
    greedy = (cells["name"] == "greedy").to_numpy()
    signal = binormal_signal(cells["prm_auc"].fillna(0.5).to_numpy(float))
    signal = np.where(cells["score"].to_numpy() == "", 0.0, signal)
    columns = [
        np.log2(n),
        np.log(rate / (1 - rate)),
        signal,
        np.where(greedy, rate, 1 - (1 - rate) ** n),
        best_of_n_accuracy(rate, signal, n),
        *((cells["difficulty"] == level).to_numpy(float) for level in _LEVELS),
        *((cells["name"] == name).to_numpy(float) for name in STRATEGIES),
        *((cells["vote"] == vote).to_numpy(float) for vote in _VOTES),
        *((cells["score"] == score).to_numpy(float) for score in _SCORES),
    ]
    return np.column_stack(columns)


def binormal_signal(auc: Floats) -> Floats:
    """Distance d' of right and wrong scores, in standard deviations: AUC = Phi(d' / sqrt(2))."""
    return np.asarray(np.sqrt(2.0) * ndtri(np.clip(auc, 0.01, 0.99)))


def best_of_n_accuracy(rate: Floats, signal: Floats, n: Floats) -> Floats:
    """Expected accuracy of best-of-n where scores are N(d', 1) if right and N(0, 1) if wrong.

    The best is right with probability n p E[(p Phi(Z) + (1-p) Phi(Z + d'))^(n-1)], Z ~ N(0, 1)
    being the standardised score of a right sample. All arguments of shape `(cells,)`.
    """
    z = _NODES[None, :]
    below = rate[:, None] * ndtr(z) + (1 - rate[:, None]) * ndtr(z + signal[:, None])
    weights = _WEIGHTS / np.sqrt(2 * np.pi)
    expected = (below ** (n[:, None] - 1)) @ weights
    return np.asarray(np.clip(n * rate * expected, 0.0, 1.0))
