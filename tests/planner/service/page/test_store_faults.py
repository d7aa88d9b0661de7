"""A store that fails: clients learn no more than that, the log says why, nothing has a password."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from planner.service.page.routes import page_router
from tests.helpers.served_app import InProcess, chat, in_process
from tests.planner.service.conftest import Answering

SECRET = "hunter2horse"
STORES = (
    f"postgresql://ann:{SECRET}@db.internal:port/team",
    f"mysql+nodriver://ann:{SECRET}@db.internal/team",
    "sqlite:///{place}/garbage.db?password=" + SECRET,
    "sqlite:///{place}/empty.db?timeout=abc&password=" + SECRET,
)
PATHS = (
    "/api/choices",
    "/api/recommend?policy=lab-0.8m",
    "/page/answer?policy=lab-0.8m",
    "/page/figures?policy=lab-0.8m",
)


@pytest.fixture(scope="module", params=STORES, ids=["port", "driver", "garbage", "option"])
def served(
    request: pytest.FixtureRequest,
    make_answerer: Answering,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[InProcess]:
    place: Path = tmp_path_factory.mktemp("store")
    (place / "garbage.db").write_bytes(b"no database at all" * 100)
    (place / "empty.db").touch()
    page = page_router(request.param.format(place=place))
    with in_process(make_answerer(p=1.0), None, (page,)) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_a_store_fault_is_a_plain_503(served: InProcess, path: str) -> None:
    with served.client() as client:
        told: httpx.Response = client.get(path)
    assert told.status_code == 503
    assert told.json()["error"] == {
        "message": "the store is not available; ask again later",
        "type": "server_error",
        "param": None,
        "code": "store_unavailable",
    }
    assert int(told.headers["retry-after"]) >= 1
    trouble = served.events("store")[-1]["trouble"]
    assert trouble.startswith("store ") and "\n" not in trouble
    assert SECRET not in served.text + told.text + str(told.headers)


def test_questions_are_answered_without_the_page(served: InProcess) -> None:
    with served.client() as client:
        assert client.post("/v1/chat/completions", json=chat()).status_code == 200
        assert client.get("/").status_code == 200
