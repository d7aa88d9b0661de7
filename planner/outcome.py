"""The outcome model: P(correct) of a strategy in a cell, with an honest interval.

Two layers. A classifier learns from all cells at once and gives every cell, measured or not, a
prior mean. The cell's own outcomes then update a Beta prior of that mean whose weight (in problems)
is tuned too: cells with little evidence lean on the model, well measured ones on themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from planner.features import features

Floats = NDArray[np.float64]
_EDGE = 1e-3  # no prior mean is nearer to 0 or 1
_LEAST = 0.1  # right or wrong problems in any prior; with less, intervals close on 0 or 1 at once


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What tuning chooses.

    Attributes:
        family: `logistic` (pairwise interactions) or `boosting`.
        strength: inverse regularisation of `logistic`.
        learning_rate, leaves: of `boosting`.
        prior_weight: problems' worth of evidence the classifier's prediction counts for.
    """

    family: str = "logistic"
    strength: float = 0.05
    learning_rate: float = 0.1
    leaves: int = 8
    prior_weight: float = 10.0


class OutcomeModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts P(correct) for cells; fits on one row a strategy and problem.

    Parameters are those of `Hyperparameters`, and `random_state`.

    Attributes:
        classifier_: the fitted scikit-learn pipeline.
    """

    def __init__(
        self,
        family: str = "logistic",
        strength: float = 0.05,
        learning_rate: float = 0.1,
        leaves: int = 8,
        prior_weight: float = 10.0,
        random_state: int = 0,
    ) -> None:
        self.family = family
        self.strength = strength
        self.learning_rate = learning_rate
        self.leaves = leaves
        self.prior_weight = prior_weight
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Floats) -> OutcomeModel:  # noqa: N803
        """Fit on evidence.

        Args:
            X: columns as `features` wants them, one row a strategy and problem.
            y: shape `(rows,)`, expected correctness in [0, 1]; a fraction counts as both outcomes
                with their weights.
        """
        inputs = features(X)
        y = np.asarray(y, dtype=float)
        if y.min() == y.max():
            # All right or all wrong: a classifier needs both outcomes, however light one is.
            y = y.clip(_EDGE, 1 - _EDGE)
        rows = np.vstack([inputs, inputs])
        labels = np.repeat([1, 0], len(y))
        weights = np.concatenate([y, 1 - y])
        kept = weights > 0
        name = "logisticregression" if self.family == "logistic" else None
        self.classifier_ = self._pipeline()
        key = f"{name}__sample_weight" if name else "sample_weight"
        self.classifier_.fit(rows[kept], labels[kept], **{key: weights[kept]})
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: pd.DataFrame) -> Floats:  # noqa: N803
        """Shape `(rows, 2)`: P(wrong), P(correct), from the classifier alone."""
        return np.asarray(self.classifier_.predict_proba(features(X)))

    def posterior(self, cells: pd.DataFrame) -> tuple[Floats, Floats]:
        """Beta parameters of each cell's accuracy, shapes `(cells,)`.

        Args:
            cells: as `planner.evidence.cells` gives them; `successes` and `problems` may be 0.
        """
        edge = min(0.5, max(_EDGE, _LEAST / self.prior_weight))
        mean = self.predict_proba(cells)[:, 1].clip(edge, 1 - edge)
        right = cells["successes"].to_numpy(float)
        # Several live runs of one problem are not several problems: the interval must not shrink.
        share = cells["problems"].to_numpy(float) / np.maximum(cells["rows"].to_numpy(float), 1)
        right, problems = right * share, cells["problems"].to_numpy(float)
        return self.prior_weight * mean + right, self.prior_weight * (1 - mean) + problems - right

    def _pipeline(self) -> Any:
        if self.family == "logistic":
            return make_pipeline(
                PolynomialFeatures(2, interaction_only=True, include_bias=False),
                StandardScaler(),
                LogisticRegression(C=self.strength, max_iter=2000),
            )
        return HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.leaves,
            max_iter=100,
            random_state=self.random_state,
        )
