"""Helpers of all benches: run a command of this project and read its JSON document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROBLEMS = ROOT / "data" / "problems"
LABORATORY = PROBLEMS / "laboratory"
MODELS = ROOT / "data" / "models"
MEASURED = ROOT / "data" / "measured"
# Real benchmarks are not part of this repository; they are used where they lie beside it.
SHARED = Path(os.environ.get("APPORTION_SHARED", ROOT.parent / "shared"))


def apportion(*arguments: str | Path) -> Any:
    """Run `apportion ... --json`; progress stays hidden, an error ends the bench."""
    command = [sys.executable, "-m", "planner.cli.main", *map(str, arguments), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return json.loads(done.stdout)


def finish(document: dict[str, Any], line: str, *, as_json: bool) -> None:
    """End a bench: everything as JSON, or its figure as the last line."""
    print(json.dumps(document, indent=2) if as_json else line)
