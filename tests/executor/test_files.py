"""Files and folders that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.files import written_whole


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "made" / "model"
    with written_whole(target) as scratch:
        (scratch / "a").write_text("1")
        assert not target.exists()
    (tmp_path / "like").mkdir()  # as the umask says
    assert target.stat().st_mode == (tmp_path / "like").stat().st_mode

    def interrupted() -> None:
        with written_whole(target) as scratch:
            (scratch / "a").write_text("2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with written_whole(target, replace=False) as scratch:
        (scratch / "a").write_text("3")
    assert (target / "a").read_text() == "1"
    with written_whole(target) as scratch:
        (scratch / "b").write_text("4")
    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in target.parent.iterdir()] == [target.name]
