"""The commands on a chat policy: a model behind an API with a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executor.policies.simulated import simulated_problems
from executor.store.store import Store
from tests.helpers.chat_endpoint import KEY, MODEL, ChatEndpoint, chat_endpoint
from tests.helpers.command import apportion, document

pytestmark = [pytest.mark.socket, pytest.mark.long]

# What befalls requests, in turn; the endpoint bills none of those that it does not answer.
FAULTS = ["", "429", "", "500", "empty", "", "length", "busy", "silent", "", "drop", "", "slow", ""]


@pytest.fixture
def server() -> Iterator[ChatEndpoint]:
    with chat_endpoint() as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return tmp_path


def write_problems(place: Path, n: int) -> Path:
    file = place / "problems.jsonl"
    records = [{"problem": one.text, "answer": one.answer} for one in simulated_problems(n)]
    file.write_text("".join(json.dumps(one) + "\n" for one in records))
    return file


def at(server: ChatEndpoint, *more: str) -> list[str]:
    return ["--policy", server.url, "--policy-model", MODEL, "--policy-api", "chat", *more]


def outcomes(place: Path) -> list[Any]:
    with Store.open(f"sqlite:///{place / 'apportion.db'}") as store:
        return [one.outcome for spec in store.runs() for one in store.outcomes(spec)]


def check_no_key(place: Path, *outputs: str) -> None:
    """Whether the key is in no file and in no output."""
    files = [file for file in place.rglob("*") if file.is_file()]
    assert files
    for file in files:
        assert KEY.encode() not in file.read_bytes(), file
    for output in outputs:
        assert KEY not in output


@pytest.mark.parametrize("n", [30, pytest.param(200, marks=pytest.mark.slow)])
def test_every_problem_is_recorded_once_and_billed_once_whatever_fails(
    place: Path, server: ChatEndpoint, n: int
) -> None:
    problems = write_problems(place, n)
    server.faults.extend(FAULTS * (n // 15))
    options = at(server, "--max-samples", "4", "--api-requests", "32")
    profiled = apportion(place, "profile", "--problems", problems, *options)
    assert profiled.returncode == 0, profiled.stderr
    found = outcomes(place)
    assert len({one.problem.text for one in found}) == len(found) == n
    assert all(times == 4 for times in server.given.values())
    ledgers = [one.ledger for one in found]
    assert sum(one.policy_generated for one in ledgers) == server.billed["generated"]
    assert sum(one.prompt + one.cached for one in ledgers) == server.billed["prompt"]
    untold = [one for one in found if "generated" in one.unknown]
    assert untold
    assert all(one.ledger.policy_generated == 0 for one in untold)
    assert all("logprob" in one.unknown for one in found)
    assert "does not report what it bills" in profiled.stderr
    asked = len(server.bodies)
    again = apportion(place, "profile", "--problems", problems, *options)
    assert (again.returncode, len(server.bodies)) == (0, asked)
    check_no_key(place, profiled.stdout, profiled.stderr, again.stdout, again.stderr)


def test_a_key_that_is_withdrawn_ends_a_run_that_goes_on_later(
    place: Path, server: ChatEndpoint
) -> None:
    problems = write_problems(place, 30)
    server.faults.extend([""] * 12 + ["401"])
    options = at(server, "--strategy", "majority", "--budget", "2", "--concurrency", "4")
    ended = apportion(place, "run", "--problems", problems, *options)
    assert ended.returncode == 3
    (line,) = [one for one in ended.stderr.splitlines() if one.startswith("apportion: ")]
    assert "expected another key" in line
    kept = len(outcomes(place))
    assert 8 <= kept <= 15  # three others may be answered beside the one that is refused
    record = document(place, "run", "--problems", problems, *options)
    (run,) = record["runs"]
    assert len(run["answers"]) == len(outcomes(place)) == 30
    assert all(one["endpoint"]["calls"] >= 1 for one in run["answers"])
    check_no_key(place, ended.stdout, ended.stderr, json.dumps(record))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--strategies", "beam_search", "--budgets", "4"], "needs a PRM"),
        (
            ["--strategies", "beam_search", "--budgets", "4", "--prm", "lab-0.8m-prm"],
            "chat endpoint",
        ),
        (
            ["--strategies", "best_of_n", "--budgets", "4", "--prm", "mean-logprob"],
            "log-probabilities",
        ),
        (
            ["--strategies", "best_of_n", "--budgets", "4", "--prm", "self-judge"],
            "under a grammar",
        ),
        (["--strategies", "majority", "--budgets", "2", "--api-key-env", "NOT_SET"], "NOT_SET"),
        (["--strategies", "majority", "--budgets", "2", "--api-key-env", "sk-1234-99"], "never a"),
        (["--strategies", "majority", "--budgets", "2", "--api-key", "sk-1234-99"], "never the"),
        (["--strategies", "majority", "--budgets", "2", "--api-key=sk-1234-99"], "never the"),
        (["--strategies", "majority", "--budgets", "2", "--api-requests", "0"], "at least 1"),
        (["--strategies", "majority", "--budgets", "2", "--api-header", "x=sk-1234-99"], "never a"),
    ],
)
def test_what_an_endpoint_cannot_do_is_refused_in_one_line(
    place: Path, server: ChatEndpoint, arguments: list[str], words: str
) -> None:
    problems = write_problems(place, 1)
    refused = apportion(place, "measure", "--problems", problems, *at(server), *arguments)
    assert refused.returncode == 2
    (line,) = [one for one in refused.stderr.splitlines() if one.startswith("apportion: ")]
    assert words in line
    assert "sk-1234-99" not in refused.stderr
    assert not (place / "apportion.db").exists()
    assert not server.bodies


def test_a_wrong_key_is_one_line_and_makes_no_store(place: Path, server: ChatEndpoint) -> None:
    problems = write_problems(place, 1)
    wrong = "sk-somebody-elses-key"
    (place / "key").write_text(wrong + "\n")
    more = ("--api-key-file", "key")
    refused = apportion(place, "profile", "--problems", problems, *at(server, *more))
    assert refused.returncode == 2
    assert "expected another key" in refused.stderr
    assert wrong not in refused.stderr + refused.stdout
    assert not (place / "apportion.db").exists()


def test_strategies_over_whole_responses_run(place: Path, server: ChatEndpoint) -> None:
    problems = write_problems(place, 3)
    record = document(
        place, "measure", "--problems", problems, *at(server), "--strategies",
        "greedy,adaptive_majority,short_m_of_k,aggregate", "--budgets", "4", "--shown", "2",
        "--rounds", "1",
    )  # fmt: skip
    names = [run["name"] for run in record["runs"]]
    assert len(names) == 4
    assert all(one.answer is not None for one in outcomes(place))


def test_a_model_that_is_not_here_is_asked_over_chat_completions_and_it_is_said(
    place: Path, server: ChatEndpoint
) -> None:
    problems = write_problems(place, 2)
    server.model = "chat-model"
    options = ["--policy", server.url, "--policy-model", "chat-model", "--max-samples", "1"]
    profiled = apportion(place, "profile", "--problems", problems, *options)
    assert profiled.returncode == 0
    assert "asked over chat completions" in " ".join(profiled.stderr.split())
    refused = apportion(
        place, "profile", "--problems", problems, *options, "--policy-api", "tokens"
    )
    assert refused.returncode == 2
    assert "no such model" in refused.stderr


def test_the_default_key_is_not_sent_in_clear_to_whom_nobody_called_a_chat_policy(
    place: Path,
) -> None:
    refused = apportion(
        place, "profile", "--problems", write_problems(place, 1), "--policy",
        "http://elsewhere.invalid:8000/v1", "--policy-model", "no-such-model",
    )  # fmt: skip
    assert refused.returncode == 2
    assert "--policy-api chat" in refused.stderr and KEY not in refused.stderr


def test_an_address_with_a_password_is_not_shown(place: Path) -> None:
    problems = write_problems(place, 1)
    refused = apportion(
        place, "profile", "--problems", problems, "--policy", "https://me:secret@host/v1"
    )
    assert refused.returncode == 2
    assert "secret" not in refused.stderr
