"""The official client of OpenAI, unchanged: sync, async, streaming; and what its fields mean."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from executor.policies.simulated import reference_answer
from planner.service.http.settings import ServiceSettings
from tests.helpers.served_app import MODEL, QUESTION, InProcess, chat, in_process, serving, until
from tests.planner.service.conftest import Answering

IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
MESSAGES: Any = [{"role": "user", "content": QUESTION}]


@pytest.fixture(scope="module")
def served(make_answerer: Answering) -> Iterator[InProcess]:
    with in_process(make_answerer(p=1.0)) as running:
        yield running


@pytest.fixture(scope="module")
def doubtful(make_answerer: Answering) -> Iterator[InProcess]:
    """Its policy's responses differ."""
    with in_process(make_answerer(p=0.7)) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: InProcess) -> Iterator[openai.OpenAI]:
    with served.openai_client() as made:
        yield made


def test_a_conversation_is_answered(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        ],
    )
    (choice,) = done.choices
    assert f"\\boxed{{{reference_answer(QUESTION)}}}" in (choice.message.content or "")
    assert choice.finish_reason == "stop" and choice.message.role == "assistant"
    assert done.object == "chat.completion" and done.id.startswith("chatcmpl-")


def test_the_server_takes_back_its_own_message(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    said: Any = first.choices[0].message.model_dump()
    again = client.chat.completions.create(model=MODEL, messages=[*MESSAGES, said, *MESSAGES])
    assert again.choices[0].message.content


def test_usage_is_the_true_ledger(served: InProcess, client: openai.OpenAI) -> None:
    policy = served.handler.answerer.policy.counters()
    before = (policy.prompt + policy.cached, policy.generated)
    done = client.chat.completions.create(
        model=MODEL, messages=MESSAGES, extra_body={"strategy": "dvts(n=8,width=4)"}
    )
    after = (policy.prompt + policy.cached, policy.generated)
    assert done.usage is not None and done.usage.model_extra is not None
    ledger = done.usage.model_extra["ledger"]
    assert done.usage.prompt_tokens == after[0] - before[0]
    assert done.usage.completion_tokens == after[1] - before[1]
    assert ledger["discarded"] > 0 and ledger["prm"] > 0
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens


def test_a_stream_has_the_text_of_the_whole(doubtful: InProcess) -> None:
    with doubtful.openai_client() as client:
        whole = client.chat.completions.create(model=MODEL, messages=MESSAGES, seed=3, n=2)
        texts, roles, ends = ["", ""], [], []
        for chunk in client.chat.completions.create(
            model=MODEL, messages=MESSAGES, seed=3, n=2, stream=True
        ):
            (choice,) = chunk.choices  # no chunk that a client could trip over
            texts[choice.index] += choice.delta.content or ""
            roles += [choice.delta.role] if choice.delta.role else []
            ends += [choice.finish_reason] if choice.finish_reason else []
    assert texts == [choice.message.content for choice in whole.choices]
    assert roles == ["assistant"] * 2 and ends == ["stop"] * 2


def test_a_stream_ends_with_usage_where_it_is_asked_for(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-1].choices == [] and chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


@pytest.mark.parametrize("explain", [False, True])
def test_a_loop_over_first_choices_survives_a_slow_stream(
    make_answerer: Answering, explain: bool
) -> None:
    """Most programs, LangChain's too, read `chunk.choices[0]` of whatever comes."""
    with (
        in_process(make_answerer(p=1.0, latency=0.6)) as slow,
        slow.openai_client() as client,
    ):
        text, told = "", None
        for chunk in client.chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True, extra_body={"explain": explain}
        ):
            text += chunk.choices[0].delta.content or ""
            told = (chunk.model_extra or {}).get("apportion")
    assert f"\\boxed{{{reference_answer(QUESTION)}}}" in text
    assert told is not None and told[0]["strategy"]["name"] == "majority"


def test_an_async_client_streams_and_asks_at_once(make_answerer: Answering) -> None:
    """End to end, over a socket."""

    async def main(url: str) -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any") as client:

            async def one(index: int) -> str:
                text = ""
                async for chunk in await client.chat.completions.create(
                    model=MODEL,
                    messages=[{"role": "user", "content": f"{index}: what is x?"}],
                    stream=True,
                ):
                    text += chunk.choices[0].delta.content or ""
                return text

            return await asyncio.gather(*map(one, range(8)))

    with serving(make_answerer(p=1.0)) as served:
        texts = asyncio.run(main(served.url))
    for index, text in enumerate(texts):
        assert f"\\boxed{{{reference_answer(f'{index}: what is x?')}}}" in text


