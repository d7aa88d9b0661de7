"""Which runs of a store count as evidence: the newest of each way of asking, of one study."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager

from executor.answers.grader import Grader
from executor.domains.registry import open_grader
from executor.problem import MATHS
from executor.run.runner import DOMAIN
from executor.store.store import RunSpec, Store
from planner.evidence.layout import FEEDBACK
from profiling.profiles.profiler import KIND as PROFILE
from profiling.profiles.profiler import STUDY


def current_runs(specs: Sequence[RunSpec], domain: str | None = None) -> list[RunSpec]:
    """Return the runs that can be combined: one domain, one setup per policy, one model per name.

    Accuracies of two domains, templates, samplings, graders or models of one name must not be
    mixed. The newest profile of a policy decides the setup, or its newest run if it has no profile;
    imported runs decide only if the policy has no own runs. The newest run with a PRM decides which
    model the PRM's name means. Feedback decides only if there are no other runs, so that a client's
    request cannot displace measured runs. Seeds may differ.

    Args:
        specs: the runs of a store, the newest last.
        domain: the domain wanted; None: see `evidence_domain`.
    """
    domain = domain or evidence_domain(specs)
    specs = [spec for spec in specs if domain_of(spec) == domain]
    ways: dict[str, str] = {}
    for spec in sorted(specs, key=_weight):
        ways[spec.policy] = _way(spec)
    asked = [spec for spec in specs if _way(spec) == ways[spec.policy]]
    newest = sorted(asked, key=lambda spec: spec.kind != FEEDBACK)
    heads = {(spec.policy, spec.prm): _digest(spec, "prm") for spec in newest}
    return [spec for spec in asked if heads[spec.policy, spec.prm] == _digest(spec, "prm")]


def _weight(spec: RunSpec) -> tuple[bool, bool, bool]:
    """Return a key by which runs that decide come last."""
    return spec.kind != FEEDBACK, STUDY not in spec.settings, spec.kind == PROFILE


def domain_of(spec: RunSpec) -> str:
    """Return the domain of a run's problems."""
    return str(spec.settings.get(DOMAIN, MATHS))


def evidence_domain(specs: Sequence[RunSpec], policy: str | None = None) -> str:
    """Return the domain whose runs count as evidence: that of the newest run that decides.

    Args:
        specs: the runs of a store, the newest last.
        policy: the policy that is asked about, whose own runs then decide if it has any: what was
            measured of others must not hide them. None: any policy's run may decide.
    """
    own = [spec for spec in specs if spec.policy == policy]
    ordered = sorted(own or specs, key=_weight)
    return domain_of(ordered[-1]) if ordered else MATHS


def own_domain(specs: Sequence[RunSpec], policy: str) -> str | None:
    """Return the domain of the newest run of a policy that decides; None if it has no runs."""
    own = [spec for spec in specs if spec.policy == policy]
    return evidence_domain(own) if own else None


def evidence_grader(
    store: Store, domain: str | None = None, policy: str | None = None
) -> AbstractContextManager[Grader]:
    """Return the grader of the runs that count as evidence, to be opened.

    Args:
        store: store of the runs.
        domain: the domain wanted; None: see `evidence_domain`.
        policy: the policy that is asked about; None: all.
    """
    return open_grader(domain or evidence_domain(store.runs(), policy))


def study_of(specs: Sequence[RunSpec], policy: str, domain: str | None = None) -> str | None:
    """Return the study whose imported runs count for a policy; None if its own runs count.

    Args:
        specs: the runs of a store, the newest last.
        policy: name of the policy.
        domain: the domain wanted; None: see `evidence_domain`.
    """
    current = current_runs(specs, domain or evidence_domain(specs, policy))
    return next((spec.settings.get(STUDY) for spec in current if spec.policy == policy), None)


def _way(spec: RunSpec) -> str:
    """Return a key of the setup of a run: study, or sampling, template and model of the policy."""
    if STUDY in spec.settings:
        return json.dumps({STUDY: spec.settings[STUDY]})
    asked = [spec.settings.get("sampling"), spec.settings.get("template"), _digest(spec, "policy")]
    return json.dumps(asked, sort_keys=True)


def _digest(spec: RunSpec, role: str) -> str | None:
    digests: dict[str, str] = spec.settings.get("models", {})
    return digests.get(role)
