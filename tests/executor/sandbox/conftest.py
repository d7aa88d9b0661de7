"""Sandboxes that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from executor.errors import InputError
from executor.sandbox.sandbox import Isolation, Limits, Sandbox

ISOLATIONS = [Isolation.NAMESPACES, Isolation.FILTERS]


def made(isolation: Isolation, seconds: float = 0.5) -> Sandbox:
    """A sandbox of one isolation; the test is skipped if this system does not allow it."""
    sandbox = Sandbox(Limits(seconds=seconds), places=1, isolation=isolation)
    try:
        sandbox.check()
    except InputError as error:
        pytest.skip(str(error))
    return sandbox


@pytest.fixture(scope="module", params=ISOLATIONS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox of each isolation, with short limits."""
    with made(request.param) as shared:
        yield shared
