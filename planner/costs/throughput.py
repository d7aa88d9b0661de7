"""Throughput of this machine: tokens per second of a policy and of a PRM, from whole runs.

The time of a run is the policy's time plus the PRM's. The seconds per token of each are fitted to
the runs of the policy: seconds = generated x policy + forwarded x PRM, by least squares. The weight
of a run is the inverse of its seconds, because longer runs have larger errors. If all runs have the
same ratio of PRM tokens to generated tokens, the fit cannot separate the two, and the throughput of
the PRM is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from executor.store.store import Store

_ARTEFACT = "speed/"
# Least 1 - cos^2 of the angle between the two columns of the fit; below it, noise decides.
_APART = 0.05


@dataclass(frozen=True, slots=True)
class Timed:
    """Token counts and time of one run.

    Attributes:
        prm: name of the PRM; None if the run had no PRM.
        generated: tokens that the policy generated.
        scored: tokens that the PRM forwarded.
        seconds: wall time of one engine.
    """

    prm: str | None
    generated: int
    scored: int
    seconds: float


def note(store: Store, policy: str, run: Timed) -> None:
    """Add a run to the stored runs of its policy."""

    def added(record: dict[str, Any]) -> dict[str, Any]:
        return record | {"runs": [*record.get("runs", []), asdict(run)]}

    store.change_artefact(_ARTEFACT + policy, added)


def read(store: Store, policy: str) -> list[Timed]:
    """Return the timed runs of a policy.

    Older stores hold only totals over all runs, with and without a PRM. The totals count as one run
    if no run of the policy had a PRM.
    """
    artefact = store.artefact(_ARTEFACT + policy)
    record = artefact[1] if artefact else {}
    runs = [Timed(**run) for run in record.get("runs", [])]
    if "tokens" in record and not any(s.prm for s in store.runs() if s.policy == policy):
        runs.append(Timed(None, record["tokens"], 0, record["seconds"]))
    return runs


def speeds(runs: Sequence[Timed], prm: str | None) -> tuple[float | None, float | None]:
    """Return the tokens per second of policy and PRM; None if the runs do not determine one."""
    alone = [run for run in runs if not run.scored]
    together = [run for run in runs if run.scored and run.prm == prm]
    plain = None
    if alone:
        counts = np.array([(run.generated, run.seconds) for run in alone], dtype=float)
        plain = float((counts[:, 0] ** 2 / counts[:, 1]).sum() / counts[:, 0].sum())
    if not together:
        return plain, None
    both = [*alone, *together]
    root = np.sqrt([run.seconds for run in both])
    tokens = np.array([(run.generated, run.scored) for run in both]) / root[:, None]
    gram = tokens.T @ tokens
    if 1 - gram[0, 1] ** 2 / (gram[0, 0] * gram[1, 1]) < _APART:
        return plain, None
    policy, scorer = np.linalg.solve(gram, tokens.T @ root)
    return (float(1 / policy), float(1 / scorer)) if min(policy, scorer) > 0 else (plain, None)
