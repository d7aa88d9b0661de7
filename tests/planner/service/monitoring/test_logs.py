"""Logs: a JSON object a request, and never what was asked or answered, unless told to."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator

import httpx
import pytest

from planner.service.http import streaming
from planner.service.http.settings import ServiceSettings
from tests.helpers.served_app import MODEL, Served, chat, in_process, serving, until
from tests.planner.service.conftest import Answering

SECRET = "the gardener did it"
PATH = "/v1/chat/completions"


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All that any logger of this process says."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def quoting(question: str) -> float:
    """An answerer's mistake whose message quotes the question."""
    if "broken" in question:
        raise RuntimeError(f"cannot answer {question!r}")
    return 1.0


def test_prompts_appear_in_no_log(
    make_answerer: Answering,
    everything: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # However slow the machine is: after a first event the status is 200, whatever happens.
    monkeypatch.setattr(streaming, "_HOLD_SECONDS", 60.0)
    faults = {2}
    with serving(make_answerer(p=quoting, faults=faults, latency=0.3)) as served:
        with served.client() as client:
            asked = [
                client.post(PATH, json=chat(f"{SECRET} {number}", stream=number % 2 == 1))
                for number in range(4)
            ]  # answered, lost, answered
            assert [one.status_code for one in asked] == [200, 503, 200, 200]
            broken = client.post(PATH, json=chat(f"{SECRET} broken"))
            assert broken.status_code == 500 and SECRET not in broken.text
            streamed = client.post(PATH, json=chat(f"{SECRET} broken", stream=True))
            assert SECRET not in streamed.text
            client.post("/v1/completions", json={"model": MODEL, "prompt": [SECRET, SECRET]})
            for wrong in (
                {"model": SECRET}, chat(SECRET, stop=3), {SECRET: 1}, chat(strategy=SECRET),
                chat(SECRET) | {"user": [SECRET]}, [SECRET],
            ):  # fmt: skip
                assert client.post(PATH, json=wrong).is_client_error
            client.post(PATH, content=f'{{"{SECRET}', headers={"content-type": "application/json"})
            client.get(f"/{SECRET}", params={"q": SECRET}, headers={"x-note": SECRET})
            client.get(f"/v1/models/{SECRET}")
            with pytest.raises(httpx.ReadTimeout):
                client.post(PATH, json=chat(SECRET), timeout=httpx.Timeout(60, read=0.05))
        until(lambda: len(served.events()) == 17)
        time.sleep(0.05)
    out, err = capfd.readouterr()
    ours = [one for one in everything.records if not one.name.startswith(("httpx", "httpcore"))]
    text = served.text + out + err + "".join(map(logging.Formatter().format, ours))
    assert "gardener" not in text.lower()
    # Its answer is a number, of which logs are full: what is written around it must not be there.
    written = asked[0].json()["choices"][0]["message"]["content"]
    steps = [step for step in written.split("\n\n") if len(step) > 8]
    assert steps
    assert not any(step in text or json.dumps(step)[1:-1] in text for step in steps)
    assert len(served.events("failed")) == 3


def test_what_a_line_says(make_answerer: Answering) -> None:
    with in_process(make_answerer()) as served, served.client() as client:
        told = client.post(PATH, json=chat(strategy="best_of_n(n=8)"))
        until(served.events)
    (line,) = served.events()
    assert line["request"] == told.headers["x-request-id"]
    assert line["request"] in told.json()["id"]
    usage = told.json()["usage"]
    assert {name: line[name] for name in (
        "level", "method", "path", "status", "questions", "strategy", "n", "difficulty",
        "predicted", "generated_tokens", "prm_tokens")} == {
        "level": "info", "method": "POST", "path": PATH, "status": 200, "questions": 1,
        "strategy": ["best_of_n"], "n": [8], "difficulty": ["all"], "predicted": [None],
        "generated_tokens": usage["completion_tokens"], "prm_tokens": usage["ledger"]["prm"],
    }  # fmt: skip
    assert 0 < line["own_seconds"] < line["seconds"]
    assert line["routing_seconds"] == [0.0]  # nothing is routed here


def test_what_failed_is_told_without_its_message(make_answerer: Answering) -> None:
    with in_process(make_answerer(p=quoting)) as served, served.client() as client:
        client.post(PATH, json=chat("broken"))
        until(served.events)
    (failed,) = served.events("failed")
    assert failed["error"] == "RuntimeError" and failed["level"] == "error"
    assert any(place.endswith("quoting") for place in failed["through"])
    assert failed["request"] == served.events()[0]["request"]


def test_prompts_are_logged_where_told_to(make_answerer: Answering) -> None:
    settings = ServiceSettings(log_prompts=True)
    with in_process(make_answerer(), settings) as served, served.client() as client:
        told = client.post(PATH, json=chat(SECRET)).json()
        until(served.events)
    (line,) = served.events()
    assert line["prompts"] == [SECRET]
    assert line["texts"] == [[told["choices"][0]["message"]["content"]]]


def test_health_and_metrics_are_not_logged_while_they_are_well(make_answerer: Answering) -> None:
    answerer = make_answerer()
    with in_process(answerer) as served, served.client() as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert client.get(path).status_code == 200
        answerer.fault = "loading"
        client.get("/readyz")
        until(served.events)
    assert [line["path"] for line in served.events()] == ["/readyz"]


def test_every_line_is_json(make_answerer: Answering) -> None:
    served: Served
    with serving(make_answerer()) as served, served.client() as client:
        client.post(PATH, json=chat())
    lines = [json.loads(line) for line in served.text.splitlines()]
    assert {"listening", "draining"} <= {line["event"] for line in lines}
    assert all({"time", "level", "event"} <= set(line) for line in lines)
