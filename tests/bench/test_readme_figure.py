"""The README's picture: its caption says what the script that draws it prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_the_caption_has_the_figures_of_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(ROOT / "bench")
    for name in ("matrix", "readme_figure"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import readme_figure  # type: ignore[import-not-found]

    picture = tmp_path / "picture.svg"
    monkeypatch.setattr(sys, "argv", ["readme_figure.py", "--out", str(picture), "--json"])
    readme_figure.main()
    shown = json.loads(capsys.readouterr().out)["accuracy"]
    assert picture.stat().st_size > 10_000
    assert (ROOT / "docs" / "accuracy-over-budget.svg").is_file()
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for what in (
        "strong PRM, beam search, weighted vote, N = 64",
        "off-policy PRM, best-of-N, highest score, N = 256",
        "off-policy PRM, majority vote (no PRM), N = 256",
    ):
        figure, problems = shown[what].split(" (")
        assert figure in readme, what
        assert problems == "400 problems)"
