"""Plans that were tampered with: each loads and can be chosen from, or is refused in one line."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections import Counter
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.files import data_folder
from planner.choice.constraint import Constraint
from planner.plans.compiled import CompiledPlan
from planner.plans.plan import DEFAULT, Plan
from planner.plans.serialization import load_plan, plan_to_dict, run_settings, save_plan
from profiling.difficulty.probes import Probes
from tests.helpers.mutations import mutants
from tests.planner.plans.test_plan import plan_of

BUNDLED = json.loads((data_folder() / "plans" / "lab-0.8m.json").read_text())
SMALL = plan_to_dict(plan_of())
CONSTRAINTS = (Constraint(), Constraint(budget=4), Constraint(max_flops=1e9), Constraint(max_usd=1))


def use(plan: Plan, place: Path) -> None:
    """Do with a plan what commands and the service do; InputError is an answer."""
    compiled = CompiledPlan(plan)
    for constraint in (plan.constraint, *CONSTRAINTS):
        for level in ("easy", "hard", DEFAULT):
            with contextlib.suppress(InputError):
                compiled.recommend(level, constraint)
    assert plan.entry("medium").strategy.n >= 1
    if plan.classifier is not None and not plan.classifier.heads[0].probes:
        estimate = plan.classifier.estimate_probes(Probes.of_text("What is 1 + 1?"))
        assert abs(sum(estimate.probabilities.values()) - 1) < 1e-6
    if plan.reference is not None:
        plan.reference.far("What is 1 + 1?")
    run_settings(plan)
    save_plan(plan, place / "again.json")
    load_plan(place / "again.json")


def check(document: object, number: int, place: Path) -> Counter[str]:
    """Load mutants of a plan; count what became of them."""
    file, found = place / "plan.json", Counter[str]()
    for index, body in enumerate(mutants(document, number, seed=17)):
        file.write_bytes(body)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                plan = load_plan(file)
            except InputError as error:
                line = str(error)
                assert line.startswith(f"plan {file}: "), (index, line)
                assert line.isprintable() and len(line) < 500, (index, line)
                found["refused"] += 1
            else:
                use(plan, place)
                found["loaded"] += 1
    return found


def test_mutated_plans(tmp_path: Path) -> None:
    found = check(SMALL, 200, tmp_path)
    assert found["refused"] > 100 and found["loaded"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("document", [SMALL, BUNDLED], ids=["small", "bundled"])
def test_two_thousand_mutated_plans(tmp_path: Path, document: object) -> None:
    found = check(document, 2000, tmp_path)
    assert found["refused"] > 1000 and found["loaded"] > 100
