"""Choosers: what they choose, what they are fitted to, and how they are judged."""

from __future__ import annotations

import numpy as np
import pytest

from executor.strategy import BeamSearch, Greedy, Majority
from planner.plans.chooser import PROBE, Chooser, Stage
from planner.plans.chooser_fitting import Choices, fit, judge
from profiling.difficulty.probes import NAMES

RNG = np.random.default_rng(0)
COUNT, DRAWS = 200, 3
AGREEMENT, WORDS = NAMES.index("agreement"), NAMES.index("log_words")


def choices(gain: float = 0.05) -> Choices:
    """Questions that four probes tell apart: if they agree, all is right; else a search helps.

    The text tells nothing.
    """
    solved = RNG.random(COUNT) < 0.5
    text = np.full((COUNT, len(NAMES)), np.nan)
    text[:, WORDS] = RNG.normal(size=COUNT)
    probed = np.repeat(text[:, None, :], DRAWS, axis=1)
    probed[..., AGREEMENT] = np.where(solved, 1.0, 0.25)[:, None]
    vote, search = solved.astype(float), np.where(solved, 1.0, gain)
    return Choices(
        (Majority(4), BeamSearch(64)), (Majority(4), BeamSearch(64)), text, probed,
        np.column_stack([vote, search]),
        np.repeat(np.column_stack([vote, search])[:, None, :], DRAWS, axis=1),
        np.array([4.0, 64.0]), np.array([4.0, 68.0]), 4,
    )  # fmt: skip


def test_probes_that_agree_end_the_question_and_others_are_searched() -> None:
    given = choices()
    accuracy, cost = judge(given)
    assert accuracy.mean() == pytest.approx(given.accuracy[:, 1].mean())
    assert cost.mean() == pytest.approx(36.0, abs=5.0)  # half of them stop at 4, half pay 68
    made = fit(given, float(accuracy.mean()), float(cost.mean()))
    [first] = set(made.before.choose(given.text).tolist())
    assert made.before.options[first] is PROBE
    x = np.full((2, len(NAMES)), np.nan)
    x[:, AGREEMENT] = 1.0, 0.25
    assert [made.after.options[i] for i in made.after.choose(x)] == [Majority(4), BeamSearch(64)]


def test_a_search_that_gains_nothing_is_not_paid_for() -> None:
    accuracy, cost = judge(choices(gain=0.0))
    assert cost.max() == 4.0
    assert accuracy.mean() == pytest.approx(0.5, abs=0.1)


def test_a_chooser_is_read_as_it_was_written() -> None:
    made = fit(choices(), 0.5, 36.0)
    assert Chooser.from_dict(made.to_dict()) == made
    assert made.strategies == (Majority(4), BeamSearch(64))
    assert not made.scored


def test_numbers_that_do_not_fit_are_refused() -> None:
    stage = Stage(0, (Greedy(), PROBE), (), (), (), ((), ()), (0.0, 1.0))
    with pytest.raises(ValueError, match="expected 2 rows of 0"):
        Stage(0, (Greedy(), PROBE), (), (), (), ((),), (0.0,))
    with pytest.raises(ValueError, match="features nothing do not exist"):
        Stage(4, (Greedy(),), ("nothing",), (0.0,), (1.0,), ((0.0,),), (0.0,))
    with pytest.raises(ValueError, match="drawn twice"):
        Stage(4, (PROBE,), (), (), (), ((),), (0.0,))
    with pytest.raises(ValueError, match="from no probes to some"):
        Chooser(stage, stage, 0.5, 1.0, 10)
