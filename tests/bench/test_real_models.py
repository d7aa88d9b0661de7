"""The matrix of public weights: which problems, and which commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from planner.cli.main import build_parser


@pytest.fixture
def real_models(script: Callable[[str], ModuleType]) -> ModuleType:
    """The script, as a module."""
    return script("real_models")


def test_parts_are_different_problems_by_level_and_always_the_same(
    real_models: ModuleType,
) -> None:
    wanted = real_models.Benchmark("", 1, 1, problems=100, stratum="level")
    levels = [(1, 43), (2, 90), (3, 105), (4, 128), (5, 134)]
    records = [
        {"id": f"{level}.{n}", "level": level} for level, many in levels for n in range(many)
    ]
    parts = real_models.drawn(records, wanted)
    chosen = {part: [one["id"] for one in many] for part, many in parts.items()}
    assert {len(many) for many in chosen.values()} == {100}
    assert len({one for many in chosen.values() for one in many}) == 200
    for level, many in levels:
        for ids in chosen.values():
            assert abs(sum(one.startswith(f"{level}.") for one in ids) - many / 5) <= 1
    again = real_models.drawn(list(records), wanted)
    assert again == parts


def test_a_small_benchmark_is_halved(real_models: ModuleType) -> None:
    records = [{"id": n} for n in range(31)]
    parts = real_models.drawn(records, real_models.Benchmark("", 1, 1, problems=100))
    assert [len(many) for many in parts.values()] == [15, 15]


def test_what_is_asked_for_comes_with_what_it_needs(
    real_models: ModuleType, tmp_path: Path
) -> None:
    todo = real_models.jobs(tmp_path, tmp_path, 5)
    names = [job.name for job in real_models.chosen(todo, ["smollm2-135m SVAMP heldout scored"])]
    assert set(names) == {
        "smollm2-135m-gsm8k-head-5", "smollm2-135m SVAMP heldout pool",
        "smollm2-135m SVAMP heldout scored",
    }  # fmt: skip
    assert real_models.chosen(todo, ["nothing"]) == []


def test_the_commands_are_real_and_need_what_is_made(
    real_models: ModuleType, tmp_path: Path
) -> None:
    todo = real_models.jobs(tmp_path, tmp_path, None)
    names = [job.name for job in todo]
    assert len(set(names)) == len(names) == 2 + 2 * 3 * (2 * 4 + 3)
    for job in todo:
        build_parser().parse_args([str(part) for part in job.command[3:]])
        assert set(job.after) < set(names)
