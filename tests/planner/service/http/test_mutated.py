"""Requests that were tampered with: each is answered, or refused in one line with a 4xx."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from executor.answers.grader import MathGrader
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm
from executor.run.runner import Executor
from executor.store.store import Store
from planner.service.answering.planned import PlanAnswerer
from planner.service.feedback.recorder import FeedbackRecorder
from planner.service.http.feedback_route import feedback_router
from planner.service.http.settings import ServiceSettings
from planner.service.page.routes import page_router
from tests.helpers.mutations import mutants
from tests.helpers.served_app import InProcess, in_process, until
from tests.planner.service.answering.test_planned import EASY, plan_of

POLICY = "simulated-policy"
BODIES = {
    "/v1/chat/completions": {
        "model": POLICY,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hello."}]},
            {"role": "assistant", "content": "Hello!", "tool_calls": []},
            {"role": "user", "content": EASY.text, "name": "ann"},
        ],
        "max_tokens": 50, "n": 2, "seed": 3, "stop": ["END"], "stream": True,
        "stream_options": {"include_usage": True}, "temperature": 0.7, "user": "ann",
        "frequency_penalty": 0, "logit_bias": {}, "top_p": 1, "budget": 8, "max_seconds": 30,
        "explain": True, "metadata": {"a": "b"}, "response_format": {"type": "text"}, "tools": [],
    },
    "/v1/completions": {
        "model": POLICY, "prompt": [EASY.text, "1 + 1?"], "max_tokens": 50, "n": 2, "seed": 3,
        "stop": "END", "temperature": 0.7, "echo": False, "explain": True,
        "strategy": {"name": "best_of_n", "n": 4, "score": "last", "vote": "max"},
    },
    "/v1/feedback": {"id": "chatcmpl-1", "right": True},
    "/api/difficulty": {"text": "What is 1 + 1?"},
}  # fmt: skip


@pytest.fixture(scope="module")
def served(grader: MathGrader) -> Iterator[InProcess]:
    plan = plan_of()
    settings = ServiceSettings(constraint=plan.constraint)
    with Store.open("sqlite://") as store:
        feedback = feedback_router(FeedbackRecorder(store), settings)
        routers = (feedback, page_router("sqlite://", plan=plan))
        policy = SimulatedPolicy(0.7, 2)
        models = Executor(policy, SimulatedPrm(0.95), grader, plan.sampling, early_stop=True)
        answerer = PlanAnswerer(plan, lambda: models)
        with in_process(answerer, settings, routers) as running:
            until(lambda: running.events("ready"))
            yield running


def check(served: InProcess, number: int) -> Counter[int]:
    """Send so many mutants to each path; count the statuses."""
    found = Counter[int]()
    headers = {"content-type": "application/json"}
    with served.client() as client:
        for path, body in BODIES.items():
            for index, mutant in enumerate(mutants(body, number, seed=17)):
                told = client.post(path, content=mutant, headers=headers)
                found[told.status_code] += 1
                assert told.status_code < 500, (path, index, mutant[:500], told.text)
                if told.status_code >= 400:
                    check_refusal(told)
    return found


def check_refusal(told: httpx.Response) -> None:
    """A refusal is an error in OpenAI's shape, with a message of one line."""
    error = told.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"].isprintable() and len(error["message"]) < 1000, error["message"]


def test_mutated_requests(served: InProcess, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = check(served, 50)
    assert found[400] > 60 and found[200] > 20
    assert not caplog.records
    assert {json.loads(line)["level"] for line in served.text.splitlines()} == {"info"}


@pytest.mark.slow
def test_two_thousand_mutated_requests(served: InProcess, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = check(served, 500)
    assert found.total() == 2000 and found[400] > 600
    assert not caplog.records
    assert {json.loads(line)["level"] for line in served.text.splitlines()} == {"info"}
