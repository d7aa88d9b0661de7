"""The command line as people run it: a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def apportion(
    place: Path, *arguments: str | Path, code: str | None = None
) -> subprocess.CompletedProcess[str]:
    """A command run in `place`; with `code`, by that program instead of the module."""
    program = ["-m", "planner.cli.main"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def document(place: Path, *arguments: str | Path, code: str | None = None) -> Any:
    """What a command prints with `--json`, which must be all that is on stdout."""
    ended = apportion(place, *arguments, "--json", code=code)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout)
