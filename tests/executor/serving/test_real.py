"""Real `vllm serve` processes beside real engines in this process: the same draws and scores."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from executor.engines.base import EngineCounters, RequestRefusedError
from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.files import data_folder
from executor.ledger import Ledger, TokenCap
from executor.loading import resolve
from executor.models.templates import template_for
from executor.models.tokens import Step
from executor.policies.base import Draw, DrawRequest, Policy
from executor.policies.served import ServedPolicy
from executor.policies.vllm import VllmPolicy
from executor.scorers.base import StepScorer
from executor.scorers.prm import load_prm, resolve_prm
from executor.search import Context, search
from executor.servers.address import Address
from executor.servers.server import Patience
from executor.serving.command import serve_policy, serve_prm
from executor.serving.launch import free_port, running
from executor.strategy import (
    STEP_DELIMITER,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    Sampling,
    Strategy,
    key,
)
from profiling.problems.files import load_problems

pytestmark = pytest.mark.vllm

POLICY, PRM = "lab-0.4m", "lab-0.4m-prm"
# In 32 bits what else is in the batch changes no token.
OPTIONS = EngineOptions(block_size=32, kv_cache_gib=0.25, dtype="float32")
SAMPLING = Sampling(max_tokens=120, max_step_tokens=40, max_steps=12)
PROBLEMS = load_problems(
    data_folder() / "problems" / "laboratory" / "profile.jsonl",
    problem_field=None, answer_field=None, limit=6, require_answers=True,
)  # fmt: skip
STRATEGIES = [Greedy(), Majority(4), BestOfN(4), BeamSearch(8), Dvts(8)]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Address]]:
    """One server of the policy and one of its PRM."""
    commands = [
        serve_policy(POLICY, free_port(), OPTIONS), serve_prm(PRM, free_port(), OPTIONS)
    ]  # fmt: skip
    with running(commands, tmp_path_factory.mktemp("servers")) as servers:
        yield {
            name: Address(name, (server.url,))
            for name, server in zip((POLICY, PRM), servers, strict=True)
        }


@pytest.fixture(scope="module")
def served(addresses: dict[str, Address]) -> ServedPolicy:
    checkpoint = resolve(str(addresses[POLICY]), "policy")
    return ServedPolicy.connect(checkpoint, template_for(POLICY, checkpoint.folder), Patience())


@pytest.fixture(scope="module")
def served_prm(addresses: dict[str, Address], served: ServedPolicy) -> StepScorer:
    return load_prm(resolve_prm(str(addresses[PRM])), served.tokens, OPTIONS)


@pytest.fixture(scope="module")
def local() -> Iterator[VllmPolicy]:
    checkpoint = resolve(POLICY, "policy")
    template = template_for(POLICY, checkpoint.folder)
    policy = VllmPolicy.load(POLICY, checkpoint.location, template, OPTIONS)
    yield policy
    policy.close()


@pytest.fixture(scope="module")
def local_prm(local: VllmPolicy) -> Iterator[StepScorer]:
    prm = load_prm(resolve_prm(PRM), local.tokens, OPTIONS)
    yield prm
    prm.close()


def draw(policy: Policy, ledger: Ledger, **changes: Any) -> Awaitable[list[Draw]]:
    options: dict[str, Any] = {
        "n": 4, "max_tokens": 40, "temperature": 2.0, "top_p": 0.9, "seed": 5, "stop": (),
    }  # fmt: skip
    prompt = policy.prompt(PROBLEMS[0].text)
    return policy.draw(DrawRequest(prompt, ledger=ledger, **(options | changes)))


async def steps_of(policy: ServedPolicy) -> list[Step]:
    """The steps of the longest of some responses."""
    room = policy.max_context - len(policy.prompt(PROBLEMS[0].text))
    draws = await draw(policy, Ledger(), n=8, max_tokens=room)
    return max((policy.tokens.steps(one.token_ids) for one in draws), key=len)


def counted(model: Policy | StepScorer, before: EngineCounters) -> EngineCounters:
    return model.counters() - before


@pytest.mark.parametrize("stop", [(), (STEP_DELIMITER,), ("=",), ("7", "no token at all")])
def test_a_server_draws_what_the_engine_in_process_draws(
    stop: tuple[str, ...], served: ServedPolicy, local: VllmPolicy
) -> None:
    async def drive(policy: Policy) -> list[Draw]:
        return await draw(policy, Ledger(), stop=stop, n=8)

    there, here = asyncio.run(drive(served)), asyncio.run(drive(local))
    assert [one.token_ids for one in there] == [one.token_ids for one in here]
    assert [one.finish for one in there] == [one.finish for one in here]
    assert [one.logprob for one in there] == pytest.approx([one.logprob for one in here], abs=1e-4)
    assert len({one.token_ids for one in there}) > 1


def test_a_server_keeps_to_a_json_schema_as_the_engine_in_process_does(
    served: ServedPolicy, local: VllmPolicy
) -> None:
    schema = '{"type": "integer", "minimum": 100, "maximum": 999}'  # it can spell no braces

    async def drive(policy: Policy) -> list[Draw]:
        return await draw(policy, Ledger(), json_schema=schema)

    there, here = asyncio.run(drive(served)), asyncio.run(drive(local))
    assert [one.token_ids for one in there] == [one.token_ids for one in here]
    for one in there:
        assert 100 <= json.loads(served.tokens.decode(one.token_ids)) <= 999


def test_a_server_refuses_a_json_schema_that_its_model_cannot_spell(served: ServedPolicy) -> None:
    async def drive() -> list[Draw]:
        return await draw(served, Ledger(), json_schema='{"type": "object"}')

    with pytest.raises(RequestRefusedError, match="no token of the model's vocabulary fits"):
        asyncio.run(drive())
    assert asyncio.run(served.fault()) is None


@pytest.mark.parametrize("strategy", STRATEGIES, ids=key)
def test_strategies_find_the_same_and_their_ledgers_equal_the_servers_counters(
    strategy: Strategy,
    served: ServedPolicy,
    served_prm: StepScorer,
    local: VllmPolicy,
    local_prm: StepScorer,
) -> None:
    def solve(policy: Policy, prm: StepScorer) -> tuple[list[Any], Ledger]:
        async def drive() -> list[Any]:
            return list(await asyncio.gather(*(search(strategy, one) for one in contexts)))

        contexts = [
            Context(problem, policy, prm, SAMPLING, seed=7, cap=TokenCap(100_000))
            for problem in PROBLEMS
        ]
        found = asyncio.run(drive())
        texts = [[one.token_ids for one in responses] for responses in found]
        return texts, sum((one.ledger for one in contexts), Ledger())

    before, prm_before = served.counters(), served_prm.counters()
    there, total = solve(served, served_prm)
    policy, prm = counted(served, before), counted(served_prm, prm_before)
    assert total.generated + total.discarded == policy.generated
    assert total.prompt + total.cached == policy.prompt
    assert total.cached == policy.cached
    assert total.prm + total.prm_cached == prm.prompt
    assert total.prm_cached == prm.cached
    assert (total.prm > 0) == strategy.needs_prm
    here, _ = solve(local, local_prm)
    assert there == here


def test_rewards_are_those_of_the_engine_in_process(
    served: ServedPolicy, served_prm: StepScorer, local_prm: StepScorer
) -> None:
    async def drive(prm: StepScorer) -> list[float]:
        steps = await steps_of(served)
        return await prm.score(PROBLEMS[0].text, steps, start=0, ledger=Ledger())

    there, here = asyncio.run(drive(served_prm)), asyncio.run(drive(local_prm))
    assert len(there) > 1
    assert there == pytest.approx(here, abs=1e-4)


def long_draw(policy: ServedPolicy, ledger: Ledger, n: int) -> Awaitable[list[Draw]]:
    """Noise up to the context's end."""
    room = policy.max_context - len(policy.prompt(PROBLEMS[0].text))
    return draw(policy, ledger, n=n, max_tokens=room, temperature=2.0, top_p=1.0)


