"""The file of a plan: versioned, readable JSON, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from executor.domains.registry import find_domain
from executor.errors import InputError, one_line
from executor.files import read_whole, write_whole
from executor.json_values import finite
from executor.models.templates import PromptTemplate
from executor.problem import MATHS, content_id
from executor.strategy import Sampling, to_dict
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.probe_cost import ProbeCost
from planner.costs.cost import Rates
from planner.plans.chooser import Chooser
from planner.plans.plan import DEFAULT, Plan, PlanBasis
from planner.plans.reference import Reference
from profiling.difficulty.estimator import DifficultyModel
from profiling.pass_rate import Difficulty

_T = TypeVar("_T")

FORMAT = "apportion-plan"
CASCADE = "apportion-cascade"  # the format of `planner.cascades.serialization`
VERSION = 3


def plan_to_dict(plan: Plan) -> dict[str, Any]:
    """The plan as a JSON document."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "policy": plan.policy,
        "prm": plan.prm,
        "entries": {name: entry.to_record() for name, entry in plan.entries.items()},
        "constraint": plan.constraint.to_dict(),
        "rests_on": plan.rests_on.to_dict(),
        "sampling": plan.sampling.to_dict(),
        "classifier": None if plan.classifier is None else plan.classifier.to_dict(),
        "template": plan.template.to_dict(),
        "rates": plan.rates.to_dict(),
        "frontier": _to_records(plan.frontier),
        "worth_routing": plan.worth_routing,
        "reference": None if plan.reference is None else plan.reference.to_dict(),
        "probe_cost": None if plan.probe_cost is None else plan.probe_cost.to_dict(),
        "alternatives": _to_records(plan.alternatives),
        # A plan without one is written as before there were choosers.
        **({} if plan.chooser is None else {"chooser": plan.chooser.to_dict()}),
        **({} if plan.domain == MATHS else {"domain": plan.domain}),
    }


