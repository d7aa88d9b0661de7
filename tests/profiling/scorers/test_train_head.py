"""A head is chosen by what it knows within a problem, on states whose meaning is known."""

from __future__ import annotations

import numpy as np
import pytest

from executor.errors import InputError
from profiling.scorers.step_states import StepStates
from profiling.scorers.train_head import FittedHead, Objective, train_head

PROBLEMS, SAMPLES = 40, 8
EASE, RIGHT, NOISE = range(3)  # what the first features say; the others are noise
LEVELS, KNOWS = 4, 8  # numbers of layers: one knows how hard a problem is, one what is right


def steps(*, ease: float = 3.0, right: float = 1.0, confounded: float = 0.0) -> StepStates:
    """One step a sample. Problems differ in their pass rate.

    Args:
        ease: how plainly the lower layer tells easy problems from hard ones.
        right: how plainly the upper layer tells right samples from wrong ones.
        confounded: how much the upper layer's feature falls with the pass rate of the problem.
    """
    rng = np.random.default_rng(3)
    problem = np.repeat(np.arange(PROBLEMS), SAMPLES)
    rate = rng.uniform(0.1, 0.9, PROBLEMS)[problem]
    correct = rng.random(len(problem)) < rate
    lower = rng.standard_normal((len(problem), 6)).astype(np.float32)
    upper = rng.standard_normal((len(problem), 6)).astype(np.float32)
    lower[:, EASE] += ease * (rate - 0.5) * 4
    upper[:, RIGHT] += right * correct - confounded * rate
    return StepStates(
        {LEVELS: lower, KNOWS: upper}, correct, problem, np.ones(len(problem), dtype=np.bool_)
    )


def test_a_layer_that_knows_hard_problems_is_not_chosen_over_one_that_knows_right_answers() -> None:
    """Over all samples the lower layer tells more; within a problem it tells nothing."""
    made = train_head(steps())
    assert made.layers == KNOWS
    assert int(np.argmax(np.abs(made.weight))) == RIGHT and made.weight[RIGHT] > 0
    # P(x_i > x_j) for unit normals one apart is Phi(1 / sqrt 2) = 0.76.
    within = made.statistics.auc_within
    assert within.low < 0.76 < within.high + 0.05


def test_pairs_are_not_misled_by_what_differs_between_problems() -> None:
    """Right samples score higher in every problem, and hard problems score higher still."""
    made = train_head(steps(ease=0.0, right=0.6, confounded=6.0))
    assert (made.layers, made.objective) == (KNOWS, Objective.PAIRWISE)
    assert made.weight[RIGHT] > 0
    assert made.statistics.auc_within.value > 0.55


def test_statistics_of_a_head_that_knows_nothing_say_so() -> None:
    """A dozen settings are tried on noise, and none may look good for having been chosen."""
    found = [
        train_head(_shuffled(seed), random_state=seed).statistics.auc_within.value
        for seed in range(6)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.04)


def _shuffled(seed: int) -> StepStates:
    rng, made = np.random.default_rng(seed), steps(ease=0.0, right=0.0)
    states = {layer: rng.permutation(one) for layer, one in made.states.items()}
    return StepStates(states, made.correct, made.problem, made.last)


def test_its_chances_are_calibrated() -> None:
    made = train_head(steps(right=1.5))
    assert _chances(made).mean() == pytest.approx(steps().correct.mean(), abs=0.03)
    assert made.statistics.calibration_error < 0.15  # 320 samples in ten bins are a few points off


def _chances(made: FittedHead) -> np.ndarray:
    states = steps(right=1.5).states[made.layers]
    return np.asarray(1 / (1 + np.exp(-(states @ made.weight + made.intercept))))


def test_the_same_seed_trains_the_same_head() -> None:
    first, again = train_head(steps()), train_head(steps())
    assert np.array_equal(first.weight, again.weight) and first.intercept == again.intercept


@pytest.mark.parametrize("kept", ["one problem", "right alone"])
def test_samples_that_tell_nothing_are_refused(kept: str) -> None:
    made = steps()
    some = made.problem == 0 if kept == "one problem" else made.correct
    states = {layer: one[some] for layer, one in made.states.items()}
    with pytest.raises(InputError, match="right and wrong samples of at least two problems"):
        train_head(StepStates(states, made.correct[some], made.problem[some], made.last[some]))


def test_without_a_problem_that_has_both_kinds_the_loss_chooses() -> None:
    made = steps(ease=5.0)
    correct = (made.problem % 2).astype(np.bool_)
    made.states[LEVELS][:, EASE] = np.where(correct, 1.0, -1.0)
    assert train_head(StepStates(made.states, correct, made.problem, made.last)).layers == LEVELS
