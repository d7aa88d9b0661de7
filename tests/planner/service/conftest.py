"""What the service's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from executor.answers.grader import MathGrader
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm
from executor.strategy import Strategy
from planner.service.answering.simulated import SimulatedAnswerer

Answering = Callable[..., SimulatedAnswerer]


@pytest.fixture(scope="session")
def grader() -> Iterator[MathGrader]:
    with MathGrader() as shared:
        yield shared


@pytest.fixture(scope="session")
def make_answerer(grader: MathGrader) -> Answering:
    """Makes an answerer over a simulated policy of these options, and a PRM."""

    def make(strategy: Strategy | None = None, **options: object) -> SimulatedAnswerer:
        policy = SimulatedPolicy(**options)  # type: ignore[arg-type]
        return SimulatedAnswerer(policy, grader, prm=SimulatedPrm(), strategy=strategy)

    return make
