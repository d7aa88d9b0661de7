"""What Prometheus is told: names by its conventions, labels that no client can multiply."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from planner.service.answering.answerer import Query, QueryResult, ReportProgress
from tests.helpers.served_app import InProcess, chat, in_process, until
from tests.planner.service.conftest import Answering

ENDS = {"counter": ("_total",), "histogram": ("_seconds",)}


def families(served: InProcess) -> dict[str, str]:
    """The kind of each metric, by name."""
    found = re.findall(
        r"^# TYPE (\S+) (\S+)$", served.handler.metrics.text().decode(), re.MULTILINE
    )
    return {name: kind for name, kind in found if not name.endswith("_created")}


def series(served: InProcess) -> set[str]:
    """Every metric with its labels."""
    lines = served.handler.metrics.text().decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def test_names_keep_to_the_conventions(make_answerer: Answering) -> None:
    with in_process(make_answerer()) as served:
        found = families(served)
    assert found
    for name, kind in found.items():
        assert name.startswith("apportion_")
        assert name.endswith(ENDS.get(kind, "")), (name, kind)
        assert kind == "counter" or not name.endswith("_total")


def test_no_client_makes_up_a_label(make_answerer: Answering) -> None:
    with in_process(make_answerer()) as served, served.client() as client:

        def disturb(word: str) -> None:
            client.get(f"/{word}")
            client.get(f"/v1/models/{word}")
            client.delete("/v1/models")
            client.post("/v1/chat/completions", json=chat(model=word))
            client.post("/v1/chat/completions", json=chat(strategy=word))
            client.post("/v1/chat/completions", json=chat() | {word: 1})
            client.get("/v1/models", headers={"X-Request-Id": word, "Authorization": word})

        disturb("first")
        until(lambda: len(served.events()) == 7)
        before = series(served)
        for index in range(5):
            disturb(f"word{'abcdefgh'[index]}")
        until(lambda: len(served.events()) == 42)
        assert series(served) == before


def test_pairs_that_were_not_compared_are_counted(make_answerer: Answering) -> None:
    class Uncompared:
        def __getattr__(self, name: str) -> Any:
            return getattr(answerer, name)

        async def answer(self, query: Query, progress: ReportProgress) -> QueryResult:
            return replace(await answerer.answer(query, progress), uncompared=3)

    answerer = make_answerer()
    with in_process(Uncompared()) as served, served.client() as client:  # type: ignore[arg-type]
        for _ in range(2):
            assert client.post("/v1/chat/completions", json=chat()).status_code == 200
        text = served.handler.metrics.text().decode()
    assert "apportion_uncompared_answers_total 6.0" in text
