"""`apportion recommend` on bundled evidence: what the document holds, and what people read."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from executor.json_values import finite
from executor.strategy import from_dict, key
from planner.catalog import load_catalog
from planner.choice.answer import Answer
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.cli.commands.recommend import show
from planner.cli.console import share
from planner.costs.missing import Lack, Missing
from planner.costs.pricing import Pricing
from planner.notes import Note, NoteCode
from planner.report.notes import essential, word
from planner.report.wording import label
from planner.usecases.evidence_bundle import read_evidence_bundle
from planner.usecases.recommend import choose_from_bundle, find_candidates, to_dict
from tests.helpers.accuracies import accuracies
from tests.helpers.notes import of_code

POLICY, PRM = "lab-0.8m", "lab-0.8m-prm"
# One that must be read, and one that explains.
NOTES = (
    Note.of(NoteCode.BUNDLED_EVIDENCE, benchmarks=("",)),
    Note.of(NoteCode.BONFERRONI, confidence=0.95, strategies=2, at_least=0.975),
)


def asked(
    constraint: Constraint, level: str = "all", *, policy: str = POLICY, prm: str = PRM
) -> Answer:
    bundle = read_evidence_bundle("sqlite:///no-such-store.db", policy, prm, None)
    answered = choose_from_bundle(bundle, policy, prm, level, constraint, 20)
    return replace(answered, notes=NOTES)


@pytest.fixture(scope="module")
def answered() -> Answer:
    return asked(Constraint(budget=64))


@pytest.fixture(scope="module")
def told(answered: Answer) -> Any:
    return json.loads(json.dumps(finite(to_dict(answered)), allow_nan=False))


def words(answered: Answer, explain: bool = False) -> str:
    """What people read; a wide console, as when it is piped."""
    console = Console(width=400)
    with console.capture() as captured:
        show(console, answered, explain)
    return captured.get()


def read(text: str) -> str:
    """The words of a text, however it is wrapped."""
    return " ".join(text.split())


def test_the_front_holds_what_no_alternative_beats(told: Any) -> None:
    everything = [told, *told["alternatives"]]
    points = [(one["cost"]["flops"], one["predicted_accuracy"]) for one in everything]
    front = [(one["cost"]["flops"], one["predicted_accuracy"]) for one in told["pareto"]]
    assert told["cost_unit"] == "flops"
    assert np.all(np.diff(np.array(front), axis=0) > 0)
    for cost, accuracy in points:
        assert any(c <= cost and a >= accuracy for c, a in front)


def test_all_that_is_said_is_of_what_keeps_to_the_limit(told: Any) -> None:
    said = ("alternatives", "pareto")
    strategies = [one["strategy"] for name in said for one in told[name]]
    assert {strategy["name"] for strategy in strategies} >= {"greedy", "beam_search"}
    assert max(s.get("n", 1) for s in [*strategies, told["runner_up"]["strategy"]]) == 64


def test_the_runner_up_is_compared_on_the_problems_both_were_run_on(told: Any) -> None:
    second = told["runner_up"]
    assert second["paired_problems"] == 400
    assert 0 < second["probability_better"] < 1
    assert second["strategy"]["name"] != told["strategy"]["name"]
    gap = second["predicted_accuracy"] - told["predicted_accuracy"]
    assert second["difference"] == pytest.approx(gap)
    assert key(from_dict(second["strategy"])) in second["why"]


def test_what_could_change_it_is_all_strategies_on_more_problems(told: Any) -> None:
    """Only problems that all were run on count: those beyond the limit too."""
    one = told["next_measurement"]
    kept = [told["strategy"], *(other["strategy"] for other in told["alternatives"])]
    assert len(one["strategies"]) > len(kept)
    assert max(strategy.get("n", 1) for strategy in one["strategies"]) == 256
    assert one["drawn_together"]
    assert one["problems"] == 20
    assert 0 < one["chance_of_change"] < 1
    assert one["expected_gain"] > 0
    assert one["cost"]["flops"] > 0


def test_a_run_is_proposed_only_where_it_adds_to_what_the_answer_rests_on(
    answered: Answer,
) -> None:
    """Of a policy with bundled evidence one run of one's own would take its place."""
    assert answered.buy == ()
    assert "apportion profile" not in words(answered, explain=True)
    own = replace(answered, own=True)
    assert own.buy[0].startswith("apportion profile ")
    joined = read(words(own, explain=True).replace("\\\n", ""))  # as a shell joins lines
    assert all(line in joined for line in own.buy)


