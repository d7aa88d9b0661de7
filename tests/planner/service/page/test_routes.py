"""The page's addresses over HTTP: the same answers as the commands, errors in words, one page."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from profiling.difficulty.probes import Probes
from profiling.pass_rate import LEVELS
from tests.helpers.command import document
from tests.helpers.page_sample import BY_LENGTH, POLICY, PRM, TRAFFIC, page_app
from tests.helpers.parsed_report import Page

PAIR = {"policy": POLICY, "prm": PRM}
PUBLISHED = {"policy": "Llama-3.2-1B-Instruct", "prm": "RLHFlow-PRM-Deepseek-8B"}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with TestClient(page_app(), follow_redirects=False) as client:
        yield client


@pytest.fixture(scope="module")
def bare() -> Iterator[httpx.Client]:
    """Where nothing is served but the page."""
    app = page_app(plan=False, traffic=False)
    with TestClient(app, follow_redirects=False) as client:
        yield client


def command(place: Path, name: str, asked: dict[str, Any], *further: str) -> Any:
    """What a command prints with `--json`."""
    options = [f"--{option.replace('_', '-')}={value}" for option, value in asked.items()]
    return document(place, name, *options, *further)


def shown(record: Any) -> Any:
    """A document to twelve digits: the last bits of a sum may differ between two processes."""
    if isinstance(record, dict):
        return {name: shown(value) for name, value in record.items()}
    if isinstance(record, list):
        return [shown(value) for value in record]
    return float(f"{record:.12g}") if isinstance(record, float) else record


@pytest.mark.parametrize(
    "asked",
    [
        PAIR | {"budget": 16},
        PAIR | {"difficulty": "medium", "target_accuracy": 0.5, "confidence": 0.9},
        PAIR | {"max_flops": 1e9},
        PUBLISHED | {"benchmark": "AIME24", "budget": 64},
    ],
    ids=["budget", "target", "flops", "published"],
)
def test_a_recommendation_is_the_commands_own_document(
    client: httpx.Client, tmp_path: Path, asked: dict[str, Any]
) -> None:
    told = client.get("/api/recommend", params=asked)
    assert told.status_code == 200
    asked_by_command = command(tmp_path, "recommend", asked)
    assert shown(told.json()["recommendation"]) == shown(asked_by_command)


@pytest.mark.parametrize(
    "asked",
    [{"policy": "smollm2-135m", "prm": "smollm2-135m-head"}, PUBLISHED],
    ids=["measured", "published"],
)
def test_curves_front_and_tables_are_the_reports(
    client: httpx.Client, tmp_path: Path, asked: dict[str, str]
) -> None:
    made = client.get("/api/recommend", params=asked).json()["report"]["sections"]
    command(tmp_path, "report", asked, "--format", "json", "--out", "report.json")
    sections = json.loads((tmp_path / "report.json").read_text())["sections"]
    plots = made["curves"]["plots"]
    assert plots["budget-all"] == sections["budget"]["plots"]["budget-all"]
    assert plots["cost-all"] == sections["cost"]["plots"]["cost-all"]
    tables = made["costs"]["tables"]
    assert tables["front-all"] == sections["cost"]["tables"]["front-all"]
    assert tables["strategies-all"] == sections["strategies"]["tables"]["strategies-all"]
    assert made["basis"] == sections["basis"]


def test_curves_go_beyond_the_budget(client: httpx.Client) -> None:
    told = client.get("/api/recommend", params=PAIR | {"budget": 4}).json()
    assert max(one["strategy"].get("n", 1) for one in told["recommendation"]["alternatives"]) <= 4
    series = told["report"]["sections"]["curves"]["plots"]["budget-all"]["series"]
    assert max(point["x"] for points in series.values() for point in points) == 256
    chosen = [point["x"] for points in series.values() for point in points if point["chosen"]]
    assert chosen == [told["recommendation"]["strategy"]["n"]]


@pytest.mark.long
def test_what_can_be_asked_for_is_known_to_answer(client: httpx.Client) -> None:
    told = client.get("/api/choices").json()
    assert told["difficulties"] == list(LEVELS)
    assert told["budget"] == {"least": 1, "most": 256}
    assert told["default"] == {"policy": POLICY, "prm": PRM}
    assert "AIME24" in told["benchmarks"]
    policies = {one["name"]: one for one in told["policies"]}
    assert policies[POLICY]["source"] == "bundled" and policies[POLICY]["prms"][0] == PRM
    assert policies[PUBLISHED["policy"]]["source"] == "published"
    assert PUBLISHED["prm"] in policies[PUBLISHED["policy"]]["prms"]
    for name, one in policies.items():
        if one["source"] == "bundled":
            for prm in [None, *one["prms"][:1]]:
                asked = {"policy": name} | ({"prm": prm} if prm else {})
                assert client.get("/page/answer", params=asked).status_code == 200, asked


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "policy: field required"),
        ({"policy": ""}, "policy: "),
        ({"policy": "x" * 5000}, "policy: "),
        ({"policy": "a\0b"}, "policy: "),
        ({"policy": "lab-0.9m"}, "did you mean lab-0.8m"),
        (PAIR | {"prm": "no-such-prm"}, "PRM no-such-prm: there is no evidence on it"),
        (PAIR | {"difficulty": "tricky"}, "difficulty 'tricky': must be one of easy"),
        (PAIR | {"budget": "many"}, "budget: input should be a valid integer"),
        (PAIR | {"budget": "0"}, "budget: input should be greater"),
        (PAIR | {"budget": "9" * 4000}, "budget: "),
        (PAIR | {"max_flops": "1"}, "no known strategy keeps to max-flops 1"),
        (PAIR | {"max_flops": "nan"}, "max-flops: "),
        (PAIR | {"max_usd": "1"}, "--max-usd: "),
        (PAIR | {"target_accuracy": "60"}, "target-accuracy: input should be less"),
        (
            PAIR | {"benchmark": "no-such"},
            "benchmark is no-such; expected one with",
        ),
        (PUBLISHED | {"difficulty": "easy"}, "published figures are of whole benchmarks"),
        (PAIR | {"bugdet": "4"}, "bugdet: "),
    ],
)
@pytest.mark.parametrize("address", ["/api/recommend", "/page/answer", "/page/figures"])
def test_what_is_wrong_is_said_in_words(
    client: httpx.Client, address: str, asked: dict[str, str], said: str
) -> None:
    told = client.get(address, params=asked)
    assert told.status_code == 400
    error = told.json()["error"]
    assert said in error["message"] and "\n" not in error["message"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("text", ["Add 1 and 2.", "word " * 90])
def test_a_difficulty_is_the_plans_own_estimate_from_the_text(
    client: httpx.Client, text: str
) -> None:
    told = client.post("/api/difficulty", json={"text": text})
    assert told.status_code == 200
    found = BY_LENGTH.estimate_probes(Probes.of_text(text))
    assert found.probes == 0
    assert told.json()["difficulty"] == found.difficulty.value
    assert {name: told.json()[name] for name in found.to_dict()} == found.to_dict()
    assert told.json()["policy"] == POLICY


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"text": 1}', b'{"text": ""}', b"\xff"])
def test_a_text_that_is_none_is_refused_in_words(client: httpx.Client, body: bytes) -> None:
    told = client.post("/api/difficulty", content=body, headers=JSON)
    assert told.status_code == 400 and told.json()["error"]["message"]
    assert set(told.json()["error"]) == {"message", "type", "param", "code"}


def test_a_text_without_end_is_not_read_to_its_end(client: httpx.Client) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"a" * 65536

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(page_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as streaming:
            return await streaming.post("/api/difficulty", content=pieces(), headers=JSON)

    told = asyncio.run(post())
    assert told.status_code == 413 and "at most" in told.json()["error"]["message"]
    assert sent < 1000
    told = client.post("/api/difficulty", content=b"a" * 1_000_000, headers=JSON)
    assert told.status_code == 413


def test_only_json_is_read(client: httpx.Client) -> None:
    for kind in ("text/plain", ""):
        told = client.post(
            "/api/difficulty", content=b'{"text": "1 + 1?"}', headers={"content-type": kind}
        )
        assert told.status_code == 415 and told.json()["error"]["code"] == "unsupported_media_type"


def test_the_longest_text_is_read_however_it_is_written(client: httpx.Client) -> None:
    longest = {"text": "\U0001f600" * 20_000}
    assert client.post("/api/difficulty", content=json.dumps(longest), headers=JSON).is_success
    over = client.post("/api/difficulty", json={"text": "a" * 20_001})
    assert over.status_code == 400 and "at most 20000 characters" in over.json()["error"]["message"]


def test_what_nobody_can_say_here_is_not_found_and_says_why(bare: httpx.Client) -> None:
    told = bare.post("/api/difficulty", json={"text": "1 + 1?"})
    assert told.status_code == 404 and "no plan is served here" in told.json()["error"]["message"]
    told = bare.get("/api/traffic")
    assert told.status_code == 404 and "no traffic" in told.json()["error"]["message"]
    first = bare.get("/api/choices").json()
    assert first["default"] == {"policy": "lab-0.4m", "prm": "lab-0.4m-prm"}


def test_traffic_is_the_snapshot(client: httpx.Client) -> None:
    told = client.get("/api/traffic")
    assert told.json() == json.loads(json.dumps(TRAFFIC.to_dict()))
    assert told.headers["cache-control"] == "no-store"


def test_the_page_is_sent_again_only_where_it_changed(client: httpx.Client) -> None:
    first = client.get("/")
    assert first.status_code == 200 and first.headers["content-type"].startswith("text/html")
    etag = first.headers["etag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        again = client.get("/", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    assert client.get("/", headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.head("/").headers["etag"] == etag


def test_the_page_lets_nothing_run_but_its_own_parts(client: httpx.Client) -> None:
    told = client.get("/")
    policy = dict(
        part.strip().split(" ", 1) for part in told.headers["content-security-policy"].split(";")
    )
    page = Page(told.text)
    for directive, tag in (("style-src", "style"), ("script-src", "script")):
        (part,) = page.inside[tag]
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert policy[directive] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["frame-ancestors"] == "'none'" and policy["connect-src"] == "'self'"
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert not attrs_of_style(attributes)
    addresses = re.findall(r"(?:https?:)?//[\w.]+\.\w+", told.text)
    assert set(addresses) <= {"http://www.w3.org"}


def attrs_of_style(names: set[str]) -> set[str]:
    """Attributes that a strict policy forbids."""
    return {name for name in names if name == "style" or name.startswith("on")}


def test_fragments_hold_nothing_that_the_policy_forbids(client: httpx.Client) -> None:
    for address in ("/page/answer", "/page/figures"):
        told = client.get(address, params=PAIR | {"budget": 16})
        page = Page(f"<body>{told.text}</body>")
        assert not attrs_of_style({name for _, attrs in page.tags for name in attrs})
        assert not {"script", "style", "img", "iframe"} & {tag for tag, _ in page.tags}
