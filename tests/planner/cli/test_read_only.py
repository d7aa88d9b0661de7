"""Commands that only read work where nothing can be written: current folder, home, store."""

from __future__ import annotations

import ctypes
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.errors import StoreError
from executor.store import database, read_only
from executor.store.store import Store
from tests.helpers.command import ROOT
from tests.helpers.scored_store import POLICY, PRM, fill

_OVERRIDES = (1, 2, 3)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
_PR_CAPBSET_DROP = 24


def _obey_modes() -> None:
    """Have the process that starts obey the modes of files, also as root."""
    if os.geteuid() == 0:
        for capability in _OVERRIDES:
            ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a store, in which nothing can be written."""
    folder = fill(tmp_path_factory.mktemp("read-only"))
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def run(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(place), "TMPDIR": str(place),
        "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "apportion", *words],
        cwd=place, env=environment, preexec_fn=_obey_modes, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
def test_commands_that_read_work_where_nothing_can_be_written(place: Path, tmp_path: Path) -> None:
    pair = ("--policy", POLICY, "--prm", PRM)
    report = tmp_path / "report.json"
    for words in (
        ("recommend", *pair, "--json"),
        ("replay", *pair, "--json"),
        ("report", *pair, "--format", "json", "--out", str(report)),
    ):
        done = run(place, *words)
        assert done.returncode == 0, done.stderr
        assert "error" not in done.stderr.lower() and "warning" not in done.stderr.lower()
        if "--json" in words:
            assert json.loads(done.stdout)["policy"] == POLICY
    assert json.loads(report.read_text())
    refused = run(place, "report", *pair, "--out", "report.html")
    assert refused.returncode == 2 and "cannot be written" in refused.stderr
    assert [one.name for one in place.iterdir()] == ["apportion.db"]


@pytest.fixture
def locked(place: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The store's URL, where this process may not write."""
    for module in (database, read_only):
        monkeypatch.setattr(module, "is_writable", lambda _: False)
    return f"sqlite:///{place}/apportion.db"


def test_a_store_that_cannot_be_written_is_read(locked: str) -> None:
    with Store.open(locked, create=False) as store:
        assert {spec.policy for spec in store.runs()} == {POLICY}
        with pytest.raises(StoreError, match="readonly"):
            store.put_artefact("a", b"b", {})


def test_what_writes_says_that_it_cannot(locked: str) -> None:
    with pytest.raises(StoreError, match="the file or its folder is read-only"):
        Store.open(locked)


def test_what_another_process_has_not_moved_into_the_file_is_read_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/store.db?timeout=5"
    with Store.open(url) as store:
        store.put_artefact("a", b"1", {})
        writer = sqlite3.connect(tmp_path / "store.db")
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("UPDATE artefacts SET content = 'new'")
        writer.commit()
        monkeypatch.setattr(database, "is_writable", lambda _: False)
        with Store.open(url, create=False) as reader:
            found = reader.artefact("a")
        writer.close()
    assert found is not None and found[0] in (b"new", "new")
