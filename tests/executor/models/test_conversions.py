"""Conversions: once at a time, with room for them, and without the leavings of killed ones."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from executor.errors import InputError
from executor.models.conversions import check_room, convert_once, is_converted


def test_two_that_want_the_same_convert_it_once(tmp_path: Path) -> None:
    target, made = tmp_path / "cache" / "m", []

    def make() -> None:
        made.append(1)
        time.sleep(0.05)
        target.mkdir()
        (target / "config.json").write_text("{}")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: convert_once(target, make), range(3)))
    assert is_converted(target) and made == [1]


def test_only_the_scratch_of_the_same_target_is_removed(tmp_path: Path) -> None:
    stale, other, longer = (
        tmp_path / ".m-abcd_123",
        tmp_path / ".n-abcd_123",
        tmp_path / ".m-2-abcd_123",
    )
    for folder in (stale, other, longer):
        folder.mkdir()
        (folder / "model.safetensors").write_text("")
    convert_once(tmp_path / "m", lambda: None)
    assert not stale.exists() and other.exists() and longer.exists()


@pytest.mark.parametrize(
    ("memory", "disk", "message"),
    [
        (2.7e9, 9e9, r"^policy m: its conversion needs 2.8 GB of memory, and 2.7 GB are free$"),
        (9e9, 1e9, r"needs 2.0 GB of space in the cache folder .*, and 1.0 GB are free$"),
        (2.9e9, 2.1e9, None),
    ],
)
def test_too_little_room_is_said_before_the_work(
    memory: float, disk: float, message: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=memory))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=disk))
    if message is None:
        check_room("policy m", tmp_path, 1_000_000_000, 100_000_000)
        return
    with pytest.raises(InputError, match=message):
        check_room("policy m", tmp_path, 1_000_000_000, 100_000_000)
