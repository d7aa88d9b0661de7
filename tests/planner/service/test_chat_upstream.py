"""The service in front of a chat policy: answers, usage and streams of an endpoint with a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from executor.access import Access, Secret
from executor.errors import InputError
from executor.policies.simulated import reference_answer, simulated_problems
from executor.strategy import BeamSearch, Majority, Strategy
from planner.choice.estimate import StrategyEstimate
from planner.costs.cost import Cost
from planner.plans.plan import Plan
from planner.runtime.reporter import SilentReporter
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from planner.service.factory import create_plan_service
from tests.helpers.chat_endpoint import KEY, MODEL, ChatEndpoint, chat_endpoint
from tests.helpers.plans import plan_with
from tests.helpers.served_app import InProcess, in_process

pytestmark = pytest.mark.socket

QUESTION = simulated_problems(1)[0].text


def plan_of(strategy: Strategy) -> Plan:
    cost = Cost(100.0, 40.0, 0.0)
    estimate = StrategyEstimate(strategy, 0.8, (0.7, 0.9), (8.0, 2.0), cost, 20, "measured")
    return plan_with({"all": [estimate]}, policy=MODEL, prm=None)


@pytest.fixture
def upstream() -> Iterator[ChatEndpoint]:
    with chat_endpoint(right=1.0) as running:
        yield running


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    settings = SessionSettings(access=Access(Secret(KEY)))
    with Session(SilentReporter(), f"sqlite:///{tmp_path}/store.db", settings) as opened:
        yield opened


@pytest.fixture
def service(session: Session, upstream: ChatEndpoint) -> Iterator[InProcess]:
    made = create_plan_service(session, plan_of(Majority(4)), f"chat:{MODEL}@{upstream.url}")
    with in_process(made.answerer) as app:
        yield app


def test_an_answer_has_the_usage_that_was_billed(
    service: InProcess, upstream: ChatEndpoint
) -> None:
    client = service.openai_client()
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": QUESTION}], temperature=0.7
    )
    assert reference_answer(QUESTION) in str(answer.choices[0].message.content)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == upstream.billed["generated"]
    assert answer.usage.prompt_tokens == upstream.billed["prompt"]
    assert upstream.bodies[0]["temperature"] == 0.7
    assert upstream.given[QUESTION] == 4


def test_a_conversation_goes_upstream_as_messages(
    service: InProcess, upstream: ChatEndpoint
) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": QUESTION},
    ]
    service.openai_client().chat.completions.create(model=MODEL, messages=turns)  # type: ignore
    assert upstream.bodies[0]["messages"] == turns


def test_a_stream_ends_with_the_usage(service: InProcess, upstream: ChatEndpoint) -> None:
    stream = service.openai_client().chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": QUESTION}], stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    text = "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)
    assert reference_answer(QUESTION) in text
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == upstream.billed["generated"]


def test_an_endpoint_that_refuses_the_key_is_no_fault_of_the_client(
    service: InProcess, upstream: ChatEndpoint
) -> None:
    client = service.openai_client()
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": QUESTION}])
    upstream.key = "sk-another"
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": QUESTION}]
        )
    assert caught.value.status_code == 503
    assert KEY not in json.dumps(caught.value.body) + service.text


@pytest.mark.parametrize("prompt", [[1, 2, 3], "what is x?"])
def test_a_prompt_of_token_ids_is_refused(service: InProcess, prompt: str | list[int]) -> None:
    with service.client() as client:
        client.post("/v1/completions", json={"model": MODEL, "prompt": "what is x?"})
        answer = client.post("/v1/completions", json={"model": MODEL, "prompt": prompt})
    if isinstance(prompt, str):
        assert answer.status_code == 200
    else:
        assert answer.status_code == 400
        assert "chat endpoint" in answer.json()["error"]["message"]


def test_a_plan_that_the_endpoint_cannot_run_is_refused_at_once(
    session: Session, upstream: ChatEndpoint
) -> None:
    with pytest.raises(InputError, match="beam_search continues responses step by step"):
        create_plan_service(session, plan_of(BeamSearch(4)), f"chat:{MODEL}@{upstream.url}")