def test_gains_over_majority_are_in_generations_and_flops(told: Any) -> None:
    """Beam search at 64 beats majority at 256: beyond 4 times its generations."""
    gains = told["efficiency_gain"]
    assert set(gains) == {"generations", "flops"}
    assert gains["generations"]["of_choice"]["relation"] == ">"
    assert gains["generations"]["of_choice"]["gain"] == pytest.approx(4.0)
    assert gains["generations"]["of_choice"]["interval"][1] is None
    paper = gains["generations"]["at_majority_best"]
    assert paper["relation"] == "="
    assert 1 < paper["interval"][0] < paper["gain"] < paper["interval"][1]


@pytest.mark.parametrize(("budget", "missing"), [(16, []), (8, [8])])
def test_a_budget_that_was_not_measured_is_said(budget: int, missing: list[int]) -> None:
    known = find_candidates("sqlite:///no-such-store.db", POLICY, PRM, "all", benchmark=None,
                            catalog=load_catalog(), pricing=Pricing())  # fmt: skip
    answered, _ = known.choose(Constraint(budget=budget))
    notes = of_code(answered.notes, NoteCode.BUDGETS_CONSIDERED)
    assert [note.whole("missing") for note in notes] == missing
    assert all(note in essential(answered.notes) for note in notes)


@pytest.mark.parametrize("level", ["all", "medium"])
def test_a_strategy_has_one_accuracy_wherever_it_is_named(level: str) -> None:
    """In the record of every strategy, in the table, and in the sentence on majority vote."""
    answered = asked(Constraint(), level)
    document = finite(to_dict(answered))
    found = accuracies(document)
    assert len(found) == 1 + len(document["alternatives"])
    assert {len(values) for values in found.values()} == {1}
    one_of = {name: values.pop() for name, values in found.items()}
    gain = document["efficiency_gain"]["generations"]["majority_best"]
    assert gain["accuracy"] == pytest.approx(
        max(accuracy for name, accuracy in one_of.items() if name.startswith("majority(")), abs=1e-9
    )
    read_by_people = words(answered, explain=True)
    assert f"majority vote is at its best, {gain['accuracy']:.3f}" in read(read_by_people)
    shown = {label(one.strategy): one_of[key(one.strategy)] for one in answered.shown}
    for line in read_by_people.splitlines():
        for name, printed in re.findall(r"(\S+@\d+(?: [a-z0-9]+/[a-z]+)?),? +(0\.\d{3}) \[", line):
            assert printed == f"{shown[name]:.3f}", line


def test_people_read_the_answer_first(answered: Answer) -> None:
    choice, second = answered.made.choice, answered.second
    assert second is not None
    lines = words(answered).splitlines()
    assert lines[0] == f"{key(choice.strategy)} for {POLICY} with {PRM}"
    assert [line.split()[0] for line in lines[1:5]] == ["budget", "accuracy", "cost", "runner-up"]
    assert f"N = {choice.strategy.n}" in lines[1]
    assert share(choice.predicted_accuracy, choice.interval) in lines[2]
    assert f"{choice.cost.flops:.2e} FLOPs" in lines[3]
    assert label(second.choice.strategy) in lines[4] and f"{second.cost_ratio:.3g}" in lines[4]
    assert lines[5].startswith("Pareto front")
    [marked] = [line for line in lines if "recommended" in line]
    assert marked.startswith(f"{label(choice.strategy)} ")
    assert "--explain" in lines[-1]


@pytest.mark.parametrize("explain", [False, True], ids=["plain", "explained"])
@pytest.mark.parametrize("pricing", [Pricing(), Pricing(device="h100-sxm-80gb")],
                         ids=["FLOPs", "all costs"])  # fmt: skip
