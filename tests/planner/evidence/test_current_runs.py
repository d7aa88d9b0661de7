"""Which runs of a store count as evidence: those that the newest profile is alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from executor.run.runner import DOMAIN
from executor.store.store import RunSpec
from planner.evidence.runs import current_runs, evidence_domain


def spec_of(kind: str = "profile", prm: str | None = None, **settings: Any) -> RunSpec:
    """A run of the policy `p`, asked in the plain way by models with digests `a` and `h`."""
    models = {"policy": "a"} | ({} if prm is None else {"prm": "h"})
    plain = {"sampling": {"temperature": 0.7}, "template": {"user": "{problem}"}, "models": models}
    return RunSpec(kind, "p", prm, plain | settings)


def test_runs_of_another_template_sampling_or_model_are_left_out() -> None:
    newest = spec_of(seed=1)
    others = [
        spec_of(template={"user": "Q: {problem}"}),
        spec_of(sampling={"temperature": 1.0}),
        spec_of(models={"policy": "retrained"}),
    ]
    same = [spec_of("measure", seed=0), spec_of("measure", prm="head")]
    assert current_runs([*others, *same, newest]) == [*same, newest]


def test_the_newest_profile_says_what_counts_not_a_newer_measurement() -> None:
    profile_run = spec_of()
    odd = spec_of("measure", template={"user": "Q: {problem}"})
    assert current_runs([profile_run, odd]) == [profile_run]


def test_feedback_never_puts_measured_runs_aside() -> None:
    measured = [spec_of("measure", seed=seed) for seed in range(3)]
    cooler = spec_of("feedback", sampling={"temperature": 0.2})
    assert current_runs([*measured, cooler]) == measured
    imported = spec_of("measure", study="theirs")
    assert current_runs([imported, cooler]) == [imported]
    assert current_runs([cooler]) == [cooler]
    alike = spec_of("feedback")
    assert current_runs([*measured, alike]) == [*measured, alike]


def test_feedback_on_another_head_of_one_name_puts_none_aside() -> None:
    measured = spec_of("measure", prm="head")
    served = spec_of("feedback", prm="head", models={"policy": "a", "prm": "served"})
    assert current_runs([measured, served]) == [measured]


def test_of_two_heads_of_one_name_the_newer_counts() -> None:
    old = spec_of("measure", prm="head", models={"policy": "a", "prm": "old"})
    new = spec_of("measure", prm="head", models={"policy": "a", "prm": "new"})
    assert current_runs([old, spec_of(), new]) == [spec_of(), new]


def test_what_was_measured_of_others_decides_no_domain() -> None:
    """A profile of one policy on code must not hide what is known of another on maths."""
    maths, code = spec_of(), replace(spec_of(), policy="coder")
    code = replace(code, settings=code.settings | {DOMAIN: "code"})
    runs = [maths, code]
    assert evidence_domain(runs) == "code"
    assert evidence_domain(runs, maths.policy) == "maths"
    assert evidence_domain(runs, "coder") == "code"
    assert evidence_domain(runs, "unknown") == "code"
    assert current_runs(runs, "maths") == [maths]
