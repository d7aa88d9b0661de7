"""A pytest plugin: each worker of pytest-xdist keeps to a core of its own.

Tests with real engines can then run beside each other: an engine takes the cores it may, and two
that take both wait for each other at every step. What needs several cores is marked `cores`.

The tests of a file share its engines. With `--dist loadfile --no-loadscope-reorder` one worker runs
them all, and the files that take longest come first.
"""

from __future__ import annotations

import os

import pytest

_FIRST = ("tests/test_road.py", "tests/executor/serving/", "tests/executor/scorers/")
"""What takes longest: started last, it would leave the other workers idle."""


def pytest_configure(config: pytest.Config) -> None:
    """Pin this process, and with it all it will start."""
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""

    def rank(item: pytest.Item) -> int:
        places = (i for i, start in enumerate(_FIRST) if item.nodeid.startswith(start))
        return next(places, len(_FIRST))

    items.sort(key=rank)
