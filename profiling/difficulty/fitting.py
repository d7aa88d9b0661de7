"""Training of the difficulty estimator on pools of graded samples.

The trainer draws many random probe sets from the pool of each problem. Their target is the
problem's pass@1, of which only a posterior is known. The targets are therefore soft labels: the
posterior probability of each range of pass@1. A pool of 8 samples gives a softer label than a pool
of 256, and a problem near a threshold gets no wrong label.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import betainc
from sklearn.base import BaseEstimator
from sklearn.model_selection import KFold
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from executor.answers.grader import Grader
from profiling.arrays import Ints
from profiling.difficulty.estimator import (
    EDGES,
    LEVEL,
    RANGES,
    DifficultyModel,
    Floats,
    Head,
    Quality,
    classes,
    intervals,
    softmax,
    standardise,
)
from profiling.difficulty.probes import NAMES, Probes, features
from profiling.pass_rate import Difficulty, PassRate
from profiling.profiles.profiler import ProblemProfile
from profiling.scorers.rewards import calibration_error

PROBES = 4
LEAST_PROBLEMS = 3
_ITERATIONS = 150  # more of them improve the held-out loss by less than a thousandth of a nat
_HOTTEST = math.log(10.0)  # log of the largest temperature; the smallest is its inverse
_DIGITS = 6


class DifficultyEstimator(BaseEstimator):  # type: ignore[misc]
    """Estimator of P(easy), P(medium), P(hard) and an interval on pass@1 of questions.

    Prediction needs no reference answer. A row of X is a question with its samples (`Probes`); for
    fitting, the samples are the pool of a profile, and `fit` draws probe sets from it. A row of y
    is `(right samples, samples)`. Each problem is one row, so a split of rows is a split of
    problems. (`cross_val_predict` does not work with `predict_proba`: it treats y as labels and
    renames them.)

    Calibration uses folds of problems. It chooses a temperature by log loss, and the nominal level
    at which the predicted intervals cover `LEVEL` of held-out problems (nested conformal sets,
    Gupta, Kuchibhotla and Ramdas 2022, arXiv 1910.10562, with out-of-fold predictions instead of a
    split; the coverage is therefore close to `LEVEL` but not guaranteed to reach it). The reported
    quality is that of the whole procedure on problems that it was neither fitted nor calibrated on:
    a regression fitted to the other folds predicts each fold, and regressions that have seen
    neither this fold nor the fold they predict calibrate it.

    Args:
        probes: numbers of samples to fit a head for; 0 means the text alone.
        sets: number of probe sets drawn from each problem's pool.
        strength: inverse of the ridge penalty, relative to the number of problems (not of sets).
        folds: number of cross-validation folds.
        random_state: seed of probe sets and folds; an int, so that fits are reproducible.

    Attributes:
        model_: the fitted `DifficultyModel`.
        classes_: class names in the order of the columns of `predict_proba`, shape `(3,)`.
    """

    def __init__(
        self,
        probes: Sequence[int] = (0, PROBES),
        *,
        sets: int = 16,
        strength: float = 10.0,
        folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.probes = probes
        self.sets = sets
        self.strength = strength
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: Sequence[Probes], y: ArrayLike) -> Self:  # noqa: N803
        """Fit a head for each number of probes.

        Args:
            X: questions with their pools.
            y: right samples and samples of each question, shape `(questions, 2)`.

        Raises:
            ValueError: `probes` is empty, fewer than three problems have enough samples, or `y` has
                a wrong shape or impossible counts.
        """
        rates = _rates(X, y)
        if not self.probes:
            raise ValueError("probes is empty; expected at least one number of samples")
        # One thread fixes the order of summation, so that equal evidence gives equal numbers.
        with threadpool_limits(limits=1):
            heads = tuple(self._fit_head(X, rates, k) for k in sorted(set(self.probes)))
        self.model_ = DifficultyModel(heads, len(X))
        self.classes_ = np.array([level.value for level in Difficulty])
        return self

    def predict_proba(self, X: Sequence[Probes]) -> Floats:  # noqa: N803
        """Return P(class) of each question, shape `(questions, 3)`.

        The largest head that the samples suffice for reads the first samples of each question.
        """
        check_is_fitted(self)
        rows = [list(self.model_.estimate_probes(x).probabilities.values()) for x in X]
        return np.array(rows).reshape(len(X), len(Difficulty))

    def predict(self, X: Sequence[Probes]) -> NDArray[np.str_]:  # noqa: N803
        """Return the most probable class of each question, shape `(questions,)`."""
        class_index = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[class_index])

    def predict_interval(self, X: Sequence[Probes]) -> Floats:  # noqa: N803
        """Return the interval on pass@1 of each question, shape `(questions, 2)`."""
        check_is_fitted(self)
        return np.array([self.model_.estimate_probes(x).interval for x in X]).reshape(-1, 2)

    def score(self, X: Sequence[Probes], y: ArrayLike) -> float:  # noqa: N803
        """Return minus the log loss against the class posterior, in nats; higher is better."""
        return -log_loss(self.predict_proba(X), class_posterior(_rates(X, y)))

    def _fit_head(self, questions: Sequence[Probes], rates: Ints, k: int) -> Head:
        usable = [i for i, one in enumerate(questions) if len(one) >= k]
        if len(usable) < LEAST_PROBLEMS:
            raise ValueError(
                f"{len(usable)} problems have {k} samples; expected at least {LEAST_PROBLEMS}"
            )
        chosen = [questions[i] for i in usable]
        x, problem = self.probe_sets(chosen, k)
        right, samples = rates[usable][problem].T
        labels = posterior(right, samples, EDGES)
        fold = self._folds(len(chosen))[problem]
        folds = range(fold.max() + 1)
        base = np.empty((len(labels), len(Difficulty)))
        # logits[f] at sets of fold g come from a regression fitted without the folds f and g.
        logits = np.empty((len(folds), *labels.shape))
        for f, g in itertools.combinations_with_replacement(folds, 2):
            training = (fold != f) & (fold != g)
            fitted = _Regression.fit(x[training], labels[training], self._ridge(problem[training]))
            for one, other in {(f, g), (g, f)}:
                logits[one][fold == other] = fitted.logits(x[fold == other])
            if f == g:
                base[fold == f] = classes(labels[training].mean(axis=0, keepdims=True))
        ranges, ends = np.empty_like(labels), np.empty((len(labels), 2))
        for f in folds:
            test, others = fold == f, fold != f
            problems = len(np.unique(problem[others]))
            heat, nominal = _calibrated(logits[f][others], right[others], samples[others], problems)
            ranges[test] = softmax(logits[f][test] / heat)
            ends[test] = intervals(ranges[test], nominal)
        own = logits[fold, np.arange(len(fold))]
        heat, nominal = _calibrated(own, right, samples, len(chosen))
        final = _Regression.fit(x, labels, self._ridge(problem))
        return final.head(k, heat, nominal, quality(ranges, base, ends, right, samples))

    def probe_sets(self, questions: Sequence[Probes], k: int) -> tuple[Floats, Ints]:
        """Return features of random probe sets of `k` samples, and the question index of each set.

        The shapes are `(sets, len(NAMES))` and `(sets,)`.
        """
        rng = np.random.default_rng([self.random_state, k])
        # If sampling of a problem stopped early, the size of its pool depends on its outcomes. Sets
        # are therefore drawn from the first samples only, as many as every pool has.
        common = min(len(one) for one in questions)
        blocks = []
        for one in questions:
            # There is only one set of no samples, and only one set of all samples.
            sets = self.sets if 0 < k < common else 1
            order = rng.random((sets, common)).argsort(axis=1)
            blocks.append(features(one, order[:, :k]))
        problem = np.repeat(np.arange(len(questions)), [len(each) for each in blocks])
        return np.vstack(blocks), problem

    def _folds(self, problems: int) -> Ints:
        """Return the fold of each problem, shape `(problems,)`."""
        splitter = KFold(min(self.folds, problems), shuffle=True, random_state=self.random_state)
        fold = np.empty(problems, dtype=np.int64)
        for number, (_, test) in enumerate(splitter.split(fold)):
            fold[test] = number
        return fold

    def _ridge(self, problem: Ints) -> float:
        return float(1 / (self.strength * len(np.unique(problem))))


def fit_difficulty(
    profiles: Sequence[ProblemProfile],
    grader: Grader,
    *,
    probes: Sequence[int] = (0, PROBES),
    random_state: int = 0,
) -> DifficultyModel | None:
    """Fit the difficulty model of a profile.

    Args:
        profiles: problems with their samples.
        grader: decides which answers are equal.
        probes: numbers of samples to fit a head for.
        random_state: seed of probe sets and folds.

    Returns:
        The model; None if fewer than three problems have enough samples, or if all of these are of
        one class.
    """
    most = max(probes)
    usable = [one for one in profiles if len(one.outcome.samples) >= most]
    levels = {one.pass_rate.difficulty for one in usable}
    if len(usable) < LEAST_PROBLEMS or len(levels) < 2:
        return None
    questions = [Probes.of_profile(one, grader) for one in usable]
    counts = [(one.pass_rate.successes, one.pass_rate.trials) for one in usable]
    estimator = DifficultyEstimator(probes, random_state=random_state)
    return estimator.fit(questions, counts).model_


def posterior(right: ArrayLike, samples: ArrayLike, edges: Sequence[float]) -> Floats:
    """Return P(range of pass@1) under the posterior, shape `(problems, len(edges) - 1)`."""
    a, b = PassRate.parameters(np.asarray(right, dtype=float), np.asarray(samples, dtype=float))
    return np.diff(betainc(a[:, None], b[:, None], np.array(edges)[None, :]), axis=1)


def class_posterior(rates: Ints) -> Floats:
    """Return P(easy), P(medium), P(hard) for rows `(right, samples)`, shape `(problems, 3)`."""
    return classes(posterior(rates[:, 0], rates[:, 1], EDGES))


def log_loss(predicted: Floats, told: Floats) -> float:
    """Return the mean cross-entropy of predicted against target probabilities, in nats.

    Both have the shape `(rows, classes)`.
    """
    return float(-(told * np.log(np.clip(predicted, 1e-12, 1))).sum(axis=1).mean())


def quality(ranges: Floats, base: Floats, ends: Floats, right: Ints, samples: Ints) -> Quality:
    """Return the quality of held-out predictions; see `Quality`.

    Args:
        ranges: predicted probabilities of the ranges of pass@1, shape `(sets, RANGES)`.
        base: class probabilities by the base rate alone, shape `(sets, 3)`.
        ends: intervals on pass@1, shape `(sets, 2)`.
        right, samples: right samples and samples of each set's problem, shape `(sets,)`.
    """
    predicted, labels = classes(ranges), classes(posterior(right, samples, EDGES))
    errors = [calibration_error(predicted[:, c], labels[:, c]) for c in range(len(Difficulty))]
    return Quality(
        log_loss=log_loss(predicted, labels),
        base_log_loss=log_loss(base, labels),
        accuracy=float(np.mean(predicted.argmax(axis=1) == labels.argmax(axis=1))),
        calibration_error=float(np.mean(errors)),
        coverage=coverage(ends, right, samples),
        width=float((ends[:, 1] - ends[:, 0]).mean()),
        confusion=confusion(predicted, labels),
    )


def confusion(predicted: Floats, told: Floats) -> tuple[tuple[float, ...], ...]:
    """Return P(predicted class | class), shape `(3, 3)`.

    A question counts for each class with the posterior probability of this class.
    """
    assigned = np.eye(len(Difficulty))[predicted.argmax(axis=1)]
    counts = told.T @ assigned
    rows = counts / counts.sum(axis=1, keepdims=True)
    return tuple(_rounded(row) for row in rows)


class _Regression:
    """Multinomial logistic regression on soft labels, without constant or empty columns."""

    def __init__(self, at: Ints, mean: Floats, scale: Floats, weights: Floats) -> None:
        self._at, self._mean, self._scale = at, mean, scale
        self._weights = weights  # shape (RANGES, features + 1); the intercepts come last

    @classmethod
    def fit(cls, x: Floats, labels: Floats, ridge: float) -> _Regression:
        """Minimise the mean cross-entropy plus `ridge` / 2 times the squared weights.

        Args:
            x: features, shape `(sets, len(NAMES))`.
            labels: soft labels, shape `(sets, RANGES)`.
            ridge: penalty; intercepts are exempt.
        """
        has_values = ~np.isnan(x).all(axis=0)
        at = np.flatnonzero(has_values)
        scale = np.nanstd(x[:, at], axis=0)
        varied = scale > 1e-9
        at, scale = at[varied], scale[varied]
        mean = np.nanmean(x[:, at], axis=0) if len(at) else np.zeros(0)
        design = np.hstack([standardise(x[:, at], mean, scale), np.ones((len(x), 1))])

        def objective(flat: Floats) -> tuple[float, Floats]:
            weights = flat.reshape(RANGES, -1)
            logits = design @ weights.T
            logits -= logits.max(axis=1, keepdims=True)
            norms = np.log(np.exp(logits).sum(axis=1, keepdims=True))
            slope = (np.exp(logits - norms) - labels).T @ design / len(x)
            slope[:, :-1] += ridge * weights[:, :-1]
            loss = -(labels * (logits - norms)).sum() / len(x)
            return float(loss + ridge / 2 * (weights[:, :-1] ** 2).sum()), slope.ravel()

        start = np.zeros(RANGES * design.shape[1])
        options = {"maxiter": _ITERATIONS}
        result = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
        return cls(at, mean, scale, result.x.reshape(RANGES, -1))

    def logits(self, x: Floats) -> Floats:
        """Return logits of the ranges of pass@1, shape `(questions, RANGES)`."""
        scaled = standardise(x[:, self._at], self._mean, self._scale)
        return np.asarray(scaled @ self._weights[:, :-1].T + self._weights[:, -1])

    def head(self, probes: int, heat: float, nominal: float, quality: Quality) -> Head:
        """Return a head of rounded plain numbers whose weights include the temperature."""
        weights = self._weights / heat
        return Head(
            probes=probes,
            features=tuple(NAMES[i] for i in self._at),
            mean=_rounded(self._mean),
            scale=_rounded(self._scale),
            weights=tuple(_rounded(row) for row in weights[:, :-1]),
            intercepts=_rounded(weights[:, -1]),
            nominal=nominal,
            quality=quality,
        )


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)


def _rates(questions: Sequence[Probes], y: ArrayLike) -> Ints:
    counts = np.asarray(y)
    if counts.shape != (len(questions), 2):
        raise ValueError(
            f"y has the shape {counts.shape}; expected ({len(questions)}, 2): a row "
            "(right samples, samples) for each question"
        )
    for right, samples in counts.tolist():
        PassRate(right, samples)  # raises ValueError if the counts are impossible
    return counts


def _calibrated(logits: Floats, right: Ints, samples: Ints, problems: int) -> tuple[float, float]:
    """Return the temperature and the nominal level, from predictions for held-out problems."""
    heat = _temperature(logits, class_posterior(np.column_stack([right, samples])))
    return heat, _nominal(softmax(logits / heat), right, samples, problems)


def _temperature(logits: Floats, labels: Floats) -> float:
    """Return the temperature of least held-out class log loss (Guo et al. 2017, Sec. 4.2)."""

    def loss(log_heat: float) -> float:
        return log_loss(classes(softmax(logits / math.exp(log_heat))), labels)

    result: Any = minimize_scalar(loss, bounds=(-_HOTTEST, _HOTTEST), method="bounded")
    return math.exp(float(result.x))


def coverage(ends: Floats, right: Ints, samples: Ints) -> float:
    """Return the mean posterior probability that pass@1 lies in its interval.

    For the arguments see `quality`.
    """
    a, b = PassRate.parameters(right.astype(float), samples.astype(float))
    return float(np.mean(betainc(a, b, ends[:, 1]) - betainc(a, b, ends[:, 0])))


def _nominal(ranges: Floats, right: Ints, samples: Ints, problems: int) -> float:
    """Return the smallest nominal level, to three digits, whose intervals cover `LEVEL`.

    As in conformal prediction, the intervals must cover ceil((n + 1) LEVEL) of n problems; if this
    is more than n, the level is 1 and the interval is [0, 1].
    """
    needed = math.ceil((problems + 1) * LEVEL - 1e-9) / problems
    grid = np.arange(1, 1001) / 1000
    low, high = 0, len(grid) - 1  # coverage grows with the level, hence bisection
    while low < high:
        middle = (low + high) // 2
        if coverage(intervals(ranges, float(grid[middle])), right, samples) >= needed:
            high = middle
        else:
            low = middle + 1
    return float(grid[low])
