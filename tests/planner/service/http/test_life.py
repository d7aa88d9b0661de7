"""Clients that go, engines that are lost and come back, and the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from planner.service.http.settings import ServiceSettings
from tests.helpers.served_app import MODEL, asking, chat, in_process, serving, until
from tests.planner.service.conftest import Answering

GONE = 'apportion_cancelled_total{reason="client"}'
PATH = "/v1/chat/completions"


class Outage:
    """Which calls of an engine fail: all, while it is out."""

    def __init__(self) -> None:
        self.out = False

    def __contains__(self, call: object) -> bool:
        return self.out


def background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_client_that_goes_ends_its_work(make_answerer: Answering, stream: bool) -> None:
    answerer = make_answerer(latency=60.0)
    with serving(answerer) as served:
        with asking(served, chat(stream=stream)):
            until(lambda: served.handler.queue.running == 1)
        until(lambda: served.handler.queue.running == 0)
        until(lambda: served.events())
        assert served.metric(GONE) == 1
        assert served.events()[0]["status"] == 499
        assert served.events()[0]["error"] == "client_gone"


def test_a_client_that_goes_in_the_middle_of_a_stream(make_answerer: Answering) -> None:
    with serving(make_answerer(latency=60.0)) as served, served.client() as client:
        with client.stream("POST", PATH, json=chat(stream=True)) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith(": apportion {")
            assert served.handler.queue.running == 1
        until(lambda: served.handler.queue.running == 0)
        until(lambda: served.metric(GONE) == 1)


def test_a_client_that_goes_while_it_waits_its_turn(make_answerer: Answering) -> None:
    settings = ServiceSettings(concurrency=1, queue=1)
    with serving(make_answerer(latency=2.0), settings) as served, served.client() as client:
        first = background(lambda: client.post(PATH, json=chat(), timeout=60))
        until(lambda: served.handler.queue.running == 1)
        with asking(served, chat()):
            until(lambda: served.handler.queue.waiting == 1)
        until(lambda: served.handler.queue.waiting == 0)
        assert served.handler.queue.running == 1  # the first is not done yet
        first.join()
        assert served.handler.answerer.policy.calls == 1


def test_an_engine_that_is_lost_and_comes_back(make_answerer: Answering) -> None:
    outage = Outage()
    answerer = make_answerer(faults=outage, latency=0.02)
    with (
        in_process(answerer) as served,
        served.client() as client,
        ThreadPoolExecutor(8) as threads,
    ):

        def ask(index: int) -> tuple[int, int]:
            if index == 30:
                outage.out = True
            if index == 60:
                outage.out = False
            told = client.post(PATH, json=chat(f"{index}?", stream=index % 2 == 1))
            if told.status_code != 200:
                assert told.json()["error"]["code"] == "engine_unavailable"
                assert int(told.headers["retry-after"]) >= 1
            # A stream that had begun ends with the same fault.
            return index, 503 if "engine_unavailable" in told.text else told.status_code

        found = dict(threads.map(ask, range(100)))
        assert set(found.values()) == {200, 503}
        assert all(found[index] == 200 for index in [*range(20), *range(75, 100)])
        lost = sum(status == 503 for status in found.values())
        assert served.metric("apportion_engine_failures_total") == lost >= 10
        assert served.handler.queue.running == 0


def test_an_engine_lost_in_the_middle_of_a_stream(make_answerer: Answering) -> None:
    answerer = make_answerer(latency=0.4, faults={3})
    # Two draws, one after another: the second is the third call.
    body = {"strategy": "beam_search(n=4,width=4)"}
    with (
        in_process(answerer) as served,
        served.openai_client() as client,
        pytest.raises(openai.APIError, match="engine is not available"),
    ):
        list(
            client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": "?"}],
                stream=True,
                extra_body=body,
            )
        )


def test_readiness_follows_the_answerer(make_answerer: Answering) -> None:
    answerer = make_answerer()
    with in_process(answerer) as served, served.client() as client:
        assert client.get("/readyz").json() == {"status": "ready"}
        answerer.fault = "the policy is being loaded"
        told = client.get("/readyz")
        assert told.status_code == 503
        assert told.json()["error"]["message"] == "the policy is being loaded"
        assert client.get("/healthz").status_code == 200


def test_the_end_finishes_what_runs_and_refuses_what_is_new(make_answerer: Answering) -> None:
    answerer = make_answerer(latency=3.0)
    with (
        serving(answerer) as served,
        served.client() as client,
        ThreadPoolExecutor(4) as threads,
    ):

        def ask(stream: bool) -> httpx.Response:
            return client.post(PATH, json=chat(stream=stream))

        running = [threads.submit(ask, stream) for stream in (False, True)]
        until(lambda: served.handler.queue.running == 2)
        served.server.drain()
        refused = ask(False)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "shutting_down"
        assert refused.headers["retry-after"] and refused.headers["connection"] == "close"
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        whole, streamed = (one.result() for one in running)
        assert whole.status_code == 200 and whole.json()["choices"]
        assert streamed.status_code == 200 and streamed.text.endswith("data: [DONE]\n\n")
        served.thread.join(60)
        assert not served.thread.is_alive()
    assert answerer.closed


def test_what_does_not_end_in_time_is_cancelled(make_answerer: Answering) -> None:
    answerer = make_answerer(latency=60.0)
    with (
        serving(answerer, ServiceSettings(drain_seconds=0.2)) as served,
        ThreadPoolExecutor(2) as threads,
    ):
        running = threads.submit(lambda: httpx.post(served.url + PATH, json=chat(), timeout=60))
        until(lambda: served.handler.queue.running == 1)
        began = time.monotonic()
        served.stop()
        assert time.monotonic() - began < 40  # of a minute
        assert running.result().status_code == 503
        assert running.result().json()["error"]["code"] == "shutting_down"
        assert served.metric('apportion_cancelled_total{reason="shutdown"}') == 1
    assert answerer.closed


def test_two_servers_of_one_process_keep_apart(make_answerer: Answering) -> None:
    with serving(make_answerer()) as one, serving(make_answerer()) as other:
        with one.client() as client:
            assert client.post(PATH, json=chat()).status_code == 200
        line = f'apportion_requests_total{{path="{PATH}",status="200"}}'
        until(one.events)
        assert (one.metric(line), other.metric(line)) == (1, 0)
        assert len(one.events()) == 1 and not other.events()


def test_what_is_known_without_the_log(make_answerer: Answering) -> None:
    with in_process(make_answerer()) as served, served.client() as client:
        client.post(PATH, json=chat(strategy="best_of_n(n=4)"))
        client.post(PATH, json=chat(tools=[{}]))
        until(lambda: len(served.events()) == 2)
        found = served.app.state.traffic.to_dict()
    assert found["requests"] == {"200": 1, "400": 1}
    assert found["strategies"] == {"best_of_n": 1} and found["answers_last_minute"] == 1
    assert found["tokens"]["generated"] == found["last"][0]["generated_tokens"] > 0
    assert found["seconds"]["p50"] > 0
