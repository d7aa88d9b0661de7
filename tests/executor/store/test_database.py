"""What opening a database does beside opening it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.process
def test_warnings_of_the_driver_are_not_printed() -> None:
    """Python prints the warnings of loggers that have no handler."""
    script = (
        "import logging, executor.store.database;"
        "logging.getLogger('psycopg').warning('error ignored terminating a pipeline');"
        "logging.getLogger('other').warning('this is printed')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr == "this is printed\n"
