"""How an engine limits the sequences of vLLM's scheduler, which is a double here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from executor.engines.cache_room import LengthForecast
from executor.engines.capacity import Capacity
from executor.engines.vllm_engine import VllmEngine, _scheduler_of


def request(generated: int = 0, status: str = "WAITING") -> SimpleNamespace:
    return SimpleNamespace(
        num_output_tokens=generated, max_tokens=100, prompt_token_ids=[1], num_prompt_tokens=1,
        status=SimpleNamespace(name=status),
    )  # fmt: skip


def scheduler(running: list[Any], waiting: list[Any], usage: float = 0.0) -> SimpleNamespace:
    return SimpleNamespace(
        running=running, waiting=waiting, max_num_active_reqs=16,
        kv_cache_manager=SimpleNamespace(usage=usage),
    )  # fmt: skip


def engine() -> VllmEngine:
    """An engine of 16 places and 1,280 tokens that has loaded nothing."""
    made = VllmEngine.__new__(VllmEngine)
    made._holds, made._block = Capacity(16, 1280), 32
    made._lengths, made._overflowed = LengthForecast(), False
    return made


def test_a_scheduler_that_cannot_be_reached_is_not_limited() -> None:
    there = scheduler([], [])
    inside = SimpleNamespace(engine_core=SimpleNamespace(scheduler=there))
    assert _scheduler_of(SimpleNamespace(engine_core=inside)) is there
    assert _scheduler_of(SimpleNamespace(engine_core=SimpleNamespace())) is None
    del there.kv_cache_manager
    assert _scheduler_of(SimpleNamespace(engine_core=inside)) is None


def test_as_many_run_as_the_cache_has_room_for() -> None:
    idle = scheduler([], [request() for _ in range(99)])
    engine()._limit_running(idle)
    assert idle.max_num_active_reqs == 1280 // 128  # a prompt and 100 tokens, in blocks of 32


def test_nothing_is_let_in_while_a_preempted_sequence_waits_and_the_cache_is_full() -> None:
    one = engine()
    running = [request(generated=99) for _ in range(3)]
    full = scheduler(running, [request(9, "PREEMPTED"), request()], usage=0.88)
    one._limit_running(full)
    assert full.max_num_active_reqs == 3
    # It stays so when the preempted one is gone, until the cache is calm.
    full.waiting = [request()]
    one._limit_running(full)
    assert full.max_num_active_reqs == 3
    full.kv_cache_manager.usage = 0.5
    one._limit_running(full)
    assert full.max_num_active_reqs == 4


def test_a_full_batch_looks_at_no_one_that_waits() -> None:
    full = scheduler([request() for _ in range(16)], [None])
    engine()._limit_running(full)
    assert full.max_num_active_reqs == 16
