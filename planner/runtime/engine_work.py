"""What engines did for one run, by their own counters, and the throughput that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from executor.engines.base import EngineCounters
from executor.store.store import RunSpec, Store
from planner.costs import throughput


@dataclass(frozen=True, slots=True)
class EngineWork:
    """Work of the engines for one run; problems that were finished before it cost nothing.

    Attributes:
        solved: number of problems finished in this run.
        policy: token counts of the policy's engine.
        prm: token counts of the PRM's engine; None for a run without a PRM.
    """

    solved: int
    policy: EngineCounters
    prm: EngineCounters | None


def note_throughput(store: Store, spec: RunSpec, work: EngineWork, seconds: float) -> None:
    """Keep a run's throughput in the store, if the run generated tokens and counted all of them.

    Args:
        store: where to keep it.
        spec: the run.
        work: what its engines did.
        seconds: wall time of the run, times its number of engines.
    """
    if spec.prm is not None and work.prm is None:
        return
    scorer = work.prm or EngineCounters()
    # A scorer that is the policy itself writes with the policy's engine.
    generated = work.policy.generated - scorer.generated
    scored = scorer.prompt - scorer.cached + scorer.generated
    if generated > 0:
        throughput.note(store, spec.policy, throughput.Timed(spec.prm, generated, scored, seconds))
