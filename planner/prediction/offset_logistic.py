"""A logistic regression that starts from a known answer and learns only how to correct it."""

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
    """Inputs and all their products in pairs, but for those that never vary, standardised."""
    return make_pipeline(
        PolynomialFeatures(2, interaction_only=True, include_bias=False),
        VarianceThreshold(),
        StandardScaler(),
    )


class OffsetLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """log odds = a column of the input + intercept + weights on all pairwise interactions.

    The weights are pulled towards 0 (L2), so that without evidence the column alone speaks; in a
    plain regression they would be pulled towards a constant.

    Args:
        offset: which column holds the log odds to start from; it is a feature besides.
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
        """Shape `(rows, 2)`: P(0), P(1)."""
        odds = X[:, self.offset] + self.intercept_ + self.inputs_.transform(X) @ self.coef_
        right = expit(odds)
        return np.column_stack([1 - right, right])
