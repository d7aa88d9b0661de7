"""Waiting for a condition instead of for some time."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(met: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition; fail if it does not hold in time.

    The time only stops a test that hangs: on a busy machine all else may take long too.
    """
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