async def under_way(task: asyncio.Future[Any], condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, while a task goes on."""
    async with asyncio.timeout(60):
        while not condition():
            if task.done():
                await task
            await asyncio.sleep(0.05)


def test_a_cancelled_draw_stops_on_the_server_and_is_charged_to_the_token(
    served: ServedPolicy,
) -> None:
    before = served.counters()
    ledger = Ledger()

    async def cancel_midway() -> None:
        task = asyncio.ensure_future(long_draw(served, ledger, n=400))
        await under_way(task, lambda: counted(served, before).generated > 300)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_midway())
    spent = counted(served, before)
    assert 300 < spent.generated < 400 * 80
    assert ledger.discarded == spent.generated
    assert ledger.generated == 0
    assert (ledger.prompt + ledger.cached, ledger.cached) == (spent.prompt, spent.cached)
    asyncio.run(asyncio.sleep(0.5))
    assert counted(served, before).generated == spent.generated


def test_a_closed_connection_stops_the_server_too(
    served: ServedPolicy, addresses: dict[str, Address]
) -> None:
    """What a server without --enable-scale-out offers: charged is what had been streamed."""
    checkpoint = resolve(str(addresses[POLICY]), "policy")
    deaf = ServedPolicy.connect(checkpoint, served.template, Patience())
    (known,) = deaf._served.values()
    deaf._served[known.url] = dataclasses.replace(known, aborts=False)
    before = served.counters()
    ledger = Ledger()

    async def cancel_midway() -> None:
        task = asyncio.ensure_future(long_draw(deaf, ledger, n=64))
        await under_way(task, lambda: counted(served, before).generated > 200)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(1.0)

    asyncio.run(cancel_midway())
    spent = counted(served, before).generated
    assert 0 < ledger.discarded <= spent < 64 * 80
    # A chunk is 16 tokens; some more are drawn until the server sees that nobody listens.
    assert spent - ledger.discarded < 64 * 2 * 16
    asyncio.run(asyncio.sleep(0.5))
    assert counted(served, before).generated == spent


def test_a_cancelled_score_is_charged(served: ServedPolicy, served_prm: StepScorer) -> None:
    before = served_prm.counters()
    ledger = Ledger()

    async def cancel_at_once() -> None:
        steps = await steps_of(served)
        task = asyncio.ensure_future(
            served_prm.score(PROBLEMS[0].text, steps, start=0, ledger=ledger)
        )
        await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_at_once())
    spent = counted(served_prm, before)
    assert (ledger.prm + ledger.prm_cached, ledger.prm_cached) == (spent.prompt, spent.cached)


def test_a_server_says_what_it_holds(served: ServedPolicy, local: VllmPolicy) -> None:
    assert served.capacity == local.capacity
    assert served.max_context == local.max_context
    assert served.shortcomings == []


@pytest.mark.parametrize(
    ("name", "role", "says"),
    [
        ("lab-0.8m@{policy}", "policy", "has lab-0.4m .*, not lab-0.8m"),
        ("lab-0.4m@{prm}", "policy", "has lab-0.4m-prm .*, not lab-0.4m"),
        ("lab-0.4m-prm@{policy}", "PRM", "has lab-0.4m .*, not lab-0.4m-prm"),
        ("lab-0.4m@http://127.0.0.1:9/v1", "policy", "no server answers there"),
    ],
)
def test_another_server_than_it_was_taken_for_is_one_line(
    name: str, role: str, says: str, served: ServedPolicy, addresses: dict[str, Address]
) -> None:
    (policy,), (prm,) = addresses[POLICY].urls, addresses[PRM].urls
    name = name.format(policy=policy, prm=prm)

    def connect() -> None:
        if role == "PRM":
            load_prm(resolve_prm(name), served.tokens, OPTIONS)
        else:
            ServedPolicy.connect(resolve(name, role), served.template, Patience())

    with pytest.raises(InputError, match=says) as caught:
        connect()
    assert "\n" not in str(caught.value)


def test_a_server_is_asked_for_its_model(addresses: dict[str, Address]) -> None:
    (url,) = addresses[POLICY].urls
    found = resolve(f"{url}/v1", "policy")
    assert (found.name, found.servers) == (POLICY, (url,))
