"""What a report refuses; that it writes one is the test of its docstring's example."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.errors import InputError
from planner.usecases.report import report

NO_STORE = "sqlite:///no-such-store.db"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"form": "pdf"}, "--format is 'pdf'; expected one of html, md, json"),
        ({"out": Path("no-such-folder/page.html")}, "the folder no-such-folder does not exist"),
        ({"policy": None}, "--policy: must be given; the store knows none"),
    ],
    ids=["form", "folder", "policy"],
)
def test_what_cannot_be_written_is_refused_in_one_line(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    asked = {"policy": "lab-0.4m", "out": tmp_path / "page.html", "store": NO_STORE} | changes
    with pytest.raises(InputError, match=message) as refused:
        report(**asked)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
