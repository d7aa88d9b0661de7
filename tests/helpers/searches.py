"""Strategies that grow responses step by step, as parameters of tests."""

from __future__ import annotations

import pytest

from executor.strategy import BeamSearch, Dvts, ParticleFilter, Strategy, key

TREES: list[Strategy] = [BeamSearch(8, 4), Dvts(8, 4), BeamSearch(6, 3), Dvts(6, 2)]
SEARCHES: list[Strategy] = [*TREES, ParticleFilter(8)]
every_tree = pytest.mark.parametrize("strategy", TREES, ids=key)
every_search = pytest.mark.parametrize("strategy", SEARCHES, ids=key)
