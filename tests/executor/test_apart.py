"""A real vLLM engine in a process of its own, beside a PRM in this one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from executor.apart import EngineApart, division, start_apart
from executor.engine_options import CORES, EngineOptions, own_cores
from executor.errors import EngineError
from executor.ledger import Ledger, TokenCap
from executor.policy import Draw, VllmPolicy
from executor.prm import load_prm
from executor.prm.base import Prm
from executor.problem import Problem
from executor.search import Context, search
from executor.strategy import BeamSearch, BestOfN, Sampling, Strategy, key
from executor.templates import PromptTemplate
from executor.tokens import Tokens, load_tokenizer
from profiling.fit_prm import FittedHead, save_head

HERE = EngineOptions(block_size=32, kv_cache_gib=0.25, dtype="float32", max_model_len=512)
APART = EngineOptions(
    block_size=32, kv_cache_gib=0.25, dtype="float32", max_model_len=512, apart=True
)
TEMPLATE = PromptTemplate()
SAMPLING = Sampling(max_steps=3, max_step_tokens=8, max_tokens=24)
PROBLEMS = [Problem(str(i), f"What is {i} plus {i + 1}?", str(2 * i + 1)) for i in range(6)]


@pytest.fixture(scope="module")
def bound() -> Iterator[None]:
    """Cores as they are, whatever tests before have divided."""
    before = os.environ.pop(CORES, None)
    division.cache_clear()
    yield
    division.cache_clear()
    os.environ.pop(CORES, None)
    if before is not None:
        os.environ[CORES] = before


@pytest.fixture(scope="module")
def policy(tiny_llama: Path, bound: None) -> Iterator[VllmPolicy]:
    served = VllmPolicy.load("tiny", tiny_llama, TEMPLATE, APART)
    yield served
    served.close()


class _NoStatistics:
    def to_dict(self) -> dict[str, Any]:
        return {}


@pytest.fixture(scope="module")
def prm(
    tiny_llama: Path, policy: VllmPolicy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prm]:
    statistics: Any = _NoStatistics()
    weight = np.random.default_rng(0).normal(size=64) * 0.3
    folder = tmp_path_factory.mktemp("heads") / "tiny-head"
    head = FittedHead(3, weight, 0.25, statistics=statistics)
    save_head(
        head, str(tiny_llama), folder, policy=policy, template=TEMPLATE, problems=PROBLEMS[:1]
    )
    served = load_prm(str(folder), policy.tokens, APART)
    yield served
    served.close()


def _reading(checkpoint: Path) -> tuple[Tokens, PromptTemplate]:
    return Tokens(load_tokenizer(checkpoint)), TEMPLATE


_FEW: dict[str, Any] = {
    "n": 1, "max_tokens": 2, "temperature": 0.7, "top_p": 1.0, "seed": 5, "stop": (),
    "ledger": Ledger(),
}  # fmt: skip


def draw(policy: VllmPolicy, ledger: Ledger, **changes: Any) -> list[Draw]:
    options: dict[str, Any] = {
        "n": 3, "max_tokens": 12, "temperature": 0.7, "top_p": 1.0, "seed": 5, "stop": (),
    }  # fmt: skip
    prompt = policy.prompt(PROBLEMS[0].text)
    return asyncio.run(policy.draw(prompt, ledger=ledger, **(options | changes)))


@pytest.mark.vllm
def test_it_writes_what_an_engine_in_this_process_writes(
    policy: VllmPolicy, tiny_llama: Path
) -> None:
    here = VllmPolicy.load("here", tiny_llama, TEMPLATE, HERE)
    try:
        for one, other in zip(draw(policy, Ledger()), draw(here, Ledger()), strict=True):
            assert (one.token_ids, one.finish) == (other.token_ids, other.finish)
            assert one.logprob == pytest.approx(other.logprob, abs=1e-3)
        assert policy.max_context == here.max_context
        assert policy.capacity == here.capacity
    finally:
        here.close()


@pytest.mark.vllm
@pytest.mark.parametrize("strategy", [BestOfN(4), BeamSearch(8)], ids=key)
def test_ledgers_equal_its_counters_where_problems_are_cancelled_midway(
    strategy: Strategy, policy: VllmPolicy, prm: Prm
) -> None:
    before, prm_before = policy.counters(), prm.counters()
    contexts = [
        Context(problem, policy, prm, SAMPLING, seed=7, cap=TokenCap(10_000))
        for problem in PROBLEMS * 2
    ]

    async def run(index: int, one: Context) -> bool:
        work = asyncio.create_task(search(strategy, one))
        if index % 2:
            await asyncio.sleep(0.01 * index)
            work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        return work.cancelled()

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(run(i, one) for i, one in enumerate(contexts)))

    assert any(asyncio.run(all_at_once()))
    total = sum((one.ledger for one in contexts), Ledger())
    policy_spent, prm_spent = policy.counters() - before, prm.counters() - prm_before
    assert total.policy_generated == policy_spent.generated
    assert (total.prompt + total.cached, total.cached) == (policy_spent.prompt, policy_spent.cached)
    assert (total.prm + total.prm_cached, total.prm_cached) == (prm_spent.prompt, prm_spent.cached)


@pytest.mark.vllm
def test_children_are_handed_over_as_they_end(policy: VllmPolicy) -> None:
    ended: dict[int, Draw] = {}
    draws = draw(policy, Ledger(), n=3, finished=lambda child, one: ended.update({child: one}))
    assert [ended[child] for child in range(3)] == draws


@pytest.mark.vllm
def test_what_it_forgets_is_forwarded_again(policy: VllmPolicy) -> None:
    long, first, again = "word " * 80, Ledger(), Ledger()
    for ledger in (first, again):
        asyncio.run(
            policy.draw(
                policy.prompt(long), n=1, max_tokens=1, temperature=0.7, top_p=1.0, seed=1,
                stop=(), ledger=ledger,
            )
        )  # fmt: skip
        policy._engine.forget()
    assert first.cached == again.cached == 0


@pytest.mark.vllm
def test_a_process_that_dies_fails_its_requests_and_refuses_new_ones(policy: VllmPolicy) -> None:
    # The last one with this engine.
    engine = policy._engine
    assert isinstance(engine, EngineApart)
    draw(policy, Ledger())
    spent = policy.counters()
    assert spent.generated > 0

    async def killed() -> None:
        work = asyncio.create_task(
            policy.draw(
                policy.prompt("What?"), n=2, max_tokens=400, temperature=0.7, top_p=1.0, seed=1,
                stop=(), ledger=Ledger(),
            )
        )  # fmt: skip
        await asyncio.sleep(0.1)
        os.kill(engine.pid, signal.SIGKILL)
        await work

    with pytest.raises(EngineError, match="its process ended"):
        asyncio.run(killed())
    with pytest.raises(EngineError, match="was lost"):
        draw(policy, Ledger())
    assert policy.counters() == spent
    policy.close()
    policy.close()  # again is no error


@pytest.mark.vllm
@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_is_one_line(tmp_path: Path, bound: None) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EngineError, match="cannot load") as caught:
        start_apart("broken", tmp_path, APART)
    assert "\n" not in str(caught.value)


@pytest.mark.vllm
@pytest.mark.slow
def test_a_stopped_engine_leaves_no_process(tiny_llama: Path, bound: None) -> None:
    engine = start_apart("brief", tiny_llama, APART)
    os.kill(engine.pid, 0)
    engine.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(engine.pid, 0)
    with pytest.raises(EngineError, match="was stopped"):
        asyncio.run(VllmPolicy("brief", engine, *_reading(tiny_llama)).draw([1], **_FEW))


def test_cores_are_divided_once_and_not_where_the_user_has_said(
    bound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CORES, raising=False)
    division.cache_clear()
    divided = division()
    assert divided is not None
    first, second = (part.split(",") for part in divided)
    assert len(first) == len(second) or len(own_cores().split(",")) % 2
    assert sorted({*first, *second}) == sorted(own_cores().split(","))
    # What is set then is no user's.
    monkeypatch.setenv(CORES, divided[1])
    assert division() == divided
    division.cache_clear()
    monkeypatch.setenv(CORES, "nobind")
    assert division() is None
    division.cache_clear()
