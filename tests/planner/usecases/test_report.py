"""Reports as a library writes them: the pair that is meant, the form, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.errors import InputError
from planner.usecases.report import report

NO_STORE = "sqlite:///no-such-store.db"


@pytest.mark.process
def test_a_bundled_policy_is_reported_with_its_own_prm(tmp_path: Path) -> None:
    written = report("lab-0.4m", out=tmp_path / "page.json", form="json", store=NO_STORE)
    assert (written.content.policy, written.content.prm) == ("lab-0.4m", "lab-0.4m-prm")
    assert written.to_dict() == {
        "policy": "lab-0.4m", "prm": "lab-0.4m-prm", "format": "json",
        "out": str(tmp_path / "page.json"),
    }  # fmt: skip
    assert json.loads((tmp_path / "page.json").read_text())["policy"] == "lab-0.4m"


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
