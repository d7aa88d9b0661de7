"""The memory of a machine, a container and a NUMA node."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from executor.engines import memory
from executor.engines.memory import Memory, memory_for


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without containers and nodes, until a test writes their files."""
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_NODES", tmp_path)
    return tmp_path


def test_without_a_container_the_memory_is_the_machines(here: Path) -> None:
    (here / "memory.max").write_text("max\n")
    found = memory_for(0)
    assert found.total == psutil.virtual_memory().total
    assert 0 < found.free == found.unused <= found.total
    assert not found.limited


def test_a_container_bounds_the_memory_and_its_file_pages_are_free(here: Path) -> None:
    (here / "memory.max").write_text("5000\n")
    (here / "memory.current").write_text("2000\n")
    assert memory_for(0) == Memory(3000, 3000, 5000, limited=True)
    (here / "memory.stat").write_text("anon 900\ninactive_file 700\nactive_file 100\n")
    assert memory_for(0) == Memory(3800, 3000, 5000, limited=True)


def test_an_older_container_is_read_too(here: Path) -> None:
    folder = here / "memory"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text("5000\n")
    (folder / "memory.usage_in_bytes").write_text("2000\n")
    (folder / "memory.stat").write_text("inactive_file 1\ntotal_inactive_file 700\n")
    assert memory_for(0) == Memory(3700, 3000, 5000, limited=True)
    (folder / "memory.limit_in_bytes").write_text(f"{2**63 - 4096}\n")
    assert not memory_for(0).limited


def test_of_several_nodes_that_of_the_core_counts(here: Path) -> None:
    for node, core in ((0, 0), (1, 7)):
        (here / f"node{node}" / f"cpu{core}").mkdir(parents=True)
        sizes = {"MemTotal": 9, "MemFree": 1, "Active(file)": 2, "Inactive(file)": node,
                 "SReclaimable": 1}  # fmt: skip
        lines = [f"Node {node} {name}: {size} kB" for name, size in sizes.items()]
        (here / f"node{node}" / "meminfo").write_text("\n".join(lines))
    assert memory_for(7) == Memory(5 * 1024, 5 * 1024, 9 * 1024)
    assert memory_for(0) == Memory(4 * 1024, 4 * 1024, 9 * 1024)


def test_a_share_is_of_what_is_free() -> None:
    assert Memory(80, 40, 100, limited=True).shared(0.5) == Memory(40, 20, 100, limited=True)
