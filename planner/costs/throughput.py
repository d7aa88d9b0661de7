"""How fast this machine's engines are: tokens a second of a policy and of a PRM, from whole runs.

A run takes the policy's time and the PRM's. What one token of each takes is fitted to the runs of
the policy: seconds = generated x policy + forwarded x PRM, by least squares weighted with one over
a run's seconds, as longer runs are off by more. Where the runs do not tell the two apart (all had
as many PRM tokens a generated one), it is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from executor.store.store import Store

_ARTEFACT = "speed/"
# Of two columns, 1 - cos^2 of the angle between them: below this noise decides which took the time.
_APART = 0.05


@dataclass(frozen=True, slots=True)
class Timed:
    """What one run did, and how long it took.

    Attributes:
        prm: that scored it; None without.
        generated: tokens of the policy.
        scored: tokens that the PRM forwarded.
        seconds: wall time, of one engine.
    """

    prm: str | None
    generated: int
    scored: int
    seconds: float


def note(store: Store, policy: str, run: Timed) -> None:
    """Add a run to those of its policy."""
    known = store.artefact(_ARTEFACT + policy)
    record = known[1] if known else {}
    runs = [*record.get("runs", []), asdict(run)]
    store.put_artefact(_ARTEFACT + policy, b"", record | {"runs": runs})


def read(store: Store, policy: str) -> list[Timed]:
    """The runs of a policy.

    Older stores hold totals of all of them, PRM or not: these count only where no run had one.
    """
    known = store.artefact(_ARTEFACT + policy)
    record = known[1] if known else {}
    runs = [Timed(**run) for run in record.get("runs", [])]
    if "tokens" in record and not any(s.prm for s in store.runs() if s.policy == policy):
        runs.append(Timed(None, record["tokens"], 0, record["seconds"]))
    return runs


def speeds(runs: Sequence[Timed], prm: str | None) -> tuple[float | None, float | None]:
    """Tokens a second of the policy and of the PRM; None where the runs do not tell."""
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
