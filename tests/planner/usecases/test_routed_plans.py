"""Plans replayed as the router runs them: what is charged, what is read, and what is not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from executor.answers.grader import MathGrader
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem
from executor.strategy import Greedy, Majority, Strategy, key
from planner.choice.constraint import Constraint
from planner.costs.cost import Rates
from planner.evaluation.crossfit import Arena, HeldOut, Run
from planner.plans.chooser import PROBE, Chooser, Stage
from planner.prediction.outcome_model import OutcomeModel
from planner.usecases.evidence_bundle import EvidenceBundle
from planner.usecases.fit_chooser import Question, questions_of
from planner.usecases.plan import PlanResult, Profiled
from planner.usecases.routed_plans import routed, with_probes
from profiling.difficulty.estimator import DifficultyModel
from profiling.difficulty.fitting import fit_difficulty
from profiling.pass_rate import PassRate
from profiling.profiles.profiler import ProblemProfile
from tests.helpers.arena import expectation
from tests.helpers.evidence_frames import frame_of, row
from tests.helpers.plans import plan_with

COUNT, SIZE, PROBES = 12, 16, 4
STRATEGIES: tuple[Strategy, ...] = (Majority(4), Majority(16), Greedy())
LENGTHS = range(100, 100 + SIZE)
ANEW, ANEW_TOKENS = 0.75, 150.0  # of a greedy response, which starts anew


def profile(number: int) -> ProblemProfile:
    """Even numbers are always solved, by one answer; odd ones never, by many."""
    easy = number % 2 == 0
    samples = tuple(
        SampleRecord("", "7" if easy else str(100 + i), easy, "stop", length, -1.0)
        for i, length in enumerate(LENGTHS)
    )
    problem = Problem(str(number), f"Question {number}?", "7")
    return ProblemProfile(Outcome(problem, None, None, None, samples), PassRate(SIZE * easy, SIZE))


@pytest.fixture(scope="module")
def questions(grader: MathGrader) -> dict[str, Question]:
    return questions_of({str(i): profile(i) for i in range(COUNT)}, grader, scored=False)


EVEN = np.arange(COUNT) % 2 == 0
FOLDS = np.arange(COUNT) // 2 % 2
ACCURACY = np.column_stack([EVEN, EVEN, np.where(EVEN, 1.0, ANEW)]).astype(float)
TOKENS = np.tile([430.0, 1720.0, ANEW_TOKENS], (COUNT, 1))
ARENA = Arena(
    "policy", None, 1000, tuple(map(str, range(COUNT))), np.where(EVEN, "easy", "hard"), FOLDS,
    tuple(map(key, STRATEGIES)), np.array([one.n for one in STRATEGIES]), ACCURACY, ACCURACY,
    TOKENS, 2 * TOKENS, ({}, {}),
)  # fmt: skip
FRAME = frame_of([
    *(row(strategy, str(i), ACCURACY[i, at], difficulty="easy" if EVEN[i] else "hard")
      for i in range(COUNT) for at, strategy in enumerate(STRATEGIES)),
    row(Majority(2), "4", 1.0),
])  # fmt: skip
MODELS = (OutcomeModel(), OutcomeModel())


def held_out(frame: pd.DataFrame = FRAME) -> HeldOut:
    fold_of = dict(zip(ARENA.problems, FOLDS.tolist(), strict=True))
    seen = tuple(frame[frame["problem"].map(fold_of) != fold] for fold in (0, 1))
    return HeldOut(frame, fold_of, seen, MODELS)


def chooser(first: float) -> Chooser:
    """Runs majority of 4 at once if `first` is above 0; else probes; what disagrees starts anew.

    Four equal probes have the agreement 1, four different ones less than a half.
    """
    before = Stage(0, (Majority(4), PROBE), (), (), (), ((), ()), (first, 0.0))
    after = Stage(
        PROBES, (Majority(16), Greedy()), ("agreement",), (0.0,), (1.0,), ((1.0,), (0.0,)),
        (0.0, 0.5),
    )  # fmt: skip
    return Chooser(before, after, 0.9, 1.0, COUNT)


Call = tuple[EvidenceBundle, Constraint, Profiled]


@pytest.fixture(scope="module")
def classifier(questions: dict[str, Question], grader: MathGrader) -> DifficultyModel | None:
    return fit_difficulty([one.profile for one in questions.values()], grader)


@pytest.fixture
def made(
    monkeypatch: pytest.MonkeyPatch, classifier: DifficultyModel | None
) -> Callable[[Chooser | None], list[Call]]:
    """Makes every plan route by a chooser, or not at all; returns what plans were made from."""
    # To fit one for each plan takes most of the time, and no choice here depends on it.
    monkeypatch.setattr("planner.usecases.routed_plans.fit_difficulty", lambda *_: classifier)

    def by(chosen: Chooser | None) -> list[Call]:
        calls: list[Call] = []

        def plan_from(
            bundle: EvidenceBundle, policy: str, prm: str | None, limit: Constraint, seen: Profiled
        ) -> PlanResult:
            calls.append((bundle, limit, seen))
            known = [expectation(one, 0.5) for one in STRATEGIES]
            fields: dict[str, Any] = {"constraint": limit, "worth_routing": chosen is not None}
            plan = plan_with(
                {"all": known}, policy=policy, prm=prm, classifier=seen.classifier, chooser=chosen,
                **fields,
            )  # fmt: skip
            return PlanResult(plan, ())

        monkeypatch.setattr("planner.usecases.routed_plans.plan_from", plan_from)
        return calls

    return by


def replayed(questions: dict[str, Question], grader: MathGrader, arena: Arena = ARENA) -> Run:
    found = routed(arena, held_out(), questions, Rates(1000, None), (16,), grader, draws=3)
    assert set(found.routed) == {16}
    return found.routed[16]


def test_without_routing_the_strategy_for_all_has_its_recorded_outcome(
    made: Callable[[Chooser | None], list[Call]],
    questions: dict[str, Question],
    grader: MathGrader,
) -> None:
    made(None)
    run = replayed(questions, grader)
    assert run.accuracy == pytest.approx(ACCURACY[:, 0])
    assert run.tokens == pytest.approx(TOKENS[:, 0])
    assert run.flops == pytest.approx(2 * TOKENS[:, 0])


def test_what_is_chosen_by_the_text_alone_draws_no_probes(
    made: Callable[[Chooser | None], list[Call]],
    questions: dict[str, Question],
    grader: MathGrader,
) -> None:
    made(chooser(1.0))
    run = replayed(questions, grader)
    assert run.tokens == pytest.approx(TOKENS[:, 0])


def test_a_vote_goes_on_from_its_probes_and_others_pay_for_them(
    made: Callable[[Chooser | None], list[Call]],
    questions: dict[str, Question],
    grader: MathGrader,
) -> None:
    made(chooser(-1.0))
    run = replayed(questions, grader)
    assert run.accuracy == pytest.approx(np.where(EVEN, 1.0, ANEW))
    assert run.tokens[EVEN] == pytest.approx(sum(LENGTHS))  # the vote takes the whole pool
    probes = run.tokens[~EVEN] - ANEW_TOKENS
    assert (probes >= PROBES * min(LENGTHS)).all() and (probes <= PROBES * max(LENGTHS)).all()
    assert len(set(probes)) > 1  # each question has probes of its own
    assert run.flops is not None
    assert run.flops[EVEN] == pytest.approx(2 * TOKENS[EVEN, 1])
    assert run.flops[~EVEN] == pytest.approx(2 * (TOKENS[~EVEN, 2] + TOKENS[~EVEN, 0]))


def test_flops_are_not_known_without_those_of_the_probes(
    made: Callable[[Chooser | None], list[Call]],
    questions: dict[str, Question],
    grader: MathGrader,
) -> None:
    made(chooser(-1.0))
    few = replace(
        ARENA, strategies=ARENA.strategies[1:], n=ARENA.n[1:], accuracy=ACCURACY[:, 1:],
        in_class=ACCURACY[:, 1:], tokens=TOKENS[:, 1:], flops=2 * TOKENS[:, 1:],
    )  # fmt: skip
    assert replayed(questions, grader, few).flops is None
    assert replayed(questions, grader, replace(ARENA, flops=None)).flops is None


def test_a_plan_sees_neither_its_fold_nor_what_cannot_be_judged(
    made: Callable[[Chooser | None], list[Call]],
    questions: dict[str, Question],
    grader: MathGrader,
) -> None:
    calls = made(None)
    trained_on = replace(questions["0"].profile, held_out=False)
    replayed(questions | {"0": replace(questions["0"], profile=trained_on)}, grader)
    assert len(calls) == 2
    for fold, (bundle, limit, profiled) in enumerate(calls):
        others = {str(i) for i in range(COUNT) if FOLDS[i] != fold}
        assert set(bundle.frame["problem"]) == others
        # The PRM has read problem 0; majority of 2 was run on problem 4 alone.
        assert set(profiled.questions) == others - {"0"}
        assert set(bundle.frame["strategy"]) == set(ARENA.strategies)
        assert bundle.model is MODELS[fold]
        assert limit == Constraint(budget=20)


def test_the_same_seed_gives_the_same_probes(
    made: Callable[[Chooser | None], list[Call]],
    questions: dict[str, Question],
    grader: MathGrader,
) -> None:
    made(chooser(-1.0))
    one, other = replayed(questions, grader), replayed(questions, grader)
    assert np.array_equal(one.tokens, other.tokens)


@pytest.mark.parametrize(("budget", "limit"), [(1, 1), (3, 3), (4, 8), (64, 68)])
def test_a_budget_below_the_probes_has_no_room_for_them(budget: int, limit: int) -> None:
    assert with_probes(budget) == limit
