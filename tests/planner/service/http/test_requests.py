"""What clients send as a matter of course: the status of each request, and the codes of its notes.

A row has the fields that are added to a plain request, and then what comes of it: the codes of the
notes (as in the header X-Apportion-Notes) for a 200, or the name of the field at fault.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from planner.service.http.settings import ServiceSettings
from tests.helpers.served_app import MODEL, QUESTION, InProcess, chat, in_process
from tests.planner.service.conftest import Answering

FUNCTION = {"name": "f", "description": "Adds.", "parameters": {"type": "object"}}
TOOL = {"type": "function", "function": FUNCTION}
NAMED = {"type": "function", "function": {"name": "f"}}
ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}}
REQUIRED = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED]}}
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
EPHEMERAL = {"type": "ephemeral"}
USER = {"role": "user", "content": QUESTION}
CALLS = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
FILE = {"type": "file", "file": {"file_id": "f1"}}
BEGUN = {"role": "assistant", "content": "{"}
ZERO = "zero_temperature_routed(temperature)"

Row = tuple[dict[str, Any], str]


def without_effect(*fields: str) -> str:
    return ", ".join(f"field_without_effect({field})" for field in fields)


def said(*messages: dict[str, Any]) -> dict[str, Any]:
    """A conversation that ends with the question."""
    return {"messages": [*messages, USER]}


def parts(*content: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}]}


TEXT = {"type": "text", "text": QUESTION}
ALONE = "last_message_alone"

TAKEN: list[Row] = [
    # Tools: the answer is text.
    ({"tools": []}, ""),
    ({"tools": None, "tool_choice": None, "functions": None, "function_call": None}, ""),
    ({"tools": [], "tool_choice": "auto"}, ""),
    ({"tools": [TOOL]}, "tools_not_called"),
    ({"tools": [TOOL, TOOL], "tool_choice": "auto"}, "tools_not_called"),
    ({"tools": [TOOL], "tool_choice": "none"}, ""),
    ({"tools": [TOOL], "tool_choice": ALLOWED}, "tools_not_called"),
    ({"tools": [{"type": "web_search"}]}, "tools_not_called"),
    ({"tools": [TOOL | {"cache_control": EPHEMERAL}]}, "tools_not_called"),
    ({"tools": [TOOL], "parallel_tool_calls": False}, "tools_not_called"),
    ({"parallel_tool_calls": True}, ""),
    ({"functions": [FUNCTION]}, "tools_not_called"),
    ({"functions": [FUNCTION], "function_call": "auto"}, "tools_not_called"),
    ({"functions": [FUNCTION], "function_call": "none"}, ""),
    # Sampling that asks for nothing.
    ({"presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {}, "n": 1}, ""),
    ({"presence_penalty": None, "frequency_penalty": None, "logit_bias": None, "n": None}, ""),
    ({"top_k": -1, "min_p": 0, "repetition_penalty": 1.0, "length_penalty": 1}, ""),
    ({"top_k": 0, "repeat_penalty": 1, "min_tokens": 0, "ignore_eos": False}, ""),
    ({"stop_token_ids": [], "bad_words": [], "use_beam_search": False, "best_of": 1}, ""),
    ({"logprobs": False, "top_logprobs": 0}, ""),
    ({"logprobs": None, "top_logprobs": None}, ""),
    ({"seed": 7}, ""),
    ({"seed": None, "stop": None, "stream": False, "max_tokens": None}, ""),
    ({"stop": []}, ""),
    ({"stop": ["###"] * 16}, ""),
    # Temperature, nucleus, limits.
    ({"temperature": 0.7}, ""),
    ({"temperature": 1}, "other_temperature"),
    ({"temperature": 0.2}, "other_temperature"),
    ({"temperature": None}, ""),
    ({"temperature": 0}, ZERO),
    ({"temperature": 0.0}, ZERO),
    ({"temperature": 1e-8}, ZERO),
    ({"temperature": 0.01}, ZERO),
    ({"temperature": 0, "strategy": "greedy"}, ""),
    ({"temperature": 0, "strategy": "majority(n=4)"}, ZERO),
    ({"temperature": 0, "top_p": 1}, ZERO),
    ({"temperature": 0, "top_p": 0.9}, ZERO),
    ({"temperature": 0, "target_accuracy": 0.5}, ZERO),
    ({"top_p": 1}, ""),
    ({"top_p": 1.0, "temperature": 0.7}, ""),
    ({"top_p": 0.95}, "other_top_p"),
    ({"top_p": 0.9, "temperature": 1}, "other_temperature, other_top_p"),
    ({"top_p": 0}, "zero_temperature_routed(top_p)"),
    ({"top_p": 1e-6}, "zero_temperature_routed(top_p)"),
    ({"top_p": None}, ""),
    ({"max_tokens": 8192}, ""),
    ({"max_tokens": 100_000}, "tokens_capped"),
    ({"max_completion_tokens": 10**9}, "tokens_capped"),
    ({"max_tokens": 4096}, "other_token_limit"),
    ({"max_tokens": 512, "max_completion_tokens": 512}, "other_token_limit"),
    # What changes no answer.
    ({"user": "me", "safety_identifier": "s", "prompt_cache_key": "k"}, ""),
    ({"prompt_cache_retention": "24h"}, ""),
    ({"metadata": {"run": "1"}}, ""),
    ({"metadata": {"run": 1, "nested": {"a": []}}}, ""),
    ({"metadata": None}, ""),
    ({"store": False}, ""),
    ({"store": True}, without_effect("store")),
    ({"store": True, "metadata": {"run": "1"}}, without_effect("store")),
    ({"service_tier": "auto"}, ""),
    ({"service_tier": "default"}, ""),
    ({"service_tier": "flex"}, without_effect("service_tier")),
    ({"service_tier": "priority"}, without_effect("service_tier")),
    ({"stream_options": {"include_usage": True}}, without_effect("stream_options")),
    ({"stream_options": None}, ""),
    ({"stream_options": {}}, without_effect("stream_options")),
    ({"prediction": {"type": "content", "content": "4"}}, without_effect("prediction")),
    ({"prediction": {"type": "content", "content": [TEXT]}}, without_effect("prediction")),
    ({"prediction": None}, ""),
    ({"verbosity": "medium"}, ""),
    ({"verbosity": "low"}, without_effect("verbosity")),
    ({"modalities": ["text"]}, ""),
    ({"modalities": None, "audio": None}, ""),
    ({"response_format": {"type": "text"}}, ""),
    ({"response_format": None}, ""),
    ({"reasoning_effort": "none"}, ""),
    ({"reasoning_effort": None}, ""),
    ({"reasoning_effort": "minimal"}, without_effect("reasoning_effort")),
    ({"reasoning_effort": "high"}, without_effect("reasoning_effort")),
    ({"web_search_options": None}, ""),
    # Several at once, in the order of the request's meaning.
    (
        {"tools": [TOOL], "store": True, "temperature": 0, "stream_options": {}},
        f"{without_effect('stream_options')}, tools_not_called, {without_effect('store')}, {ZERO}",
    ),
    # Names of the model.
    ({"model": f"openai/{MODEL}"}, "other_model_name"),
    ({"model": f"hosted_vllm/openai/{MODEL}"}, "other_model_name"),
    ({"model": MODEL.upper()}, "other_model_name"),
    ({"model": f"OpenAI/{MODEL.title()}"}, "other_model_name"),
    ({"model": f" {MODEL} "}, "other_model_name"),
    # Conversations.
    (said({"role": "system", "content": "Be brief."}), ALONE),
    (said({"role": "developer", "content": "Be brief."}), ALONE),
    (said({"role": "system", "content": [{"type": "text", "text": "Be brief."}]}), ALONE),
    (said(USER, {"role": "assistant", "content": "4"}), ALONE),
    (said(USER, {"role": "assistant", "content": ""}), ALONE),
    (said(USER, {"role": "assistant", "content": []}), ALONE),
    (said(USER, {"role": "assistant", "content": None}), ALONE),
    (said(USER, {"role": "assistant", "content": "4", "tool_calls": []}), ALONE),
    (said(USER, {"role": "assistant", "content": None, "refusal": "No."}), ALONE),
    (
        said(USER, {"role": "assistant", "content": "4", "reasoning_content": "Hm."}),
        f"{without_effect('reasoning_content')}, {ALONE}",
    ),
    (
        said(USER, {"role": "assistant", "content": "4", "annotations": [], "audio": None}),
        ALONE,
    ),
    (
        said(
            USER,
            {"role": "assistant", "content": None, "tool_calls": CALLS},
            {"role": "tool", "tool_call_id": "c1", "content": "4"},
        ),
        f"tool_messages_as_text, {ALONE}",
    ),
    (
        {
            "messages": [
                USER,
                {"role": "assistant", "content": None, "tool_calls": CALLS},
                {"role": "tool", "tool_call_id": "c1", "content": "4"},
            ]
        },
        "tool_messages_as_text",
    ),
    (
        said(USER, {"role": "function", "name": "f", "content": "4"}),
        f"tool_messages_as_text, {ALONE}",
    ),
    ({"messages": [USER, {"role": "assistant", "content": "The answer"}]}, "response_begun"),
    ({"messages": [USER, {"role": "assistant", "content": ""}]}, ""),
    ({"messages": [USER | {"name": "Ada"}]}, without_effect("name")),
    ({"messages": [{"role": "system", "content": QUESTION}]}, ""),
    ({"messages": [USER, {"role": "system", "content": "Be brief."}]}, ALONE),
    (parts(TEXT), ""),
    (parts(TEXT, TEXT), ""),
    (parts(TEXT | {"cache_control": EPHEMERAL}), without_effect("cache_control")),
    ({"messages": [USER | {"cache_control": EPHEMERAL}]}, without_effect("cache_control")),
    # A field of ours beside those of a client.
    ({"tools": [TOOL], "budget": 8, "strategy": "majority"}, "tools_not_called"),
    ({"temperature": 0, "max_seconds": 60}, ZERO),
]

REFUSED: list[Row] = [
    ({"tool_choice": "required", "tools": [TOOL]}, "tool_choice"),
    ({"tool_choice": NAMED, "tools": [TOOL]}, "tool_choice"),
    ({"tool_choice": REQUIRED, "tools": [TOOL]}, "tool_choice"),
    ({"tool_choice": "any"}, "tool_choice"),
    ({"function_call": {"name": "f"}, "functions": [FUNCTION]}, "function_call"),
    ({"tools": [{}]}, "tools.0.type"),
    ({"tools": "f"}, "tools"),
    ({"functions": [{}]}, "functions.0.name"),
    ({"presence_penalty": 0.5}, "presence_penalty"),
    ({"frequency_penalty": -1}, "frequency_penalty"),
    ({"logit_bias": {"50256": -100}}, "logit_bias"),
    ({"top_k": 40}, "top_k"),
    ({"min_p": 0.05}, "min_p"),
    ({"repetition_penalty": 1.1}, "repetition_penalty"),
    ({"use_beam_search": True}, "use_beam_search"),
    ({"best_of": 4}, "best_of"),
    ({"stop_token_ids": [2]}, "stop_token_ids"),
    ({"logprobs": True}, "logprobs"),
    ({"logprobs": True, "top_logprobs": 5}, "logprobs"),
    ({"modalities": ["text", "audio"], "audio": {"voice": "alloy"}}, "audio"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"response_format": {"type": "json_object"}}, "response_format"),  # of this policy
    ({"response_format": JSON_SCHEMA}, "response_format"),
    ({"response_format": {"type": "grammar"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
        "response_format.json_schema.schema",
    ),
    ({"reasoning_effort": "huge"}, "reasoning_effort"),
    ({"verbosity": "loud"}, "verbosity"),
    ({"service_tier": "gold"}, "service_tier"),
    ({"stop": ["a"] * 17}, "stop"),
    ({"stop": ["a"] * 20}, "stop"),
    ({"stop": ""}, "stop"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 10**30}, "max_tokens"),
    ({"max_tokens": 5, "max_completion_tokens": 6}, "max_completion_tokens"),
    ({"temperature": 2.5}, "temperature"),
    ({"temperature": 0.7, "strategy": "greedy"}, "temperature"),
    ({"top_p": 1.5}, "top_p"),
    ({"n": 0}, "n"),
    ({"model": "gpt-9"}, "model"),
    ({"model": f"{MODEL}-mini"}, "model"),
    ({"model": f"my{MODEL}"}, "model"),
    ({"no_such_field": 1}, "no_such_field"),
    ({"no_such_field": 1, "tool_choice": "required"}, "tool_choice"),
    ({"max_tokens": 0, "logprobs": True}, "logprobs"),
    (parts(TEXT, IMAGE), "messages.0.content.1.type"),
    (parts(AUDIO, TEXT), "messages.0.content.0.type"),
    (parts(FILE, TEXT), "messages.0.content.0.type"),
    (parts({"type": "hologram"}), "messages.0.content.0.type"),
    (said({"role": "robot", "content": "4"}), "messages.0.role"),
    ({"messages": [{"role": "assistant", "content": "4"}]}, "messages"),
    ({"messages": []}, "messages"),
]

PLAIN_TAKEN: list[Row] = [
    ({"echo": False, "logprobs": None, "suffix": None, "best_of": 1, "n": 1}, ""),
    ({"suffix": "", "presence_penalty": 0, "frequency_penalty": 0, "logit_bias": {}}, ""),
    ({"temperature": 0, "seed": 1}, ZERO),
    ({"max_tokens": 16}, "other_token_limit"),
    ({"max_tokens": 10**6}, "tokens_capped"),
    ({"top_p": 0.9, "user": "me"}, "other_top_p"),
    ({"model": f"openai/{MODEL}"}, "other_model_name"),
    ({"stream_options": {"include_usage": True}}, without_effect("stream_options")),
]

PLAIN_REFUSED: list[Row] = [
    # As lm-evaluation-harness asks for likelihoods: raising max_tokens would meet the next refusal.
    ({"echo": True, "logprobs": 1, "max_tokens": 0, "temperature": 0}, "echo"),
    ({"logprobs": 5, "max_tokens": 0}, "logprobs"),
    ({"logprobs": 1}, "logprobs"),
    ({"echo": True}, "echo"),
    ({"best_of": 4}, "best_of"),
    ({"suffix": "end"}, "suffix"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"prompt": ""}, "prompt"),
    ({"stop": ["a"] * 20}, "stop"),
]

INPUT = {"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}
OUTPUT = {
    "type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
    "content": [{"type": "output_text", "text": "4", "annotations": [], "logprobs": []}],
}  # fmt: skip
CALL_ITEM = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT_ITEM = {"type": "function_call_output", "call_id": "c1", "output": "4"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}

RESPONSES_TAKEN: list[Row] = [
    ({}, ""),
    ({"input": [INPUT]}, ""),
    ({"input": [USER]}, ""),
    ({"input": [USER | {"type": "message"}]}, ""),
    ({"instructions": "Be brief."}, ALONE),
    ({"instructions": None, "tools": [], "include": [], "metadata": {}}, ""),
    ({"input": [INPUT, OUTPUT, INPUT]}, ALONE),
    ({"input": [INPUT, THOUGHT, OUTPUT, INPUT]}, f"{without_effect('reasoning')}, {ALONE}"),
    ({"input": [INPUT, CALL_ITEM, OUTPUT_ITEM]}, "tool_messages_as_text"),
    ({"input": [INPUT, OUTPUT]}, "response_begun"),
    ({"tools": [{"type": "function", "name": "f", "parameters": {}}]}, "tools_not_called"),
    ({"tools": [{"type": "web_search"}], "tool_choice": "auto"}, "tools_not_called"),
    ({"store": False}, ""),
    ({"store": True}, without_effect("store")),
    ({"include": ["reasoning.encrypted_content"]}, ""),
    ({"reasoning": {"effort": "low"}}, without_effect("reasoning_effort")),
    ({"reasoning": {"effort": None, "summary": None}}, ""),
    (
        {"reasoning": {"effort": "none", "summary": "auto"}},
        without_effect("reasoning_summary"),
    ),
    ({"text": {"format": {"type": "text"}}}, ""),
    ({"text": {"verbosity": "high"}}, without_effect("verbosity")),
    ({"truncation": "disabled", "background": False, "max_tool_calls": 3}, ""),
    ({"truncation": "auto"}, without_effect("truncation")),
    ({"previous_response_id": None, "conversation": None, "prompt": None}, ""),
    ({"temperature": 0}, ZERO),
    ({"max_output_tokens": 10**6}, "tokens_capped"),
    ({"top_logprobs": 0, "parallel_tool_calls": True, "service_tier": "auto"}, ""),
    ({"model": f"openai/{MODEL}"}, "other_model_name"),
]

RESPONSES_REFUSED: list[Row] = [
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ({"background": True}, "background"),
    ({"include": ["message.output_text.logprobs"]}, "include"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tool_choice": {"type": "function", "name": "f"}}, "tool_choice"),
    ({"text": {"format": {"type": "json_object"}}}, "text"),  # of this policy
    ({"input": ""}, "input"),
    ({"input": [{"type": "reasoning"}]}, "input"),
    ({"input": [{"role": "user"}], "text": {"format": {"type": "json_object"}}}, "input"),
    ({"input": []}, "input"),
    ({"input": [OUTPUT]}, "input"),
    ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0.type"),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]}]},
        "input.0.content.0.type",
    ),
    ({"messages": [USER]}, "messages"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
]

PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": chat(),
    "/v1/completions": {"model": MODEL, "prompt": QUESTION},
    "/v1/responses": {"model": MODEL, "input": QUESTION},
}
CHAT, PLAIN, RESPONSES = PATHS


def rows(*tables: tuple[str, list[Row]]) -> list[Any]:
    return [
        pytest.param(path, more, expected, id=f"{path[4:]} {json.dumps(more)[:90]}")
        for path, table in tables
        for more, expected in table
    ]


@pytest.fixture(scope="module")
def served(make_answerer: Answering) -> Iterator[InProcess]:
    with in_process(make_answerer(p=1.0)) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: InProcess) -> Iterator[httpx.Client]:
    with served.client() as made:
        yield made


def test_there_are_many_requests() -> None:
    taken = [*TAKEN, *PLAIN_TAKEN, *RESPONSES_TAKEN]
    refused = [*REFUSED, *PLAIN_REFUSED, *RESPONSES_REFUSED]
    assert len(taken) >= 120 and len(refused) >= 60


@pytest.mark.parametrize(
    ("path", "more", "codes"),
    rows((CHAT, TAKEN), (PLAIN, PLAIN_TAKEN), (RESPONSES, RESPONSES_TAKEN)),
)
def test_what_a_client_sends_is_taken_and_noted(
    client: httpx.Client, path: str, more: dict[str, Any], codes: str
) -> None:
    told = client.post(path, json=PATHS[path] | more)
    assert told.status_code == 200, told.text
    assert told.headers.get("x-apportion-notes", "") == codes
    record = told.json()
    assert record["model"] == MODEL
    kinds = [code.partition("(")[0] for code in codes.split(", ") if code]
    if set(kinds) - {ALONE, "other_token_limit"}:
        [explained] = record["apportion"]
        assert explained["note_codes"] == kinds and len(explained["notes"]) == len(kinds)
    else:
        assert "apportion" not in record  # the answer is the one that was asked for


@pytest.mark.parametrize(
    ("path", "more", "param"),
    rows((CHAT, REFUSED), (PLAIN, PLAIN_REFUSED), (RESPONSES, RESPONSES_REFUSED)),
)
def test_what_would_change_the_answer_is_refused_by_name(
    client: httpx.Client, path: str, more: dict[str, Any], param: str
) -> None:
    told = client.post(path, json=PATHS[path] | more)
    assert told.status_code == (404 if param == "model" else 400), told.text
    error = told.json()["error"]
    assert error["param"] == param, error
    assert param.split(".")[0] in error["message"] and "\n" not in error["message"]
    assert error["code"] and error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"stop": ["a"] * 20}, "stop: has 20 strings; expected at most 16"),
        ({"tool_choice": "required"}, "tool_choice is not supported here: the answer is text"),
        ({"top_k": 40}, "top_k is not supported here: samples are drawn without it"),
        (parts(IMAGE), "image_url is not supported here: the policy reads text, and no images"),
        (parts(AUDIO), "input_audio is not supported here: the policy reads text, and no audio"),
        (
            {"response_format": {"type": "json_object"}},
            "response_format: policy simulated-policy cannot be bound to JSON",
        ),
        (
            {"response_format": JSON_SCHEMA, "messages": [USER, BEGUN]},
            "messages: JSON is written whole and continues no text",
        ),
        ({"response_format": JSON_SCHEMA, "max_usd": 1}, "max_usd: nothing is known of answers in"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {
                "schema": {"enum": ["x" * 40_000]}}}},
            "as JSON; expected at most 32768",
        ),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_refusal_says_why(client: httpx.Client, more: dict[str, Any], words: str) -> None:
    assert words in client.post(CHAT, json=chat() | more).json()["error"]["message"]


@pytest.mark.parametrize("path", PATHS)
def test_the_header_turns_off_the_plan(client: httpx.Client, path: str) -> None:
    def ask(value: str, **more: Any) -> httpx.Response:
        return client.post(path, json=PATHS[path] | more, headers={"X-Apportion": value})

    for value in ("off", "OFF", " off "):
        off = ask(value, temperature=0.9, top_p=0.5)
        assert off.headers["x-apportion"].startswith("strategy=greedy; n=1;")
        assert off.headers["x-apportion-notes"] == "greedy_by_request"
    assert ask("on").headers["x-apportion"].startswith("strategy=majority; n=4;")
    assert ask("off", strategy="greedy").status_code == 200
    for value, more, param in (
        ("of", {}, "X-Apportion"),
        ("off", {"strategy": "majority(n=8)"}, "strategy"),
        ("off", {"target_accuracy": 0.5}, "target_accuracy"),
    ):
        told = ask(value, **more)  # type: ignore[arg-type]
        assert told.status_code == 400 and told.json()["error"]["param"] == param


def test_a_server_may_take_temperature_0_for_greedy(make_answerer: Answering) -> None:
    settings = ServiceSettings(greedy_at_zero=True)
    with in_process(make_answerer(p=1.0), settings) as served, served.client() as client:
        for more in ({"temperature": 0}, {"temperature": 1e-8}, {"top_p": 0}):
            told = client.post(CHAT, json=chat(**more))
            assert told.headers["x-apportion"].startswith("strategy=greedy")
            assert told.headers["x-apportion-notes"] == "greedy_by_request"
        for more in ({"temperature": 0.7}, {}):
            told = client.post(CHAT, json=chat(**more))
            assert told.headers["x-apportion"].startswith("strategy=majority")
            assert "x-apportion-notes" not in told.headers
        told = client.post(CHAT, json=chat(temperature=0, max_usd=1.0))
        assert told.json()["error"]["param"] == "max_usd"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/models", f"/v1/models/{MODEL}"])
def test_head_is_answered_as_get_without_a_body(client: httpx.Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert head.status_code == get.status_code == 200
    assert head.content == b"" != get.content
    assert head.headers["content-length"] == get.headers["content-length"]


def test_head_finds_nothing_where_get_does_not(served: InProcess, client: httpx.Client) -> None:
    assert client.head("/nowhere").status_code == 404
    assert client.head(CHAT).status_code == 405
    assert client.head("/v1/models/gpt-9").status_code == 404
    assert {"HEAD"} == {line["method"] for line in served.events() if line["status"] == 405}


def test_a_model_is_found_by_the_name_that_a_proxy_gives_it(client: httpx.Client) -> None:
    for name in (f"openai/{MODEL}", MODEL.upper()):
        assert client.get(f"/v1/models/{name}").json()["id"] == MODEL


def test_a_stream_says_what_it_did_not_heed(client: httpx.Client) -> None:
    body = chat(
        stream=True, stream_options={"include_obfuscation": True}, store=True, temperature=0
    )
    lines = client.post(CHAT, json=body).text.splitlines()
    records = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert records[-1]["apportion"][0]["note_codes"] == [
        "field_without_effect", "field_without_effect", "zero_temperature_routed",
    ]  # fmt: skip


def test_a_begun_answer_holds_what_follows(client: httpx.Client) -> None:
    plain = client.post(CHAT, json=chat(seed=1)).json()
    begun = [USER, {"role": "assistant", "content": "Well. "}]
    told = client.post(CHAT, json=chat(seed=1, messages=begun)).json()
    text = told["choices"][0]["message"]["content"]
    assert text.startswith("Step 1:") and "Well." not in text
    assert told["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"]
