"""The router behind the server: what a plan says reaches the client, and feedback comes back."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.run.runner import Executor
from executor.store.pending import Bounds
from executor.store.store import Store
from planner.notes import NoteCode
from planner.service.answering.planned import PlanAnswerer
from planner.service.feedback import recorder
from planner.service.feedback.recorder import FeedbackRecorder
from planner.service.http.feedback_route import feedback_router
from planner.service.http.settings import ServiceSettings
from planner.service.monitoring.drift import DriftMonitor
from tests.helpers.served_app import MODEL, InProcess, asking, chat, in_process, serving, until
from tests.planner.service.answering.test_planned import EASY, HARD, Service, plan_of, service_of

PATH = "/v1/chat/completions"
SETTINGS = ServiceSettings(constraint=plan_of().constraint)


@pytest.fixture(scope="module")
def service(grader: MathGrader) -> Service:
    return service_of(grader)


@pytest.fixture(scope="module")
def served(service: Service) -> Iterator[InProcess]:
    with in_process(service.answerer, SETTINGS) as running:
        until(lambda: running.events("ready"))
        yield running


def test_each_question_gets_its_own_strategy(served: InProcess) -> None:
    with served.client() as client:
        easy = client.post(PATH, json=chat(EASY.text, seed=1))
        hard = client.post(PATH, json=chat(HARD.text, seed=1))
    assert easy.headers["x-apportion"].startswith(
        "strategy=majority; n=8; difficulty=easy; predicted=0.9"
    )
    assert hard.headers["x-apportion"].startswith("strategy=dvts; n=16; difficulty=hard; ")
    assert hard.json()["usage"]["ledger"]["probe"] > 0


def test_a_request_has_limits_of_its_own(served: InProcess) -> None:
    body = {"budget": 4, "explain": True}
    with served.client() as client:
        (told,) = client.post(PATH, json=chat(HARD.text, **body)).json()["apportion"]
    assert told["strategy"]["name"] == "greedy"
    assert told["explain"]["constraint"]["budget"] == 4


@pytest.mark.long
def test_a_deadline_gives_the_best_so_far(grader: MathGrader) -> None:
    slow = service_of(grader, latency=5.0)
    with in_process(slow.answerer, SETTINGS) as served, served.client() as client:
        until(lambda: served.events("ready"))
        told = client.post(PATH, json=chat(EASY.text, max_seconds=1.5, explain=True))
    assert told.status_code == 200
    assert NoteCode.TIME_RAN_OUT in told.json()["apportion"][0]["note_codes"]


@pytest.mark.long
def test_a_deadline_counts_from_when_the_request_came(grader: MathGrader) -> None:
    slow = service_of(grader, latency=2.0)
    settings = replace(SETTINGS, concurrency=1)
    with in_process(slow.answerer, settings) as served, served.client() as client:
        until(lambda: served.events("ready"))
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(client.post, PATH, json=chat(EASY.text))
            until(lambda: served.handler.queue.running == 1)
            told = client.post(PATH, json=chat(EASY.text, max_seconds=0.2))
            assert not first.done()
            assert first.result().status_code == 200
    assert told.status_code == 503
    assert told.json()["error"]["code"] == "deadline_exceeded"
    assert int(told.headers["retry-after"]) >= 1


def test_tokens_of_questions_without_an_answer_are_counted(grader: MathGrader) -> None:
    slow = service_of(grader, latency=60.0)
    with serving(slow.answerer, SETTINGS) as served:
        until(lambda: served.events("ready"))
        with asking(served, chat(EASY.text, strategy="majority", budget=8)):
            until(lambda: slow.executors[0].policy.calls)
        until(lambda: served.events())
        spent = slow.executors[0].policy.counters().generated
        (event,) = served.events()
        assert event["error"] == "client_gone"
        assert event.get("generated_tokens", 0) == spent
        for name in ("apportion_tokens_total", "apportion_unanswered_tokens_total"):
            assert served.metric(f'{name}{{kind="discarded"}}') == spent


@pytest.mark.long
def test_a_stream_says_what_was_chosen(grader: MathGrader) -> None:
    slow = service_of(grader, latency=0.3)
    with in_process(slow.answerer, SETTINGS) as served, served.client() as client:
        until(lambda: served.events("ready"))
        text = client.post(PATH, json=chat(HARD.text, stream=True)).text
    comments = [line for line in text.splitlines() if line.startswith(": apportion ")]
    assert any('"searching"' in line and '"strategy": "dvts"' in line for line in comments)


def test_a_question_that_fills_the_context_is_said_by_its_code(grader: MathGrader) -> None:
    small = service_of(grader, max_context=1000)
    long = "x" * 1000
    with in_process(small.answerer, SETTINGS) as served, served.client() as client:
        until(lambda: served.events("ready"))
        forced = {"strategy": "majority", "budget": 4}
        told = [
            client.post(PATH, json=chat(long)),
            client.post(PATH, json=chat(long, **forced)),
            client.post("/v1/completions", json={"model": MODEL, "prompt": long}),
        ]
        assert client.post(PATH, json=chat(EASY.text)).status_code == 200
    for reply, param in zip(told, ("messages", "messages", "prompt"), strict=True):
        error = reply.json()["error"]
        assert (reply.status_code, error["code"]) == (400, "context_length_exceeded")
        assert error["param"] == param
        assert "maximum context length is 1000 tokens" in error["message"]


def test_when_to_ask_again_does_not_count_loading_the_models(grader: MathGrader) -> None:
    service = service_of(grader)
    loaded = service.answerer._load

    def load() -> Executor:
        until(lambda: served.handler.queue.running)
        time.sleep(0.5)
        return loaded()

    service.answerer._load = load
    settings = replace(SETTINGS, concurrency=1)
    with in_process(service.answerer, settings) as served, served.client() as client:
        told = client.post(PATH, json=chat(EASY.text))
        assert told.status_code == 200
        assert served.handler.queue.retry_after() <= told.elapsed.total_seconds() - 0.5


def test_a_lost_engine_is_loaded_again(grader: MathGrader) -> None:
    service = service_of(grader, faults=range(1, 10**6))
    with in_process(service.answerer, SETTINGS) as served, served.client() as client:
        until(lambda: served.events("ready"))
        statuses = [client.post(PATH, json=chat(EASY.text)).status_code for _ in range(3)]
    assert statuses == [503, 200, 200]
    assert len(service.executors) == 2


@contextmanager
def telling(grader: MathGrader, url: str) -> Iterator[tuple[InProcess, Store]]:
    """A server that takes feedback, over a store."""
    plan = plan_of()
    with Store.open(url) as store:
        feedback, drift = FeedbackRecorder(store), DriftMonitor(plan)

        def watch(query: object, routed: object, executor: object) -> None:
            settings = executor.settings(plan.template.to_dict())  # type: ignore[attr-defined]
            feedback.remember(query, routed, "simulated-policy", "simulated-prm", settings)  # type: ignore[arg-type]

        load = service_of(grader, plan).answerer._load
        answerer = PlanAnswerer(plan, load, observer=watch, close=feedback.close)
        router = feedback_router(feedback)
        with in_process(answerer, SETTINGS, (router,), drift.gauges) as served:
            until(lambda: served.events("ready"))
            yield served, store


def test_feedback_after_a_restart(grader: MathGrader, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with telling(grader, url) as (served, _), served.client() as client:
        done = client.post(PATH, json=chat(EASY.text, seed=1)).json()
        assert EASY.text not in served.text
    with telling(grader, url) as (served, store), served.client() as client:
        for right in (True, False):
            told = client.post("/v1/feedback", json={"id": done["id"], "right": right})
            assert told.status_code == 200, told.text
        [spec] = store.runs()
        [stored] = store.outcomes(spec)
        assert stored.outcome.correct is False
        assert EASY.text not in served.text


def test_each_prompt_s_answer_has_an_id_and_all_choices_of_one_share_it(
    grader: MathGrader, tmp_path: Path
) -> None:
    with (
        telling(grader, f"sqlite:///{tmp_path}/store.db") as (served, store),
        served.client() as client,
    ):
        body = {"model": served.handler.answerer.model, "n": 2, "seed": 1}
        one = client.post("/v1/completions", json=body | {"prompt": EASY.text}).json()
        assert len(one["choices"]) == 2

        def tell(name: str) -> int:
            return client.post("/v1/feedback", json={"id": name, "right": True}).status_code

        assert [tell(one["id"]), tell(f"{one['id']}-0"), tell(f"{one['id']}-1")] == [200, 404, 404]
        two = client.post(
            "/v1/completions",
            json=body | {"prompt": [EASY.text, HARD.text], "explain": True},
        ).json()
        names = [told["id"] for told in two["apportion"]]
        assert names == [f"{two['id']}-0", f"{two['id']}-1"]
        assert tell(two["id"]) == 404  # it does not say which of them
        assert [tell(name) for name in names] == [200, 200]
        assert {run.settings["difficulty"] for run in store.runs()} == {"easy", "hard"}


def test_a_store_that_cannot_be_written_is_no_fault_of_the_client(
    grader: MathGrader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise InputError("store: database or disk is full")

    with (
        telling(grader, f"sqlite:///{tmp_path}/store.db") as (served, store),
        served.client() as client,
    ):
        done = client.post(PATH, json=chat(EASY.text, seed=1)).json()
        told = {"id": done["id"], "right": True}
        with monkeypatch.context() as patched:
            patched.setattr(store, "save_runs", full)
            refused = client.post("/v1/feedback", json=told)
        assert refused.status_code == 503 and refused.headers["retry-after"]
        assert refused.json()["error"]["code"] == "store_unavailable"
        assert client.post("/v1/feedback", json=told).status_code == 200


def test_a_store_that_another_writes_holds_up_no_question(
    grader: MathGrader, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    with telling(grader, f"sqlite:///{path}") as (served, store), served.client() as client:
        done = client.post(PATH, json=chat(EASY.text, seed=1)).json()
        until(lambda: store.find_pending(done["id"], Bounds()) is not None)
        told = {"id": done["id"], "right": True}
        other = sqlite3.connect(path, isolation_level=None)
        with closing(other), ThreadPoolExecutor(48) as pool:
            other.execute("BEGIN IMMEDIATE")
            replies = [pool.submit(client.post, "/v1/feedback", json=told) for _ in range(48)]
            until(lambda: any(one.done() for one in replies))
            asked = client.post(PATH, json=chat(EASY.text, seed=2, n=2))  # needs a thread
            # To wait for the store would take as long as this.
            assert asked.status_code == 200
            assert asked.elapsed.total_seconds() < recorder._LOCK_SECONDS
            other.execute("ROLLBACK")
            answered = [one.result() for one in replies]
        refused = [one for one in answered if one.status_code == 503]
        assert refused and all(one.headers["retry-after"] for one in refused)
        assert {one.status_code for one in answered} == {200, 503}


def test_feedback_is_stored_under_the_response_s_id(grader: MathGrader) -> None:
    with telling(grader, "sqlite://") as (served, store):
        with served.client() as client:
            done = client.post(PATH, json=chat(EASY.text, seed=1)).json()
            told = client.post("/v1/feedback", json={"id": done["id"], "right": True})
            assert told.status_code == 200, told.text
            unknown = client.post("/v1/feedback", json={"id": "nobody", "right": True})
            assert unknown.status_code == 404
            error = unknown.json()["error"]
            assert (error["code"], error["param"]) == ("answer_not_found", "id")
            assert error["type"] == "invalid_request_error"
            for wrong in (
                {"id": done["id"]},
                {"id": done["id"], "right": "yes"},
                {"id": 3, "right": True},
                [],
            ):
                refused = client.post("/v1/feedback", json=wrong)
                assert refused.status_code == 400
                assert refused.json()["error"]["type"] == "invalid_request_error"
            large = client.post("/v1/feedback", json={"id": "x" * (1 << 21), "right": True})
            assert large.status_code == 413
        assert served.metric('apportion_answers_total{difficulty="easy",strategy="majority"}')
        assert len(store.runs()) == 1
