"""No request without a key gets in."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest
from fastapi import APIRouter

from executor.errors import InputError
from planner.service.http.keys import KEYLESS_PATHS, ApiKeys
from planner.service.http.settings import ServiceSettings
from tests.helpers.served_app import MODEL, chat, in_process, until
from tests.planner.service.conftest import Answering

FIRST, SECOND = "sk-first-0123456789", "sk-second-0123456789"


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{key}".encode()).decode()


def test_every_path_but_the_open_ones_needs_a_key(make_answerer: Answering) -> None:
    page = APIRouter()

    @page.get("/")
    async def index() -> str:
        return "the page"

    settings = ServiceSettings(keys=ApiKeys([FIRST, SECOND]))
    with in_process(make_answerer(), settings, (page,)) as served, served.client() as client:
        paths = client.get("/openapi.json", headers={"Authorization": f"Bearer {FIRST}"}).json()
        assert set(paths["paths"]) > KEYLESS_PATHS
        for path in [*paths["paths"], "/openapi.json", "/nowhere", "//healthz", "/healthz/"]:
            for method in ("GET", "POST", "DELETE", "OPTIONS", "HEAD"):
                status = client.request(method, path.replace("{model}", MODEL)).status_code
                if path in KEYLESS_PATHS:
                    assert status == (200 if method in ("GET", "HEAD") else 405), (method, path)
                else:
                    assert status == 401, (method, path)
        for wrong in ("", "Bearer", "Bearer ", f"Bearer {FIRST}x", f"Bearer {FIRST[:-1]}", FIRST,
                      "Basic !", f"Basic {FIRST}", basic("wrong-key-0"), "Digest a=b"):  # fmt: skip
            headers = {"Authorization": wrong.rstrip()}
            told = client.post("/v1/chat/completions", json=chat(), headers=headers)
            assert told.status_code == 401, wrong
            assert told.json()["error"]["code"] == "invalid_api_key"
            assert told.headers["www-authenticate"] == "Bearer"
        two = [("Authorization", f"Bearer {FIRST}"), ("Authorization", "Bearer wrong-key-0")]
        assert client.get("/v1/models", headers=two).status_code == 401
        for right in (f"Bearer {FIRST}", f"bearer {SECOND}", basic(SECOND)):
            headers = {"Authorization": right}
            assert client.post("/v1/chat/completions", json=chat(), headers=headers).is_success
        # A browser is asked for it by the page, and by nothing that programs use.
        assert client.get("/").headers["www-authenticate"].startswith("Basic ")
        assert served.handler.answerer.policy.calls == 3
        assert FIRST not in served.text and SECOND not in served.text


def test_a_busy_key_does_not_lock_another_out(make_answerer: Answering) -> None:
    settings = ServiceSettings(keys=ApiKeys([FIRST, SECOND, FIRST]), concurrency=1, queue=4)
    with (
        in_process(make_answerer(latency=0.2), settings) as served,
        served.client() as client,
        ThreadPoolExecutor(1) as threads,
    ):

        def ask(key: str, prompts: int) -> int:
            body = {"model": MODEL, "prompt": ["what is x?"] * prompts}
            headers = {"Authorization": f"Bearer {key}"}
            return client.post("/v1/completions", json=body, headers=headers).status_code

        busy = threads.submit(ask, FIRST, 4)
        until(lambda: served.handler.queue.waiting == 3)
        assert ask(FIRST, 1) == 429
        assert ask(SECOND, 1) == 200
        assert busy.result() == 200


def test_the_official_client_sends_its_key(make_answerer: Answering) -> None:
    with in_process(make_answerer(), ServiceSettings(keys=ApiKeys([FIRST]))) as served:
        right = served.openai_client(api_key=FIRST)
        wrong = served.openai_client(api_key=SECOND)
        with right, wrong:
            assert right.models.list().data
            with pytest.raises(openai.AuthenticationError):
                wrong.models.list()


def test_keys_of_a_file_go_before_those_of_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# of the team\n\n  {FIRST}\n{SECOND}  \n")
    environment = {"APPORTION_API_KEYS": "sk-other-0123, sk-another-0123,"}
    of_file = ApiKeys.load(file, environment)
    of_environment = ApiKeys.load(None, environment)
    assert of_file is not None and of_environment is not None
    assert of_file.match(f"Bearer {SECOND}".encode())
    assert not of_file.match(b"Bearer sk-other-0123")
    assert of_environment.match(b"Bearer sk-another-0123")
    assert not of_environment.match(b"Bearer ")
    assert ApiKeys.load(None, {}) is None


@pytest.mark.parametrize(
    ("text", "match"),
    [("", "no key"), ("# none\n", "no key"), ("short\n", "key 1 must be"),
     (f"{FIRST}\nwith a space in it\n", "key 2 must be"), ("schlüssel-0123\n", "key 1 must be")],
)  # fmt: skip
def test_files_that_hold_no_keys(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(InputError, match=match):
        ApiKeys.load(tmp_path / "keys", {})


def test_a_variable_set_to_nothing_lets_nobody_in() -> None:
    with pytest.raises(InputError, match="APPORTION_API_KEYS"):
        ApiKeys.load(None, {"APPORTION_API_KEYS": ""})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        ApiKeys.load(tmp_path / "keys", {})


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8080", 200), ("127.0.0.1", 200), ("[::1]:9", 200), ("evil.example:8080", 403),
     ("127.0.0.1.evil.example", 403), ("", 403)],
)  # fmt: skip
def test_without_keys_a_name_that_others_lead_here_is_kept_out(
    make_answerer: Answering, host: str, status: int
) -> None:
    """DNS rebinding: a page of another site would be of the same origin as this server."""
    here = ServiceSettings(local_only=True)
    with in_process(make_answerer(), here) as served, served.client() as client:
        asked = client.post("/v1/chat/completions", json=chat(), headers={"Host": host})
        assert asked.status_code == status
        assert client.get("/metrics", headers={"Host": host}).status_code == status


def test_readiness_tells_who_has_no_key_nothing_of_the_models(make_answerer: Answering) -> None:
    answerer = make_answerer()
    answerer.fault = "http://10.0.0.7:8000/v1: lost"
    with (
        in_process(answerer, ServiceSettings(keys=ApiKeys(["a-long-key"]))) as served,
        served.client() as client,
    ):
        told = client.get("/readyz")
    assert told.status_code == 503
    assert "10.0.0.7" not in told.text
