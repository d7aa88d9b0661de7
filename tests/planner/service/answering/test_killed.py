"""The policy's engine is killed while real clients ask: 503s, and another engine by itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from executor.engines.options import EngineOptions
from executor.engines.subprocess_engine import EngineApart
from executor.models.templates import template_for
from executor.policies.vllm import VllmPolicy
from executor.resources import data_folder
from executor.strategy import Majority, Sampling
from planner.choice.constraint import Constraint
from planner.runtime.reporter import SilentReporter
from planner.runtime.session import Session, Settings
from planner.service.answering.factory import Opened, open_service
from planner.service.http.settings import Settings as ServiceSettings
from profiling.problems.files import load_problems
from tests.helpers.plans import plan_with
from tests.helpers.served_app import Served, chat, serving, until
from tests.planner.service.answering.test_planned import entry

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

POLICY = "lab-0.8m"
PATH = "/v1/chat/completions"
CLIENTS, QUESTIONS = 8, 24
PROBLEMS = load_problems(
    data_folder() / "problems" / "laboratory" / "heldout.jsonl", limit=QUESTIONS
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    plan = plan_with(
        {"all": [entry(Majority(16), 0.46)]}, policy=POLICY, prm=None,
        sampling=Sampling(max_tokens=256),
        template=template_for(POLICY, data_folder() / "models" / POLICY),
        constraint=Constraint(budget=16),
    )  # fmt: skip
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"
    options = EngineOptions(block_size=32, kv_cache_gib=0.25, apart=True)
    with Session(SilentReporter(), url, Settings(engine=options, early_stop=True)) as session:
        yield open_service(session, plan)


class Clients:
    """Clients that ask until they are answered, and remember what they were told."""

    def __init__(self, served: Served) -> None:
        self._client = served.client()
        self._client.timeout = httpx.Timeout(120)
        self.statuses: list[int] = []
        self.answers: dict[int, Any] = {}

    def ask(self, index: int) -> None:
        """Ask one question."""
        body = chat(PROBLEMS[index].text, seed=index, explain=True) | {"model": POLICY}
        while index not in self.answers:
            told = self._client.post(PATH, json=body)
            self.statuses.append(told.status_code)
            if told.status_code == 200:
                [found] = told.json()["apportion"]
                self.answers[index] = found["answer"]
                return
            assert told.status_code == 503 and int(told.headers["retry-after"]) >= 1
            assert told.json()["error"]["code"] == "engine_unavailable"
            time.sleep(0.2)

    def ask_all(self) -> None:
        """Ask all, some at a time."""
        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(self.ask, range(QUESTIONS)))


def test_a_killed_engine_is_replaced_while_clients_ask(opened: Opened) -> None:
    limits = ServiceSettings(constraint=opened.answerer.plan.constraint)
    with serving(opened.answerer, limits) as served:
        plain, disturbed = Clients(served), Clients(served)
        plain.ask_all()
        assert set(plain.statuses) == {200}
        executor = opened.answerer._executor
        assert executor is not None and isinstance(executor.policy, VllmPolicy)
        engine = executor.policy._engine
        assert isinstance(engine, EngineApart)
        asking = threading.Thread(target=disturbed.ask_all)
        asking.start()
        until(lambda: len(disturbed.answers) >= QUESTIONS // 4, 60)
        os.kill(engine.pid, signal.SIGKILL)
        with served.client() as client:
            until(lambda: client.get("/readyz").status_code == 503)
            assert client.get("/healthz").status_code == 200
            until(lambda: client.get("/readyz").status_code == 200, 120)
        asking.join(120)
        assert set(disturbed.statuses) == {200, 503}
        assert disturbed.answers == plain.answers
        # Once each, here and before.
        assert disturbed.statuses.count(200) == QUESTIONS
        answered = 'apportion_answers_total{difficulty="all",strategy="majority"}'
        assert served.metric(answered) == 2 * QUESTIONS
        lost = served.metric("apportion_engine_failures_total")
        assert lost == disturbed.statuses.count(503) > 0
        assert served.desk.queue.running == served.desk.queue.waiting == 0
