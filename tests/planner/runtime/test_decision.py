"""Decisions: what probes are worth in closed form, and who falls back to what."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InputError
from executor.strategy import Dvts, Greedy, Majority, Strategy
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.probe_cost import ProbeCost
from planner.choice.rules import INDIFFERENCE
from planner.costs.cost import Rates
from planner.notes import Note, NoteCode
from planner.plans.chooser import PROBE, Chooser, Stage
from planner.plans.compiled import CompiledPlan
from planner.plans.plan import PlanBasis
from planner.plans.reference import Cloud, Reference
from planner.runtime.decision import by_text, decide, decide_probing
from profiling.difficulty.estimator import RANGES, DifficultyModel, Estimated, Head, Quality
from profiling.difficulty.probes import Probes, text_features
from profiling.pass_rate import Difficulty
from tests.helpers.plans import plan_with

PROBES = 4
RATES = Rates(1000, 500)
FREE = Constraint()


def head(probes: int, right: float, weight: float = 0.0) -> Head:
    """Names easy and hard rightly with one chance, and never anything else.

    With a `weight`, longer texts count as harder.
    """
    weights = [[0.0]] * RANGES
    weights[0], weights[-1] = [weight], [-weight]
    wrong = 1 - right
    confusion = ((right, 0.0, wrong), (right, 0.0, wrong), (wrong, 0.0, right))
    return Head(
        probes, ("log_words",), (2.0,), (1.0,), tuple(map(tuple, weights)),
        (0.0, *[-40.0] * (RANGES - 2), 0.0), 0.9, Quality(0.5, 1, 0.8, 0, 0.9, 0.3, confusion),
    )  # fmt: skip


def entry(strategy: Strategy, accuracy: float, weight: float = 1e6) -> StrategyEstimate:
    cost = RATES.price(100.0 * strategy.n, 20.0, 0.0)
    beta = (weight * accuracy, weight * (1 - accuracy))
    return StrategyEstimate(strategy, accuracy, (accuracy, accuracy), beta, cost)


def plan_of(
    easy: dict[Strategy, float],
    hard: dict[Strategy, float],
    *,
    right: float = 1.0,
    text: float = 0.0,
    **changes: Any,
) -> CompiledPlan:
    known = {
        level: tuple(entry(s, p) for s, p in found.items())
        for level, found in (("easy", easy), ("medium", easy), ("hard", hard))
    }
    known["all"] = tuple(entry(s, (easy[s] + hard[s]) / 2) for s in easy)
    plain: dict[str, Any] = {
        "entries": {level: each[0] for level, each in known.items()} | {"hard": known["hard"][-1]},
        "classifier": DifficultyModel((head(0, 0.5, text), head(PROBES, right)), 40),
        "constraint": Constraint(budget=100), "rates": RATES, "prm": None,
        "rests_on": PlanBasis(mix={"easy": 1, "medium": 0, "hard": 1}),
        "probe_cost": ProbeCost(100.0, 0.0),
    }  # fmt: skip
    return CompiledPlan(plan_with(known, **(plain | changes)))


# Each is best where the other is useless: probing gains whatever its naming is worth.
OPPOSITES: tuple[dict[Strategy, float], dict[Strategy, float]] = (
    {Greedy(): 1.0 - 1e-6, Majority(16): 0.2}, {Greedy(): 0.1, Majority(16): 0.9}
)  # fmt: skip


@given(right=st.floats(0.5, 1.0))
def test_the_value_of_probes_is_what_naming_the_difficulty_gains(right: float) -> None:
    plan = plan_of(*OPPOSITES, right=right)
    found = decide_probing(plan, "a b c", FREE, scored=False)
    now = max(0.5 * (1.0 + 0.1), 0.5 * (0.2 + 0.9))
    named = 0.5 * (right * 1.0 + (1 - right) * 0.2) + 0.5 * (right * 0.9 + (1 - right) * 0.1)
    then = max(named, now)
    assert found.accuracy_without_probes == pytest.approx(now, abs=INDIFFERENCE)
    assert found.accuracy_with_probes == pytest.approx(then, abs=2 * INDIFFERENCE)
    if then - now > 3 * INDIFFERENCE:
        assert found.probes == PROBES
    if right == 0.5:
        assert found.probes == 0


def test_a_text_that_settles_the_choice_is_not_probed() -> None:
    plan = plan_of(*OPPOSITES, text=20.0)
    short, long = "a b", "a b c d e f g h i j k l m n o p"
    for text, strategy, level in ((short, Greedy(), "easy"), (long, Majority(16), "hard")):
        found = decide_probing(plan, text, FREE, scored=False)
        assert found.probes == 0
        made = decide(plan, found, found.by_text, FREE, drawn=0, scored=False)
        assert (made.strategy, made.difficulty) == (strategy, level)


def test_a_chooser_decides_on_probing_and_then_on_the_strategy() -> None:
    """It draws probes unless the text is long; if they agree, their vote is the answer."""
    before = Stage(0, (PROBE, Greedy()), ("log_words",), (3.0,), (1.0,), ((-1.0,), (1.0,)),
                   (0.0, 0.0))  # fmt: skip
    after = Stage(PROBES, (Majority(16), Greedy()), ("agreement",), (0.5,), (0.2,),
                  ((-1.0,), (1.0,)), (0.0, 0.0))  # fmt: skip
    plan = plan_of(*OPPOSITES, chooser=Chooser(before, after, 0.9, 100.0, 40))
    own = plan.plan.constraint
    long = decide_probing(plan, " ".join("a" * 60), own, scored=False)
    assert (long.probes, long.chosen) == (0, Greedy())
    assert decide(plan, long, long.by_text, own, drawn=0, scored=False).strategy == Greedy()
    short = decide_probing(plan, "a b", own, scored=False)
    assert (short.probes, short.chosen, short.by_chooser) == (PROBES, None, True)
    for answers, strategy in (((0, 0, 0, 0), Greedy()), ((0, 1, 2, 3), Majority(16))):
        seen = Probes("a b", np.array(answers), np.ones(4), -np.ones(4), None)
        made = decide(plan, short, short.by_text, own, drawn=4, scored=False, seen=seen)
        assert made.strategy == strategy
    # A question with limits of its own is decided on by the chances of the difficulties.
    assert not decide_probing(plan, "a b", FREE, scored=False).by_chooser


def test_where_one_strategy_is_best_for_all_nothing_is_probed() -> None:
    plan = plan_of({Greedy(): 0.5, Majority(16): 0.9}, {Greedy(): 0.1, Majority(16): 0.5})
    assert decide_probing(plan, "a b", FREE, scored=False).probes == 0


def test_probes_that_save_more_than_they_cost_are_drawn_for_equal_accuracy() -> None:
    """Greedy is as good where easy; 64 samples are wasted on it, four probes are less."""
    dear = plan_of({Greedy(): 0.9, Majority(64): 0.9}, {Greedy(): 0.1, Majority(64): 0.6})
    assert decide_probing(dear, "a b", FREE, scored=False).probes == PROBES
    cheap = plan_of({Greedy(): 0.9, Majority(4): 0.9}, {Greedy(): 0.1, Majority(4): 0.6})
    assert decide_probing(cheap, "a b", FREE, scored=False).probes == 0


def test_probes_count_in_the_querys_budget() -> None:
    """A search cannot use them: within 16 generations they would leave no room for it."""
    plan = plan_of({Greedy(): 1.0 - 1e-6, Dvts(16): 0.2}, {Greedy(): 0.1, Dvts(16): 0.9})
    assert decide_probing(plan, "a b", Constraint(budget=20), scored=True).probes == PROBES
    assert decide_probing(plan, "a b", Constraint(budget=16), scored=True).probes == 0
    # And where there is no PRM, there is nothing to tell apart.
    assert decide_probing(plan, "a b", Constraint(budget=20), scored=False).probes == 0


def test_with_a_target_probes_are_drawn_where_that_is_cheaper() -> None:
    plan = plan_of({Greedy(): 0.9, Majority(64): 0.9}, {Greedy(): 0.1, Majority(64): 0.6})
    assert (
        decide_probing(plan, "a b", Constraint(target_accuracy=0.7), scored=False).probes == PROBES
    )
    assert decide_probing(plan, "a b", Constraint(target_accuracy=0.4), scored=False).probes in (
        0,
        PROBES,
    )
    easy = plan_of({Greedy(): 0.9, Majority(64): 0.95}, {Greedy(): 0.8, Majority(64): 0.9})
    assert decide_probing(easy, "a b", Constraint(target_accuracy=0.7), scored=False).probes == 0


def test_the_choice_is_by_expected_accuracy_not_by_the_most_probable_class() -> None:
    """Easy is the most probable, but what is lost where it is hard is more."""
    plan = plan_of({Greedy(): 0.9, Majority(16): 0.8}, {Greedy(): 0.0, Majority(16): 0.8})
    chances = {Difficulty.EASY: 0.6, Difficulty.MEDIUM: 0.0, Difficulty.HARD: 0.4}
    estimate = Estimated(chances, (1 / RANGES,) * RANGES, 0.9, PROBES)
    made = decide(
        plan, decide_probing(plan, "a", FREE, scored=False), estimate, FREE, drawn=4, scored=False
    )
    assert (made.difficulty, made.strategy) == ("easy", Majority(16))
    assert made.expected is not None
    assert made.expected.predicted_accuracy == pytest.approx(0.8)


def reference(texts: list[str]) -> Reference:
    return Reference(Cloud.from_points(np.array([text_features(t) for t in texts])), None, ())


def test_a_question_far_from_the_profile_gets_the_default_and_it_is_said() -> None:
    rng = np.random.default_rng(0)
    texts = [f"{'word ' * rng.integers(5, 9)} {rng.integers(1, 99)}?" for _ in range(60)]
    plan = plan_of(*OPPOSITES, reference=reference(texts))
    near, far = texts[0], "Write a poem about the sea. " * 50
    assert decide_probing(plan, near, FREE, scored=False).classifies
    for constraint in (plan.plan.constraint, FREE):
        found = decide_probing(plan, far, constraint, scored=False)
        assert (found.probes, found.classifies, found.by_text) == (0, False, None)
        made = decide(plan, found, None, constraint, drawn=0, scored=False)
        assert made.difficulty == "all"
        assert Note.of(NoteCode.QUESTION_UNLIKE_PROFILE) in made.notes
    assert made.strategy == plan.recommend("all", FREE).strategy
    stated = decide(plan, found, None, plan.plan.constraint, drawn=0, scored=False)
    assert stated.expected is plan.plan.entry("all")


def test_a_plan_that_does_not_route_for_itself_may_for_a_query() -> None:
    plan = plan_of(*OPPOSITES, worth_routing=False)
    assert not decide_probing(plan, "a b", plan.plan.constraint, scored=False).classifies
    assert decide_probing(plan, "a b", FREE, scored=False).probes == PROBES
    assert (
        decide_probing(plan, "a b", plan.plan.constraint, scored=False, weigh=True).probes == PROBES
    )


def test_what_nothing_keeps_to_is_refused_by_the_choice() -> None:
    plan = plan_of(*OPPOSITES)
    impossible = Constraint(max_flops=1.0)
    found = decide_probing(plan, "a b", impossible, scored=False)
    assert found.probes == 0
    with pytest.raises(InputError, match="no known strategy keeps to max-flops 1"):
        decide(plan, found, found.by_text, impossible, drawn=0, scored=False)


def test_a_whole_decision_takes_less_than_a_millisecond() -> None:
    easy = {Majority(n): 0.9 - 0.001 * n for n in range(1, 60)}
    hard = {Majority(n): 0.001 * n for n in range(1, 60)}
    plan = plan_of(easy, hard)
    decide_probing(plan, "a b", FREE, scored=False)
    seconds = []
    for number in range(200):
        started = time.thread_time()
        constraint = Constraint(budget=1 + number % 60)
        found = decide_probing(plan, f"a b {number}", constraint, scored=False)
        decide(plan, found, by_text(plan.plan, "a b"), constraint, drawn=0, scored=False)
        seconds.append(time.thread_time() - started)
    assert np.median(seconds) < 0.001
