"""A policy on servers that fail as they are told to: retries, time-outs, cancellation, ledger."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from executor.engines.base import RequestRefusedError
from executor.errors import EngineError, InputError
from executor.ledger import Ledger
from executor.models.fused import FusedRows
from executor.models.stopping import Finish
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens
from executor.policies.base import Draw, DrawRequest
from executor.policies.served import ServedPolicy
from executor.policies.simulated import CharTokenizer
from executor.servers import pool
from executor.servers.probe import probe_policy
from executor.servers.server import Patience
from executor.testing.policy_conformance import PolicyConformance
from tests.helpers.fake_server import MODEL, STEP, FakeServer, drawn, serving, stop

# Tries again soon, but gives up late: a busy machine may stand still for a second.
HASTY = Patience(connect=30, stall=30, outage=30, attempts=4, back_off=0.02, back_off_most=0.1)
LENGTH = 12
PROMPT = [65, 66, 67]
ROWS = FusedRows(zero=200, head=201, base="")


@pytest.fixture
def servers() -> Iterator[list[FakeServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serving()) for _ in range(2)]


def policy_on(*servers: FakeServer, patience: Patience = HASTY) -> ServedPolicy:
    tokens = Tokens(CharTokenizer())
    served = [probe_policy(server.url, MODEL, "nowhere", tokens) for server in servers]
    return ServedPolicy(MODEL, tokens, PromptTemplate(), served, patience)


def draw(policy: ServedPolicy, ledger: Ledger, **changes: Any) -> Awaitable[list[Draw]]:
    options: dict[str, Any] = {
        "n": 4, "max_tokens": LENGTH, "temperature": 0.7, "top_p": 1.0, "seed": 5, "stop": (),
    }  # fmt: skip
    return policy.draw(DrawRequest(PROMPT, ledger=ledger, **(options | changes)))


def run(policy: ServedPolicy, ledger: Ledger, **changes: Any) -> list[Draw]:
    async def drive() -> list[Draw]:
        return await draw(policy, ledger, **changes)

    return asyncio.run(drive())


def test_the_likeliest_tokens_give_confidences(servers: list[FakeServer]) -> None:
    policy = policy_on(*servers)
    plain, asked = run(policy, Ledger()), run(policy, Ledger(), top_logprobs=5)
    assert [one.confidences for one in plain] == [()] * 4
    # The mean of 1 to 5 nats: the token that was written is no sixth one.
    assert [one.confidences for one in asked] == [(3.0,) * len(one.token_ids) for one in plain]
    assert [replace(one, confidences=()) for one in asked] == plain


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


class _Clock:
    """The module `time`, but its clock can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def jump(self, seconds: float) -> None:
        self.ahead += seconds

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


def assert_all_drawn(draws: list[Draw], n: int = 4) -> None:
    assert [list(one.token_ids) for one in draws] == [drawn(5 + i, LENGTH) for i in range(n)]


def test_children_have_their_seeds_and_are_shared_by_the_servers(
    servers: list[FakeServer],
) -> None:
    ended: dict[int, Draw] = {}
    ledger = Ledger()
    draws = run(policy_on(*servers), ledger, finished=lambda child, one: ended.update({child: one}))
    assert_all_drawn(draws)
    assert {one.finish for one in draws} == {Finish.LENGTH}
    assert draws[0].logprob == -0.5 * LENGTH
    assert [ended[child] for child in range(4)] == draws
    # The first of a server's seeds is the probe's.
    assert [len(server.seeds) - 1 for server in servers] == [2, 2]
    assert ledger == Ledger(prompt=4 * (len(PROMPT) - 2), cached=4 * 2, generated=4 * LENGTH)


def test_a_head_is_read_beside_every_token(servers: list[FakeServer]) -> None:
    servers[0].reports = True
    tokens = Tokens(CharTokenizer())
    served = [probe_policy(servers[0].url, MODEL, "nowhere", tokens, ROWS)]
    policy = ServedPolicy(MODEL, tokens, PromptTemplate(), served, HASTY, ROWS)
    draws = run(policy, ledger := Ledger())
    assert_all_drawn(draws)
    # The server says log-probabilities of -3 for the zeros, and of -2 for the head.
    assert [one.readings for one in draws] == [pytest.approx((1.0,) * LENGTH)] * len(draws)
    kept = math.log1p(-math.exp(-2) - math.exp(-3))
    assert draws[0].logprob == pytest.approx(LENGTH * (-0.5 - kept))
    body = servers[0].bodies[-1]
    assert body["logprob_token_ids"] == [200, 201] and body["logit_bias"] == {
        "200": -100,
        "201": -100,
    }
    assert asyncio.run(policy.read_head(PROMPT, ledger)) == pytest.approx(1.0)


