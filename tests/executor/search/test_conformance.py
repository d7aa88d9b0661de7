"""Every strategy passes the conformance suite."""

from __future__ import annotations

import pytest

from executor.strategy import (
    AdaptiveMajority,
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    ShortMOfK,
    Strategy,
    key,
)
from executor.testing.strategy_conformance import StrategyConformance

STRATEGIES: list[Strategy] = [
    Greedy(), Majority(8), BestOfN(8), BeamSearch(8, 4), Dvts(8, 4), ParticleFilter(8),
    AdaptiveMajority(8), ShortMOfK(8), Aggregate(8, 1, 2),
]  # fmt: skip
# Searches of other widths; the suite's tests of searches run on these too.
OTHER_SEARCHES: list[Strategy] = [BeamSearch(6, 3), Dvts(6, 2)]


class TestStrategies(StrategyConformance):
    @pytest.fixture(params=STRATEGIES + OTHER_SEARCHES, ids=key)
    def strategy(self, request: pytest.FixtureRequest) -> Strategy:
        strategy: Strategy = request.param
        return strategy
