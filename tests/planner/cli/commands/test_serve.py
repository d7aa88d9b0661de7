"""`apportion serve` as a process: what it prints, how it ends, what it refuses to start with."""

from __future__ import annotations

import io
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from executor.errors import InputError
from executor.store.pending import Bounds
from executor.store.store import Store
from planner.cli.commands import common
from planner.cli.commands import serve as command
from planner.cli.console import Output
from planner.cli.main import build_parser
from planner.plans.serialization import save_plan
from planner.service import serving
from planner.service.monitoring.drift import DriftFinding
from planner.service.monitoring.traffic import TrafficCounter
from planner.service.queue.fair_queue import FairQueue
from tests.helpers.served_app import chat, until
from tests.planner.service.answering.test_planned import EASY, plan_of

ROOT = Path(__file__).parents[4]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
# The command, with the simulated policy in place of the plan's checkpoint.
PROGRAM = """
import sys
from executor.answers.grader import MathGrader
from planner.cli.main import main
from planner.runtime.session import Session
from tests.helpers.model_refs import policy_ref, prm_ref
from tests.planner.service.answering.test_planned import service_of

def executor(session, policy, prm=None, *, template=None, sampling=None):
    return service_of(session.grader, latency=float(sys.argv[1])).answerer._load()

Session.find_policy = lambda session, name: policy_ref(name)
Session.find_prm = lambda session, name: prm_ref(name)
Session.executor = executor
sys.exit(main(["serve", *sys.argv[2:]]))
"""


def as_a_process(test: Any) -> Any:
    """Mark a test that starts the command and asks it."""
    return pytest.mark.process(pytest.mark.socket(test))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    save_plan(plan_of(), tmp_path / "plan.json")
    return tmp_path


@contextmanager
def running(place: Path, latency: float, *options: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The process, and the document it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(latency), "--plan", "plan.json", "--port", "0",
         "--json", *options],
        cwd=place, env=ENVIRONMENT, text=True,
        stdout=subprocess.PIPE, stderr=(place / "log").open("w"),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        document = ""
        while not document.endswith("}\n"):
            line = process.stdout.readline()
            assert line, (place / "log").read_text()
            document += line
        yield process, json.loads(document)
    finally:
        process.kill()
        process.wait()


def start(*options: str) -> None:
    """The command in this process, for what it refuses."""
    output = Output(as_json=True, stdout=io.StringIO())
    command.run(build_parser().parse_args(["serve", *options]), output)


