"""The folder with public benchmarks beside the project, for tests that are skipped without it."""

from __future__ import annotations

import os
from pathlib import Path

SHARED = Path(os.environ.get("APPORTION_SHARED", Path(__file__).parents[3] / "shared"))
