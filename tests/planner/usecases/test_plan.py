"""Plans from a store of simulated runs: what tells difficulties travels in the plan."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from executor.answers.grader import MathGrader
from executor.models.templates import PromptTemplate
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.run.runner import Executor
from executor.store.store import Store
from executor.strategy import Sampling, key
from planner.catalog import load_catalog
from planner.choice.constraint import Constraint
from planner.costs.pricing import Pricing
from planner.notes import NoteCode
from planner.plans.compiled import CompiledPlan
from planner.plans.serialization import load_plan, plan_to_dict, save_plan
from planner.usecases.plan import PlanResult, plan
from planner.usecases.recommend import find_candidates, recommend
from planner.workloads.budget_report import BudgetReport
from planner.workloads.workload import Workload
from profiling.difficulty.fitting import PROBES
from profiling.profiles.profiler import profile, profile_spec
from tests.helpers.notes import of_code

PROBLEMS = simulated_problems(45)
CHANCE = {p.text: (0.97, 0.3, 0.02)[i % 3] for i, p in enumerate(PROBLEMS)}


@pytest.fixture(scope="module")
def made(grader: MathGrader, tmp_path_factory: pytest.TempPathFactory) -> tuple[PlanResult, str]:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"
    policy = SimulatedPolicy(CHANCE, 1, wrong_answers=3)
    executor = Executor(policy, SimulatedPrm(0.75), grader, Sampling())
    spec = profile_spec(executor, 16, PromptTemplate().to_dict())
    with Store.open(url) as store:
        asyncio.run(profile(executor, PROBLEMS, store, spec))
    planned = plan(policy.name, "simulated-prm", constraint=Constraint(budget=16), store=url)
    return planned, url


def test_the_plan_holds_what_tells_a_questions_difficulty(
    made: tuple[PlanResult, str], tmp_path: Path
) -> None:
    plan = made[0].plan
    assert plan.routes and plan.classifier is not None
    assert [head.probes for head in plan.classifier.heads] == [0, PROBES]
    assert plan.classifier.problems == len(PROBLEMS)
    save_plan(plan, tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json") == plan
    # Small enough to be read, and to be sent along.
    record = plan_to_dict(plan)
    assert len(json.dumps(record.pop("alternatives"))) < 100_000
    assert len(json.dumps(record)) < 20_000


def test_a_policy_in_a_gguf_file_has_the_evidence_of_its_runs(
    made: tuple[PlanResult, str], tmp_path: Path
) -> None:
    file = tmp_path / f"{made[0].plan.policy}.gguf"
    file.write_bytes(b"GGUF")
    constraint = Constraint(budget=16)
    planned = plan(str(file), "simulated-prm", constraint=constraint, store=made[1]).plan
    assert planned.policy == str(file)
    assert planned.entries == made[0].plan.entries
    for name in (str(file), made[0].plan.policy):
        found = recommend(name, "simulated-prm", constraint=constraint, store=made[1])
        assert found.policy == made[0].plan.policy


def test_a_free_scorer_reads_a_profile_that_nothing_scored(
    grader: MathGrader, tmp_path: Path
) -> None:
    """A chooser is fitted to votes with its scores too, as for a PRM that did score them."""
    url = f"sqlite:///{tmp_path}/store.db"
    policy = SimulatedPolicy(CHANCE, 1, wrong_answers=3)
    executor = Executor(policy, None, grader, Sampling())
    spec = profile_spec(executor, 16, PromptTemplate().to_dict())
    with Store.open(url) as store:
        asyncio.run(profile(executor, PROBLEMS, store, spec))
    made = plan(policy.name, "mean-logprob", constraint=Constraint(budget=16), store=url).plan
    assert made.prm == "mean-logprob"
    assert made.chooser is not None
    votes = {one.strategy.name for one in made.alternatives["all"]}
    assert {"majority", "best_of_n"} <= votes


def test_it_keeps_what_every_difficulty_was_chosen_from(
    made: tuple[PlanResult, str],
) -> None:
    plan, recommendations = made[0].plan, made[0].recommendations
    assert plan.probe_cost is not None and plan.probe_cost.generated > 0
    for one in recommendations:
        probes = 0 if one.difficulty == "all" else PROBES
        pick = (
            CompiledPlan(plan).strategy_table(probes).choose(one.difficulty, Constraint(budget=16))
        )
        assert pick.strategy == one.choice.strategy
        assert pick.cost.to_dict() == pytest.approx(one.choice.cost.to_dict())


def test_how_well_it_tells_is_said(made: tuple[PlanResult, str]) -> None:
    plan, recommendations = made[0].plan, made[0].recommendations
    assert plan.classifier is not None
    [note] = of_code(recommendations[-1].notes, NoteCode.DIFFICULTY_ESTIMATOR)
    assert note.whole("probes") == 4
    assert note.number("accuracy") == plan.classifier.heads[-1].quality.accuracy


def test_the_same_store_gives_the_same_plan(
    made: tuple[PlanResult, str],
) -> None:
    first, url = made
    again = plan(first.plan.policy, first.plan.prm, constraint=Constraint(budget=16), store=url)
    assert again == first
    assert again.to_dict() == plan_to_dict(first.plan)


def test_what_routing_was_decided_by_is_in_the_plan(
    made: tuple[PlanResult, str],
) -> None:
    plan, recommendations = made[0].plan, made[0].recommendations
    routing = plan.rests_on.routing
    assert routing is not None
    assert routing["routes"] == plan.routes
    # It is cheaper, and not surely less accurate.
    assert routing["routed"]["price"] < routing["single"]["price"]
    assert routing["routed"]["accuracy"] > routing["single"]["accuracy"] - 0.02
    assert plan.chooser is not None
    assert plan.chooser.accuracy == routing["routed"]["accuracy"]
    [note] = of_code(recommendations[-1].notes, NoteCode.ROUTED)
    assert note.number("routed_accuracy") == routing["routed"]["accuracy"]
    assert note.number("routed_price") == routing["routed"]["price"]


def test_the_strategy_for_all_has_one_accuracy_in_the_table_and_in_the_sentence(
    made: tuple[PlanResult, str],
) -> None:
    """The mean over difficulties is another estimate of the same number, and is not printed."""
    plan, recommendations = made[0].plan, made[0].recommendations
    every = recommendations[-1].choice
    assert plan.rests_on.routing is not None
    assert plan.rests_on.routing["single"]["accuracy"] == pytest.approx(every.predicted_accuracy)
    [note] = of_code(recommendations[-1].notes, NoteCode.ROUTED)
    assert note.text("strategy") == key(every.strategy)
    assert note.number("single_accuracy") == pytest.approx(every.predicted_accuracy)
    assert plan.entries["all"].predicted_accuracy == every.predicted_accuracy


def test_votes_among_all_samples_are_for_all_problems_and_the_plan_says_so(
    made: tuple[PlanResult, str],
) -> None:
    """Profiles of 16 samples: 12 give the difficulty, so 4 are replayed in it."""
    budgets = {r.difficulty: max(c.strategy.n for c in (r.choice, *r.alternatives))
               for r in made[0].recommendations}  # fmt: skip
    assert budgets == {"easy": 4, "medium": 4, "hard": 4, "all": 16}
    [note] = of_code(made[0].recommendations[-1].notes, NoteCode.BUDGETS_OF_ALL_ONLY)
    assert note.items("budgets") == (16,)
    assert note.whole("samples") == 24


def test_a_recommendation_for_a_difficulty_says_it_too(made: tuple[PlanResult, str]) -> None:
    plan, url = made[0].plan, made[1]
    for level, count in (("medium", 1), ("all", 0)):
        known = find_candidates(url, plan.policy, plan.prm, level, benchmark=None,
                                catalog=load_catalog(), pricing=Pricing())  # fmt: skip
        answered, _ = known.choose(Constraint(budget=16))
        assert len(of_code(answered.notes, NoteCode.BUDGETS_OF_ALL_ONLY)) == count
        assert not of_code(answered.notes, NoteCode.BUDGETS_CONSIDERED)


def test_a_budget_report_says_that_the_plan_routes_by_its_chooser(
    made: tuple[PlanResult, str],
) -> None:
    """Its own choices by difficulty are not what the router runs."""
    plan = made[0].plan
    workload = Workload.from_counts({"easy": 60, "hard": 40}, "mix.toml")
    [note] = of_code(
        BudgetReport.from_plan(plan, workload, plan.rates).notes, NoteCode.ROUTES_BY_CHOOSER
    )
    assert plan.chooser is not None
    assert (note.number("accuracy"), note.text("unit")) == (plan.chooser.accuracy, "tokens")
    other = BudgetReport.from_plan(replace(plan, chooser=None), workload, plan.rates)
    assert not of_code(other.notes, NoteCode.ROUTES_BY_CHOOSER)