def save_plan(plan: Plan, path: Path | str) -> None:
    """Write the plan, one alternative a line; the file appears whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    record = finite(plan_to_dict(plan))
    alternatives = record.pop("alternatives")
    text = json.dumps(record, indent=2, allow_nan=False)
    levels = [
        f"    {json.dumps(name)}: [\n"
        + ",\n".join(f"      {json.dumps(entry, allow_nan=False)}" for entry in known)
        + "\n    ]"
        for name, known in alternatives.items()
    ]
    lines = "{\n" + ",\n".join(levels) + "\n  }" if levels else "{}"
    write_whole(Path(path), f'{text[:-2]},\n  "alternatives": {lines}\n}}\n')


def load_plan(path: Path | str) -> Plan:
    """Read a plan file.

    Raises:
        InputError: no such file, not JSON, not a plan, another version, or a field that is wrong;
            the message has the field's path.
    """
    # Only who loads a plan waits for their import.
    from pydantic_core import from_json

    from planner.plans.schema import check_plan_record

    raw = read_whole(Path(path), "the file that apportion plan --out wrote", "plan")
    try:
        record = from_json(raw)
    except ValueError as error:
        raise InputError(f"plan {path}: not JSON ({one_line(error)})") from None
    if isinstance(record, dict) and record.get("format") == CASCADE:
        raise InputError(
            f"plan {path}: is a cascade of several policies; expected a plan of one: apportion run "
            "runs both"
        )
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise InputError(f"plan {path}: not a plan; apportion plan --out makes one")
    if (version := record.get("version")) != VERSION:
        raise InputError(
            f"plan {path}: is version {one_line(version, 20)}; this apportion reads version "
            f"{VERSION}; make it again with: apportion plan"
        )
    try:
        check_plan_record(record)
        return _from_record(record, f"plan {path}")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise InputError(f"plan {path}: {one_line(error)}") from None
        reason = f"damaged ({type(error).__name__}: {error})"
        raise InputError(f"plan {path}: {one_line(reason)}") from None


class HasPlan(Protocol):
    """A result that a plan was made in, as that of `apportion.plan`."""

    @property
    def plan(self) -> Plan: ...


def as_plan(given: Plan | HasPlan | Path | str) -> Plan:
    """Return the plan that a caller gave: a plan, a result that has one, or the file of one.

    Raises:
        InputError: it is none of these, or the file holds no plan.
    """
    if isinstance(given, Path | str):
        return load_plan(given)
    plan = given if isinstance(given, Plan) else getattr(given, "plan", None)
    if not isinstance(plan, Plan):
        raise InputError(f"plan is a {type(given).__name__}; expected a plan or the file of one")
    return plan


def run_settings(plan: Plan) -> dict[str, Any]:
    """The parts of a plan that shape its answers; a stored run is named by them.

    Every measurement changes the predictions, so they are part of the settings only if they decide
    between strategies: if the plan routes, the chances of the difficulties weight them.
    """
    plain = {
        "strategies": {name: to_dict(entry.strategy) for name, entry in plan.entries.items()},
        "classifier": plan.classifier.to_dict() if plan.routes and plan.classifier else None,
    }
    if not plan.routes:
        return plain
    record = plan_to_dict(plan)
    decided_by = [record[name] for name in ("alternatives", "probe_cost", "reference")]
    return plain | {"decided_by": content_id(json.dumps(finite(decided_by)))}


def _from_record(record: Mapping[str, Any], where: str) -> Plan:
    entries = {
        name: StrategyEstimate.from_record(entry) for name, entry in record["entries"].items()
    }
    frontier, alternatives = (
        _from_records(record["frontier"]),
        _from_records(record["alternatives"]),
    )
    allowed = {DEFAULT, *(level.value for level in Difficulty)}
    if DEFAULT not in entries or not set(entries) <= allowed:
        raise InputError(f"entries must be {', '.join(sorted(allowed))}, and all among them")
    if not set(frontier) <= set(entries):
        raise InputError("frontier: must be of difficulties that have an entry")
    for name, kept in (("frontier", frontier), ("alternatives", alternatives)):
        if DEFAULT not in kept:
            raise InputError(f"{name}: must be of {DEFAULT} too")
    if record["prm"] is None and any(e.strategy.needs_prm for e in entries.values()):
        raise InputError("a strategy needs a PRM, but the plan names none")
    classifier, reference = record["classifier"], record["reference"]
    probe_cost = record["probe_cost"]
    return Plan(
        policy=record["policy"],
        prm=record["prm"],
        sampling=Sampling.from_dict(record["sampling"]),
        template=PromptTemplate.from_dict(record["template"], where),
        entries=entries,
        classifier=_part("classifier", DifficultyModel.from_dict, classifier),
        chooser=_part("chooser", Chooser.from_dict, record.get("chooser")),
        constraint=Constraint.from_dict(record["constraint"]),
        rests_on=PlanBasis.from_dict(record["rests_on"]),
        frontier=frontier,
        alternatives=alternatives,
        rates=Rates.from_dict(record["rates"]),
        probe_cost=_part("probe_cost", ProbeCost.from_dict, probe_cost),
        worth_routing=bool(record["worth_routing"]),
        reference=_part("reference", Reference.from_dict, reference),
        domain=find_domain(record.get("domain", MATHS)).name,
    )


def _part(name: str, read: Callable[[Any], _T], record: Any) -> _T | None:
    """Read a part that may be missing; its numbers are right each, and may not fit together."""
    if record is None:
        return None
    try:
        return read(record)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None


def _to_records(
    by_difficulty: Mapping[str, Iterable[StrategyEstimate]],
) -> dict[str, list[dict[str, Any]]]:
    return {name: [one.to_record() for one in known] for name, known in by_difficulty.items()}


def _from_records(record: Mapping[str, Any]) -> dict[str, tuple[StrategyEstimate, ...]]:
    return {name: tuple(map(StrategyEstimate.from_record, known)) for name, known in record.items()}
