"""The file of a cascade: written and read again, and what it refuses in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from executor.errors import InputError
from executor.models.templates import PromptTemplate
from executor.strategy import Sampling
from executor.thinking.budget import Thinking
from planner.cascades.choice import Goal, Search
from planner.cascades.plan import CascadePlan, PlannedStage, Promise
from planner.cascades.serialization import cascade_to_dict, is_cascade, load_cascade, save_cascade
from planner.choice.constraint import Constraint
from planner.plans.serialization import load_plan
from tests.helpers.cascade_worlds import two_models

SAMPLING = Sampling(thinking=Thinking(32), thinking_format="think")


def plan_of_two() -> CascadePlan:
    chosen = Search(two_models()).choose(Goal()).cascade
    stages = tuple(
        PlannedStage(stage.models.policy, None, stage.strategy, SAMPLING, PromptTemplate(), rule)
        for stage, rule in zip(chosen.stages, (*chosen.rules, None), strict=True)
    )
    return CascadePlan(stages, Constraint(), Promise(0.9, (0.8, 1.0), 6.0, "flops", 100))


def test_a_cascade_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "cascade.json"
    save_cascade(plan_of_two(), file)
    assert is_cascade(file)
    assert load_cascade(file) == plan_of_two()
    with pytest.raises(
        InputError, match="is a cascade of several policies; expected a plan of one"
    ):
        load_plan(file)


def _without(record: dict[str, Any], *path: Any) -> dict[str, Any]:
    *parents, last = path
    inner: Any = record
    for name in parents:
        inner = inner[name]
    del inner[last]
    return record


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r | {"format": "apportion-plan"}, "not a cascade; apportion plan"),
        (lambda r: r | {"version": 99}, "is version 99; this apportion reads version 1"),
        (lambda r: r | {"stages": []}, "stages: expected at least one"),
        (lambda r: r | {"stages": r["stages"][:1]}, "stage 1: every stage but the last"),
        (lambda r: _without(r, "stages", 0, "rule", "edges"), "damaged .KeyError"),
        (lambda r: _without(r, "stages", 0, "rule", "right", 0), "one value more than edges"),
        (lambda r: r | {"promise": {"accuracy": 1}}, "damaged"),
        (lambda r: [r], "not a cascade"),
    ],
)
def test_what_is_no_cascade_is_refused_in_one_line(
    change: Any, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "cascade.json"
    file.write_text(json.dumps(change(cascade_to_dict(plan_of_two()))))
    with pytest.raises(InputError, match=message) as error:
        load_cascade(file)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_no_cascade(tmp_path: Path) -> None:
    assert not is_cascade(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("no")
    assert not is_cascade(tmp_path / "text.json")
    with pytest.raises(InputError, match="not JSON"):
        load_cascade(tmp_path / "text.json")
