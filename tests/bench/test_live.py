"""The service that benches start: one that says nothing is given up, one that drains is let end."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from planner.cli.main import build_parser
from planner.service.http.request_handler import LAST_WRITES_SECONDS

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import live


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


def stand_in(monkeypatch: pytest.MonkeyPatch, plan: Path, script: str) -> None:
    """Have this run in the server's place."""
    path = plan.with_name("python")
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


@pytest.mark.process
def test_a_server_that_never_says_where_it_listens_is_given_up(
    monkeypatch: pytest.MonkeyPatch, plan: Path
) -> None:
    stand_in(monkeypatch, plan, "echo '{'; exec sleep 30")
    monkeypatch.setattr(live, "_START_SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(SystemExit, match="did not start"), live.serving(plan):
        pass
    assert time.monotonic() - began < 20  # of 30 s


@pytest.mark.process
def test_it_drains_for_less_than_its_end_is_awaited(
    monkeypatch: pytest.MonkeyPatch, plan: Path
) -> None:
    stand_in(
        monkeypatch, plan,
        f"""echo "$@" > {plan.with_name("words")}
        printf '{{\\n"address": "http://127.0.0.1:9/v1"\\n}}\\n'; exec sleep 30""",
    )  # fmt: skip
    monkeypatch.setattr(live.Live, "ready", lambda self: True)
    with live.serving(plan) as served:
        assert served.port == 9
    words = plan.with_name("words").read_text().split()
    serve = build_parser().parse_args(words[2:])
    assert serve.drain_seconds + LAST_WRITES_SECONDS < live._END_SECONDS
