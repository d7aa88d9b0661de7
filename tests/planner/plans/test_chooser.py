"""Choosers: what they choose, what they are fitted to, and how they are judged."""

from __future__ import annotations

import numpy as np
import pytest

from executor.strategy import BeamSearch, Greedy, Majority
from planner.plans.chooser import PROBE, Chooser, Stage
from planner.plans.chooser_fitting import Choices, fit, judge
from profiling.arrays import Bools, Floats
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


def judged(given: Choices) -> tuple[Floats, Floats]:
    """By choosers between all options."""
    return judge(given, lambda seen: given.before, np.full((2, COUNT), np.nan))


def test_probes_that_agree_end_the_question_and_others_are_searched() -> None:
    given = choices()
    accuracy, cost = judged(given)
    assert accuracy.mean() == pytest.approx(given.accuracy[:, 1].mean())
    assert cost.mean() == pytest.approx(36.0, abs=5.0)  # half of them stop at 4, half pay 68
    made = fit(given, float(accuracy.mean()), float(cost.mean()))
    [first] = set(made.before.choose(given.text).tolist())
    assert made.before.options[first] is PROBE
    x = np.full((2, len(NAMES)), np.nan)
    x[:, AGREEMENT] = 1.0, 0.25
    assert [made.after.options[i] for i in made.after.choose(x)] == [Majority(4), BeamSearch(64)]


def test_a_search_that_gains_nothing_is_not_paid_for() -> None:
    accuracy, cost = judged(choices(gain=0.0))
    assert cost.max() == 4.0
    assert accuracy.mean() == pytest.approx(0.5, abs=0.1)


def test_options_are_selected_without_the_problems_that_judge_them() -> None:
    """Of many searches that differ by luck alone, the luckiest gains nothing on other problems."""
    rng = np.random.default_rng(1)
    options = tuple(BeamSearch(n) for n in range(16, 16 + 4 * 40, 4))
    blank = np.full((COUNT, 1, len(NAMES)), np.nan)
    means = []
    for _ in range(20):
        luck = (rng.random((COUNT, len(options))) < 0.5).astype(float)
        given = Choices(
            options, options, blank[:, 0], blank, luck, luck[:, None, :],
            np.full(len(options), 4.0), np.full(len(options), 8.0), 4,
        )  # fmt: skip

        def luckiest(seen: Bools, luck: Floats = luck) -> list[BeamSearch]:
            return [options[i] for i in np.argsort(-luck[seen].mean(axis=0))[:2]]

        best = luckiest(np.ones(COUNT, dtype=np.bool_))
        selections = (luckiest, lambda seen, best=best: best)
        means.append([judge(given, one, np.zeros((2, COUNT)))[0].mean() for one in selections])
    nested, once = np.mean(means, axis=0)
    assert abs(nested - 0.5) < 3 * 0.5 / np.sqrt(20 * COUNT)
    assert once > 0.53


def test_one_strategy_counts_if_a_fold_leaves_nothing_to_choose() -> None:
    given = choices()
    accuracy, cost = judge(given, lambda seen: given.before[:1], np.full((2, COUNT), 0.25))
    assert (accuracy == 0.25).all() and (cost == 0.25).all()


def test_some_options_keep_their_outcomes() -> None:
    given = choices()
    some = given.among([BeamSearch(64), Greedy()])
    assert some.before == some.after == (BeamSearch(64),)
    assert (some.accuracy[:, 0] == given.accuracy[:, 1]).all()
    assert (some.accuracy_after[..., 0] == given.accuracy_after[..., 1]).all()
    assert (some.cost.tolist(), some.cost_after.tolist()) == ([64.0], [68.0])
    assert given.enough and not some.enough


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
