"""A cascade of two of the laboratory's models, with real vLLM, from the profiles to the answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from executor.files import data_folder
from planner.cascades.choice import Search
from planner.cascades.serialization import load_cascade, save_cascade
from planner.costs.pricing import Pricing
from planner.runtime.reporter import SilentReporter
from planner.usecases.cascade_evidence import read_models_evidence
from planner.usecases.plan_cascade import plan_cascade
from tests.helpers.command import document

LABORATORY = data_folder() / "problems" / "laboratory"
POLICIES = ("lab-0.4m", "lab-1.8m")
ENGINE = ["--max-tokens", "128", "--kv-cache-gib", "0.25"]


@pytest.mark.slow
@pytest.mark.vllm
def test_a_cascade_of_two_real_models(tmp_path: Path) -> None:
    profiled = ["--problems", str(LABORATORY / "profile.jsonl"), "--limit", "24"]
    for policy in POLICIES:
        document(tmp_path, "profile", *profiled, "--policy", policy, "--max-samples", "8", *ENGINE)
    both = [word for policy in POLICIES for word in ("--policy", policy)]
    planned = document(tmp_path, "plan", *both, "--prm", "none", "--out", "cascade.json")
    assert planned["format"] == "apportion-cascade"
    made = load_cascade(tmp_path / "cascade.json")
    assert [made.stages[-1].policy] == ["lab-1.8m"]

    # On so few problems the plan may be one model alone; the best cascade of two is run instead.
    store = f"sqlite:///{tmp_path}/apportion.db"
    evidence, _ = read_models_evidence(
        POLICIES, ["none"], unit="flops", pricing=Pricing(), store=store, reporter=SilentReporter()
    )
    two = max(
        (one for one in Search(evidence).candidates if one.cascade.rules),
        key=lambda one: one.accuracy,
    ).cascade
    of_each = {
        policy: plan_cascade(POLICIES, ["none"], store=store).stages[-1] for policy in POLICIES
    }
    stages = tuple(
        replace(of_each[stage.models.policy], policy=stage.models.policy, strategy=stage.strategy,
                rule=rule)
        for stage, rule in zip(two.stages, (*two.rules, None), strict=True)
    )  # fmt: skip
    save_cascade(replace(made, stages=stages), tmp_path / "two.json")
    run = ["run", "--plan", "two.json", "--problems", str(LABORATORY / "heldout.jsonl"),
           "--limit", "16", "--kv-cache-gib", "0.25"]  # fmt: skip
    found = document(tmp_path, *run)
    assert found["problems"] == 16 and 0 <= found["accuracy"] <= 1
    first, second = found["stages"]
    assert (first["policy"], second["policy"]) == POLICIES
    assert first["problems"] == 16 and second["problems"] == first["passed_on"] > 0
    for stage in (first, second):
        ledger, engine = stage["ledger"], stage["engine"]["policy"]
        assert ledger["generated"] + ledger["discarded"] == engine["generated"]
    again = document(tmp_path, *run)
    assert json.dumps(again["answers"]) == json.dumps(found["answers"])
    assert all(stage["engine"]["solved"] == 0 for stage in again["stages"])
