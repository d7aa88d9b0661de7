"""The file of a cascade: versioned, readable JSON, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from executor.domains.registry import find_domain
from executor.errors import InputError, one_line
from executor.files import read_whole, write_whole
from executor.json_values import finite
from executor.problem import MATHS
from planner.cascades.plan import CascadePlan, PlannedStage, Promise
from planner.choice.constraint import Constraint
from planner.plans.serialization import CASCADE

FORMAT = CASCADE
VERSION = 1


def cascade_to_dict(plan: CascadePlan) -> dict[str, Any]:
    """The plan as a JSON document."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "stages": [stage.to_dict() for stage in plan.stages],
        "constraint": plan.constraint.to_dict(),
        "promise": None if plan.promise is None else asdict(plan.promise),
        "domain": plan.domain,
    }


def save_cascade(plan: CascadePlan, path: Path | str) -> None:
    """Write the plan.

    Raises:
        InputError: the file cannot be written.
    """
    record = finite(cascade_to_dict(plan))
    write_whole(Path(path), json.dumps(record, indent=2, allow_nan=False) + "\n")


def load_cascade(path: Path | str) -> CascadePlan:
    """Read the file of a cascade.

    Raises:
        InputError: no such file, not JSON, another kind or version, or a field that is wrong.
    """
    record = _read(Path(path))
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise InputError(
            f"cascade {path}: not a cascade; apportion plan --policy A --policy B --out makes one"
        )
    if (version := record.get("version")) != VERSION:
        raise InputError(
            f"cascade {path}: is version {one_line(version, 20)}; this apportion reads version "
            f"{VERSION}; make it again with: apportion plan"
        )
    try:
        return _from_record(record, f"cascade {path}")
    except InputError as error:
        raise InputError(f"cascade {path}: {one_line(error)}") from None
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        reason = f"damaged ({type(error).__name__}: {error})"
        raise InputError(f"cascade {path}: {one_line(reason)}") from None


def is_cascade(path: Path | str) -> bool:
    """Whether a file says that it is a cascade; False if it cannot be read."""
    try:
        record = _read(Path(path))
    except InputError:
        return False
    return isinstance(record, dict) and record.get("format") == FORMAT


def _read(path: Path) -> Any:
    raw = read_whole(path, "the file that apportion plan --out wrote", "plan")
    try:
        return json.loads(raw)
    except ValueError as error:  # also text in another encoding
        raise InputError(f"cascade {path}: not JSON ({one_line(error)})") from None


def _from_record(record: Mapping[str, Any], where: str) -> CascadePlan:
    stages = tuple(PlannedStage.from_dict(one, where) for one in record["stages"])
    if not stages:
        raise InputError("stages: expected at least one")
    for number, stage in enumerate(stages, 1):
        if (stage.rule is None) is not (number == len(stages)):
            raise InputError(f"stage {number}: every stage but the last needs a rule")
    promise = record["promise"]
    return CascadePlan(
        stages,
        Constraint.from_dict(record["constraint"]),
        None if promise is None else Promise.from_dict(promise),
        find_domain(record.get("domain", MATHS)).name,
    )
