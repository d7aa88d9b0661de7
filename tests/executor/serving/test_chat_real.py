"""A real `vllm serve --api-key` as a chat endpoint: nobody here wrote it, and it counts tokens."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from executor.access import Access, Secret
from executor.engines.base import EngineCounters
from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.files import data_folder
from executor.ledger import Ledger
from executor.loading import resolve
from executor.models.checkpoint import Checkpoint
from executor.models.templates import load_template
from executor.policies.base import Bill, ChatPolicy, ChatRequest
from executor.policies.endpoint import EndpointPolicy
from executor.servers.endpoint import EndpointLimits
from executor.servers.metrics import read_counters
from executor.servers.server import Patience
from executor.serving.command import serve_policy
from executor.serving.launch import free_port, running
from executor.testing.chat_policy_conformance import ChatPolicyConformance
from tests.helpers.command import apportion, document

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

POLICY, KEY = "lab-0.4m", "sk-real-5b1f0c9d7e3a"
OPTIONS = EngineOptions(block_size=32, kv_cache_gib=0.25)
TEMPLATE = data_folder() / "models" / POLICY / "apportion_template.json"
PROBLEMS = data_folder() / "problems" / "laboratory" / "profile.jsonl"
# What the laboratory's models were trained on: the text of a question, and a blank line.
CHAT = "{% for message in messages %}{{ message['content'] }}{{ '\\n\\n' }}{% endfor %}"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "chat.jinja").write_text(CHAT)
    command = serve_policy(POLICY, free_port(), OPTIONS)
    more = ("--api-key", KEY, "--chat-template", str(folder / "chat.jinja"))
    command = dataclasses.replace(command, arguments=(*command.arguments, *more))
    with running([command], folder) as (server,):
        yield server.url


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return tmp_path


def counted(url: str) -> EngineCounters:
    return read_counters(httpx.get(f"{url}/metrics").text)


def policy_at(url: str, **limits: Any) -> EndpointPolicy:
    checkpoint = Checkpoint(POLICY, f"chat:{POLICY}@{url}/v1", (f"{url}/v1",))
    return EndpointPolicy.connect(
        checkpoint, load_template(str(TEMPLATE)), Access(Secret(KEY)), EndpointLimits(**limits),
        Patience(),
    )  # fmt: skip


class TestVllmOverChat(ChatPolicyConformance):
    @pytest.fixture
    def policy(self, url: str) -> ChatPolicy:
        return policy_at(url)

    @pytest.fixture
    def question(self) -> str:
        return str(json.loads(PROBLEMS.read_text().splitlines()[0])["problem"])

    @pytest.fixture
    def length(self) -> int:
        return 200

    def test_a_cancelled_request_says_that_its_cost_is_unknown(
        self, policy: ChatPolicy, request_of: ChatRequest
    ) -> None:
        # The model writes a response in less time than the suite waits; 64 of them take longer.
        many = dataclasses.replace(request_of, n=64, ledger=Ledger(), bill=Bill())
        super().test_a_cancelled_request_says_that_its_cost_is_unknown(policy, many)


def run_at(url: str, *more: str | Path) -> tuple[str | Path, ...]:
    return (
        "--problems", PROBLEMS, "--policy", f"{url}/v1", "--policy-model", POLICY,
        "--policy-api", "chat", "--template", TEMPLATE, "--max-tokens", "120", *more,
    )  # fmt: skip


def test_the_ledger_is_what_the_server_counted(place: Path, url: str) -> None:
    before = counted(url)
    more = ("--limit", "50", "--max-samples", "4", "--one-per-request")
    found = document(place, "profile", *run_at(url, *more))
    ledger, did = found["ledger"], counted(url) - before
    assert len(found["problems"]) == 50
    assert ledger["generated"] + ledger["discarded"] == did.generated > 0
    assert ledger["prompt"] + ledger["cached"] == did.prompt
    assert ledger["cached"] == did.cached


def test_a_prompt_of_several_responses_is_charged_as_it_is_billed(place: Path, url: str) -> None:
    before = counted(url)
    found = document(place, "profile", *run_at(url, "--limit", "50", "--max-samples", "4"))
    ledger, did = found["ledger"], counted(url) - before
    assert ledger["generated"] == did.generated > 0
    assert 4 * (ledger["prompt"] + ledger["cached"]) == did.prompt


def test_the_whole_road(place: Path, url: str) -> None:
    for arguments in (
        ("profile", *run_at(url, "--limit", "40", "--max-samples", "8")),
        ("plan", "--policy", POLICY, "--budget", "4", "--out", "plan.json"),
        ("run", "--plan", "plan.json", "--problems", PROBLEMS, "--limit", "10", "--policy",
         f"{url}/v1", "--policy-model", POLICY, "--policy-api", "chat"),
    ):  # fmt: skip
        ended = apportion(place, *arguments)
        assert ended.returncode == 0, ended.stderr
        assert KEY not in ended.stdout + ended.stderr
    for file in place.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()


def test_a_question_that_fills_the_context_is_said(place: Path, url: str) -> None:
    (place / "long.jsonl").write_text(json.dumps({"problem": "1 + " * 5000 + "1", "answer": "2"}))
    found = document(place, "profile", *run_at(url, "--max-samples", "2")[2:], "--problems",
                     "long.jsonl")  # fmt: skip
    assert len(found["context_exceeded"]) == 1


def test_a_token_policy_with_a_key(place: Path, url: str) -> None:
    before = counted(url)
    more = ("--limit", "10", "--strategy", "majority", "--budget", "4")
    arguments = [one for one in run_at(url, *more) if one not in ("--policy-api", "chat")]
    ended = document(place, "run", *arguments, "--api-key-env", "OPENAI_API_KEY")
    ledgers = [one["ledger"] for one in ended["runs"][0]["answers"]]
    did = counted(url) - before
    generated = sum(one["generated"] + one["discarded"] for one in ledgers)
    assert generated + 1 == did.generated  # the probe of the server writes one token
    with pytest.raises(InputError, match="refuses the key"):
        resolve(f"{POLICY}@{url}/v1", "policy")
