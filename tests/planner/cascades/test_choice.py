"""Cascades in worlds whose best cascade is known, and replay against enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from executor.errors import InputError
from planner.cascades.cascade import replay
from planner.cascades.choice import Goal, Search, goal_of, held_out
from planner.cascades.comparison import at_limits, at_targets
from planner.cascades.rivals import MIXTURE, ORACLE
from planner.choice.constraint import Constraint
from tests.helpers.cascade_worlds import two_models


def test_a_cascade_asks_the_large_model_where_the_small_one_disagrees() -> None:
    chosen = Search(two_models()).choose(Goal())
    assert [stage.models.policy for stage in chosen.cascade.stages] == ["small", "large"]
    assert chosen.accuracy == pytest.approx(1.0)
    assert chosen.cost == pytest.approx(1 + 10 / 2)  # and half of the large model's cost alone


def test_what_no_model_answers_is_not_asked_on() -> None:
    """A threshold on agreement would ask on the least agreed first."""
    evidence = two_models(hopeless=0.5)
    chosen = Search(evidence).choose(Goal(limit=4.0))
    made = replay(chosen.cascade, evidence)
    assert len(chosen.cascade.stages) == 2
    lost = evidence.options[1].accuracy == 0
    assert lost.sum() == 25
    assert not made.asked[1][lost].any() and made.accuracy[~lost].mean() == pytest.approx(1.0)


def test_replay_is_the_mean_over_all_pairs_of_draws() -> None:
    rng = np.random.default_rng(0)
    evidence = two_models(20)
    small, large = evidence.options
    assert small.features is not None and small.right is not None
    small.features[:] = rng.normal(size=small.features.shape)
    small.right[:] = rng.integers(0, 2, small.right.shape)
    assert large.right is not None
    large.right[:] = rng.integers(0, 2, large.right.shape)
    large.accuracy[:] = large.right.mean(axis=1)
    search = Search(evidence)
    cascades = [one for one in search.candidates if one.cascade.rules]
    assert cascades
    made = replay(cascades[0].cascade, evidence)
    (rule,) = cascades[0].cascade.rules
    for problem in range(20):
        each = []
        for draw, features in enumerate(small.features[problem]):
            on, _ = rule.decide(features)
            for then in large.right[problem]:
                each.append((then if on else small.right[problem, draw], 1 + 10 * on))
        accuracy, cost = np.mean(each, axis=0)
        assert made.accuracy[problem] == pytest.approx(accuracy)
        assert made.cost[problem] == pytest.approx(cost)


def test_the_limit_and_the_target_are_kept() -> None:
    search = Search(two_models())
    assert search.choose(Goal(limit=2.0)).cost <= 2.0
    reached = search.choose(Goal(target=0.9, confidence=0.9))
    assert reached.sureness(0.9) >= 0.9 and reached.cost < 10
    with pytest.raises(InputError, match=r"no model keeps to 0\.5 flops; the cheapest, majority"):
        search.choose(Goal(limit=0.5))
    with pytest.raises(InputError, match=r"target-accuracy 0\.9: no cascade reaches it"):
        search.choose(Goal(limit=2.0, target=0.9))


def test_a_model_alone_is_chosen_if_nothing_is_gained() -> None:
    chosen = Search(two_models()).choose(Goal(limit=1.0))
    assert len(chosen.cascade.stages) == 1


@pytest.mark.long
def test_cascades_are_judged_on_problems_that_they_have_not_seen() -> None:
    evidence = two_models()
    (judged,) = held_out(evidence, [Goal(limit=8.0)])
    assert judged is not None and judged.accuracy.mean() == pytest.approx(1.0)
    (at,) = at_limits(evidence, [8.0])
    assert at.accuracy.value == pytest.approx(1.0) and at.promised == pytest.approx(1.0)
    beside = {one.name: one for one in at.beside}
    assert beside["small alone"].difference.value == pytest.approx(0.5)
    assert beside["always large, at any cost"].cost == 10
    assert beside[MIXTURE].accuracy.value < 0.95
    assert beside[ORACLE].accuracy.value >= at.accuracy.value - 1e-9
    reached, missed = at_targets(evidence, [0.9, 1.0], 0.9)
    assert reached.reached == 5 and reached.ratio is not None
    assert reached.ratio.value == pytest.approx(0.6, abs=0.05)
    assert missed.target == 1.0


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        (Constraint(budget=4), "--budget: N generations of a small and of a large model"),
        (Constraint(max_flops=1.0, max_usd=1.0), "--max-flops and --max-usd: a cascade weighs"),
    ],
)
def test_limits_that_no_cascade_can_have(constraint: Constraint, message: str) -> None:
    with pytest.raises(InputError, match=message):
        goal_of(constraint)
