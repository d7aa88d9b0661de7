"""What a plan's chooser chooses between, and whether the plan routes by it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from executor.answers.grader import MathGrader
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem
from executor.strategy import BeamSearch, Dvts, Greedy, Majority, Strategy, key
from planner.choice.constraint import Constraint
from planner.choice.probe_cost import ProbeCost, Probing
from planner.costs.cost import Rates
from planner.plans.chooser_fitting import Choices, Select, judge
from planner.usecases.fit_chooser import (
    LEAST_PROBLEMS,
    Question,
    fit_chooser,
    questions_of,
    worth_routing,
)
from profiling.arrays import Floats
from profiling.pass_rate import PassRate
from profiling.profiles.profiler import ProblemProfile
from tests.helpers.arena import expectation

COUNT, SIZE = 60, 16
PROBING = Probing(4, ProbeCost(100.0, 0.0))
SEARCHED = {Greedy(): 0.5, Majority(4): 0.5, Majority(16): 0.5, BeamSearch(16): 0.75,
            Dvts(16): 0.5}  # fmt: skip


def profile(number: int) -> ProblemProfile:
    """Even numbers are always solved, by one answer; odd ones never, by many."""
    easy = number % 2 == 0
    samples = tuple(
        SampleRecord("", "7" if easy else str(100 + i), easy, "stop", 100, -1.0)
        for i in range(SIZE)
    )
    problem = Problem(str(number), f"Question {number}?", "7")
    return ProblemProfile(Outcome(problem, None, None, None, samples), PassRate(SIZE * easy, SIZE))


@pytest.fixture(scope="module")
def questions(grader: MathGrader) -> dict[str, Question]:
    return questions_of({str(i): profile(i) for i in range(COUNT)}, grader, scored=False)


def rows(accuracies: dict[Strategy, float], count: int = COUNT) -> pd.DataFrame:
    """Votes solve the even problems; a search also some of the odd ones, up to its accuracy."""
    extra = {s: np.linspace(0, 1, count // 2) < 2 * (p - 0.5) for s, p in accuracies.items()}
    return pd.DataFrame([
        {"problem": str(i), "strategy": key(s), "source": "measured", "all_accuracy": np.nan,
         "accuracy": 1.0 if i % 2 == 0 else float(extra[s][i // 2])}
        for s in accuracies for i in range(count)
    ])  # fmt: skip


def fitted(
    accuracies: dict[Strategy, float],
    single: Strategy,
    questions: dict[str, Question],
    budget: int = 20,
    count: int = COUNT,
) -> object:
    estimates = [expectation(s, p) for s, p in accuracies.items()]
    [chosen] = [one for one in estimates if one.strategy == single]
    return fit_chooser(
        rows(accuracies, count), estimates, chosen, Constraint(budget=budget), PROBING, questions,
        Rates(),
    )  # fmt: skip


def test_what_is_sure_already_is_not_searched(questions: dict[str, Question]) -> None:
    chooser, routing = fitted(SEARCHED, BeamSearch(16), questions)
    assert routing.routes
    assert routing.routed.price < routing.single.price
    # Of the two searches only the better one, and it is better than the vote for sure.
    assert set(chooser.strategies) == {Greedy(), Majority(4), Majority(16), BeamSearch(16)}


def test_routing_that_loses_is_not_taken(questions: dict[str, Question]) -> None:
    """Greedy solves as much as anything at the lowest price."""
    alike = dict.fromkeys(SEARCHED, 0.5)
    _, routing = fitted(alike, Greedy(), questions)
    assert not routing.routes


def test_options_are_selected_without_the_judged_problems(
    questions: dict[str, Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the problems that it solves, the search is no better than the vote."""
    selects: list[Select] = []

    def recorded(choices: Choices, select: Select, alone: Floats) -> tuple[Floats, Floats]:
        selects.append(select)
        return judge(choices, select, alone)

    monkeypatch.setattr("planner.usecases.fit_chooser.judge", recorded)
    fitted(SEARCHED, BeamSearch(16), questions)
    [select] = selects
    assert BeamSearch(16) in select(np.ones(COUNT, dtype=np.bool_))
    table = rows(SEARCHED).pivot_table(index="problem", columns="strategy", values="accuracy")
    same = table[key(BeamSearch(16))] == table[key(Majority(16))]
    assert BeamSearch(16) not in select(same.to_numpy())


def test_options_keep_to_the_budget_with_their_probes(questions: dict[str, Question]) -> None:
    chooser, _ = fitted(SEARCHED, BeamSearch(16), questions, budget=16)
    assert BeamSearch(16) in chooser.before.options
    assert BeamSearch(16) not in chooser.after.options  # 4 probes and 16 are 20
    assert fitted(SEARCHED, Greedy(), questions, budget=3) is None


def test_few_problems_have_no_chooser(questions: dict[str, Question]) -> None:
    assert fitted(SEARCHED, BeamSearch(16), questions, count=LEAST_PROBLEMS - 2) is None


@pytest.mark.parametrize(
    ("gain", "error", "cheaper", "routes"),
    [
        (0.03, 0.02, False, True),
        (0.01, 0.02, False, False),  # dearer, and maybe no better
        (0.0, 0.015, True, True),
        (0.0, 0.07, True, False),  # so few problems may hide a loss
        (-0.004, 0.005, True, True),
        (-0.006, 0.001, True, False),
        (-0.05, 0.07, True, False),
    ],
)
def test_outcomes_must_speak_for_routing(
    gain: float, error: float, cheaper: bool, routes: bool
) -> None:
    assert worth_routing(gain, error, cheaper=cheaper) is routes
