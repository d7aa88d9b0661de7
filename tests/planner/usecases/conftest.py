"""What the tests of use cases share: a session with simulated models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.runtime.reporter import SilentReporter
from planner.runtime.settings import SessionSettings
from tests.helpers.simulated_session import SimulatedSession


@pytest.fixture
def session(tmp_path: Path) -> Iterator[SimulatedSession]:
    """An open session on a store in a file."""
    with SimulatedSession(
        SilentReporter(), f"sqlite:///{tmp_path}/store.db", SessionSettings()
    ) as opened:
        yield opened
