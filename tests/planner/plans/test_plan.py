"""Plan files: read back as written, refused in one line where damaged, never half written."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InputError
from executor.files import data_folder
from executor.models.architecture import Shape
from executor.models.templates import PromptTemplate
from executor.strategy import (
    AdaptiveMajority,
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Sampling,
    ShortMOfK,
    Strategy,
)
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.probe_cost import ProbeCost
from planner.costs.cost import Cost, Rates
from planner.plans.plan import Plan, PlanBasis
from planner.plans.reference import Cloud, Reference
from planner.plans.serialization import (
    VERSION,
    as_plan,
    load_plan,
    plan_to_dict,
    run_settings,
    save_plan,
    write_whole,
)
from profiling.difficulty.estimator import RANGES, DifficultyModel, Head, Quality
from profiling.difficulty.probes import TEXT

RECORDED = Path(__file__).parents[2] / "data" / "before_move" / "plan.json"
HEAD = Head(
    probes=4,
    features=("log_words", "agreement"),
    mean=(0.5, 0.5),
    scale=(2.0, 2.0),
    weights=((1.0, -0.25),) * RANGES,
    intercepts=(0.1,) * RANGES,
    nominal=0.9,
    quality=Quality(0.4, 1.0, 0.75, 0.02, 0.91, 0.3, ((0.8, 0.1, 0.1),) * 3),
)
CLASSIFIER = DifficultyModel((HEAD,), 40)
REFERENCE = Reference(
    Cloud(40, (1.0,) * len(TEXT), tuple(map(tuple, np.eye(len(TEXT)))), 9.0),
    Cloud(40, (0.5, 0.25), ((0.1, 0.0), (0.0, 0.1)), 4.0),
    (1, 2, 3, 4, 5),
)


def entry(strategy: Strategy, accuracy: float = 0.7) -> StrategyEstimate:
    return StrategyEstimate(strategy, accuracy, (0.6, 0.8), (7.0, 3.0), Cost(400.0, 90.0, 0.0))


def plan_of(**fields: Any) -> Plan:
    plain: dict[str, Any] = {
        "policy": "simulated-policy",
        "prm": "simulated-prm",
        "sampling": Sampling(temperature=0.9, max_tokens=512),
        "template": PromptTemplate("Q: {problem}", "Think.", (("1+1", "2"),), ("END",)),
        "entries": {"easy": entry(Majority(4)), "hard": entry(Dvts(16)), "all": entry(BestOfN(4))},
        "classifier": CLASSIFIER,
        "constraint": Constraint(budget=16),
        "rests_on": PlanBasis(rows=12, problems=3, evidence="abc"),
        "frontier": {"hard": (entry(Majority(4), 0.2), entry(Dvts(16))), "all": (entry(Greedy()),)},
        "rates": Rates(1_000, 500, tokens_per_second=9.0, policy_shape=Shape(2, 64, 64)),
        "alternatives": {
            "easy": (entry(Majority(4)),),
            "all": (entry(Majority(4)), entry(Dvts(8))),
        },
        "probe_cost": ProbeCost(30.0, 12.5),
        "reference": REFERENCE,
    }
    return Plan(**(plain | fields))


def damaged(tmp_path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    record = plan_to_dict(plan_of())
    change(record)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(record))
    return path


strategies = st.one_of(
    st.just(Greedy()),
    st.builds(Majority, st.integers(1, 256)),
    st.builds(BestOfN, st.integers(1, 256)),
    st.builds(lambda k, width: BeamSearch(k * width, width), st.integers(1, 9), st.integers(2, 9)),
    st.builds(lambda k, width: Dvts(k * width, width), st.integers(1, 9), st.integers(2, 9)),
    st.builds(AdaptiveMajority, st.integers(1, 64), st.floats(0.51, 0.99)),
    st.builds(ParticleFilter, st.integers(1, 64), st.floats(0.1, 10)),
    st.builds(ShortMOfK, st.integers(3, 64), st.integers(1, 3)),
    st.builds(lambda size, rounds: Aggregate(size * (rounds + 1), rounds, 1), st.integers(1, 9),
              st.integers(1, 5)),
)  # fmt: skip


@given(
    every=strategies, hard=strategies, accuracy=st.floats(0, 1),
    classifier=st.sampled_from([None, CLASSIFIER]),
)  # fmt: skip
def test_a_plan_is_read_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    every: Strategy,
    hard: Strategy,
    accuracy: float,
    classifier: DifficultyModel | None,
) -> None:
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    entries = {"all": entry(every, accuracy), "hard": entry(hard)}
    kept = {"all": (entry(hard, accuracy), entry(every))}
    plan = plan_of(entries=entries, classifier=classifier, frontier=kept)
    save_plan(plan, path)
    assert load_plan(path) == plan


def test_the_file_is_the_document_and_the_same_each_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    save_plan(plan_of(), first)
    save_plan(plan_of(), second)
    assert first.read_bytes() == second.read_bytes()
    record = json.loads(first.read_text())
    assert record == plan_to_dict(plan_of())
    assert (record["format"], record["version"]) == ("apportion-plan", VERSION)


def test_a_difficulty_without_an_entry_gets_the_one_for_all() -> None:
    plan = plan_of()
    assert plan.entry("hard").strategy == Dvts(16)
    assert plan.entry("medium").strategy == plan.entry("all").strategy == BestOfN(4)


def test_a_plan_may_keep_a_classifier_though_its_own_limits_are_not_worth_routing() -> None:
    plan = plan_of(worth_routing=False)
    assert not plan.routes
    assert plan_of(worth_routing=False, entries={"all": entry(Majority(4))}).prm_in_use is None
    assert plan_of().prm_in_use == plan.prm_in_use == "simulated-prm"


def test_the_profiles_mix_is_in_shares() -> None:
    assert plan_of(rests_on=PlanBasis(mix={"easy": 3, "medium": 0, "hard": 1})).mix == {
        "easy": 0.75, "medium": 0.0, "hard": 0.25,
    }  # fmt: skip
    assert plan_of(rests_on=PlanBasis()).mix == {"all": 1.0}


def test_what_decides_between_strategies_names_the_run() -> None:
    plan = plan_of()
    other = {"all": (dataclasses.replace(entry(Dvts(8)), beta=(6.0, 4.0)),)}
    assert run_settings(plan_of(alternatives=other)) != run_settings(plan)
    same = {"worth_routing": False}
    assert run_settings(plan_of(alternatives=other, **same)) == run_settings(plan_of(**same))


def test_a_plan_routes_only_where_the_difficulty_would_change_anything() -> None:
    assert plan_of().routes
    assert not plan_of(classifier=None).routes
    assert not plan_of(entries={"all": entry(Majority(4)), "easy": entry(Majority(4), 0.9)}).routes


# Damage


def drop(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda record: record.pop(name)


def put(*path_and_value: Any) -> Callable[[dict[str, Any]], None]:
    *path, last, value = path_and_value

    def change(record: Any) -> None:
        for name in path:
            record = record[name]
        record[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *[
            (
                put("version", version),
                f"is version {version}; this apportion reads version 3; "
                "make it again with: apportion plan",
            )
            for version in (1, 2, 4)
        ],
        (drop("alternatives"), "alternatives is missing"),
        (drop("probe_cost"), "probe_cost is missing"),
        (put("probe_cost", {"generated": 1.0}), "probe_cost.prm is missing"),
        (
            put("reference", "text", "features", ["colour"]),
            "text.features is a list of 1; expected",
        ),
        (put("reference", "text", "points", 1), "reference.text.points is 1; expected at least 2"),
        (put("reference", "text", "mean", [1.0]), "reference: a cloud needs two points"),
        (
            put("reference", "agreement", ["many"]),
            'reference.agreement[0] is "many"; expected a wh',
        ),
        (drop("reference"), "reference is missing"),
        (lambda record: record["alternatives"].pop("all"), "alternatives: must be of all too"),
        (
            lambda record: record["alternatives"]["easy"][0].pop("beta"),
            "alternatives.easy[0].beta is missing",
        ),
        (
            put("alternatives", "easy", 0, "cost", {"tokens": 1.0}),
            "alternatives.easy[0].cost.generated_tokens is missing",
        ),
        (
            put("alternatives", "easy", 0, "cost", "usd", "many"),
            'cost.usd is "many"; expected a num',
        ),
        (lambda record: record["frontier"].pop("all"), "frontier: must be of all too"),
        (put("constraint", {"budget": 0}), "constraint.budget is 0; expected at least 1"),
        (put("constraint", {"budget": 10**9}), "budget is 1000000000; expected at most 1,000,000"),
        (put("constraint", {"weight": 1}), "constraint.weight is no field of a plan"),
        (put("rests_on", {"colour": 1}), "rests_on.colour is no field of a plan"),
        (put("rests_on", "mix", {"easy": "many"}), 'rests_on.mix.easy is "many"; expected a whole'),
        (put("rests_on", "mix", {"easy": -1}), "rests_on.mix.easy is -1; expected at least 0"),
        (put("rests_on", "mix", {"harder": 1}), 'rests_on.mix has "harder"; expected a difficulty'),
        (drop("worth_routing"), "worth_routing is missing"),
        (put("worth_routing", "no"), 'worth_routing is "no"; expected true or false'),
        (put("alternatives", "easy", 0, "beta", [1.0]), "beta is a list of 1; expected at least 2"),
        (
            put("alternatives", "easy", 0, "beta", [0.0, 1.0]),
            "alternatives.easy[0].beta[0] is 0.0; expected a number above 0",
        ),
        (drop("frontier"), "frontier is missing"),
        (put("frontier", "medium", []), "frontier: must be of difficulties that have an entry"),
        (
            put("frontier", "hard", 0, "strategy", "n", 0),
            "frontier.hard[0].strategy: budget 0 for majority",
        ),
        (
            put("frontier", "hard", 0, "strategy", "n", 10**9),
            "hard[0].strategy: n is 1000000000; ex",
        ),
        (
            put("frontier", "hard", 0, "interval", []),
            "interval is a list of 0; expected at least 2",
        ),
        (drop("rates"), "rates is missing"),
        (put("rates", "watts", "many"), 'rates.watts is "many"; expected a number'),
        (put("rates", "watts", float("nan")), "rates.watts is NaN; expected a finite number"),
        (put("rates", "watts", float("inf")), "rates.watts is Infinity; expected a finite number"),
        (
            put("rates", "watts", 10**400),
            "rates.watts is a number of more than 20 digits; expected",
        ),
        (put("rates", "watts", True), "rates.watts is true; expected a number"),
        (put("rates", "roofline", {}), "rates.roofline.device is missing"),
        (drop("version"), "is version None"),
        (put("format", "other"), "not a plan"),
        (drop("entries"), "entries is missing"),
        (drop("policy"), "policy is missing"),
        (put("policy", ""), 'policy is ""; expected a text that is not empty'),
        (drop("template"), "template is missing"),
        (put("entries", []), "entries is a list of 0; expected an object"),
        (put("entries", {}), "entries must be all, easy, hard, medium, and all among them"),
        (lambda record: record["entries"].pop("all"), "and all among them"),
        (
            put("entries", "harder", plan_of().entry("hard").to_record()),
            'entries has "harder"; expected a difficulty of easy, medium, hard, all',
        ),
        (put("entries", "easy", None), "entries.easy is null; expected an object"),
        (put("entries", "easy", "strategy", {"name": "magic"}), "strategy 'magic': must be one of"),
        (
            put("entries", "easy", "strategy", "n", 0),
            "entries.easy.strategy: budget 0 for majority",
        ),
        (
            put("entries", "easy", "interval", [0.5]),
            "entries.easy.interval is a list of 1; expected",
        ),
        (put("entries", "easy", "interval", 0.5), "entries.easy.interval is 0.5; expected a list"),
        (put("entries", "easy", "predicted_accuracy", 1.5), "accuracy is 1.5; expected at most 1"),
        (put("entries", "easy", "predicted_accuracy", "high"), 'is "high"; expected a number'),
        (put("prm", None), "a strategy needs a PRM, but the plan names none"),
        (put("sampling", "temperature", 0), "sampling.temperature is 0; expected a number above 0"),
        (put("sampling", "heat", 1), "sampling.heat is no field of a plan"),
        (put("template", {"user": "no question"}), 'template.user is "no question"; expected a te'),
        (put("template", "default"), 'template is "default"; expected an object'),
        (
            put("template", "turns", [["1+1", "2"]]),
            "template.turns[0] is a list of 2; expected an ob",
        ),
        (
            put("template", "stop", [""]),
            'template.stop[0] is ""; expected a text that is not empty',
        ),
        (put("classifier", {"probes": 4}), "classifier.problems is missing"),
        (put("classifier", "heads", []), "classifier.heads is a list of 0; expected at least 1"),
        (
            put("classifier", "heads", 0, "weights", [[1.0, 1.0]]),
            "classifier: weights of the head do not fit",
        ),
        (
            put("classifier", "heads", 0, "mean", [0.5]),
            "classifier: weights of the head do not fit",
        ),
        (
            put("classifier", "heads", 0, "intercepts", ["a"] * RANGES),
            'classifier.heads[0].intercepts[0] is "a"; expected a number',
        ),
        (
            put("classifier", "heads", 0, "scale", [1.0, 0.0]),
            "scale[1] is 0.0; expected a number abo",
        ),
        (put("classifier", "heads", 0, "probes", -1), "heads[0].probes is -1; expected at least 0"),
        (put("classifier", "heads", 0, "probes", 10**9), "is 1000000000; expected at most 256"),
        (
            put("classifier", "heads", 0, "features", ["log_words", "colour"]),
            "classifier: features colour do not exist",
        ),
    ],
)
def test_a_damaged_plan_is_one_line_that_names_the_file(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    path = damaged(tmp_path, change)
    with pytest.raises(InputError) as caught:
        load_plan(path)
    text = str(caught.value)
    assert text.startswith(f"plan {path}: ")
    assert message in text
    assert "\n" not in text


def test_the_damage_cases_start_from_a_plan_that_loads(tmp_path: Path) -> None:
    assert load_plan(damaged(tmp_path, lambda record: None)) == plan_of()


def test_a_recorded_plan_is_read_and_written_byte_for_byte(tmp_path: Path) -> None:
    save_plan(load_plan(RECORDED), tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == RECORDED.read_bytes()


def test_the_plan_that_ships_is_read_back(tmp_path: Path) -> None:
    plan = load_plan(data_folder() / "plans" / "lab-0.8m.json")
    save_plan(plan, tmp_path / "again.json")
    assert load_plan(tmp_path / "again.json") == plan


def test_what_else_could_be_chosen_is_no_part_of_the_run(tmp_path: Path) -> None:
    assert run_settings(plan_of(frontier={}, rates=Rates())) == run_settings(plan_of())


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not JSON"), (b"{", "not JSON"), (b"\xff\xfe\xfa", "not JSON"), (b"[]", "not a plan"),
     (b"null", "not a plan")],
)  # fmt: skip
def test_a_file_that_is_no_plan_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_plan(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_or_a_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_plan(tmp_path / "none.json")
    with pytest.raises(InputError, match="is a folder; expected the file that apportion plan"):
        load_plan(tmp_path)


def test_a_prm_is_needed_only_by_strategies_that_use_it(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    plan = plan_of(prm=None, entries={"all": entry(Majority(4))}, frontier={"all": ()})
    save_plan(plan, path)
    assert load_plan(path) == plan


# Writing


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plan.json"
    write_whole(path, "old")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["plan.json"]


def test_a_write_that_is_interrupted_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \ud800")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["plan.json"]


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_whole(path, "a long old text")
    write_whole(path, "π")
    assert path.read_text(encoding="utf-8") == "π"
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        save_plan(plan_of(), tmp_path / "none" / "plan.json")


def test_plans_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan_of().policy = "other"  # type: ignore[misc]


def test_a_plan_is_taken_as_it_is_in_a_result_or_from_its_file(tmp_path: Path) -> None:
    plan = plan_of()
    save_plan(plan, str(tmp_path / "plan.json"))
    assert as_plan(plan) is as_plan(SimpleNamespace(plan=plan)) is plan
    assert as_plan(str(tmp_path / "plan.json")) == load_plan(tmp_path / "plan.json")
    with pytest.raises(InputError, match="plan is a int; expected a plan or the file of one"):
        as_plan(3)  # type: ignore[arg-type]
