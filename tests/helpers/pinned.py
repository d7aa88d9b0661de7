"""A pytest plugin: each worker of pytest-xdist keeps to a core of its own.

Tests with real engines can then run beside each other: an engine takes the cores it may, and two
that take both wait for each other at every step. What needs several cores is marked `cores`.
"""

from __future__ import annotations

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Pin this process, and with it all it will start."""
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})
