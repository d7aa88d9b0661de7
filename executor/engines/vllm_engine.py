"""A vLLM engine that one thread steps: it takes requests and hands out what has ended."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from executor.engines.base import (
    NO_TOKEN_FITS,
    Cut,
    EndedChild,
    EngineCounters,
    EngineOutput,
    RequestRefusedError,
)
from executor.engines.cache_room import (
    Demand,
    LengthForecast,
    is_calm,
    most_running,
)
from executor.engines.capacity import Capacity
from executor.engines.options import (
    EngineOptions,
    engine_arguments,
    on_cpu,
    prepare_environment,
)
from executor.errors import EngineError, InputError
from executor.models.remote_code import needs_remote_code, refusal

# Children are reported when they end, not at every token: an output object per token costs a fifth
# of the throughput of a small model.
_ONLY_WHEN_FINISHED = 1 << 30


@dataclass(slots=True)
class _Request:
    """The callbacks of an unfinished request, and its number of unfinished children."""

    deliver: Callable[[EngineOutput], None]
    fail: Callable[[BaseException], None]
    open_children: int


class VllmEngine:
    """An engine and its requests; only the thread that steps it may use it.

    Attributes:
        name: name in messages and metrics.
        writes: whether it generates; otherwise it scores.
        counters: vLLM's counts.
        lost: error that ended it; None while it runs.
        open: number of unfinished sequences, including those that wait for a place in a batch.
    """

    def __init__(
        self, name: str, model: Path | str, options: EngineOptions, extra: dict[str, Any]
    ) -> None:
        self.name = name
        self.writes = extra.get("runner") != "pooling"
        self.counters = EngineCounters()
        self.lost: BaseException | None = None
        self.open = 0
        self._requests: dict[str, _Request] = {}
        self._lengths = LengthForecast()
        self._overflowed = False
        try:
            self._llm = _build(name, self.counters, str(model), options, extra)
        except InputError:
            raise
        except Exception as error:
            if needs_remote_code(error):
                raise refusal(model) from None
            raise EngineError(f"vLLM cannot load {model}: {_first_line(error)}") from error
        self._holds = self.capacity
        self._block = int(self._llm.vllm_config.cache_config.block_size)
        self._scheduler = None
        if self._holds.tokens < self._holds.sequences * self.max_context:
            self._scheduler = _scheduler_of(self._llm)

    def add(
        self,
        request_id: str,
        prompt_ids: list[int],
        params: Any,
        deliver: Callable[[EngineOutput], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        """Take a request; see `Engine.submit`."""
        if self.lost is not None:
            fail(EngineError(f"engine {self.name} was lost: {self.lost}"))
            return
        children = getattr(params, "n", 1)
        self._requests[request_id] = _Request(deliver, fail, children)
        self.open += children
        try:
            self._llm.add_request(request_id, {"prompt_token_ids": prompt_ids}, params)
        except Exception as error:
            del self._requests[request_id]
            self.open -= children
            fail(RequestRefusedError(f"engine {self.name} refused a request: {error}"))

    def abort(self, request_id: str) -> list[Cut]:
        """See `Engine.cancel`."""
        request = self._requests.pop(request_id, None)
        if request is None or self.lost is not None:
            return []
        self.open -= request.open_children
        processor = self._llm.output_processor
        cut: list[Cut] = []
        for child in list(processor.external_req_ids.get(request_id, [])):
            state = processor.request_states.get(child)
            if state is None or state.detokenizer is None:
                continue
            generated = tuple(state.detokenizer.output_token_ids)
            started = not state.is_prefilling
            if started:
                self._lengths.cut(len(generated))
            cut.append(
                (generated, state.prompt_len, state.num_cached_tokens) if started else ((), 0, 0)
            )
        self._llm.abort_request([request_id])
        return cut

    def step(self) -> None:
        """Run one engine step and hand out what has ended; an error fails all requests."""
        try:
            if self.writes and self._scheduler is not None:
                self._limit_running(self._scheduler)
            for output in self._llm.step():
                self._hand_out(output)
        except Exception as error:
            self.fail_all(error)

    def _limit_running(self, scheduler: Any) -> None:
        """Let waiting sequences in only if the cache has room for their expected responses."""
        places, tokens = self._holds.sequences, self._holds.tokens
        free = places - len(scheduler.running)
        if free > 0 and scheduler.waiting:
            used = round(scheduler.kv_cache_manager.usage * tokens)
            # vLLM puts those that it preempts before all others.
            first = next(iter(scheduler.waiting))
            preempted = first.status.name == "PREEMPTED"
            self._overflowed = (self._overflowed or preempted) and not is_calm(used, tokens)
            places = most_running(
                [Demand(one.num_output_tokens, one.max_tokens) for one in scheduler.running],
                _waiting(islice(scheduler.waiting, free), scheduler.running),
                self._lengths,
                used=used,
                tokens=tokens,
                block=self._block,
                overflowed=self._overflowed,
            )
        scheduler.max_num_active_reqs = places

    def fail_all(self, error: BaseException) -> None:
        """Mark the engine as lost and fail its requests."""
        self.lost = error
        failed, self._requests, self.open = self._requests, {}, 0
        for request in failed.values():
            request.fail(EngineError(f"engine {self.name} was lost: {error}"))

    def _hand_out(self, output: Any) -> None:
        request = self._requests.get(output.request_id)
        if request is None:
            return
        if self.writes and any(one.finish_reason == "error" for one in output.outputs):
            self.abort(output.request_id)
            request.fail(
                RequestRefusedError(f"engine {self.name} refused a request: {NO_TOKEN_FITS}")
            )
            return
        children = _ended_children(output) if self.writes else ()
        for child in children:
            self._lengths.learn(len(child.token_ids))
        finished = len(children) if self.writes else int(output.finished)
        if not finished:
            return
        request.open_children -= finished
        self.open -= finished
        last = request.open_children <= 0
        if last:
            del self._requests[output.request_id]
        values = () if self.writes else tuple(output.outputs.data[:, -1].tolist())
        prompt, cached = len(output.prompt_token_ids), int(output.num_cached_tokens or 0)
        request.deliver(EngineOutput(prompt, cached, last, children, values))

    def count(self) -> EngineCounters:
        """Return a copy of the current counters."""
        return replace(self.counters)

    def forget(self) -> None:
        """Empty the prefix cache."""
        self._llm.reset_prefix_cache()

    @property
    def max_context(self) -> int:
        """See `Engine.max_context`."""
        return int(self._llm.model_config.max_model_len)

    @property
    def capacity(self) -> Capacity:
        """See `Engine.capacity`."""
        config = self._llm.vllm_config
        cache = config.cache_config
        # vLLM's own count: layers of some models hold other numbers of tokens than others.
        tokens = getattr(cache, "kv_cache_size_tokens", None)
        if tokens is None:
            tokens = (cache.num_gpu_blocks or 0) * cache.block_size
        return Capacity(config.scheduler_config.max_num_seqs, int(tokens))

    @property
    def busy(self) -> bool:
        """Whether a step would do any work."""
        return self.lost is None and self._llm.has_unfinished_requests()

    def release(self, *, last: bool) -> None:
        """Free its memory; unfinished requests fail.

        vLLM's own shutdown, which also runs when an engine is garbage-collected, takes down the
        parallel groups of the whole process, which other engines still use. So only the `last`
        engine may shut down that way.
        """
        self.fail_all(EngineError("stopped"))
        llm, self._llm, self._scheduler = self._llm, None, None
        client = llm.engine_core
        # An engine that vLLM runs in a process of its own shares no groups with others.
        if last or not hasattr(client, "engine_core"):
            client.shutdown()
        else:
            client._finalizer.detach()
            client.engine_core.model_executor.shutdown()
            client.engine_core.scheduler.shutdown()
            gc.unfreeze()
        del llm, client
        gc.collect()


def _ended_children(output: Any) -> tuple[EndedChild, ...]:
    """Return the children of a request that have ended."""
    return tuple(
        EndedChild(
            one.index,
            tuple(one.token_ids),
            one.finish_reason,
            one.stop_reason,
            float(one.cumulative_logprob or 0.0),
            _beside(one),
        )
        for one in output.outputs
        if one.finish_reason is not None
    )


def _beside(child: Any) -> tuple[tuple[float, ...], ...]:
    """Return the log-probabilities that a request asked for; see `EndedChild.beside`."""
    if not child.token_ids or child.logprobs is None:
        return ()
    # Flat: the generated token comes first, then those that the request asked for.
    flat, width = child.logprobs.logprobs, len(child.logprobs.logprobs) // len(child.token_ids)
    return tuple(tuple(flat[at::width]) for at in range(1, width))


def _scheduler_of(llm: Any) -> Any:
    """Return vLLM's scheduler; None if it cannot be reached from this process."""
    try:
        scheduler = llm.engine_core.engine_core.scheduler
        _ = scheduler.running, scheduler.waiting, scheduler.max_num_active_reqs
        _ = scheduler.kv_cache_manager.usage
    except AttributeError:
        return None
    return scheduler