def test_a_server_that_does_not_report_the_head_is_refused(servers: list[FakeServer]) -> None:
    with pytest.raises(InputError, match="does not report what the policy's reward head") as caught:
        probe_policy(servers[0].url, MODEL, "nowhere", Tokens(CharTokenizer()), ROWS)
    assert "\n" not in str(caught.value)


def test_a_json_schema_binds_every_child_and_nothing_else_is_bound(
    servers: list[FakeServer],
) -> None:
    policy = policy_on(*servers)
    assert policy.writes_json
    schema = '{"type": "object", "properties": {"x": {"type": "integer"}}}'
    run(policy, Ledger(), json_schema=schema)
    bound = [body.get("structured_outputs") for server in servers for body in server.bodies[1:]]
    assert bound == [{"json": schema}] * 4
    run(policy, Ledger())
    later = [body for server in servers for body in server.bodies[3:]]
    assert len(later) == 4
    assert not any("structured_outputs" in body or "response_format" in body for body in later)


def test_a_json_schema_that_a_server_refuses_is_an_error(servers: list[FakeServer]) -> None:
    policy = policy_on(servers[0])
    servers[0].faults.append("400")
    with pytest.raises(EngineError, match=r"refused a request: status 400"):
        run(policy, Ledger(), n=1, json_schema='{"type": "nothing"}')
    assert len(servers[0].bodies) == 1 + 1


def test_a_grammar_of_which_no_token_can_be_drawn_is_refused_at_once(
    servers: list[FakeServer],
) -> None:
    policy = policy_on(servers[0])
    servers[0].faults.append("ended")
    with pytest.raises(RequestRefusedError, match="no token of the model's vocabulary fits"):
        run(policy, Ledger(), n=1, json_schema='{"type": "object"}')
    assert len(servers[0].bodies) == 1 + 1
    assert policy._pool.servers[0].fault is None, "the server is well"
    servers[0].faults.append("ended")
    assert_all_drawn(run(policy, Ledger(), n=1), 1)  # nothing bound it: another try may succeed


def test_several_loops_one_after_another_use_one_policy(servers: list[FakeServer]) -> None:
    policy = policy_on(*servers)
    for _ in range(3):
        assert_all_drawn(run(policy, Ledger()))


@pytest.mark.parametrize("fault", ["500", "503", "close", "error", "bare"])
def test_a_fault_is_tried_again_elsewhere_and_only_the_child_that_failed(
    servers: list[FakeServer], fault: str
) -> None:
    policy = policy_on(*servers)
    servers[0].faults.append(fault)
    ledger = Ledger()
    assert_all_drawn(run(policy, ledger))
    assert sum(len(server.seeds) - 1 for server in servers) == 5
    assert ledger.generated == 4 * LENGTH
    # What was streamed before is charged; a status says that nothing was.
    assert ledger.discarded == (STEP if fault in ("close", "error", "bare") else 0)
    assert ledger.generated + ledger.discarded == policy.counters().generated - 2  # two probes


def test_a_server_that_falls_silent_is_given_up(servers: list[FakeServer]) -> None:
    policy = policy_on(*servers, patience=replace(HASTY, stall=1.5))
    servers[0].faults.extend(["hang", "hang"])
    ledger = Ledger()
    assert_all_drawn(run(policy, ledger))
    assert ledger.discarded == 2 * STEP


@pytest.mark.parametrize(("quiet", "stall"), [(1.0, 60.0), (60.0, 1.0)])
def test_what_a_server_was_doing_when_it_went_down_is_given_up_once_it_is_silent(
    servers: list[FakeServer], monkeypatch: pytest.MonkeyPatch, quiet: float, stall: float
) -> None:
    monkeypatch.setattr(pool, "_QUIET", quiet)
    policy = policy_on(*servers, patience=replace(HASTY, stall=stall))
    servers[0].faults.extend(["hang", "close"])  # the second finds out that it is not well
    servers[0].well = False

    async def drive() -> list[Draw]:
        async with asyncio.timeout(30):
            return await draw(policy, Ledger())

    assert_all_drawn(asyncio.run(drive()))
    assert len(servers[1].seeds) == 1 + 4