def test_it_fits_a_terminal_of_100_columns(pricing: Pricing, explain: bool) -> None:
    """With every cost known the table has more columns than fit: tokens are left out first."""
    known = find_candidates("sqlite:///no-such-store.db", POLICY, PRM, "all", benchmark=None,
                            catalog=load_catalog(), pricing=pricing)  # fmt: skip
    answered, notes = known.choose(Constraint(target_accuracy=0.5))
    found = replace(answered, own=True, notes=notes)
    for columns in (400, 100):
        console = Console(width=columns)
        with console.capture() as captured:
            show(console, found, explain)
        lines = captured.get().splitlines()
        assert max(map(len, lines)) <= 100
        [header] = [line for line in lines if line.startswith("strategy@N")]
        assert "FLOPs" in header and (" PRM " in header) == (pricing.device is None)


def test_what_explains_the_answer_is_read_on_request(answered: Answer) -> None:
    plain, explained = read(words(answered)), read(words(answered, explain=True))
    essential, detail = map(word, NOTES)
    details = [*map(word, answered.remarks), word(answered.measurement_note), detail]
    assert f"note: {essential}" in plain and f"note: {essential}" in explained
    assert all(one in explained and one not in plain for one in details)


def test_what_is_named_beside_the_choice_is_a_row_of_the_table() -> None:
    """A strategy at a fraction of the cost is nearly as good as the choice."""
    answered = asked(Constraint(budget=16), "hard", policy="lab-0.4m", prm="lab-0.4m-prm")
    lines = [line.strip() for line in words(answered).splitlines()]
    assert lines[5].startswith("cheaper ")
    header = next(i for i, line in enumerate(lines) if line.startswith("strategy@N"))
    rows = lines[header + 1 : header + 1 + len(answered.shown)]
    assert [row.split("  ")[0] for row in rows] == [label(c.strategy) for c in answered.shown]
    for one, mark in ((answered.second, "runner-up"), (answered.less, "cheaper")):
        assert one is not None
        [row] = [row for row in rows if row.endswith(f" {mark}")]
        assert row.startswith(f"{label(one.choice.strategy)} ")


def test_costs_that_are_known_of_no_row_are_no_columns(answered: Answer) -> None:
    assert "seconds" not in words(answered) and "USD" not in words(answered)

    def timed(choice: StrategyEstimate) -> StrategyEstimate:
        return replace(choice, cost=replace(choice.cost, seconds=1.25, usd=0.5))

    made = replace(answered.made, choice=timed(answered.made.choice))
    told = words(replace(answered, made=made))
    assert " seconds " in told and " USD " in told and " 1.25 " in told
    assert "1.25 s, 0.5 USD a problem" in told


def test_what_gives_them_is_said() -> None:
    known = find_candidates("sqlite:///no-such-store.db", POLICY, PRM, "all", benchmark=None,
                            catalog=load_catalog(), pricing=Pricing())  # fmt: skip
    notes = of_code(known.choose(Constraint(budget=4))[1], NoteCode.NOT_KNOWN_HERE)
    assert {note.items("quantities"): note["missing"] for note in notes} == {
        ("seconds",): Missing(Lack.THROUGHPUT), ("usd",): Missing(Lack.PRICE),
    }  # fmt: skip
    assert "--device NAME" in word(notes[0]) and "--usd-per-hour" in word(notes[1])


def test_a_target_that_nothing_reaches_is_the_first_word() -> None:
    found = asked(Constraint(target_accuracy=0.99), "hard")
    lines = words(found).splitlines()
    assert found.made.misses_target
    assert lines[0].startswith("no strategy is sure enough to reach the target; the surest:")
    assert found.marks(found.made.choice) == ("surest",)
    assert not any(line.rstrip().endswith("recommended") for line in lines)


def test_under_a_target_the_chance_to_reach_it_is_told() -> None:
    found = asked(Constraint(target_accuracy=0.5), "medium")
    assert found.made.chance is not None and found.made.chance >= 0.95
    lines = words(found).splitlines()
    assert lines[0].endswith(" on medium problems")
    assert lines[3].startswith("target ") and f"{found.made.chance:.1%}" in lines[3]
    assert to_dict(found)["chance_of_target"] == found.made.chance
