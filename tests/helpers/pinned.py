"""A pytest plugin: each worker of pytest-xdist keeps to a core of its own.

Tests with real engines can then run beside each other: an engine takes the cores it may, and two
that take both wait for each other at every step. What needs several cores is marked `cores`.

With `--dist loadgroup --no-loadscope-reorder` the tests of a file, which share its engines, run in
one worker, or those of a group (`xdist_group`) if a file has several; long ones come first.
"""

from __future__ import annotations

import os

import pytest

_FIRST = ("tests/test_road.py", "tests/executor/servers/", "tests/executor/scorers/")
"""What takes longest: started last, it would leave the other workers idle."""


def pytest_configure(config: pytest.Config) -> None:
    """Pin this process, and with it all it will start."""
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file together, and begin with the long ones."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))

    def rank(item: pytest.Item) -> int:
        places = (i for i, start in enumerate(_FIRST) if item.nodeid.startswith(start))
        return next(places, len(_FIRST))

    items.sort(key=rank)
