"""A PRM on servers that fail as they are told to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from executor.errors import EngineError, InputError
from executor.ledger import Ledger
from executor.models.tokens import Step
from executor.scorers.base import Layout
from executor.scorers.served import ServedScorer
from executor.servers.probe import probe_prm
from executor.servers.server import Patience
from executor.testing.step_scorer_conformance import StepScorerConformance
from tests.helpers.fake_server import MODEL, FakeServer, reward, serving, stop

# Tries again soon, but gives up late: a busy machine may stand still for a second.
HASTY = Patience(connect=30, stall=30, outage=30, attempts=4, back_off=0.02, back_off_most=0.1)
STEPS = [Step((10, 11), "a", 2), Step((12, 13, 14), "b", 3), Step((15,), "c", 1)]
ENDS = [3, 6, 7]


class _Convention:
    """A token for the question, then the steps'."""

    trained_on = frozenset({"seen"})

    def layout(self, question: str, steps: Sequence[Step]) -> Layout:
        token_ids, ends = [9], []
        for step in steps:
            token_ids += step.token_ids
            ends.append(len(token_ids))
        return Layout(token_ids, ends)


@pytest.fixture
def servers() -> Iterator[list[FakeServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serving()) for _ in range(2)]


def prm_on(*servers: FakeServer, patience: Patience = HASTY) -> ServedScorer:
    convention: Any = _Convention()
    served = [probe_prm(server.url, MODEL, "nowhere") for server in servers]
    return ServedScorer(MODEL, convention, served, patience)


async def until_scored(server: FakeServer, requests: int) -> None:
    async with asyncio.timeout(30):
        while len(server.scored) < requests:
            await asyncio.sleep(0.01)


def score(prm: ServedScorer, ledger: Ledger, *, start: int = 0) -> list[float]:
    return asyncio.run(prm.score("q", STEPS, start=start, ledger=ledger))


def test_new_steps_are_scored_by_one_request_and_charged(servers: list[FakeServer]) -> None:
    prm, ledger = prm_on(*servers), Ledger()
    assert score(prm, ledger, start=1) == [reward(6), reward(7)]
    assert [ends for server in servers for ends in server.scored[1:]] == [ENDS[1:]]
    assert ledger == Ledger(prm=5 + 6, prm_cached=2)
    assert prm.shortcomings == []
    assert prm.trained_on == {"seen"}
    assert score(prm, ledger, start=3) == []


def test_a_plain_server_scores_too_but_does_not_say_what_was_cached(
    servers: list[FakeServer],
) -> None:
    servers[0].plugin = False
    prm, ledger = prm_on(servers[0]), Ledger()
    assert score(prm, ledger) == [reward(end) for end in ENDS]
    assert ledger == Ledger(prm=sum(ENDS))
    assert "--io-processor-plugin apportion_steps" in prm.shortcomings[0]


def test_steps_beyond_the_context_are_worth_nothing(servers: list[FakeServer]) -> None:
    prm = prm_on(servers[0])
    prm._max_context = 6
    assert score(prm, Ledger()) == [reward(3), reward(6), 0.0]
    assert prm.unjudged == 1


@pytest.mark.parametrize("fault", ["500", "503", "hang"])
def test_a_fault_is_tried_again_elsewhere(servers: list[FakeServer], fault: str) -> None:
    prm, ledger = prm_on(*servers, patience=replace(HASTY, stall=1.5)), Ledger()
    servers[0].faults.append(fault)
    servers[1].faults.append("")
    assert score(prm, ledger) == [reward(end) for end in ENDS]
    assert ledger.prm + ledger.prm_cached == sum(ENDS)


def test_what_is_refused_is_an_error(servers: list[FakeServer]) -> None:
    prm = prm_on(servers[0])
    servers[0].faults.append("400")
    with pytest.raises(EngineError, match="refused a request: status 400"):
        score(prm, Ledger())
    assert len(servers[0].scored) == 1 + 1


def test_no_server_left_is_an_error_that_names_them(servers: list[FakeServer]) -> None:
    prm = prm_on(*servers, patience=replace(HASTY, outage=1.5))
    for server in servers:
        stop(server)
    with pytest.raises(EngineError, match=r"PRM fake-model: no server has answered") as caught:
        score(prm, Ledger())
    assert all(server.url in str(caught.value) for server in servers)


def test_a_cancelled_score_is_waited_for_and_charged(servers: list[FakeServer]) -> None:
    prm, ledger = prm_on(servers[0]), Ledger()
    servers[0].pause = 0.2

    async def drive() -> None:
        task = asyncio.ensure_future(prm.score("q", STEPS, start=0, ledger=ledger))
        await until_scored(servers[0], 2)  # the first was the probe's
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(drive())
    assert ledger.prm + ledger.prm_cached == sum(ENDS)


def test_a_cancelled_score_does_not_wait_for_a_server_that_hangs(
    servers: list[FakeServer],
) -> None:
    prm = prm_on(servers[0], patience=replace(HASTY, stall=1.0))
    servers[0].faults.append("hang")

    async def drive() -> None:
        task = asyncio.ensure_future(prm.score("q", STEPS, start=0, ledger=Ledger()))
        await until_scored(servers[0], 2)
        task.cancel()
        async with asyncio.timeout(15):  # the server hangs for 20 s
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(drive())


def test_a_server_that_does_not_score_is_one_line(servers: list[FakeServer]) -> None:
    servers[0].plugin = False
    servers[0].faults.append("500")
    with pytest.raises(InputError, match="does not score; start one with") as caught:
        prm_on(servers[0])
    assert "\n" not in str(caught.value)


class TestServedScorer(StepScorerConformance):
    @pytest.fixture
    def scorer(self, servers: list[FakeServer]) -> ServedScorer:
        return prm_on(*servers)
