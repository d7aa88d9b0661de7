"""The outcome model: P(correct) of a strategy in a cell, with an honest interval.

Two layers. A classifier learns from all cells at once and gives every cell, measured or not, a
prior mean. The cell's own outcomes then update a Beta prior of that mean whose weight (in problems)
is tuned too: cells with little evidence lean on the model, well measured ones on themselves. A
policy or PRM that nothing was measured with has a lighter prior, of the weight that left out ones
had: its intervals are wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from planner.prediction.features import GROUPS, NAMES, OFFSET, RISING, features
from planner.prediction.offset_logistic import OffsetLogistic, interactions
from profiling.arrays import Floats

FAMILIES = ("structural", "logistic", "boosting")
EDGE = 1e-3  # no prior mean is nearer to 0 or 1
_LEAST = 0.1  # right or wrong problems in any prior; with less, intervals close on 0 or 1 at once
_PLAIN = 3.0  # problems' worth of belief that outcomes vary as right-or-wrong ones do


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What tuning chooses.

    Attributes:
        family: `structural` (corrects the log odds that theory expects), `logistic` (both with
            pairwise interactions), or `boosting` (monotone where theory says so).
        strength: inverse regularisation of `structural` and `logistic`.
        learning_rate, leaves: of `boosting`.
        reward, theory: whether the model looks at these groups of features; the structural one
            starts from what theory expects either way.
        prior_weight: problems' worth of evidence the classifier's prediction counts for.
        transfer_weight: the same where policy or PRM are new to the model.
    """

    family: str = "structural"
    strength: float = 0.05
    learning_rate: float = 0.1
    leaves: int = 8
    reward: bool = True
    theory: bool = True
    prior_weight: float = 10.0
    transfer_weight: float = 4.0


class OutcomeModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts P(correct) for cells; fits on cells or on one row a strategy and problem.

    Parameters are those of `Hyperparameters`, and `random_state`.

    Attributes:
        classifier_: the fitted scikit-learn estimator.
        pairs_: the policies and PRMs it was fitted on.
    """

    def __init__(
        self,
        family: str = "structural",
        strength: float = 0.05,
        learning_rate: float = 0.1,
        leaves: int = 8,
        reward: bool = True,
        theory: bool = True,
        prior_weight: float = 10.0,
        transfer_weight: float = 4.0,
        random_state: int = 0,
    ) -> None:
        self.family = family
        self.strength = strength
        self.learning_rate = learning_rate
        self.leaves = leaves
        self.reward = reward
        self.theory = theory
        self.prior_weight = prior_weight
        self.transfer_weight = transfer_weight
        self.random_state = random_state

    def fit(
        self,
        X: pd.DataFrame,  # noqa: N803
        y: Floats,
        sample_weight: Floats | None = None,
    ) -> OutcomeModel:
        """Fit on evidence.

        Args:
            X: columns as `features` wants them, one row a cell, or a strategy and problem.
            y: shape `(rows,)`, expected correctness in [0, 1]; a fraction counts as both outcomes
                with their weights.
            sample_weight: shape `(rows,)`, how many outcomes each row stands for; None: one.
        """
        inputs = features(X)[:, self._columns()]
        y = np.asarray(y, dtype=float)
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        if y.min() == y.max():
            # All right or all wrong: a classifier needs both outcomes, however light one is.
            y = y.clip(EDGE, 1 - EDGE)
        self.classifier_ = self._estimator()
        if self.family == "structural":
            self.classifier_.fit(inputs, y, weight)
        else:
            rows = np.vstack([inputs, inputs])
            labels = np.repeat([1, 0], len(y))
            weights = np.concatenate([weight * y, weight * (1 - y)])
            kept = weights > 0
            step = "logisticregression__" if self.family == "logistic" else ""
            self.classifier_.fit(
                rows[kept], labels[kept], **{f"{step}sample_weight": weights[kept]}
            )
        self.pairs_ = sorted(set(zip(X["policy"], X["prm"], strict=True)))
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: pd.DataFrame) -> Floats:  # noqa: N803
        """Shape `(rows, 2)`: P(wrong), P(correct), from the classifier alone."""
        return np.asarray(self.classifier_.predict_proba(features(X)[:, self._columns()]))

    def posterior(self, cells: pd.DataFrame) -> tuple[Floats, Floats]:
        """Beta parameters of each cell's accuracy, shapes `(cells,)`.

        Outcomes count for as many problems as right-or-wrong ones would have to be to say as much:
        replayed expectations vary less from problem to problem (see `variation`).

        Args:
            cells: as `planner.evidence.gathering.cells` gives them and
                `planner.prediction.features.describe` adds to them; `successes`, `squares` and
                `problems` may be 0.
        """
        return updated(self.predict_proba(cells)[:, 1], self.prior_weights(cells), cells)

    def prior_weights(self, cells: pd.DataFrame) -> Floats:
        """Right-or-wrong problems that a prediction weighs in `posterior`, shape `(cells,)`."""
        known = set(self.pairs_)
        seen = [pair in known for pair in zip(cells["policy"], cells["prm"], strict=True)]
        return np.where(seen, self.prior_weight, self.transfer_weight).astype(float)

    def _columns(self) -> list[int]:
        """Which features it looks at."""
        left_out = {name for group in GROUPS if not getattr(self, group) for name in GROUPS[group]}
        if not self.theory and self.family != "structural":
            left_out.add(NAMES[OFFSET])
        return [index for index, name in enumerate(NAMES) if name not in left_out]

    def _estimator(self) -> Any:
        if self.family == "structural":
            return OffsetLogistic(self._columns().index(OFFSET), self.strength)
        if self.family == "logistic":
            regression = LogisticRegression(C=self.strength, solver="newton-cholesky", max_iter=200)
            return make_pipeline(interactions(), regression)
        return HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.leaves,
            max_iter=100,
            # Rows are cells, each of many outcomes: a few make a leaf.
            min_samples_leaf=5,
            monotonic_cst=[int(NAMES[index] in RISING) for index in self._columns()],
            early_stopping=False,
            random_state=self.random_state,
        )


def updated(mean: Floats, weight: Floats, cells: pd.DataFrame) -> tuple[Floats, Floats]:
    """Beta parameters of a prior of this mean and weight, and a cell's own outcomes.

    Args:
        mean, weight: of each prior, shape `(cells,)`.
        cells: as of `OutcomeModel.posterior`.
    """
    edge = np.minimum(0.5, np.maximum(EDGE, _LEAST / weight))
    mean = np.clip(mean, edge, 1 - edge)
    # Several live runs of one problem are not several problems: the interval must not shrink.
    problems = cells["problems"].to_numpy(float)
    share = problems / np.maximum(cells["rows"].to_numpy(float), 1)
    right = cells["successes"].to_numpy(float) * share
    varied = variation(cells, (weight * mean + right) / (weight + problems))
    right, problems = right / varied, problems / varied
    return weight * mean + right, weight * (1 - mean) + problems - right


def variation(cells: pd.DataFrame, mean: Floats) -> Floats:
    """How much accuracies vary over a cell's problems, the variance of right-or-wrong ones being 1.

    1 for outcomes of 0 and 1; less for expectations, of which each says more. The estimate is drawn
    towards 1 by a few problems' worth, since a small cell may look alike by chance.

    Args:
        cells: columns `successes`, `squares` and `rows`.
        mean: shape `(cells,)`, what the accuracy is believed to be.
    """
    rows = cells["rows"].to_numpy(float)
    successes, squares = (cells[name].to_numpy(float) for name in ("successes", "squares"))
    own = successes / np.maximum(rows, 1)
    plain = _PLAIN * mean * (1 - mean)
    about = squares - rows * own**2 + plain
    return np.asarray(np.clip(about / (rows * own * (1 - own) + plain), 1e-3, 1.0))
