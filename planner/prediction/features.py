"""Features of a cell: what the outcome model knows of a policy, a PRM and a strategy.

Structural features say what theory expects of the problems at hand; the learned model corrects
them rather than starting from nothing. Theory is asked of every problem and then averaged: a cell
whose problems differ is not a cell of equal problems of the same mean.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from executor.strategy import STRATEGIES, WIDTH
from planner.evidence.gathering import UNKNOWN
from profiling.arrays import Floats
from profiling.difficulty.pass_rate import ALL, LEVELS

_VOTES = ("majority", "max", "weighted")
_SCORES = ("min", "last", "mean", "prod")
_THEORY = ("expected_coverage", "expected_majority", "expected_best_of_n")

# Features that a model may do without; the others it always has.
GROUPS = {"reward": ("prm_signal", "prm_gap"), "theory": _THEORY}
NAMES = (
    "log2_n", "log2_width", "logit_pass_at_1", *GROUPS["reward"], *_THEORY, "expected",
    *(f"difficulty_{level}" for level in LEVELS),
    *(f"strategy_{name}" for name in STRATEGIES),
    *(f"vote_{vote}" for vote in _VOTES),
    *(f"score_{score}" for score in _SCORES),
)  # fmt: skip
# Log odds of the accuracy that theory expects of the cell's own strategy.
OFFSET = NAMES.index("expected")
# Accuracy cannot fall where these rise and all else stays; of the families only `boosting` is held
# to that (`planner.prediction.outcome_model`). The budget is not among them: with a PRM that
# misleads, or a search that goes wrong, more of it is worse.
RISING = ("logit_pass_at_1", *GROUPS["reward"], *_THEORY, "expected")

# Gauss-Hermite nodes: exact enough for the smooth integrand at budgets up to 256.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
# Where nothing is known: even odds, half of what is wrong agrees, and a PRM that tells nothing.
_EVEN, _AGREEING, _USELESS = 0.5, 0.5, 0.5
_FAR = 0.003  # no expected accuracy is nearer to 0 or 1


def describe(cells: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """`cells` with what `features` wants to know of their policies and PRMs.

    Args:
        cells: columns `policy, prm, difficulty, name, n, score`.
        frame: evidence whose problems say what policy and PRM are like; their outcomes are not
            looked at, only pass@1 and what `profiling.scorers.separation` found in pools.

    Returns:
        A copy with the columns `pass_at_1`, `prm_auc_within` and `prm_gap` (means over problems of
        the policy and difficulty, of the policy and score), and the three expected accuracies.
    """
    about = _problems(frame)
    separations = _separations(frame)
    described = []
    for at, part in cells.groupby(["policy", "difficulty"], sort=False):
        rates, rivals, weights = about.get((str(at[0]), str(at[1])), _NOTHING)
        keys = zip(part["policy"], part["prm"], part["score"], strict=True)
        found = [separations.get(key, (np.nan, np.nan)) for key in keys]
        within = np.array([auc for auc, _ in found])
        asked = part.assign(
            pass_at_1=weights @ rates if len(weights) else np.nan,
            prm_auc_within=within,
            prm_gap=np.array([gap for _, gap in found]),
        )
        n = part["n"].to_numpy(float)
        signal = _signal(asked)
        if not len(weights):
            rates, rivals, weights = np.array([_EVEN]), np.array([np.nan]), np.ones(1)
        rivals = np.where(np.isnan(rivals), _AGREEING * (1 - rates), rivals)
        described.append(asked.assign(**_expected(rates, rivals, weights, signal, n)))
    return pd.concat(described).loc[cells.index] if described else cells


_NOTHING = (np.empty(0), np.empty(0), np.empty(0))


def _problems(frame: pd.DataFrame) -> dict[tuple[str, str], tuple[Floats, Floats, Floats]]:
    """By policy and difficulty (and `all`): distinct pass@1 and rival shares, and their weights."""
    known = frame[(frame["difficulty"] != UNKNOWN) & frame["pass_at_1"].notna()]
    known = known.drop_duplicates(["policy", "problem"])
    both = pd.concat([known, known.assign(difficulty=ALL)], ignore_index=True)
    found = {}
    for at, part in both.groupby(["policy", "difficulty"]):
        pairs = part[["pass_at_1", "rival"]].to_numpy(float)
        distinct, counts = np.unique(pairs.round(6), axis=0, return_counts=True)
        found[str(at[0]), str(at[1])] = (distinct[:, 0], distinct[:, 1], counts / counts.sum())
    return found


def _separations(frame: pd.DataFrame) -> dict[tuple[str, str, str], tuple[float, float]]:
    """By policy, PRM and score: means over problems of the AUC within them, and of the gap."""
    keys = ["policy", "prm", "score"]
    scored = frame[frame["prm"] != ""].drop_duplicates([*keys, "problem"])
    means = scored.groupby(keys)[["prm_auc_within", "prm_gap"]].mean()
    return {at: (auc, gap) for at, (auc, gap) in zip(means.index, means.to_numpy(), strict=True)}


def _signal(cells: pd.DataFrame) -> Floats:
    """Distance d' of each cell's scores; 0 where no PRM is asked or nothing is known of it."""
    signal = binormal_signal(cells["prm_auc_within"].fillna(_USELESS).to_numpy(float))
    return np.where(cells["score"].to_numpy() == "", 0.0, signal)


def _expected(
    rates: Floats, rivals: Floats, weights: Floats, signal: Floats, n: Floats
) -> dict[str, Floats]:
    """What theory expects of so many problems: coverage, majority and best-of-n, by cell."""
    result = {name: np.empty(len(n)) for name in _THEORY}
    kinds, cells = np.unique(np.column_stack([signal, n]), axis=0, return_inverse=True)
    for index, (distance, size) in enumerate(kinds):
        mine = cells.reshape(-1) == index
        alike = np.full_like(rates, size)
        best = best_of_n_accuracy(rates, np.full_like(rates, distance), alike)
        result["expected_coverage"][mine] = weights @ (1 - (1 - rates) ** size)
        result["expected_majority"][mine] = weights @ majority_accuracy(rates, rivals, alike)
        result["expected_best_of_n"][mine] = weights @ best
    return result


def features(cells: pd.DataFrame) -> Floats:
    """Shape `(cells, len(NAMES))`.

    Args:
        cells: as `describe` returns them, with `vote` and `width` besides; options that no column
            has (a softmax's temperature, a vote's confidence) are not seen.
    """
    rate = cells["pass_at_1"].fillna(_EVEN).to_numpy(float)
    name, score = cells["name"].to_numpy(), cells["score"].to_numpy()
    width = cells["width"].to_numpy(float)  # 0 of what is no search
    theory = {what: _log_odds(cells[what].to_numpy(float)) for what in _THEORY}
    # A search is expected to do as well as choosing the best whole response with its PRM.
    expected = np.select(
        [name == "greedy", score == ""],
        [_log_odds(rate), theory["expected_majority"]],
        theory["expected_best_of_n"],
    )
    gap = np.where(score == "", 0.0, cells["prm_gap"].fillna(0.0).to_numpy(float))
    columns = [
        np.log2(cells["n"].to_numpy(float)),
        np.where(width > 0, np.log2(np.maximum(width, 1) / WIDTH), 0.0),
        _log_odds(rate),
        _signal(cells),
        gap,
        *theory.values(),
        expected,
        *((cells["difficulty"] == level).to_numpy(float) for level in LEVELS),
        *((name == known).astype(float) for known in STRATEGIES),
        *((cells["vote"] == vote).to_numpy(float) for vote in _VOTES),
        *((score == known).astype(float) for known in _SCORES),
    ]
    return np.column_stack(columns)


def _log_odds(accuracy: Floats) -> Floats:
    inside = np.clip(accuracy, _FAR, 1 - _FAR)
    return np.asarray(np.log(inside / (1 - inside)))


def binormal_signal(auc: Floats) -> Floats:
    """Distance d' of right and wrong scores, in standard deviations: AUC = Phi(d' / sqrt(2))."""
    return np.asarray(np.sqrt(2.0) * ndtri(np.clip(auc, 0.01, 0.99)))


def best_of_n_accuracy(rate: Floats, signal: Floats, n: Floats) -> Floats:
    """Expected accuracy of best-of-n where scores are N(d', 1) if right and N(0, 1) if wrong.

    The best is right with probability n p E[(p Phi(Z) + (1-p) Phi(Z + d'))^(n-1)], Z ~ N(0, 1)
    being the standardised score of a right sample. All arguments of shape `(problems,)`.
    """
    z = _NODES[None, :]
    below = rate[:, None] * ndtr(z) + (1 - rate[:, None]) * ndtr(z + signal[:, None])
    weights = _WEIGHTS / np.sqrt(2 * np.pi)
    expected = (below ** (n[:, None] - 1)) @ weights
    return np.asarray(np.clip(n * rate * expected, 0.0, 1.0))


def majority_accuracy(rate: Floats, rival: Floats, n: Floats) -> Floats:
    """Expected accuracy of a majority of n: the right answer against its strongest rival.

    Their votes differ by a sum of n independent terms of mean p - q and variance
    p + q - (p - q)^2, taken as normal; third answers are left out. Exact for n = 1 (p), and where
    nothing is answered (p = q = 0).
    All arguments of shape `(problems,)`.
    """
    lead = rate - rival
    spread = np.sqrt(np.maximum(rate + rival - lead**2, 1e-12))
    exact = (n == 1) | (rate + rival == 0)
    return np.asarray(np.where(exact, rate, ndtr(np.sqrt(n) * lead / spread)))
