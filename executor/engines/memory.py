"""The memory of this machine, container or NUMA node that an engine on a CPU may take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_NODES = Path("/sys/devices/system/node")
# Of a container: folder below _CGROUP, files of its limit and usage, and names of its file pages.
_VERSIONS = (
    ("", "memory.max", "memory.current", ("inactive_file", "active_file")),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
     ("total_inactive_file", "total_active_file")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in bytes.

    Attributes:
        free: what programs may still take; pages of files count as free.
        unused: the same by vLLM's own check; in a container, pages of files count as taken.
        total: what there is.
        limited: whether a container has less than its machine.
    """

    free: int
    unused: int
    total: int
    limited: bool = False

    def shared(self, share: float) -> Memory:
        """Return the memory of a process that takes a share of what is free."""
        return Memory(
            round(share * self.free), round(share * self.unused), self.total, self.limited
        )


def memory_for(core: int) -> Memory:
    """Return the memory for an engine whose first core is `core`.

    vLLM takes the memory of that core's NUMA node only.
    """
    import psutil

    whole = psutil.virtual_memory()
    free, total = _of_node(core) or (int(whole.available), int(whole.total))
    free = min(free, int(whole.available))
    for folder, limit_file, usage_file, pages in _VERSIONS:
        try:
            limit = int((_CGROUP / folder / limit_file).read_text())
            used = int((_CGROUP / folder / usage_file).read_text())
        except (OSError, ValueError):  # no container, or "max": no limit
            continue
        if limit >= total:
            continue
        reclaimable = _of_files(_CGROUP / folder / "memory.stat", pages)
        return Memory(
            free=max(0, min(free, limit - used + reclaimable)),
            unused=max(0, min(free, limit - used)),
            total=limit,
            limited=True,
        )
    return Memory(free, free, total)


def _of_files(stat: Path, names: tuple[str, ...]) -> int:
    """Return the size of a container's pages of files, which the kernel can take back."""
    try:
        lines = [line.split() for line in stat.read_text().splitlines()]
        return sum(int(line[1]) for line in lines if line[0] in names)
    except (OSError, ValueError, IndexError):
        return 0


def _of_node(core: int) -> tuple[int, int] | None:
    """Return the free and total memory of a core's NUMA node; None if there is one node only."""
    nodes = list(_NODES.glob("node[0-9]*"))
    node = next((one for one in nodes if (one / f"cpu{core}").exists()), None)
    if len(nodes) < 2 or node is None:
        return None
    try:
        # Lines are like "Node 0 MemTotal: 97421888 kB".
        lines = [line.split() for line in (node / "meminfo").read_text().splitlines()]
        sizes = {line[2].rstrip(":"): 1024 * int(line[3]) for line in lines}
        pages = sizes["Active(file)"] + sizes["Inactive(file)"] + sizes["SReclaimable"]
        return sizes["MemFree"] + pages, sizes["MemTotal"]
    except (OSError, ValueError, IndexError, KeyError):
        return None