def test_completions_of_several_prompts_in_order(client: openai.OpenAI) -> None:
    prompts = [f"{index}: what is x?" for index in range(5)]
    done = client.completions.create(model=MODEL, prompt=prompts, n=2)
    assert [choice.index for choice in done.choices] == list(range(10))
    for choice in done.choices:
        assert reference_answer(prompts[choice.index // 2]) in choice.text


def test_completions_of_token_ids(client: openai.OpenAI) -> None:
    by_text = client.completions.create(model=MODEL, prompt=QUESTION, seed=1)
    one = client.completions.create(model=MODEL, prompt=list(map(ord, QUESTION)), seed=1)
    two = client.completions.create(model=MODEL, prompt=[list(map(ord, QUESTION))] * 2, seed=1)
    assert [c.text for c in one.choices] == [c.text for c in by_text.choices]
    assert [c.text for c in two.choices] == [by_text.choices[0].text] * 2


def test_a_stream_of_completions(client: openai.OpenAI) -> None:
    whole = client.completions.create(model=MODEL, prompt=["a?", "b?"], seed=5)
    texts = ["", ""]
    for chunk in client.completions.create(model=MODEL, prompt=["a?", "b?"], seed=5, stream=True):
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert texts == [choice.text for choice in whole.choices]


def test_n_different_responses(doubtful: InProcess) -> None:
    with doubtful.client() as client:
        done = client.post("/v1/chat/completions", json=chat(n=3)).json()
    texts = [choice["message"]["content"] for choice in done["choices"]]
    assert len(set(texts)) == 3


def test_who_asks_for_more_than_differ_gets_them_repeated(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(
        model=MODEL, messages=MESSAGES, n=3, extra_body={"strategy": "greedy"}
    )
    assert len(done.choices) == 3
    assert len({choice.message.content for choice in done.choices}) == 1


def test_stop_cuts_before_the_first_of_them(client: openai.OpenAI) -> None:
    plain = client.chat.completions.create(model=MODEL, messages=MESSAGES, seed=2)
    cut = client.chat.completions.create(
        model=MODEL, messages=MESSAGES, seed=2, stop=["Step 3", "Step 2", "nowhere"]
    )
    text = plain.choices[0].message.content or ""
    assert cut.choices[0].message.content == text[: text.index("Step 2")]
    assert cut.choices[0].finish_reason == "stop"


def test_max_tokens_cut_a_response(client: openai.OpenAI) -> None:
    for field in ("max_tokens", "max_completion_tokens"):
        options: Any = {field: 20}
        done = client.chat.completions.create(model=MODEL, messages=MESSAGES, **options)
        assert len(done.choices[0].message.content or "") == 20  # a token is a character
        assert done.choices[0].finish_reason == "length"


def test_a_seed_gives_the_same_answer_and_none_another(doubtful: InProcess) -> None:
    def ask(client: Any, **more: Any) -> str:
        return str(client.post("/v1/chat/completions", json=chat(**more)).json()["choices"])

    with doubtful.client() as client:
        assert ask(client, seed=7) == ask(client, seed=7) != ask(client, seed=8)
        assert len({ask(client) for _ in range(3)}) > 1


def test_temperature_0_is_greedy_if_the_server_is_told_so(make_answerer: Answering) -> None:
    settings = ServiceSettings(greedy_at_zero=True)
    with in_process(make_answerer(p=0.7), settings) as served, served.client() as client:
        asked = [client.post("/v1/chat/completions", json=chat(temperature=0)) for _ in range(2)]
    assert {one.headers["x-apportion"].split(";")[0] for one in asked} == {"strategy=greedy"}
    assert {one.headers["x-apportion-notes"] for one in asked} == {"greedy_by_request"}
    assert asked[0].json()["choices"] == asked[1].json()["choices"]


def test_temperature_0_does_not_turn_off_the_plan(doubtful: InProcess) -> None:
    with doubtful.client() as client:
        asked = client.post("/v1/chat/completions", json=chat(temperature=0))
        off = {"X-Apportion": "off"}
        greedy = client.post("/v1/chat/completions", json=chat(temperature=0), headers=off)
    assert asked.headers["x-apportion"].startswith("strategy=majority; n=4;")
    assert asked.headers["x-apportion-notes"] == "zero_temperature_routed(temperature)"
    assert greedy.headers["x-apportion"].startswith("strategy=greedy; n=1;")
    assert greedy.json()["apportion"][0]["notes"] == [
        "one greedy response instead of the plan: header X-Apportion: off asks for it"
    ]


def test_what_was_run_is_told(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=MESSAGES,
        extra_body={"strategy": "best_of_n", "budget": 8, "explain": True},
    )
    assert raw.headers["x-apportion"] == "strategy=best_of_n; n=8; difficulty=all; notes=0"
    done = raw.parse()
    assert done.model_extra is not None
    (told,) = done.model_extra["apportion"]
    assert told["strategy"] == {"name": "best_of_n", "n": 8, "score": "last", "vote": "max"}
    assert told["answer"] == reference_answer(QUESTION)


def test_nothing_is_told_unasked(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert "apportion" not in (done.model_extra or {})


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError, match="does not exist here"):
        client.models.retrieve("gpt-9")


@pytest.mark.parametrize(
    "more",
    [
        {"user": "me"},
        {"metadata": {"run": "1"}},
        {"store": False},
        {"top_p": 1},
        {"frequency_penalty": 0, "presence_penalty": 0.0},
        {"response_format": {"type": "text"}},
        {"tools": [], "tool_choice": "none", "parallel_tool_calls": True},
        {"logprobs": False, "logit_bias": {}},
        {"service_tier": "auto", "modalities": ["text"]},
    ],
    ids=str,
)
def test_what_changes_no_answer_is_taken(served: InProcess, more: dict[str, Any]) -> None:
    with served.client() as client:
        assert client.post("/v1/chat/completions", json=chat(**more)).status_code == 200


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("logprobs", True),
        ("response_format", {"type": "json_object"}),
        ("frequency_penalty", 0.1),
        ("logit_bias", {"1": 2}),
        ("no_such_field", 1),
        ("budget", 10**6),
        ("strategy", "majority"),
        ("strategy", "dvts(n=6,width=4)"),
        ("strategy", {"name": "majority", "n": 10**9}),
        ("strategy", {"name": "nothing", "n": 4}),
        ("strategy", {"name": "particle_filter", "n": 4, "softmax_temperature": 10**400}),
        ("temperature", 2.5),
        ("n", 0),
        ("stop", [""]),
        ("model", "gpt-9"),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_is_refused_by_name(
    served: InProcess, param: str, value: object
) -> None:
    with served.client() as client:
        refused = client.post("/v1/chat/completions", json=chat() | {param: value})
    error = refused.json()["error"]
    assert refused.status_code == (404 if param == "model" else 400)
    assert error["param"].split(".")[0] == param and error["type"] == "invalid_request_error"
    assert "\n" not in error["message"] and error["code"]


@pytest.mark.parametrize(
    ("param", "body"),
    [
        ("messages.0.content.0.type", {"messages": [{"role": "user", "content": [IMAGE]}]}),
        ("messages", {"messages": [{"role": "tool", "content": "7"}]}),
        ("messages.0.role", {"messages": [{"role": "robot", "content": "7"}]}),
        ("stop.1", {"stop": ["a", 3]}),
        ("max_completion_tokens", {"max_tokens": 5, "max_completion_tokens": 6}),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_where_it_is(
    served: InProcess, param: str, body: dict[str, Any]
) -> None:
    with served.client() as client:
        refused = client.post("/v1/chat/completions", json=chat() | body)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == param
    assert refused.json()["error"]["message"].startswith(f"{param}: ")


def test_greedy_temperature_and_a_strategy_of_several_do_not_go_together(
    make_answerer: Answering,
) -> None:
    settings = ServiceSettings(greedy_at_zero=True)
    with in_process(make_answerer(), settings) as served, served.client() as client:
        refused = client.post(
            "/v1/chat/completions", json=chat(temperature=0, strategy="majority(n=4)")
        )
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "temperature"


@pytest.mark.parametrize(
    ("param", "body"),
    [
        # Each alone is right; together one of them would say nothing.
        ("temperature", {"strategy": "greedy", "temperature": 0.7}),
        ("budget", {"strategy": "majority(n=8)", "budget": 4}),
        ("budget", {"strategy": {"name": "best_of_n", "n": 8}, "budget": 4}),
        ("target_accuracy", {"strategy": "majority(n=8)", "target_accuracy": 0.5}),
        ("max_usd", {"strategy": "greedy", "max_usd": 0.5}),
        ("target_accuracy", {"response_format": {"type": "json_object"}, "target_accuracy": 0.5}),
        ("progress", {"progress": True}),
    ],
    ids=str,
)
def test_what_another_field_would_leave_without_effect_is_refused(
    served: InProcess, param: str, body: dict[str, Any]
) -> None:
    with served.client() as client:
        refused = client.post("/v1/chat/completions", json=chat(**body))
    error = refused.json()["error"]
    assert refused.status_code == 400 and error["param"] == param, error
    assert error["message"].startswith(param) and error["code"] == "invalid_value"


@pytest.mark.parametrize(
    "body",
    [
        {"strategy": "greedy", "temperature": 0},
        {"strategy": "majority(n=8)", "budget": 8, "max_seconds": 60},
        {"temperature": 0, "budget": 16},
        {"stream_options": None, "progress": False},
    ],
    ids=str,
)
def test_what_goes_together_is_taken(served: InProcess, body: dict[str, Any]) -> None:
    with served.client() as client:
        assert client.post("/v1/chat/completions", json=chat(**body)).status_code == 200


@pytest.mark.long
def test_a_client_does_not_ask_again_when_its_own_time_has_run_out(
    make_answerer: Answering,
) -> None:
    settings = ServiceSettings(concurrency=1)
    with (
        in_process(make_answerer(latency=2.0), settings) as busy,
        busy.openai_client(max_retries=2) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        first = threads.submit(client.chat.completions.create, model=MODEL, messages=MESSAGES)
        until(lambda: busy.handler.queue.running == 1)
        with pytest.raises(openai.InternalServerError) as raised:
            client.chat.completions.create(
                model=MODEL, messages=MESSAGES, extra_body={"max_seconds": 0.1}
            )
        assert not first.done()  # it came at once, and was not asked again
        assert raised.value.code == "deadline_exceeded" and raised.value.status_code == 503
        assert first.result().choices
        until(lambda: len(busy.events()) == 2)


def test_one_request_takes_no_more_prompts_than_it_may(make_answerer: Answering) -> None:
    with in_process(make_answerer(), ServiceSettings(max_prompts=3)) as few, few.client() as client:
        for prompts, status in ((3, 200), (4, 400)):
            body = {"model": MODEL, "prompt": [f"{index}?" for index in range(prompts)]}
            told = client.post("/v1/completions", json=body)
            assert told.status_code == status
    assert told.json()["error"] | {"message": ""} == {
        "message": "", "type": "invalid_request_error", "param": "prompt",
        "code": "too_many_prompts",
    }  # fmt: skip


def test_prompts_that_there_is_no_room_for_now_may_come_again(make_answerer: Answering) -> None:
    body = {"model": MODEL, "prompt": [f"{index}?" for index in range(40)]}
    # Of what fills the engines nobody knows how it moves; of what was set it is known.
    for settings, status in (
        (ServiceSettings(queue=2), 429),
        (ServiceSettings(queue=2, concurrency=32), 400),
    ):
        with in_process(make_answerer(), settings) as few, few.client() as client:
            told = client.post("/v1/completions", json=body)
            assert told.status_code == status
            assert ("retry-after" in told.headers) == (status == 429)


def test_one_response_has_no_more_choices_than_it_may(make_answerer: Answering) -> None:
    def ask(client: httpx.Client, prompts: int, n: int) -> httpx.Response:
        body = {"model": MODEL, "prompt": ["what is x?"] * prompts, "n": n}
        return client.post("/v1/completions", json=body)

    with in_process(make_answerer()) as served, served.client() as client:
        assert len(ask(client, 4, 64).json()["choices"]) == 256
        told = ask(client, 4, 65)
        assert told.status_code == 400 and told.json()["error"]["param"] == "n"
        assert "260" in told.json()["error"]["message"]
    many = ServiceSettings(max_prompts=300, queue=400)
    with in_process(make_answerer(), many) as served, served.client() as client:
        assert len(ask(client, 300, 1).json()["choices"]) == 300  # as it was told to
        assert ask(client, 151, 2).json()["error"]["param"] == "n"


def test_a_request_keeps_the_name_that_its_client_gave_it(served: InProcess) -> None:
    with served.client() as client:
        names = ("trace-0af7651916cd43dd", "a" * 128, "", "two words", "a" * 129, "what is x?")
        told = [
            client.get("/v1/models", headers={"X-Request-Id": name}).headers["x-request-id"]
            for name in names
        ]
        done = client.post("/v1/chat/completions", json=chat(), headers={"X-Request-Id": "mine"})
    assert tuple(told[:2]) == names[:2]
    assert all(len(one) == 24 and one.isalnum() for one in told[2:])
    assert done.headers["x-request-id"] == "mine" and "mine" not in done.json()["id"]
    until(lambda: any(line.get("client_request") == "mine" for line in served.events()))
    (line,) = (line for line in served.events() if line.get("client_request") == "mine")
    assert done.json()["id"] == f"chatcmpl-{line['request']}"


def test_what_a_path_does_not_take(served: InProcess) -> None:
    with served.client() as client:
        for method, path in (("GET", "/v1/chat/completions"), ("POST", "/v1/models")):
            told = client.request(method, path)
            assert told.status_code == 405 and told.headers["allow"]
            assert told.json()["error"]["code"] == "method_not_allowed"
        # A redirect would have to trust the Host header, and many clients follow none.
        told = client.post("/v1/chat/completions/", json=chat())
        assert told.status_code == 404 and told.json()["error"]["code"] == "not_found"


def test_the_client_raises_its_own_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=MODEL, messages=MESSAGES, logprobs=True)
    assert raised.value.param == "logprobs"