def test_what_a_server_says_while_it_is_down_is_heard(
    servers: list[FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_QUIET", 1.0)
    policy = policy_on(*servers, patience=replace(HASTY, stall=60.0))
    servers[0].faults.extend(["", "close"])
    servers[0].well = False
    servers[0].pause = 0.5  # three chunks take longer than it may be quiet
    ledger = Ledger()
    assert_all_drawn(run(policy, ledger))
    assert ledger.discarded == STEP  # of the one whose connection was closed


def test_a_slow_server_is_not_a_silent_one(servers: list[FakeServer]) -> None:
    policy = policy_on(servers[0], patience=replace(HASTY, stall=1.2))
    servers[0].pause = 0.2  # eight chunks take longer than a stall does
    run(policy, Ledger(), max_tokens=8 * STEP)
    assert len(servers[0].seeds) == 1 + 4


def test_time_in_which_the_own_loop_stood_still_is_no_silence_of_a_server(
    servers: list[FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _Clock()
    monkeypatch.setattr(pool, "time", clock)
    policy = policy_on(servers[0], patience=replace(HASTY, stall=60))
    servers[0].may_write.clear()
    watch, looks = pool.Pool._watch, 0

    async def watched(*arguments: Any) -> None:
        nonlocal looks
        await watch(*arguments)
        looks += 1
        if looks == 1:  # the loop stands still while its keeper sleeps
            asyncio.get_running_loop().call_later(pool._TICK / 2, clock.jump, 1000.0)

    monkeypatch.setattr(pool.Pool, "_watch", watched)

    async def drive() -> list[Draw]:
        drawing = asyncio.ensure_future(draw(policy, Ledger()))
        await until(lambda: looks > 2)
        servers[0].may_write.set()
        return await drawing

    assert_all_drawn(asyncio.run(drive()))
    assert clock.ahead == 1000
    assert len(servers[0].seeds) == 1 + 4


def test_what_is_refused_is_not_tried_again(servers: list[FakeServer]) -> None:
    policy = policy_on(*servers)
    servers[0].faults.append("400")
    ledger = Ledger()
    with pytest.raises(EngineError, match=r"refused a request: status 400.*told to say 400"):
        run(policy, ledger)
    assert sum(len(server.seeds) - 1 for server in servers) == 4
    assert ledger.generated == 0
    assert ledger.discarded == policy.counters().generated - 2


def test_a_request_is_tried_so_often_and_no_more(servers: list[FakeServer]) -> None:
    policy = policy_on(servers[0])
    servers[0].faults.extend(["500"] * 10)
    with pytest.raises(EngineError, match=r"failed 4 times, last at http://127.*told to say 500"):
        run(policy, Ledger(), n=1)
    assert len(servers[0].seeds) == 1 + 4


def test_a_server_that_is_gone_is_done_without(servers: list[FakeServer]) -> None:
    policy = policy_on(*servers)
    stop(servers[1])
    assert_all_drawn(run(policy, Ledger(), n=6), 6)
    assert len(servers[0].seeds) == 1 + 6


def test_all_servers_gone_is_an_error_that_names_them(servers: list[FakeServer]) -> None:
    policy = policy_on(*servers, patience=replace(HASTY, outage=1.5))
    for server in servers:
        stop(server)
    with pytest.raises(EngineError, match=r"no server has answered for 1.5 s") as caught:
        run(policy, Ledger())
    assert all(server.url in str(caught.value) for server in servers)
    assert "\n" not in str(caught.value)


def test_a_server_that_comes_back_is_used_again(servers: list[FakeServer]) -> None:
    policy = policy_on(servers[0])
    port = servers[0].server_address[1]
    stop(servers[0])

    async def drive() -> list[Draw]:
        drawing = asyncio.ensure_future(draw(policy, Ledger()))
        await until(lambda: policy._pool.servers[0].fault is not None)
        assert not drawing.done()
        with serving(port):
            return await drawing

    assert_all_drawn(asyncio.run(drive()))


def test_it_says_whether_any_server_is_well(servers: list[FakeServer]) -> None:
    policy = policy_on(*servers)

    async def drive() -> None:
        assert await policy.fault() is None
        for server in servers:
            server.faults.append("close")
            server.well = False
        drawing = asyncio.ensure_future(draw(policy, Ledger()))
        await until(lambda: all(server.fault is not None for server in policy._pool.servers))
        fault = await policy.fault()
        assert fault is not None and all(server.url in fault for server in servers)
        servers[1].well = True
        assert_all_drawn(await drawing)
        assert await policy.fault() is None

    asyncio.run(drive())


def test_servers_that_nobody_asked_for_long_are_asked_whether_they_are_well(
    servers: list[FakeServer],
) -> None:
    policy = policy_on(*servers)
    for server in servers:
        stop(server)
    # No request has found out.
    assert asyncio.run(policy.fault()) is not None


def test_a_server_that_is_not_well_gets_nothing_until_it_is(servers: list[FakeServer]) -> None:
    policy = policy_on(*servers)
    servers[0].faults.append("close")
    servers[0].well = False

    async def drive() -> None:
        await draw(policy, Ledger())
        given = len(servers[0].seeds)
        await draw(policy, Ledger())
        assert len(servers[0].seeds) == given
        servers[0].well = True
        (ill,) = [one for one in policy._pool.servers if one.url == servers[0].url]
        await until(lambda: ill.fault is None)
        await draw(policy, Ledger())
        assert len(servers[0].seeds) > given

    asyncio.run(drive())


@pytest.mark.parametrize("aborts", [True, False])
def test_a_cancelled_draw_ends_on_the_servers_and_is_charged(
    servers: list[FakeServer], aborts: bool
) -> None:
    for server in servers:
        server.pause, server.aborts = 0.05, aborts
    policy = policy_on(*servers)
    assert bool(policy.shortcomings) != aborts
    ledger = Ledger()

    async def drive() -> None:
        task = asyncio.ensure_future(draw(policy, ledger, max_tokens=2000))
        await until(lambda: sum(server.generated for server in servers) > 100)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not any(server.under_way for server in servers))

    asyncio.run(drive())
    generated = policy.counters().generated - 2
    assert ledger.generated == 0
    assert 100 < generated < 4 * 1000
    if aborts:
        assert ledger.discarded == generated
        assert ledger.prompt + ledger.cached == 4 * len(PROMPT)
    else:
        # A closed connection is noticed only when the next chunks are written.
        assert 0 <= generated - ledger.discarded <= 4 * 3 * STEP


def test_outstanding_tokens_decide_who_gets_a_request(servers: list[FakeServer]) -> None:
    policy = policy_on(*servers)
    for server in servers:
        server.pause = 0.02

    async def drive() -> None:
        long = asyncio.ensure_future(draw(policy, Ledger(), n=1, max_tokens=200))
        await until(lambda: any(server.under_way for server in servers))
        (busy,) = [server for server in servers if server.under_way]
        given = len(busy.seeds)
        for _ in range(3):
            await draw(policy, Ledger(), n=1, max_tokens=8)
        assert len(busy.seeds) == given
        await long

    asyncio.run(drive())


def test_no_server_gets_more_requests_than_its_batch_holds(servers: list[FakeServer]) -> None:
    servers[0].pause = 0.01
    policy = policy_on(servers[0])
    draws = run(policy, Ledger(), n=300, max_tokens=8)
    assert len(draws) == 300
    assert servers[0].most_under_way <= 256


def test_a_prompt_goes_where_its_beginning_is_known(servers: list[FakeServer]) -> None:
    policy = policy_on(*servers)
    question = list(range(65, 65 + 70))

    async def drive() -> None:
        for longer in range(6):
            await policy.draw(DrawRequest(
                question + [97] * longer, n=1, max_tokens=4, temperature=0.7, top_p=1.0, seed=0,
                stop=(), ledger=Ledger(),
            ))  # fmt: skip

    asyncio.run(drive())
    assert sorted(len(server.seeds) - 1 for server in servers) == [0, 6]


class TestServedPolicy(PolicyConformance):
    @pytest.fixture
    def policy(self, servers: list[FakeServer]) -> ServedPolicy:
        for server in servers:
            server.pause = 0.02
        return policy_on(*servers)
