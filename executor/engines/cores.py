"""The cores of this process, on which engines run if there is no GPU."""

from __future__ import annotations

import os
from pathlib import Path

CORES = "VLLM_CPU_OMP_THREADS_BIND"
"""Variable that lists the cores that vLLM may use on a CPU, separated by commas."""


def cores() -> list[int]:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def own_cores() -> str:
    """Return the same cores as vLLM reads them, separated by commas."""
    return ",".join(map(str, cores()))


def physical_cores() -> list[tuple[int, ...]]:
    """Return the cores that this process may use, grouped by physical core."""
    groups: dict[str, list[int]] = {}
    for core in cores():
        siblings = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
        try:
            named = siblings.read_text(encoding="ascii").strip()
        except OSError:
            named = str(core)
        groups.setdefault(named, []).append(core)
    return [tuple(group) for group in groups.values()]
