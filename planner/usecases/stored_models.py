"""Which models and stores a call names, and what a store knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from executor.errors import InputError
from executor.servers.address import read_address
from executor.store.store import RunSpec
from planner.choice.constraint import Constraint
from planner.costs.cost import Rates
from profiling.difficulty.pass_rate import LEVELS


def model_name(given: str | None) -> Any:
    """The name evidence carries: a folder is known by its last part, a server by its model."""
    if given is not None and (address := read_address(given)) is not None:
        raise InputError(f"{address}: evidence goes by a model's name; give that")
    return given if given is None or not Path(given).is_dir() else Path(given).resolve().name


def store_exists(store_url: str) -> bool:
    """Whether there is a store to read; only a missing SQLite file is not worth an error, and a
    memory, which holds nothing but what its own process has put there."""
    try:
        parsed = make_url(store_url)
    except Exception:
        return True  # Store.open says what is wrong with it
    if parsed.get_backend_name() != "sqlite":
        return True
    return parsed.database is not None and Path(parsed.database).is_file()


def store_name(store_url: str) -> str:
    """A store as people know it: what is read by others must hold no password."""
    parsed = make_url(store_url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return Path(parsed.database).name
    return parsed.render_as_string(hide_password=True)


def difficulty(name: str) -> str:
    """A difficulty, or `all`; InputError for anything else."""
    if name not in LEVELS:
        raise InputError(f"difficulty {name!r}: must be one of {', '.join(LEVELS)}")
    return name


def check_known(constraint: Constraint, rates: Rates) -> None:
    """InputError where a limit is on what nobody knows here, even of strategies without a PRM."""
    for name in ("flops", "seconds", "usd"):
        limited = getattr(constraint, f"max_{name}") is not None
        if limited and (why := rates.missing(name, scored=False)):
            raise InputError(f"--max-{name}: {why}")


def pair(runs: Sequence[RunSpec], policy: str | None, prm: str | None) -> tuple[str, str | None]:
    """Policy and PRM: as given, or the only ones of these runs."""
    policy = only_policy(runs, policy)
    prms = prms_of(runs, policy)
    if prm is None and len(prms) > 1:
        raise InputError(f"--prm: must be given; the store knows {', '.join(prms)}")
    return policy, prm or (prms[0] if prms else None)


def only_policy(runs: Sequence[RunSpec], policy: str | None) -> str:
    """The policy: as given, or the only one of these runs."""
    policies = sorted({spec.policy for spec in runs})
    if policy is None:
        if len(policies) != 1:
            known = ", ".join(policies) or "none"
            raise InputError(f"--policy: must be given; the store knows {known}")
        (policy,) = policies
    return policy


def prms_of(runs: Sequence[RunSpec], policy: str) -> list[str]:
    """The PRMs that scored a policy in these runs."""
    return sorted({spec.prm for spec in runs if spec.prm and spec.policy == policy})
