"""Which runs of a store count as evidence: the newest of each way of asking, of one study."""

from __future__ import annotations

import json
from collections.abc import Sequence

from executor.store.store import RunSpec
from planner.evidence.layout import FEEDBACK
from profiling.profiles.profiler import KIND as PROFILE
from profiling.profiles.profiler import STUDY


def current_runs(specs: Sequence[RunSpec]) -> list[RunSpec]:
    """Return the runs that can be combined: one setup per policy, one model per name.

    Accuracies of two templates, samplings, graders or models of one name must not be mixed. The
    newest profile of a policy decides the setup, or its newest run if it has no profile; imported
    runs decide only if the policy has no own runs. The newest run with a PRM decides which model
    the PRM's name means. Feedback decides only if there are no other runs, so that a client's
    request cannot displace measured runs. Seeds may differ.
    """

    def weight(spec: RunSpec) -> tuple[bool, bool, bool]:
        return spec.kind != FEEDBACK, STUDY not in spec.settings, spec.kind == PROFILE

    ways: dict[str, str] = {}
    for spec in sorted(specs, key=weight):
        ways[spec.policy] = _way(spec)
    asked = [spec for spec in specs if _way(spec) == ways[spec.policy]]
    newest = sorted(asked, key=lambda spec: spec.kind != FEEDBACK)
    heads = {(spec.policy, spec.prm): _digest(spec, "prm") for spec in newest}
    return [spec for spec in asked if heads[spec.policy, spec.prm] == _digest(spec, "prm")]


def study_of(specs: Sequence[RunSpec], policy: str) -> str | None:
    """Return the study whose imported runs count for a policy; None if its own runs count."""
    studies = (spec.settings.get(STUDY) for spec in current_runs(specs) if spec.policy == policy)
    return next(studies, None)


def _way(spec: RunSpec) -> str:
    """Return a key of the setup of a run: study, or sampling, template and model of the policy."""
    if STUDY in spec.settings:
        return json.dumps({STUDY: spec.settings[STUDY]})
    asked = [spec.settings.get("sampling"), spec.settings.get("template"), _digest(spec, "policy")]
    return json.dumps(asked, sort_keys=True)


def _digest(spec: RunSpec, role: str) -> str | None:
    digests: dict[str, str] = spec.settings.get("models", {})
    return digests.get(role)