def ask(document: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{document['address']}/chat/completions", json=chat(EASY.text), timeout=60)


def answering(document: dict[str, Any]) -> None:
    """Wait until a question is being answered."""
    metrics = document["address"].replace("/v1", "/metrics")
    until(lambda: "apportion_running 1.0" in httpx.get(metrics, timeout=60).text)


@as_a_process
def test_it_serves_until_told_to_end(place: Path) -> None:
    with running(place, 4.0) as (process, document), ThreadPoolExecutor() as threads:
        assert document["model"] == "simulated-policy"
        asked = threads.submit(ask, document)
        answering(document)
        process.send_signal(signal.SIGTERM)
        until(lambda: "draining" in (place / "log").read_text())
        refused = ask(document)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "shutting_down"
        assert asked.result().status_code == 200
        assert process.wait(60) == 0
    events = [json.loads(line)["event"] for line in (place / "log").read_text().splitlines()]
    assert events.index("listening") < events.index("draining") < len(events)


def test_what_cannot_change_an_answer_is_not_drawn() -> None:
    assert common.settings(build_parser().parse_args(["serve", "--plan", "plan.json"])).early_stop


@as_a_process
def test_a_second_signal_ends_it_at_once(place: Path) -> None:
    with running(place, 60.0) as (process, document), ThreadPoolExecutor() as threads:
        asked = threads.submit(ask, document)
        answering(document)
        process.send_signal(signal.SIGINT)
        until(lambda: "draining" in (place / "log").read_text())
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.wait(60) == 0
        assert time.monotonic() - began < 40  # the answer takes a minute
        with pytest.raises(httpx.HTTPError):
            asked.result().raise_for_status()


@as_a_process
def test_the_page_and_what_passes(place: Path) -> None:
    with running(place, 0.0) as (_, document):
        root = document["address"].removesuffix("v1")
        assert ask(document).status_code == 200
        page = httpx.get(root, timeout=60)
        assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
        assert "http://" not in page.text.replace("http://www.w3.org", "").replace(root, "")
        found = httpx.get(f"{root}api/traffic", timeout=60).json()
        assert found["requests"]["200"] >= 1 and sum(found["strategies"].values()) == 1
        assert found["expected"] == {"easy": 0.5, "medium": 0.0, "hard": 0.5}
        assert httpx.get(f"{root}api/choices", timeout=60).status_code == 200
        wrong = httpx.get(f"{root}api/recommend", params={"policy": "nobody"}, timeout=60)
        assert wrong.is_client_error and wrong.json()["error"]["message"]


@as_a_process
def test_the_page_counts_by_the_prices_that_are_given(place: Path) -> None:
    prices = ("--device", "l4-24gb", "--usd-per-hour", "2")
    with running(place, 0.0, *prices) as (_, document):
        address = document["address"].replace("/v1", "/api/recommend")
        asked = {"policy": "lab-0.8m", "prm": "lab-0.8m-prm", "budget": 16}
        cost = httpx.get(address, params=asked, timeout=60).json()["recommendation"]["cost"]
    assert cost["usd"] == pytest.approx(cost["seconds"] * 2 / 3600) and cost["usd"] > 0


def test_what_the_page_shows_of_drift() -> None:
    findings = {
        "difficulty": DriftFinding("difficulty", 30.0, 10.0),
        "agreement": DriftFinding("agreement", 1.0, 10.0),
        "text": DriftFinding("text", 1.0, math.inf),
    }
    queue = FairQueue(lambda: 1, 1)
    shown = serving.snapshot(TrafficCounter(queue).to_dict(), plan_of(), findings)
    assert set(shown.drift) == {"difficulty", "agreement"}
    (warning,) = shown.warnings
    assert "difficulty 30" in warning


@as_a_process
def test_feedback_on_an_answer_of_a_process_that_was_killed(place: Path) -> None:
    with running(place, 0.0) as (process, document):
        name = ask(document).json()["id"]
        with Store.open(f"sqlite:///{place}/apportion.db") as store:
            until(lambda: store.find_pending(name, Bounds()) is not None)
        process.kill()
    with running(place, 0.0) as (_, document):
        told = httpx.post(
            f"{document['address']}/feedback", json={"id": name, "right": True}, timeout=60
        )
        assert told.status_code == 200, told.text
    assert EASY.text not in (place / "log").read_text()


@as_a_process
def test_a_store_in_memory_keeps_no_question_on_disk(place: Path) -> None:
    with running(place, 0.0, "--store", "sqlite://") as (_, document):
        told = {"id": ask(document).json()["id"], "right": True}
        feedback = f"{document['address']}/feedback"
        until(lambda: httpx.post(feedback, json=told, timeout=60).status_code == 200)
        page = document["address"].replace("/v1", "/api/choices")
        assert httpx.get(page, timeout=60).status_code == 200
    assert {path.name for path in place.iterdir()} == {"plan.json", "log"}


@as_a_process
def test_keys_of_a_file(place: Path) -> None:
    (place / "keys").write_text("sk-of-the-team\n")
    with running(place, 0.0, "--api-keys", "keys") as (_, document):
        assert ask(document).status_code == 401
        headers = {"Authorization": "Bearer sk-of-the-team"}
        assert (
            httpx.get(f"{document['address']}/models", headers=headers, timeout=60).status_code
            == 200
        )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--plan", "nowhere.json"], "plan nowhere.json: no such file"),
        (["--plan", "plan.json", "--port", "70000"], "--port is 70000; expected 0 to 65535"),
        (["--plan", "plan.json", "--queue", "-1"], "--queue -1: must be at least 0"),
        (["--plan", "plan.json", "--concurrency", "0"], "--concurrency 0: must be at least 1"),
        (
            ["--plan", "plan.json", "--usd-per-hour", "-1"],
            "--usd-per-hour is -1; expected a number",
        ),
        (["--plan", "plan.json", "--device", "abacus"], "--device abacus: must be one of"),
        (["--plan", "plan.json", "--api-keys", "empty"], "empty: no key in it"),
        (["--plan", "plan.json", "--api-keys", "gone"], "--api-keys gone: no such file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_it_does_not_start_with(
    place: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str
) -> None:
    (place / "empty").write_text("# nobody\n")
    monkeypatch.chdir(place)
    with pytest.raises(InputError, match=re.escape(says)):
        start(*options)
    assert not (place / "apportion.db").exists()


@as_a_process
def test_a_port_that_is_taken(place: Path) -> None:
    with running(place, 0.0) as (_, document):
        port = document["address"].split(":")[2].split("/")[0]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "0", "--plan", "plan.json", "--port", port],
            cwd=place, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert "is the port taken?" in done.stderr


def test_without_the_extra(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(InputError, match=r"serve needs fastapi.*apportion\[server\]"):
        start("--plan", "plan.json")
