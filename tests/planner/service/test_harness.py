"""lm-evaluation-harness: the requests its `local-completions` and `local-chat-completions` send.

Their shapes are those of `lm_eval/models/openai_completions.py` and `api_models.py` there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from executor.policies.simulated import reference_answer
from tests.helpers.served_app import MODEL, InProcess, in_process
from tests.planner.service.conftest import Answering

CONTEXTS = ["Question: what is x?\nAnswer:", "Question: what is y?\nAnswer:"]
UNTIL = ["Question:", "</s>", "<|im_end|>", "\n\n\n\n", "<|endoftext|>"]


@pytest.fixture(scope="module")
def served(make_answerer: Answering) -> Iterator[InProcess]:
    with in_process(make_answerer(p=1.0)) as running:
        yield running


def ask(served: InProcess, path: str, body: dict[str, Any]) -> Any:
    with served.client() as client:
        return client.post(path, json=body)


def generate(prompt: Any, **more: Any) -> dict[str, Any]:
    """What `generate_until` sends to completions."""
    return {
        "prompt": prompt, "model": MODEL, "max_tokens": 256, "temperature": 0,
        "stop": UNTIL, "seed": 1234,
    } | more  # fmt: skip


@pytest.mark.parametrize("tokenized", [True, False], ids=["token ids", "texts"])
def test_a_batch_of_completions(served: InProcess, tokenized: bool) -> None:
    prompt: Any = [[*map(ord, context)] for context in CONTEXTS] if tokenized else CONTEXTS
    done = ask(served, "/v1/completions", generate(prompt))
    choices = done.json()["choices"]
    # It puts them in place by their index.
    assert sorted(choice["index"] for choice in choices) == [0, 1]
    for choice in choices:
        assert reference_answer(CONTEXTS[choice["index"]]) in choice["text"]


def test_sampling_is_searched(served: InProcess) -> None:
    """Its default temperature is greedy; `--gen_kwargs temperature=0.7` gets the search."""
    done = ask(served, "/v1/completions", generate(CONTEXTS[0], temperature=0.7))
    assert done.headers["x-apportion"].startswith("strategy=majority; n=4")


def test_a_chat(served: InProcess) -> None:
    messages = json.loads(json.dumps([{"role": "user", "content": CONTEXTS[0], "type": "text"}]))
    body = {
        "messages": messages, "model": MODEL, "max_tokens": 256, "temperature": 0,
        "stop": UNTIL[:4], "seed": 1234,
    }  # fmt: skip
    (choice,) = ask(served, "/v1/chat/completions", body).json()["choices"]
    assert choice["index"] == 0
    assert reference_answer(CONTEXTS[0]) in choice["message"]["content"]


def test_no_stop_is_an_empty_list(served: InProcess) -> None:
    assert ask(served, "/v1/completions", generate(CONTEXTS[0], stop=[])).status_code == 200


def test_likelihoods_are_refused_by_name(served: InProcess) -> None:
    body = {
        "model": MODEL, "prompt": [[*map(ord, CONTEXTS[0])]], "temperature": 0, "max_tokens": 1,
        "logprobs": 1, "seed": 1234, "echo": True,
    }  # fmt: skip
    refused = ask(served, "/v1/completions", body)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] in ("logprobs", "echo")
