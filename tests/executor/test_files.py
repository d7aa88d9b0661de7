"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from executor.errors import InputError
from executor.files import is_folder, read_whole, write_whole, written_whole


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


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plan.json"
    write_whole(path, "a long old text")
    write_whole(path, "π")
    assert path.read_text(encoding="utf-8") == "π"
    assert path.stat().st_mode & 0o777 == 0o644
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \ud800")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        write_whole(path, "new")
    assert path.read_text(encoding="utf-8") == "π"
    assert os.listdir(tmp_path) == ["plan.json"]


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "plan.json", tmp_path / "plan.json"
    target.write_text("old")
    link.symlink_to(target)
    write_whole(link, "new")
    assert link.is_symlink() and target.read_text() == "new"
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["plan.json"]


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """As root, `--out /dev/null` put a file in the place of the device."""
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "a report")
    reader.join(60)
    assert read == ["a report"] and pipe.is_fifo()


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_whole(tmp_path, "a report")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone", "gone: no such file; expected a plan"),
        (".", "is a folder; expected a plan"),
        ("a" * 3000, "...: cannot be read (File name too long); expected a plan"),
        ("a\0b", "a\\x00b: cannot be read (embedded null byte); expected a plan"),
        ("loop", "loop: cannot be read (Too many levels of symbolic links); expected a plan"),
        ("file/x", "file/x: cannot be read (Not a directory); expected a plan"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError) as caught:
        read_whole(tmp_path / name, "a plan", "plan")
    said = str(caught.value)
    assert said.startswith("plan /") and said.endswith(reason) and len(said) < 500
    assert "\n" not in said


def test_a_name_that_no_folder_can_have_is_that_of_none(tmp_path: Path) -> None:
    assert is_folder(tmp_path) and is_folder(str(tmp_path))
    assert not is_folder(tmp_path / "gone")
    assert not is_folder("a" * 3000)
    assert not is_folder("a\0b")
