"""A real vLLM engine in a process of its own, beside a PRM in this one."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from executor.engines.base import Cut, EndedChild, EngineCounters, EngineOutput
from executor.engines.cache_size import weight_bytes
from executor.engines.capacity import Capacity
from executor.engines.child_process import serve
from executor.engines.cores import cores, physical_cores
from executor.engines.host import host
from executor.engines.options import EngineOptions
from executor.engines.subprocess_engine import (
    SubprocessEngine,
    divided,
    start_subprocess_engine,
)
from executor.errors import EngineError
from executor.ledger import Ledger, TokenCap
from executor.models.bundled import models_folder
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens, load_tokenizer
from executor.policies.base import Draw, DrawRequest
from executor.policies.vllm import VllmPolicy
from executor.problem import Problem
from executor.scorers.base import StepScorer
from executor.scorers.prm import load_prm, resolve_prm
from executor.search import Context, search
from executor.strategy import BeamSearch, BestOfN, Sampling, Strategy, key
from executor.testing.policy_conformance import PolicyConformance
from profiling.scorers.save_head import save_head
from profiling.scorers.train_head import FittedHead

HERE = EngineOptions(block_size=32, kv_cache_gib=0.25, dtype="float32", max_model_len=512)
APART = EngineOptions(
    block_size=32, kv_cache_gib=0.25, dtype="float32", max_model_len=512, apart=True
)
TEMPLATE = PromptTemplate()
PRM = models_folder() / "lab-0.4m-prm"
SAMPLING = Sampling(max_steps=3, max_step_tokens=8, max_tokens=24)
PROBLEMS = [Problem(str(i), f"What is {i} plus {i + 1}?", str(2 * i + 1)) for i in range(6)]


@pytest.fixture(scope="module")
def policy(tiny_llama: Path) -> Iterator[VllmPolicy]:
    mine, _ = divided(APART, prm=PRM)
    served = VllmPolicy.load("tiny", tiny_llama, TEMPLATE, mine)
    yield served
    served.close()


class _NoStatistics:
    def to_dict(self) -> dict[str, Any]:
        return {}


@pytest.fixture(scope="module")
def prm(
    tiny_llama: Path, policy: VllmPolicy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StepScorer]:
    statistics: Any = _NoStatistics()
    weight = np.random.default_rng(0).normal(size=64) * 0.3
    folder = tmp_path_factory.mktemp("heads") / "tiny-head"
    head = FittedHead(3, weight, 0.25, statistics=statistics)
    save_head(
        head, str(tiny_llama), folder, policy=policy, template=TEMPLATE, problems=PROBLEMS[:1]
    )
    _, others = divided(APART, prm=PRM)
    served = load_prm(resolve_prm(str(folder)), policy.tokens, others)
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
    return asyncio.run(policy.draw(DrawRequest(prompt, ledger=ledger, **(options | changes))))


@pytest.mark.vllm
class TestPolicyOnSubprocessEngine(PolicyConformance):
    @pytest.fixture
    def policy(self, policy: VllmPolicy) -> VllmPolicy:
        return policy


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
    strategy: Strategy, policy: VllmPolicy, prm: StepScorer
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
            policy.draw(DrawRequest(
                policy.prompt(long), n=1, max_tokens=1, temperature=0.7, top_p=1.0, seed=1,
                stop=(), ledger=ledger,
            ))
        )  # fmt: skip
        policy._engine.forget()
    assert first.cached == again.cached == 0


@pytest.mark.vllm
@pytest.mark.slow
@pytest.mark.cores
@pytest.mark.skipif(len(cores()) < 2, reason="one core")
def test_each_engine_keeps_to_its_cores(policy: VllmPolicy, prm: StepScorer) -> None:
    mine, others = divided(APART, prm=PRM)
    assert isinstance(policy._engine, SubprocessEngine)
    # The thread that steps an engine, and computes for it.
    assert os.sched_getaffinity(policy._engine.pid) == set(mine.cores or ())
    here = host().call(lambda: (os.sched_getaffinity(0), torch_threads())).result()
    assert here == (set(others.cores or ()), len(others.cores or ()))


@pytest.mark.vllm
def test_a_process_that_dies_fails_its_requests_and_refuses_new_ones(policy: VllmPolicy) -> None:
    # The last one with this engine.
    engine = policy._engine
    assert isinstance(engine, SubprocessEngine)
    draw(policy, Ledger())
    spent = policy.counters()
    assert spent.generated > 0

    async def killed() -> None:
        work = asyncio.create_task(
            policy.draw(DrawRequest(
                policy.prompt("What?"), n=2, max_tokens=400, temperature=0.7, top_p=1.0, seed=1,
                stop=(), ledger=Ledger(),
            ))
        )  # fmt: skip
        await asyncio.sleep(0.1)
        os.kill(engine.pid, signal.SIGKILL)
        await work

    with pytest.raises(EngineError, match=r"its process ended \(signal SIGKILL\)"):
        asyncio.run(killed())
    with pytest.raises(EngineError, match="was lost"):
        draw(policy, Ledger())
    assert policy.counters().generated >= spent.generated
    policy.close()
    policy.close()  # again is no error


@pytest.mark.vllm
@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EngineError, match="cannot load") as caught:
        start_subprocess_engine("broken", tmp_path, APART)
    assert "\n" not in str(caught.value)


@pytest.mark.vllm
@pytest.mark.slow
def test_a_stopped_engine_leaves_no_process(tiny_llama: Path) -> None:
    engine = start_subprocess_engine("brief", tiny_llama, APART)
    os.kill(engine.pid, 0)
    engine.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(engine.pid, 0)
    with pytest.raises(EngineError, match="was stopped"):
        asyncio.run(
            VllmPolicy("brief", engine, *_reading(tiny_llama)).draw(DrawRequest([1], **_FEW))
        )


def torch_threads() -> int:
    import torch

    return torch.get_num_threads()


def test_cores_are_divided_where_both_engines_are_here() -> None:
    mine, others = divided(APART, prm=PRM)
    assert mine.cores and others.cores
    assert {*mine.cores, *others.cores} == set(cores())
    if len(physical_cores()) > 1:
        assert not set(mine.cores) & set(others.cores)
    assert divided(APART, prm=None) == (APART, APART)
    assert divided(HERE, prm=PRM) == (HERE, HERE)


@pytest.mark.parametrize(("dtype", "width"), [("auto", 2), ("float32", 4)])
def test_a_policy_leaves_room_for_the_weights_of_the_prm(dtype: str, width: int) -> None:
    sized = dataclasses.replace(HERE, kv_cache_gib=None, dtype=dtype)
    mine, others = divided(sized, prm=PRM)
    assert mine.beside == weight_bytes(str(PRM), width=width) > 0
    assert others == sized
    assert divided(sized, prm=None) == (sized, sized)


class SlowEngine:
    """Stands for `Stepped`: writes a token a step, each step takes a while, ends after three."""

    def __init__(self, seconds: float = 0.02) -> None:
        self.seconds = seconds
        self.left: dict[str, int] = {}
        self.deliver: dict[str, Callable[[EngineOutput], None]] = {}
        self.admitted: list[int] = []
        self.counters = EngineCounters()
        self._new = 0

    @property
    def busy(self) -> bool:
        return bool(self.left)

    def add(
        self,
        request_id: str,
        prompt_ids: list[int],
        params: Any,
        deliver: Callable[[EngineOutput], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        if params == "bad":
            fail(EngineError("refused"))
            return
        self.left[request_id], self.deliver[request_id] = 3, deliver
        self._new += 1

    def step(self) -> None:
        time.sleep(self.seconds)
        self.admitted.append(self._new)
        self._new = 0
        for request_id in list(self.left):
            self.left[request_id] -= 1
            self.counters.generated += 1
            if not self.left[request_id]:
                del self.left[request_id]
                done = EndedChild(0, (1, 2, 3), "length", None, -1.0)
                self.deliver[request_id](EngineOutput(1, 0, True, (done,)))

    def abort(self, request_id: str) -> list[Cut]:
        if request_id == "unheard of":
            raise KeyError(request_id)
        return (
            [((1, 2, 3)[: 3 - self.left.pop(request_id)], 1, 0)] if request_id in self.left else []
        )

    def count(self) -> EngineCounters:
        return dataclasses.replace(self.counters)


@contextlib.contextmanager
def served(engine: Any) -> Iterator[SubprocessEngine]:
    """An engine behind a pipe; its process is a thread here, the one that is waited for sleeps."""
    ours, its = Pipe()

    def process() -> None:
        with its:
            serve(engine, its)

    threading.Thread(target=process, daemon=True).start()
    child = subprocess.Popen(["sleep", "60"])
    apart = SubprocessEngine("slow", child, ours, 100, Capacity(4, 100))
    try:
        yield apart
    finally:
        child.kill()
        apart.stop()


def ask(apart: SubprocessEngine, request_id: str, params: str = "good") -> Future[Any]:
    future: Future[Any] = Future()
    apart.submit(request_id, [1], params, deliver=future.set_result, fail=future.set_exception)
    return future


@pytest.mark.process
def test_requests_that_come_during_a_step_are_all_in_the_next_one() -> None:
    with served(engine := SlowEngine()) as apart:
        asked = []
        for number in range(60):
            asked.append(ask(apart, str(number)))
            time.sleep(0.002)
        assert all(future.result(60).children[0].token_ids == (1, 2, 3) for future in asked)
        assert apart.count().generated == 180
    # 60 requests in at least .12 s, steps of .02 s.
    assert len(engine.admitted) <= 30
    assert max(engine.admitted) >= 3


@pytest.mark.process
def test_refusals_and_errors_of_the_engine_reach_whoever_asked() -> None:
    with served(SlowEngine()) as apart:
        with pytest.raises(EngineError, match="refused"):
            ask(apart, "1", "bad").result(60)
        with pytest.raises(KeyError, match="unheard of"):
            asyncio.run(apart.cancel("unheard of"))
        assert ask(apart, "2").result(60).last


@pytest.mark.process
def test_stopping_answers_whoever_waits(capfd: pytest.CaptureFixture[str]) -> None:
    with served(SlowEngine(0.3)) as apart:
        waiting = ask(apart, "1")
        time.sleep(0.1)
        aborted = apart._ask("abort", "1")
        apart._end("engine slow was stopped")
        assert aborted.result(60) is None
        with pytest.raises(EngineError, match="was stopped"):
            waiting.result(60)
        time.sleep(0.5)  # what the engine says by now is nobody's
        assert asyncio.run(apart.cancel("1")) == []
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.process
def test_it_ends_with_the_process_that_started_it() -> None:
    ours, its = Pipe()
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "executor.engines.child_process", str(its.fileno())],
        pass_fds=[its.fileno()],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(each or os.getcwd() for each in sys.path)},
        stderr=subprocess.PIPE,
    )
    its.close()
    ours.close()
    assert child.wait(30) == 1


def test_a_cancelled_wait_does_not_end_the_thread_of_the_engines() -> None:
    async def impatient() -> None:
        started = threading.Event()

        def slow() -> int:
            started.set()
            time.sleep(0.2)
            return 1

        waiting = asyncio.ensure_future(asyncio.wrap_future(host().call(slow)))
        await asyncio.to_thread(started.wait)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(impatient())
    assert host().call(lambda: 42).result(60) == 42
