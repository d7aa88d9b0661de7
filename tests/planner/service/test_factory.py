"""A service opened on a session: one set of models for all, feedback and drift on every answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from executor.errors import InputError
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm
from executor.run.runner import Executor
from planner.choice.constraint import Constraint
from planner.evidence.gathering import gather
from planner.prediction import tuning
from planner.report.notes import word
from planner.runtime.model_ref import ModelRef
from planner.runtime.reporter import SilentReporter
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from planner.service.answering.answerer import Query, QueryResult
from planner.service.factory import PlanService, create_plan_service
from planner.service.http.feedback_route import feedback_router
from planner.service.monitoring.drift import DriftFinding, DriftMonitor
from tests.helpers.evidence_frames import simulated_frame
from tests.helpers.model_refs import policy_ref, prm_ref
from tests.helpers.served_app import in_process
from tests.planner.service.answering.test_planned import CHANCE, EXPECTED, PROBLEMS, plan_of


class Loading(Session):
    """A session whose models are simulated; counts how often they were loaded."""

    loads = 0

    def find_policy(self, name: str) -> ModelRef:
        return policy_ref(name)

    def find_prm(self, name: str) -> ModelRef:
        return prm_ref(name)

    def executor(self, policy: ModelRef, prm: ModelRef | None = None, **options: Any) -> Executor:
        self.loads += 1
        return Executor(
            SimulatedPolicy(CHANCE, 2, wrong_answers=50), SimulatedPrm(0.95), self.grader,
            options["sampling"], digests={"policy": "a", "prm": "b"},
        )  # fmt: skip


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Loading]:
    with Loading(SilentReporter(), f"sqlite:///{tmp_path}/store.db", SessionSettings()) as opened:
        yield opened


@pytest.fixture
def opened(session: Loading) -> PlanService:
    return create_plan_service(session, plan_of())


def ask(opened: PlanService, *numbers: int, **options: Any) -> list[QueryResult]:
    async def run() -> list[QueryResult]:
        queries = (
            Query(f"query-{n}", PROBLEMS[n].text, (), Constraint(budget=20), None, **options)
            for n in numbers
        )
        asked = (opened.answerer.answer(query, lambda progress: None) for query in queries)
        return list(await asyncio.gather(*asked))

    return asyncio.run(run())


def test_queries_that_come_together_wait_for_the_same_models(
    opened: PlanService, session: Loading
) -> None:
    assert opened.answerer.model == "simulated-policy"
    assert session.loads == 0
    found = ask(opened, 0, 1, 2, 3)
    assert [one.difficulty for one in found] == ["easy", "hard"] * 2
    assert session.loads == 1
    assert asyncio.run(opened.answerer.ready()) is None


def test_a_scorer_that_needs_public_tests_is_refused(session: Loading) -> None:
    with pytest.raises(InputError, match="questions of a service have no public tests"):
        create_plan_service(session, plan_of(), prm="tests")


def test_models_that_cannot_be_loaded_are_why_it_is_not_ready(session: Loading) -> None:
    def missing(*_: Any, **__: Any) -> Executor:
        raise InputError("policy gone: no such model")

    session.executor = missing  # type: ignore[method-assign]
    plan = plan_of(prm=None, entries={"all": plan_of().entry("easy")})
    answerer = create_plan_service(session, plan).answerer
    assert asyncio.run(answerer.ready()) == "policy gone: no such model"


def test_feedback_on_another_sampling_is_said_not_to_count(
    opened: PlanService, session: Loading
) -> None:
    own = opened.answerer.plan.sampling.max_tokens
    asked: dict[str, dict[str, Any]] = {
        "cooler": {"temperature": 0.2},
        "shorter": {"max_tokens": own - 1},
        "longer": {"max_tokens": own + 1},
    }
    for name, options in asked.items():
        query = Query(name, PROBLEMS[0].text, (), Constraint(budget=20), None, **options)
        asyncio.run(opened.answerer.answer(query, lambda progress: None))
    with (
        in_process(opened.answerer, routers=(feedback_router(opened.feedback),)) as served,
        served.client() as client,
    ):
        told = {
            name: client.post("/v1/feedback", json={"id": name, "right": True}).json()
            for name in asked
        }
    assert {name: one["counts"] for name, one in told.items()} == {
        "cooler": False, "shorter": False, "longer": True,
    }  # fmt: skip
    assert "temperature or max_tokens" in told["cooler"]["reason"]
    assert [spec.settings["request"] for spec in session.store.runs()] == ["longer"]


@pytest.mark.long
def test_feedback_over_http_becomes_evidence_that_a_fit_uses(
    opened: PlanService, session: Loading
) -> None:
    router = feedback_router(opened.feedback)
    ask(opened, 0, 1)
    with in_process(opened.answerer, routers=(router,)) as served, served.client() as client:
        for name, right in (("query-0", True), ("query-1", False), ("query-1", False)):
            reply = client.post("/v1/feedback", json={"id": name, "right": right})
            assert (reply.status_code, reply.json()) == (
                200, {"object": "feedback", "id": name, "right": right, "counts": True,
                      "reason": None},
            )  # fmt: skip
        for body in ({"id": "query-0"}, {"id": "query-0", "right": "yes"}, {"id": 3, "right": True},
                     {"id": "query-0", "right": True, "why": "so"}):  # fmt: skip
            assert client.post("/v1/feedback", json=body).status_code == 400
        unknown = client.post("/v1/feedback", json={"id": "query-7", "right": True})
        assert "'query-7': it was not answered here" in unknown.json()["error"]["message"]

    told = gather(session.store, session.grader)
    assert sorted(zip(told["difficulty"], told["accuracy"], strict=True)) == [
        ("easy", 1.0), ("hard", 0.0),
    ]  # fmt: skip
    measured = simulated_frame({level: EXPECTED[level] for level in ("easy", "hard")}, 12)
    both = pd.concat([measured, told], ignore_index=True)
    fitted = tuning.fit(both, trials=1, storage=session.store_url, random_state=0)
    assert fitted.rows == len(both)
    assert tuning.fingerprint(both) != tuning.fingerprint(measured)


def test_drift_is_said_in_a_line_and_shown_in_gauges(
    session: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    found = DriftFinding("text", 30.0, 10.0)
    monkeypatch.setattr("planner.service.monitoring.drift.DriftMonitor.observe", lambda *_: [found])
    opened = create_plan_service(session, plan_of(), on_drift=said.append)
    ask(opened, 0)
    assert said == [word(found.note())]
    assert dict(opened.drift.gauges()) == {}


def test_a_client_s_own_sampling_is_no_drift(
    opened: PlanService, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed: list[tuple[int, int] | None] = []

    def observe(
        _: DriftMonitor, text: str, estimate: Any, agreement: Any, about: Any, far: Any
    ) -> list[DriftFinding]:
        agreed.append(agreement)
        return []

    monkeypatch.setattr(DriftMonitor, "observe", observe)
    ask(opened, 0)
    for options in ({"temperature": 2.0}, {"max_tokens": 399}):
        ask(opened, 0, **options)
    ask(opened, 0, max_tokens=plan_of().sampling.max_tokens)
    assert [one is not None for one in agreed] == [True, False, False, True]


def test_a_prm_that_is_gone_is_said_before_anything_is_loaded(session: Loading) -> None:
    with pytest.raises(InputError, match="its PRM lay at /gone/prm, which is gone"):
        create_plan_service(session, plan_of(prm="/gone/prm"))
    with pytest.raises(InputError):
        session.find_plan_prm("/gone/prm")
    assert session.loads == 0
