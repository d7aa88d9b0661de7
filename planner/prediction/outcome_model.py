"""The outcome model: P(correct) of a strategy in a cell, with its interval.

The model has two layers. A classifier learns from all cells and gives each cell, measured or not, a
prior mean. The outcomes of the cell then update a Beta prior with that mean; the weight of the
prior (in problems) is tuned. Cells with little evidence stay close to the classifier, cells with
much evidence close to their own outcomes. A policy or PRM without evidence gets a lighter prior,
tuned on policies and PRMs that were left out, and so a wider interval.
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
EDGE = 1e-3  # least distance of a prior mean from 0 and 1
_LEAST = (
    0.1  # least pseudo-count on either side of a prior; less would collapse intervals onto 0 or 1
)
TAUGHT_FROM = 80
"""Fewest problems of a policy from which others learn.

With 24 problems, what a model learnt overstates the recommended strategy more than formulas do,
because it knows little and rests on the same problems (`bench/coverage.py --only together`)."""
_PLAIN = 3.0  # weight, in problems, of the prior belief that outcomes are 0 or 1


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Hyperparameters of the outcome model, chosen by tuning.

    Attributes:
        family: `structural` (corrects the log odds of the structural prediction), `logistic` (both
            with pairwise interactions), or `boosting` (monotone in the features of `RISING`).
        strength: inverse regularisation of `structural` and `logistic`.
        learning_rate, leaves: of `boosting`.
        reward, theory: whether the model uses these groups of features; the structural family uses
            its offset in either case.
        prior_weight: weight of the classifier's prediction, in problems.
        transfer_weight: the same for a policy or PRM that the model was not fitted on.
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
    """Predict P(correct) of cells; fit on cells, or on one row per strategy and problem.

    The parameters are the fields of `Hyperparameters`, and `random_state`.

    Attributes:
        classifier_: the fitted scikit-learn estimator.
        pairs_: pairs of policy and PRM in the training data.
        others_: for each policy, the estimator fitted to the other policies, if these have evidence
            of at least `TAUGHT_FROM` problems; none until `learn_from_others` is called.
        teaches_: whether all evidence together has so many problems.
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
            X: columns that `features` reads; one row per cell, or per strategy and problem.
            y: expected correctness in [0, 1], shape `(rows,)`; a fraction counts as both outcomes,
                weighted.
            sample_weight: number of outcomes of each row, shape `(rows,)`; None means one.
        """
        self.names_ = NAMES
        inputs = features(X)[:, self._columns()]
        y = np.asarray(y, dtype=float)
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        if y.min() == y.max():
            # A classifier needs both outcomes, however small the weight of one.
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
        self.others_: dict[str, Any] = {}
        self.teaches_ = False
        return self

    def learn_from_others(self, cells: pd.DataFrame, least: int = TAUGHT_FROM) -> OutcomeModel:
        """Fit, for each policy, an estimator to the cells of the other policies.

        Args:
            cells: the cells that the model was fitted to.
            least: fewest problems of a policy from which others learn.
        """
        rows = cells["rows"].to_numpy(float)
        accuracy = cells["successes"].to_numpy(float) / rows
        problems = cells.groupby("policy")["problems"].max()
        self.teaches_ = bool(problems.max() >= least)
        for policy in map(str, problems.index):
            if not (problems.drop(policy) >= least).any():
                continue
            kept = (cells["policy"] != policy).to_numpy()
            other = OutcomeModel(**self.get_params())
            other.fit(cells[kept], accuracy[kept], rows[kept])
            self.others_[policy] = other.classifier_
        return self

    def expected_by_others(self, cells: pd.DataFrame) -> Floats | None:
        """Predict cells of one policy from the outcomes of other policies alone.

        Args:
            cells: columns that `features` reads.

        Returns:
            P(correct), shape `(cells,)`; None if the model has not learnt enough from others.
        """
        policy = str(cells["policy"].iloc[0])
        if policy in self.others_:
            estimator = self.others_[policy]
        elif not self.teaches_ or any(policy == known for known, _ in self.pairs_):
            return None
        else:
            estimator = self.classifier_
        return np.asarray(estimator.predict_proba(features(cells)[:, self._columns()])[:, 1])

    def predict_proba(self, X: pd.DataFrame) -> Floats:  # noqa: N803
        """Return P(wrong) and P(correct) by the classifier alone, shape `(rows, 2)`."""
        return np.asarray(self.classifier_.predict_proba(features(X)[:, self._columns()]))

    def posterior(self, cells: pd.DataFrame) -> tuple[Floats, Floats]:
        """Return the Beta parameters of each cell's accuracy, two arrays of shape `(cells,)`.

        Replayed expectations vary less between problems than outcomes of 0 and 1, so each counts
        for more than one problem (see `variation`).

        Args:
            cells: result of `planner.evidence.cells.cells` with the columns that
                `planner.prediction.features.describe` adds; `successes`, `squares` and `problems`
                may be 0.
        """
        return updated(self.predict_proba(cells)[:, 1], self.prior_weights(cells), cells)

    def prior_weights(self, cells: pd.DataFrame) -> Floats:
        """Return the prior weight of each cell in problems, shape `(cells,)`."""
        known = set(self.pairs_)
        seen = [pair in known for pair in zip(cells["policy"], cells["prm"], strict=True)]
        return np.where(seen, self.prior_weight, self.transfer_weight).astype(float)

    def _columns(self) -> list[int]:
        """Return the indices of the features in use."""
        left_out = {name for group in GROUPS if not getattr(self, group) for name in GROUPS[group]}
        if not self.theory and self.family != "structural":
            left_out.add(NAMES[OFFSET])
        own = getattr(self, "names_", NAMES)  # a model of an earlier version has fewer
        return [NAMES.index(name) for name in own if name not in left_out]

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
            # A row is a cell of many outcomes, so few rows make a leaf.
            min_samples_leaf=5,
            monotonic_cst=[int(NAMES[index] in RISING) for index in self._columns()],
            early_stopping=False,
            random_state=self.random_state,
        )


def updated(mean: Floats, weight: Floats, cells: pd.DataFrame) -> tuple[Floats, Floats]:
    """Update a Beta prior with the outcomes of each cell.

    Args:
        mean: prior mean, shape `(cells,)`.
        weight: prior weight in problems, shape `(cells,)`.
        cells: see `OutcomeModel.posterior`.

    Returns:
        The posterior parameters a and b, each of shape `(cells,)`.
    """
    edge = np.minimum(0.5, np.maximum(EDGE, _LEAST / weight))
    mean = np.clip(mean, edge, 1 - edge)
    # Several live runs of one problem count as one problem: they must not narrow the interval.
    problems = cells["problems"].to_numpy(float)
    share = problems / np.maximum(cells["rows"].to_numpy(float), 1)
    right = cells["successes"].to_numpy(float) * share
    varied = variation(cells, (weight * mean + right) / (weight + problems))
    right, problems = right / varied, problems / varied
    return weight * mean + right, weight * (1 - mean) + problems - right


def variation(cells: pd.DataFrame, mean: Floats) -> Floats:
    """Return the variance of accuracies over a cell's problems, relative to that of 0/1 outcomes.

    The value is 1 for outcomes of 0 and 1, and less for replayed expectations. It is shrunk toward
    1 with the weight of a few problems, because a small cell may look uniform by chance.

    Args:
        cells: columns `successes`, `squares` and `rows`.
        mean: believed accuracy, shape `(cells,)`.
    """
    rows = cells["rows"].to_numpy(float)
    successes, squares = (cells[name].to_numpy(float) for name in ("successes", "squares"))
    own = successes / np.maximum(rows, 1)
    plain = _PLAIN * mean * (1 - mean)
    about = squares - rows * own**2 + plain
    return np.asarray(np.clip(about / (rows * own * (1 - own) + plain), 1e-3, 1.0))