def _waiting(waiting: Iterable[Any], running: Iterable[Any]) -> Iterator[Demand]:
    """Yield the sequences of vLLM's queue; children of one request share their prompt."""
    # vLLM copies a request for each child, and not the list of its prompt.
    prompts = {id(one.prompt_token_ids) for one in running}
    for one in waiting:
        prompt = id(one.prompt_token_ids)
        own = 0 if prompt in prompts else one.num_prompt_tokens
        yield Demand(one.num_output_tokens, one.max_tokens, own)
        prompts.add(prompt)


def _build(
    name: str,
    counters: EngineCounters,
    model: str,
    options: EngineOptions,
    extra: dict[str, Any],
) -> Any:
    prepare_environment()
    # A user of this program cannot fix deprecations inside vLLM.
    warnings.filterwarnings("ignore", module=r"vllm\..*")
    from vllm.engine.arg_utils import EngineArgs
    from vllm.v1.engine.llm_engine import LLMEngine
    from vllm.v1.metrics.loggers import StatLoggerBase

    class Counter(StatLoggerBase):  # type: ignore[misc]
        """Adds vLLM's per-step statistics to the engine's counters."""

        def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
            pass

        def record(
            self,
            scheduler_stats: Any,
            iteration_stats: Any,
            mm_cache_stats: Any = None,
            engine_idx: int = 0,
        ) -> None:
            if iteration_stats is not None:
                prompts = iteration_stats.prompt_token_stats
                counters.prompt += prompts.total
                counters.cached += prompts.cached_tokens
                counters.generated += iteration_stats.num_generation_tokens
                counters.preemptions += iteration_stats.num_preempted_reqs
                counters.ended += len(iteration_stats.finished_requests)

        def log_engine_initialized(self) -> None:
            pass

    arguments = engine_arguments(model, options, extra) | {
        "disable_log_stats": False,
        "use_tqdm_on_load": False,
        "served_model_name": name,
    }
    if extra.get("runner") != "pooling":
        arguments["stream_interval"] = _ONLY_WHEN_FINISHED
    if options.cores and on_cpu():
        _keep_to(options.cores)
    args = EngineArgs(**arguments)
    return LLMEngine.from_engine_args(args, stat_loggers=[Counter])


def _keep_to(cores: Collection[int]) -> None:
    """Bind this thread, and those that compute for it, to some cores.

    vLLM itself binds threads only if it starts a process for the model.
    """
    import torch

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    # Not torch.set_num_threads: the first engine replaces it with a function that does nothing.
    torch._C.set_num_threads(len(cores))


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
