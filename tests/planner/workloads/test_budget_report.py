"""The budget command on a plan that the simulated models' evidence made."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import os
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.run.runner import Executor, run_problems
from executor.store.store import RunSpec, Store
from executor.strategy import Sampling
from planner.choice.constraint import Constraint
from planner.cli.commands import budget as command
from planner.cli.main import build_parser
from planner.costs.cost import TOKENS, Cost, Rates
from planner.notes import Note, NoteCode
from planner.plans.plan import Plan
from planner.plans.serialization import load_plan, save_plan
from planner.report.notes import word
from planner.usecases.budget import to_dict
from planner.usecases.plan import plan as make_plan
from planner.workloads.allocation import Option, difference
from planner.workloads.budget_report import CHOSEN, DIVIDED, EQUAL, NAMED, BudgetReport, Total
from planner.workloads.workload import Workload
from profiling.difficulty.estimator import RANGES, DifficultyModel, Head, Quality
from profiling.pass_rate import classify
from profiling.profiles.profiler import profile, profile_spec
from tests.helpers.command import document
from tests.helpers.notes import of_code

SLACK = 2e-9  # the allocation itself rounds by half of it
PROBLEMS = simulated_problems(18)
CHANCE = {problem.text: index / 17 for index, problem in enumerate(PROBLEMS)}
MIX = {"easy": 60, "medium": 25, "hard": 15}
WORKLOAD = Workload.from_counts(MIX, "mix.toml")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a profile, and a plan made from it."""
    folder = tmp_path_factory.mktemp("budget")
    url = f"sqlite:///{folder}/apportion.db"
    with MathGrader() as grader, Store.open(url) as store:
        policy = SimulatedPolicy(lambda text: CHANCE.get(text, 0.5), 1, wrong_answers=3)
        executor = Executor(policy, SimulatedPrm(0.9), grader, Sampling())
        # Of 24 samples 8 give the difficulty, so that votes up to N = 16 are known in each.
        spec = profile_spec(executor, 24, {"user": "{problem}"})
        asyncio.run(profile(executor, PROBLEMS, store, spec))
    made = make_plan(executor.policy.name, "simulated-prm", store=url)
    save_plan(made.plan, folder / "plan.json")
    (folder / "mix.toml").write_text("\n".join(f"{level} = {n}" for level, n in MIX.items()))
    (folder / "shares.csv").write_text("difficulty,share\neasy,0.5\nhard,0.5\n")
    lines = (json.dumps({"problem": p.text, "answer": p.answer}) for p in PROBLEMS[:10])
    (folder / "queries.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def plan(place: Path) -> Plan:
    loaded = load_plan(place / "plan.json")
    # Sizes come with checkpoints, which simulated models have none of.
    rates = replace(loaded.rates, policy_parameters=10**9, prm_parameters=10**9)
    return replace(loaded, rates=rates)


@pytest.fixture(scope="module")
def routed(plan: Plan) -> Plan:
    """The same plan as if it routed, whatever it thinks of that."""
    head = Head(
        probes=4,
        features=("agreement",),
        mean=(0.5,),
        scale=(1.0,),
        weights=((1.0,),) * RANGES,
        intercepts=(0.1,) * RANGES,
        nominal=0.9,
        quality=Quality(0.4, 1.0, 0.75, 0.02, 0.91, 0.3, ((0.8, 0.1, 0.1),) * 3),
    )
    routed = replace(plan, classifier=DifficultyModel((head,), 18), worth_routing=True)
    assert routed.routes
    return routed


def arguments(place: Path, *more: str, workload: str = "mix.toml") -> Namespace:
    command = ["budget", "--plan", str(place / "plan.json"), "--workload", str(place / workload)]
    store = f"sqlite:///{place}/apportion.db"
    return build_parser().parse_args([*command, "--store", store, *more])


def spend(plan: Plan, share: float, workload: Workload = WORKLOAD, queries: float = 100) -> Total:
    """What the cheapest strategies need, and so large a part of what the plan's own need beyond."""
    chosen = (
        BudgetReport.from_plan(plan, workload, plan.rates, None, queries).divisions[CHOSEN].spent
    )
    cheapest = sum(
        part * queries * min(entry.cost.tokens for entry in plan.frontier[level])
        for level, part in workload.shares.items()
    )
    return Total("tokens", cheapest + share * (chosen - cheapest))


def test_a_plan_keeps_what_a_budget_is_divided_over(plan: Plan) -> None:
    assert set(plan.frontier) == set(plan.entries) == {"easy", "medium", "hard", "all"}
    for kept in plan.frontier.values():
        assert [e.predicted_accuracy for e in kept] == sorted(e.predicted_accuracy for e in kept)
    counts = {"easy": 0, "medium": 0, "hard": 0}
    assert set(plan.rests_on.mix) == set(counts) and sum(plan.rests_on.mix.values()) == 18
    assert plan.rests_on.mix["easy"] == pytest.approx(
        sum(classify(chance).value == "easy" for chance in CHANCE.values()), abs=3
    )


def test_a_division_beats_equal_division_within_the_total(plan: Plan) -> None:
    total = spend(plan, 0.4)
    made = BudgetReport.from_plan(plan, WORKLOAD, plan.rates, total)
    divided, equal = made.divisions[DIVIDED], made.divisions[EQUAL]
    assert divided.spent < made.divisions[CHOSEN].spent
    assert divided.spent <= total.amount * (1 + SLACK) and equal.spent <= total.amount * (1 + SLACK)
    assert divided.correct >= equal.correct
    assert made.cost(divided).tokens == pytest.approx(divided.spent)
    counts: dict[str, float] = {}
    for part in divided.parts:
        counts[part.level] = counts.get(part.level, 0) + part.queries
        assert part.queries.is_integer()
    assert counts == MIX


def test_no_query_is_lost_to_rounding(plan: Plan) -> None:
    counts = {"easy": 1, "hard": 48}
    made = BudgetReport.from_plan(
        plan, Workload.from_counts(counts, ""), plan.rates, Total("tokens", 1e12)
    )
    assert {part.level: part.queries for part in made.divisions[DIVIDED].parts} == counts


def test_with_all_that_the_plan_spends_nothing_is_lost_against_it(plan: Plan) -> None:
    made = BudgetReport.from_plan(plan, WORKLOAD, plan.rates, spend(plan, 1.0))
    steps = max(e.predicted_accuracy for kept in plan.frontier.values() for e in kept)
    assert made.divisions[DIVIDED].correct >= made.divisions[CHOSEN].correct - steps
    assert not of_code(made.notes, NoteCode.PLAN_OVER_TOTAL)
    tight = BudgetReport.from_plan(plan, WORKLOAD, plan.rates, spend(plan, 0.5))
    [over] = of_code(tight.notes, NoteCode.PLAN_OVER_TOTAL)
    assert over.number("needed") == pytest.approx(tight.divisions[CHOSEN].spent)


@pytest.mark.parametrize(
    ("unit", "options"),
    [("flops", {}), ("seconds", {"tokens_per_second": 10.0, "prm_tokens_per_second": 40.0}),
     ("gpu_hours", {"tokens_per_second": 10.0, "prm_tokens_per_second": 40.0}),
     ("usd", {"tokens_per_second": 10.0, "prm_tokens_per_second": 40.0, "usd_per_hour": 2.0})],
)  # fmt: skip
def test_totals_of_every_unit_are_kept(plan: Plan, unit: str, options: dict[str, Any]) -> None:
    rates = replace(plan.rates, **options)
    everything = BudgetReport.from_plan(plan, WORKLOAD, rates, Total(unit, 1e20)).divisions[DIVIDED]
    total = Total(unit, everything.spent * 0.9)
    divided = BudgetReport.from_plan(plan, WORKLOAD, rates, total).divisions[DIVIDED]
    assert divided.spent <= total.amount * (1 + SLACK)
    assert divided.correct <= everything.correct
    spent = total.price(BudgetReport.from_plan(plan, WORKLOAD, rates).cost(divided), rates)
    assert spent == pytest.approx(divided.spent)


def test_gpu_hours_count_all_devices_of_an_engine(plan: Plan, place: Path) -> None:
    cost = Cost(100.0, 0.0, 0.0, seconds=3600.0)
    (place / "big.toml").write_text("[assumptions]\nbatch = 1")
    read = command.read(
        arguments(place, "--device", "h100-sxm-80gb", "--devices", "4", "--prices",
                  str(place / "big.toml"))
    )  # fmt: skip
    assert Total("gpu_hours", 1.0).price(cost, read.rates) == 4.0
    assert Total("seconds", 1.0).price(cost, read.rates) == 3600.0


def test_shares_of_a_days_queries_are_divided_in_any_ratio(plan: Plan) -> None:
    shares = Workload({"medium": 0.5, "hard": 0.5}, None, "shares.csv")
    total = spend(plan, 0.5, shares, 7.0)
    made = BudgetReport.from_plan(plan, shares, plan.rates, total, 7.0)
    assert made.queries == 7.0
    # All of it is spent, to the last part of a query.
    assert made.divisions[DIVIDED].spent == pytest.approx(total.amount)


def test_a_day_is_the_workload_so_many_times(plan: Plan) -> None:
    rates = replace(
        plan.rates,
        tokens_per_second=100.0,
        prm_tokens_per_second=400.0,
        usd_per_hour=3.0,
        watts=200.0,
    )
    made = BudgetReport.from_plan(plan, WORKLOAD, rates, spend(plan, 0.5), queries_per_day=50_000)
    once, day = made.cost(made.divisions[DIVIDED]), made.days()[DIVIDED]
    for kind in (*TOKENS, "flops", "seconds", "usd", "kwh"):
        assert getattr(day, kind) == pytest.approx(500 * getattr(once, kind))
    half, full = made.provisions(day)
    assert (half.load, full.load) == (0.5, 0.95)
    assert half.engines >= full.engines
    assert half.usd == 24 * half.devices * 3.0
    assert made.provisions(replace(day, seconds=None)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"total": ("tokens", 1.0)},
            "--total-tokens 1: the cheapest strategies alone need",
        ),
        ({"total": ("tokens", 0.0)}, "--total-tokens is 0; expected a number above 0"),
        ({"total": ("usd", 1.0)}, "--total-usd: nothing here has a price"),
        ({"total": ("gpu_hours", 1.0)}, "--total-gpu-hours: no throughput is measured"),
        ({"per_day": 0.0}, "--queries-per-day is 0; expected a number above 0"),
        (
            {"workload": Workload({"easy": 1.0}, None, "")},
            "holds shares without a number of queries",
        ),
    ],
)
def test_what_cannot_be_divided_is_one_line(
    plan: Plan, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        BudgetReport.from_plan(
            plan,
            change.get("workload", WORKLOAD),
            plan.rates,
            Total(*change["total"]) if "total" in change else None,
            change.get("per_day"),
        )
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_tokens_that_nobody_counted_are_one_line(plan: Plan) -> None:
    uncounted = replace(plan.entry("all"), cost=Cost(math.nan, 1.0, 1.0))
    levels = dict.fromkeys(plan.entries, uncounted)
    with pytest.raises(InputError, match=r"plan: the tokens of .* are not known"):
        BudgetReport.from_plan(replace(plan, entries=levels, alternatives={}), WORKLOAD, Rates())


def test_a_difficulty_without_evidence_is_taken_as_all_and_said_so(plan: Plan) -> None:
    drop = {name: kept for name, kept in plan.frontier.items() if name != "medium"}
    entries = {name: entry for name, entry in plan.entries.items() if name != "medium"}
    poorer = replace(plan, frontier=drop, entries=entries)
    made = BudgetReport.from_plan(poorer, WORKLOAD, plan.rates, spend(plan, 1.0))
    taken = [p.option for p in made.divisions[DIVIDED].parts if p.level == "medium"]
    known = [Option.from_estimate(one, one.cost.tokens) for one in plan.frontier["all"]]
    assert taken and all(option in known for option in taken)
    assert Note.of(NoteCode.LEVEL_WITHOUT_EVIDENCE, difficulty="medium") in made.notes


def test_a_plan_that_does_not_route_costs_what_it_runs(plan: Plan) -> None:
    """Its router answers every question by the strategy for all; so that is what it spends."""
    single = replace(plan, classifier=None)
    parts = BudgetReport.from_plan(single, WORKLOAD, Rates()).divisions[CHOSEN].parts
    assert {part.option.strategy for part in parts} == {plan.entry("all").strategy}
    for part in parts:
        known = [
            Option.from_estimate(one, one.cost.tokens) for one in plan.alternatives[part.level]
        ]
        assert part.option in known


def test_a_strategy_that_no_difficulty_knows_counts_as_for_all_and_is_named(plan: Plan) -> None:
    single, every = replace(plan, classifier=None), plan.entry("all")
    poorer = {level: tuple(e for e in known if level == "all" or e.strategy != every.strategy)
              for level, known in plan.alternatives.items()}  # fmt: skip
    made = BudgetReport.from_plan(replace(single, alternatives=poorer), WORKLOAD, Rates())
    assert {p.option.accuracy for p in made.divisions[CHOSEN].parts} == {every.predicted_accuracy}
    assert of_code(made.notes, NoteCode.PLAN_KNOWN_FOR_ALL_ONLY)
    known = BudgetReport.from_plan(single, WORKLOAD, Rates())
    assert not of_code(known.notes, NoteCode.PLAN_KNOWN_FOR_ALL_ONLY)


@pytest.mark.parametrize("known", ["all", "every"])
def test_what_divisions_differ_by_is_what_their_right_answers_say(plan: Plan, known: str) -> None:
    """Also beside a plan that runs one strategy on all, which some difficulty is given anyway."""
    some = {level: each for level, each in plan.alternatives.items() if known in ("every", level)}
    single = replace(plan, classifier=None, alternatives=some)
    made = BudgetReport.from_plan(single, WORKLOAD, single.rates, spend(single, 0.8))
    for one, other in itertools.permutations(made.divisions.values(), 2):
        value, (low, high) = difference(one, other)
        assert value == pytest.approx(one.correct - other.correct)
        assert low <= value <= high


def test_easier_queries_are_expected_to_be_answered_better(plan: Plan) -> None:
    single = replace(plan, classifier=None)
    easy, hard = (
        BudgetReport.from_plan(single, Workload.from_counts({level: 10}, ""), Rates())
        .divisions[CHOSEN]
        .correct
        for level in ("easy", "hard")
    )
    assert easy > hard


def test_a_plan_that_routes_costs_the_entry_of_each_difficulty(routed: Plan) -> None:
    levels = {
        part.level: part.option
        for part in BudgetReport.from_plan(routed, WORKLOAD, Rates()).divisions[CHOSEN].parts
    }
    entries = {level: routed.entry(level) for level in MIX}
    assert levels == {
        level: Option.from_estimate(one, one.cost.tokens) for level, one in entries.items()
    }


def test_a_plan_that_routes_is_divided_by_what_it_names_too(routed: Plan) -> None:
    made = BudgetReport.from_plan(routed, WORKLOAD, routed.rates, total := spend(routed, 0.6))
    named, divided = made.divisions[NAMED], made.divisions[DIVIDED]
    assert named.spent <= total.amount * (1 + SLACK)
    assert made.by_assigned is not None
    assert made.by_assigned.correct == pytest.approx(named.correct)
    assert made.by_assigned.spent == pytest.approx(named.spent)
    # Named alike whatever they are: 80, 10 and 10 of a hundred.
    by_name: dict[str, float] = {}
    for part in made.by_assigned.parts:
        by_name[part.level] = by_name.get(part.level, 0) + part.queries
    assert by_name == pytest.approx({"easy": 80, "medium": 10, "hard": 10})
    # Who cannot tell queries apart solves less; one query may be less where queries are whole.
    assert named.correct < divided.correct + 1
    assert Note.of(NoteCode.AS_NAMED) in made.notes


def test_a_classifier_that_is_always_right_loses_nothing(routed: Plan) -> None:
    assert routed.classifier is not None
    [head] = routed.classifier.heads
    rows = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    sure = replace(head, quality=replace(head.quality, confusion=rows))
    plan = replace(routed, classifier=DifficultyModel((sure,), 18))
    shares = Workload({level: n / 100 for level, n in MIX.items()}, None, "shares")
    made = BudgetReport.from_plan(plan, shares, plan.rates, spend(plan, 0.6), queries_per_day=100)
    assert made.divisions[NAMED].correct == pytest.approx(made.divisions[DIVIDED].correct)


def test_a_plan_that_does_not_route_is_not_divided_by_what_it_names(plan: Plan) -> None:
    made = BudgetReport.from_plan(plan, WORKLOAD, plan.rates, spend(plan, 0.6))
    assert NAMED not in made.divisions and made.by_assigned is None


def test_people_see_who_gets_what_by_name(routed: Plan) -> None:
    made = BudgetReport.from_plan(routed, WORKLOAD, routed.rates, spend(routed, 0.6))
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115
    command.show(console, made)
    text = console.export_text()
    assert "by the difficulty named" in text and "divided by the difficulty named" in text
    assert len(to_dict(made)["by_name"]) == len(made.by_assigned.parts)  # type: ignore[union-attr]


def test_a_total_that_the_plans_own_limit_keeps_from_being_spent_is_said(plan: Plan) -> None:
    limited = replace(plan, constraint=Constraint(budget=16))
    plenty, code = Total("tokens", 1e12), NoteCode.PLAN_LIMIT_BINDS

    def noted(one: Plan, total: Total) -> list[Note]:
        return of_code(BudgetReport.from_plan(one, WORKLOAD, Rates(), total).notes, code)

    [note] = noted(limited, plenty)
    assert (note.text("limits"), note.text("unit")) == ("budget 16", "tokens")
    assert not noted(limited, spend(plan, 0.4))
    assert not noted(plan, plenty)


# The command


def test_queries_have_the_evidences_mix_until_a_plan_was_run_on_them(
    place: Path, plan: Plan
) -> None:
    before = command.read(arguments(place, workload="queries.jsonl"))
    assert before.queries == 10
    assert before.workload.source == "as in the plan's evidence"
    assert before.workload.shares == Workload.from_counts(plan.rests_on.mix, "").shares
    url = f"sqlite:///{place}/apportion.db"
    with MathGrader() as grader, Store.open(url) as store:
        [spec] = store.runs("profile")
        ran = RunSpec("run", spec.policy, spec.prm, dict(spec.settings) | {"plan": {}})
        policy = SimulatedPolicy(lambda text: 0.5, 1, wrong_answers=3)
        executor = Executor(policy, SimulatedPrm(0.9), grader, Sampling())

        async def solve(problem: Any) -> Any:
            level = "hard" if PROBLEMS.index(problem) < 3 else "easy"
            return await executor.solve(problem, plan.entry("easy").strategy), {"difficulty": level}

        asyncio.run(run_problems(PROBLEMS[:4], solve, store, ran))
    after = command.read(arguments(place, workload="queries.jsonl"))
    assert after.queries == 10
    assert after.workload.shares == {"hard": 0.75, "easy": 0.25}
    assert after.workload.source == "of 4 of 10 queries, as runs of plans took them"


def test_what_people_see_has_every_division_with_its_interval(place: Path, plan: Plan) -> None:
    half = f"{spend(plan, 0.5).amount}"
    made = command.read(arguments(place, "--total-tokens", half, "--queries-per-day", "1e6"))
    console = Console(record=True, width=1000, file=open(os.devnull, "w"))  # noqa: SIM115
    command.show(console, made)
    text = console.export_text()
    for name in (DIVIDED, EQUAL, CHOSEN):
        low, high = made.divisions[name].interval()
        assert f"{made.divisions[name].correct:,.1f} [{low:,.1f}, {high:,.1f}]" in text
    assert "divided less the same for every query: +" in text
    assert "GPU-hours: no throughput is measured" in text
    assert all(f"note: {word(note)}" in text for note in made.notes)


def test_the_command_prints_one_document(place: Path, plan: Plan) -> None:
    said = document(
        place, "budget", "--plan", "plan.json", "--workload", "mix.toml",
        "--total-tokens", str(spend(plan, 0.5).amount), "--queries-per-day", "1000",
        "--store", "sqlite://",
    )  # fmt: skip
    assert set(said["divisions"]) == {DIVIDED, EQUAL, CHOSEN}
    divided = said["divisions"][DIVIDED]
    right = sum(part["queries"] * part["predicted_accuracy"] for part in divided["parts"])
    assert divided["expected_correct"] == pytest.approx(right)
    assert divided["interval"][0] < right < divided["interval"][1]
    more = said["more_correct_than"][EQUAL]
    assert more["expected"] == pytest.approx(right - said["divisions"][EQUAL]["expected_correct"])
    assert set(said["daily"]) == {DIVIDED, CHOSEN}
    assert said["workload"]["shares"] == {"easy": 0.6, "medium": 0.25, "hard": 0.15}
