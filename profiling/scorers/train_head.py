"""Training of a reward head: an on-policy PRM that needs no more than a profile.

The head is linear in the policy's hidden states at step ends. The label of a step is the
correctness of its sample. Problems that a head was not trained on choose its layer, its objective
and its regularisation. The layers above the chosen one are removed, so the PRM is cheaper to run
than the policy.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from executor.errors import InputError
from executor.scorers.reward_head import Reads
from profiling.arrays import Bools, Floats, Ints
from profiling.scorers.rewards import RewardStatistics, auc_within, reward_statistics
from profiling.scorers.step_states import StepStates

_FOLDS = 5
_STRENGTHS = (1e-4, 1e-3, 1e-2)  # inverse regularisation on standardised features
_PAIRS = 64  # most pairs of a right and a wrong sample that one problem gives
States = NDArray[np.float32]


class Objective(StrEnum):
    """What a head is trained to tell apart."""

    POOLED = "pooled"  # right steps from wrong ones, whatever their problem
    PAIRWISE = "pairwise"  # the right of two samples of one problem from the wrong one


@dataclass(frozen=True, slots=True)
class Setting:
    """How a head may be trained.

    Attributes:
        layer: number of the policy's layers below the states.
        objective: what it is trained to tell apart.
        strength: inverse regularisation.
    """

    layer: int
    objective: Objective
    strength: float


@dataclass(frozen=True, slots=True)
class FittedHead:
    """A trained head: `P(right) = sigmoid(weight . state + intercept)`; see `StepStates`."""

    layers: int
    weight: Floats
    intercept: float
    statistics: RewardStatistics
    reads: Reads = Reads.AFTER
    objective: Objective = Objective.POOLED


def train_head(steps: StepStates, *, random_state: int = 0) -> FittedHead:
    """Choose a setting on held-out problems, then train on all problems.

    The setting with the highest AUC within a problem is chosen: a head with a low loss over all
    samples may know which problems are hard and nothing else, and is of no use to a vote. Without
    problems that have right and wrong samples, the lowest loss is.

    The statistics are those of last steps. Each problem is scored by a head that was neither
    trained nor chosen on its fold: choosing uses the other folds' held-out scores.

    Raises:
        InputError: there are fewer than two problems, or the samples are all right or all wrong.
    """
    if len(np.unique(steps.problem)) < 2 or len(np.unique(steps.correct)) < 2:
        raise InputError(
            "a reward head needs right and wrong samples of at least two problems; "
            "profile more problems, or some that the policy sometimes solves"
        )
    rng = np.random.default_rng(random_state)
    folds = _folds(steps, random_state)
    settings = [
        Setting(*chosen) for chosen in itertools.product(steps.states, Objective, _STRENGTHS)
    ]
    scores = {one: _out_of_fold(steps, one, folds, rng) for one in settings}
    last, correct, problem = steps.last, steps.correct[steps.last], steps.problem[steps.last]

    def chosen(among: Bools) -> Setting:
        """The best setting by the held-out scores of some last steps."""
        return max(
            settings,
            key=lambda one: _worth(scores[one][last][among], correct[among], problem[among]),
        )

    held_out = np.empty(int(last.sum()))
    for fold in range(_FOLDS):
        here = folds[last] == fold
        if here.any():
            held_out[here] = scores[chosen(~here)][last][here]
    best = chosen(np.ones_like(correct))
    weight, intercept = _fit(steps, best, np.ones_like(steps.last), rng)
    statistics = reward_statistics(held_out, correct, problem, random_state=random_state)
    return FittedHead(best.layer, weight, intercept, statistics, steps.reads, best.objective)


def _worth(scores: Floats, correct: Bools, problem: Ints) -> tuple[float, float]:
    """What is larger for the better setting: AUC within a problem, then minus the loss."""
    within = auc_within(scores, correct, problem)
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    likelihood = float(np.mean(np.where(correct, np.log(clipped), np.log(1 - clipped))))
    return (0.0 if math.isnan(within) else within, likelihood)


def _folds(steps: StepStates, random_state: int) -> Ints:
    """Return the fold of each step; a problem is in one fold."""
    from sklearn.model_selection import GroupKFold

    parts = min(_FOLDS, len(np.unique(steps.problem)))
    splits = GroupKFold(parts, shuffle=True, random_state=random_state).split(
        steps.problem, groups=steps.problem
    )
    fold = np.empty(len(steps.problem), dtype=np.int64)
    for number, (_, test) in enumerate(splits):
        fold[test] = number
    return fold


def _out_of_fold(
    steps: StepStates, setting: Setting, folds: Ints, rng: np.random.Generator
) -> Floats:
    """Return P(right) of each step by a head that was trained on the other folds."""
    scores = np.full(len(folds), float(steps.correct.mean()))
    for fold in np.unique(folds):
        test = folds == fold
        if len(np.unique(steps.correct[~test])) == 2:
            weight, intercept = _fit(steps, setting, ~test, rng)
            logits = steps.states[setting.layer][test] @ weight + intercept
            scores[test] = 1 / (1 + np.exp(-logits))
    return scores


def _fit(
    steps: StepStates, setting: Setting, among: Bools, rng: np.random.Generator
) -> tuple[Floats, float]:
    """Train on some steps; return weight and intercept for the states as they are."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    states, correct = steps.states[setting.layer][among], steps.correct[among]
    scaler = StandardScaler().fit(states)
    scaled = scaler.transform(states)
    pooled = LogisticRegression(C=setting.strength, max_iter=500)
    direction = None
    if setting.objective is Objective.PAIRWISE:
        direction = _pairwise(
            scaled[steps.last[among]], correct[steps.last[among]],
            steps.problem[among][steps.last[among]], setting.strength, rng,
        )  # fmt: skip
    if direction is None:
        pooled.fit(scaled, correct)
        weight, intercept = pooled.coef_[0], float(pooled.intercept_[0])
    else:
        weight, intercept = _calibrated(scaled, correct, direction)
    weight = weight / scaler.scale_
    return weight, float(intercept - weight @ scaler.mean_)


