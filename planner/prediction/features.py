"""Features of a cell: the inputs of the outcome model for a policy, a PRM and a strategy.

The structural features are closed-form predictions (coverage, majority, best-of-N); the learned
model corrects them. Each is computed per problem and then averaged, because a mix of easy and hard
problems behaves differently from equal problems of the same mean.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import gammaln, ndtr, ndtri

from executor.strategy import STRATEGIES, WIDTH, from_key, voters
from planner.evidence.layout import UNKNOWN
from profiling.arrays import Floats
from profiling.pass_rate import ALL, LEVELS

_VOTES = ("majority", "max", "weighted")
_SCORES = ("min", "last", "mean", "prod")
_THEORY = ("expected_coverage", "expected_majority", "expected_best_of_n")

# Optional features, by group; every model has the others.
GROUPS = {"reward": ("prm_signal", "prm_gap"), "theory": _THEORY}
NAMES = (
    "log2_n", "log2_width", "logit_pass_at_1", *GROUPS["reward"], *_THEORY, "expected",
    *(f"difficulty_{level}" for level in LEVELS),
    *(f"strategy_{name}" for name in STRATEGIES),
    *(f"vote_{vote}" for vote in _VOTES),
    *(f"score_{score}" for score in _SCORES),
)  # fmt: skip
# Features that models of earlier versions do not have.
ADDED = ("strategy_short_m_of_k", "strategy_aggregate")
# Column of the log odds of the structural prediction for the cell's own strategy.
OFFSET = NAMES.index("expected")
# Accuracy cannot fall if one of these rises and the others stay; only the family `boosting`
# enforces it (`planner.prediction.outcome_model`). The budget is not among them: with a misleading
# PRM a larger budget lowers accuracy.
RISING = ("logit_pass_at_1", *GROUPS["reward"], *_THEORY, "expected")

# Gauss-Hermite nodes: exact enough for the smooth integrand at budgets up to 256.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
# Defaults without evidence: pass@1 of a half, half of the wrong answers agree, a PRM without
# signal.
_EVEN, _AGREEING, _USELESS = 0.5, 0.5, 0.5
_COUNTED = 16  # most samples of a majority whose votes are counted, not taken as normal
_FAR = 0.003  # least distance of a structural prediction from 0 and 1


def describe(cells: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Add to `cells` the columns about policy and PRM that `features` reads.

    Args:
        cells: columns `policy, prm, difficulty, strategy, name, n, score`.
        frame: evidence that describes policy and PRM; only pass@1 and the separation of scores
            (`profiling.scorers.separation`) are read, never an outcome.

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
        voting = np.array([float(_voters(each)) for each in part["strategy"]])
        signal = _signal(asked)
        if not len(weights):
            rates, rivals, weights = np.array([_EVEN]), np.array([np.nan]), np.ones(1)
        rivals = np.where(np.isnan(rivals), _AGREEING * (1 - rates), rivals)
        described.append(asked.assign(**_expected(rates, rivals, weights, signal, n, voting)))
    return pd.concat(described).loc[cells.index] if described else cells


_NOTHING = (np.empty(0), np.empty(0), np.empty(0))


def _problems(frame: pd.DataFrame) -> dict[tuple[str, str], tuple[Floats, Floats, Floats]]:
    """Return, by policy and difficulty (and `all`), distinct pass@1, rival shares and weights."""
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
    """Return, by policy, PRM and score, the mean AUC within a problem and the mean gap."""
    keys = ["policy", "prm", "score"]
    scored = frame[frame["prm"] != ""].drop_duplicates([*keys, "problem"])
    means = scored.groupby(keys)[["prm_auc_within", "prm_gap"]].mean()
    return {at: (auc, gap) for at, (auc, gap) in zip(means.index, means.to_numpy(), strict=True)}


def _signal(cells: pd.DataFrame) -> Floats:
    """Return d' of each cell's scores; 0 without a PRM or without evidence on it."""
    signal = binormal_signal(cells["prm_auc_within"].fillna(_USELESS).to_numpy(float))
    return np.where(cells["score"].to_numpy() == "", 0.0, signal)


@lru_cache(maxsize=4096)
def _voters(strategy: str) -> int:
    return voters(from_key(strategy))


def _expected(
    rates: Floats, rivals: Floats, weights: Floats, signal: Floats, n: Floats, voting: Floats
) -> dict[str, Floats]:
    """Return the structural predictions (coverage, majority, best-of-N) of each cell.

    A majority is that of the responses that vote (`voting`): of short-m@k as if length said nothing
    of correctness, of an aggregation as if its last population were samples.
    """
    result = {name: np.empty(len(n)) for name in _THEORY}
    kinds, cells = np.unique(np.column_stack([signal, n, voting]), axis=0, return_inverse=True)
    for index, (distance, size, votes) in enumerate(kinds):
        mine = cells.reshape(-1) == index
        alike = np.full_like(rates, size)
        best = best_of_n_accuracy(rates, np.full_like(rates, distance), alike)
        result["expected_coverage"][mine] = weights @ (1 - (1 - rates) ** size)
        result["expected_majority"][mine] = weights @ majority_accuracy(
            rates, rivals, np.full_like(rates, votes)
        )
        result["expected_best_of_n"][mine] = weights @ best
    return result


def features(cells: pd.DataFrame) -> Floats:
    """Return the feature matrix, shape `(cells, len(NAMES))`.

    Args:
        cells: result of `describe`, with columns `vote` and `width`. Options without a column
            (softmax temperature, confidence of an adaptive majority, rounds, and what votes by rank
            keep) have no feature.
    """
    rate = cells["pass_at_1"].fillna(_EVEN).to_numpy(float)
    name, score = cells["name"].to_numpy(), cells["score"].to_numpy()
    width = cells["width"].to_numpy(float)  # 0 for strategies that do not search
    theory = {what: _log_odds(cells[what].to_numpy(float)) for what in _THEORY}
    gap = np.where(score == "", 0.0, cells["prm_gap"].fillna(0.0).to_numpy(float))
    columns = [
        np.log2(cells["n"].to_numpy(float)),
        np.where(width > 0, np.log2(np.maximum(width, 1) / WIDTH), 0.0),
        _log_odds(rate),
        _signal(cells),
        gap,
        *theory.values(),
        _log_odds(expected(cells)),
        *((cells["difficulty"] == level).to_numpy(float) for level in LEVELS),
        *((name == known).astype(float) for known in STRATEGIES),
        *((cells["vote"] == vote).to_numpy(float) for vote in _VOTES),
        *((score == known).astype(float) for known in _SCORES),
    ]
    return np.column_stack(columns)


def expected(cells: pd.DataFrame) -> Floats:
    """Return the structural prediction for each cell's own strategy, shape `(cells,)`.

    That of a search is the prediction for best-of-N with the same PRM.

    Args:
        cells: result of `describe`.
    """
    rate = cells["pass_at_1"].fillna(_EVEN).to_numpy(float)
    name, score = cells["name"].to_numpy(), cells["score"].to_numpy()
    majority, best = (cells[f"expected_{what}"].to_numpy(float)
                      for what in ("majority", "best_of_n"))  # fmt: skip
    return np.select([name == "greedy", score == ""], [rate, majority], best)


def _log_odds(accuracy: Floats) -> Floats:
    inside = np.clip(accuracy, _FAR, 1 - _FAR)
    return np.asarray(np.log(inside / (1 - inside)))


def binormal_signal(auc: Floats) -> Floats:
    """Return d', the distance of right and wrong scores in standard deviations.

    Inverts AUC = Phi(d' / sqrt(2)).
    """
    return np.asarray(np.sqrt(2.0) * ndtri(np.clip(auc, 0.01, 0.99)))


def best_of_n_accuracy(rate: Floats, signal: Floats, n: Floats) -> Floats:
    """Return the expected accuracy of best-of-N under a binormal reward model.

    Scores are N(d', 1) for right and N(0, 1) for wrong samples. The best-scored of n samples is
    right with probability n p E[(p Phi(Z) + (1-p) Phi(Z + d'))^(n-1)], where Z ~ N(0, 1) is the
    standardised score of a right sample.

    Args:
        rate: pass@1, shape `(problems,)`.
        signal: d', shape `(problems,)`.
        n: samples, shape `(problems,)`.
    """
    z = _NODES[None, :]
    below = rate[:, None] * ndtr(z) + (1 - rate[:, None]) * ndtr(z + signal[:, None])
    weights = _WEIGHTS / np.sqrt(2 * np.pi)
    expected = (below ** (n[:, None] - 1)) @ weights
    return np.asarray(np.clip(n * rate * expected, 0.0, 1.0))


def majority_accuracy(rate: Floats, rival: Floats, n: Floats) -> Floats:
    """Return the expected accuracy of a majority of n samples.

    The right answer has the share p of the samples and its strongest rival the share q; all other
    answers differ from each other. Up to `_COUNTED` samples the trinomial probabilities of the two
    counts are summed, and answers with equal votes share the win. Beyond that only the rival
    counts: the difference of the votes is a sum of n independent terms of mean p - q and variance
    p + q - (p - q)^2, taken as normal.

    Args:
        rate: p, shape `(problems,)`.
        rival: q, shape `(problems,)`.
        n: samples, shape `(problems,)`.
    """
    lead = rate - rival
    spread = np.sqrt(np.maximum(rate + rival - lead**2, 1e-12))
    accuracy = np.where(rate + rival == 0, rate, ndtr(np.sqrt(n) * lead / spread))
    for size in np.unique(n[n <= _COUNTED]):
        mine = n == size
        accuracy[mine] = _counted_majority(rate[mine], rival[mine], int(size))
    return np.asarray(accuracy)


def _counted_majority(rate: Floats, rival: Floats, n: int) -> Floats:
    """Return the accuracy of a majority by the sum over both counts, shape `(problems,)`."""
    right, against = np.array([(a, b) for a in range(1, n + 1) for b in range(n - a + 1)]).T
    others = n - right - against
    winners = 1 + (right == against) + np.where(right == 1, others, 0)
    share = (right >= against) / winners
    ways = gammaln(n + 1) - gammaln(right + 1) - gammaln(against + 1) - gammaln(others + 1)
    rest = np.maximum(1 - rate - rival, 0.0)
    chance = np.exp(ways) * np.prod(
        [p[:, None] ** k for p, k in ((rate, right), (rival, against), (rest, others))], axis=0
    )
    return np.asarray(chance @ share)
