"""The layout is the one that CONTRIBUTING shows, and no package is a heap of modules."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("planner", "profiling", "executor")
MOST_MODULES = 15
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def modules(package: Path) -> list[str]:
    """The modules of a package's root, `__init__.py` not counted."""
    return [file.name for file in package.glob("*.py") if file.name != "__init__.py"]


def crowded() -> set[str]:
    """The packages with more modules than a package should have."""
    roots = [file.parent for name in PACKAGES for file in (ROOT / name).rglob("__init__.py")]
    return {
        root.relative_to(ROOT).as_posix() for root in roots if len(modules(root)) > MOST_MODULES
    }


def test_a_crowded_package_has_its_reason_in_the_guide() -> None:
    rule = GUIDE.split("**No package has more than fifteen modules")[1].split("\n- ")[0]
    assert {name for name in crowded() if f"`{name}`" not in rule} == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_shows_every_room(package: str) -> None:
    picture = GUIDE.split("```text")[1].split("```")[0]
    part = picture[picture.index(f"\n{package}/") :].split("\n   |")[0]
    folder = ROOT / package
    rooms = {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}
    rooms |= set(modules(folder))
    shown = {line.split()[0] for line in part.splitlines()[2:] if line.strip()}
    assert shown == rooms
