"""Logistic regression with an offset: learns a correction to given log odds."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_selection import VarianceThreshold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from profiling.arrays import Floats


def interactions() -> Pipeline:
    """Return a pipeline of inputs and pairwise products, standardised; constant columns are
    dropped."""
    return make_pipeline(
        PolynomialFeatures(2, interaction_only=True, include_bias=False),
        VarianceThreshold(),
        StandardScaler(),
    )


class OffsetLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Model log odds as an input column + intercept + weights on all pairwise interactions.

    L2 regularisation shrinks the weights to 0, so without evidence the prediction is the column
    itself; a plain logistic regression would shrink to a constant.

    Args:
        offset: index of the column that holds the initial log odds; it is a feature too.
        C: inverse regularisation strength, as in scikit-learn's logistic regression.
    """

    def __init__(self, offset: int = 0, C: float = 1.0) -> None:  # noqa: N803
        self.offset = offset
        self.C = C

    def fit(
        self,
        X: Floats,  # noqa: N803
        y: Floats,
        sample_weight: Floats | None = None,
    ) -> OffsetLogistic:
        """Fit on inputs of shape `(rows, features)` and outcomes in [0, 1], shape `(rows,)`."""
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        self.inputs_ = interactions()
        # Weights in units of their prior's standard deviation: well conditioned for any C.
        z, start = self.inputs_.fit_transform(X) * np.sqrt(self.C), X[:, self.offset]

        def loss(parameters: Floats) -> tuple[float, Floats]:
            weights = parameters[1:]
            odds = start + parameters[0] + z @ weights
            value = float(weight @ (np.logaddexp(0.0, odds) - y * odds))
            slope = weight * (expit(odds) - y)
            gradient = np.concatenate([[slope.sum()], z.T @ slope + weights])
            return value + float(weights @ weights) / 2, gradient

        found = minimize(
            loss, np.zeros(z.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500}
        )
        self.intercept_, self.coef_ = found.x[0], found.x[1:] * np.sqrt(self.C)
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: Floats) -> Floats:  # noqa: N803
        """Return P(0) and P(1), shape `(rows, 2)`."""
        odds = X[:, self.offset] + self.intercept_ + self.inputs_.transform(X) @ self.coef_
        right = expit(odds)
        return np.column_stack([1 - right, right])