def _pairwise(
    states: Floats, correct: Bools, problem: Ints, strength: float, rng: np.random.Generator
) -> Floats | None:
    """Return the direction that tells the right sample of a pair; None without any pair.

    Logistic regression on differences of states within a problem (Bradley and Terry's model):
    P(i is the right one of i and j) = sigmoid(w . (x_i - x_j)). Every problem weighs the same.
    """
    from sklearn.linear_model import LogisticRegression

    pairs = [states[right] - states[wrong] for right, wrong in _pairs(correct, problem, rng)]
    if not pairs:
        return None
    differences = np.concatenate(pairs)
    weights = np.concatenate([np.full(len(one), _PAIRS / len(one)) for one in pairs])
    both = np.concatenate([differences, -differences])
    labels = np.repeat([True, False], len(differences))
    model = LogisticRegression(C=strength, max_iter=500, fit_intercept=False)
    model.fit(both, labels, sample_weight=np.tile(weights, 2))
    direction: Floats = model.coef_[0]
    return direction


def _pairs(correct: Bools, problem: Ints, rng: np.random.Generator) -> Iterator[tuple[Ints, Ints]]:
    """Yield the places of right and wrong samples, pair by pair, for each problem with both."""
    for one in np.unique(problem):
        right = np.flatnonzero((problem == one) & correct)
        wrong = np.flatnonzero((problem == one) & ~correct)
        count = len(right) * len(wrong)
        if count:
            drawn = rng.choice(count, size=min(count, _PAIRS), replace=False)
            yield right[drawn // len(wrong)], wrong[drawn % len(wrong)]


def _calibrated(states: Floats, correct: Bools, direction: Floats) -> tuple[Floats, float]:
    """Scale a direction, and add an intercept, so that its scores are chances (Platt 1999).

    If problems that are hard score higher, the scale would be negative and turn the order within
    problems around; then only the intercept is fitted.
    """
    from sklearn.linear_model import LogisticRegression

    scores = (states @ direction)[:, None]
    platt = LogisticRegression(C=1e6).fit(scores, correct)
    slope, intercept = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    if slope <= 0:
        rate = float(correct.mean())
        slope, intercept = 1.0, math.log(rate / (1 - rate)) - float(scores.mean())
    return slope * direction, intercept
