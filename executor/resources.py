"""Where the project's own data lies: in the source tree, or inside an installed wheel."""

from __future__ import annotations

from pathlib import Path


def data_folder() -> Path:
    """The folder `data/` of the project, wherever it was installed."""
    root = Path(__file__).resolve().parent.parent
    installed = root / "planner" / "data"
    return installed if installed.is_dir() else root / "data"
