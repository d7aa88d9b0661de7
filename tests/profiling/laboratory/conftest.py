"""What tests of the laboratory share: a model that trains in a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiling.laboratory.train import train_policy
from tests.helpers.tiny_models import RECIPE, silent


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy's checkpoint, hardly trained; not to be written to."""
    folder = tmp_path_factory.mktemp("models") / "tiny-0.1m"
    train_policy(RECIPE, folder, silent)
    return folder
