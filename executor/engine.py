"""vLLM engines inside this process, stepped in turn by one thread that resolves futures.

`AsyncLLM` always starts a process of its own; on few cores its busy-waiting costs a third of the
speed and twenty seconds of loading. An `LLMEngine` stepped in a thread gives the same asynchronous
interface without it. Two engines may only ever be stepped from one and the same thread (the CPU
attention kernel crashes otherwise), so engines are built and stepped by the one `EngineHost` of
the process and nothing else holds a reference to them.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import queue
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from executor.capacity import Capacity
from executor.delivery import OUTBOX
from executor.engine_options import EngineOptions, engine_arguments, prepare_environment
from executor.errors import EngineError
from executor.holding import Held

T = TypeVar("T")

# Children are reported when each finishes, not at every token: building an output object a token
# costs a fifth of the throughput of a small model.
_ONLY_WHEN_FINISHED = 1 << 30
_SHUT_DOWN = "the engines of this process were shut down"


@dataclass(slots=True)
class EngineCounters:
    """vLLM's own counts of one engine since it started, in tokens, as its metrics see them."""

    prompt: int = 0
    cached: int = 0
    generated: int = 0
    preemptions: int = 0

    def __add__(self, other: EngineCounters) -> EngineCounters:
        return EngineCounters(
            *(getattr(self, f.name) + getattr(other, f.name) for f in fields(self))
        )

    def __sub__(self, earlier: EngineCounters) -> EngineCounters:
        return EngineCounters(
            *(getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self))
        )


@dataclass(slots=True)
class _Request:
    """A request under way: where its finished outputs go."""

    deliver: Callable[[Any], None]
    fail: Callable[[BaseException], None]
    open_children: int


@dataclass(eq=False)
class Engine:
    """One vLLM engine of the host; its methods may be called from any thread or event loop."""

    name: str
    host: EngineHost
    writes: bool = True
    """Whether it generates; else it scores."""
    counters: EngineCounters = field(default_factory=EngineCounters)
    lost: BaseException | None = None
    open: int = 0
    """Sequences under way, those included that wait for a place in a batch."""
    _llm: Any = None
    _requests: dict[str, _Request] = field(default_factory=dict)

    def submit(
        self,
        request_id: str,
        prompt_ids: list[int],
        params: Any,
        *,
        deliver: Callable[[Any], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        """Queue a request; `deliver` is called on the host's thread with each finished output."""

        def add() -> None:
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
                fail(EngineError(f"engine {self.name} refused a request: {error}"))

        if not self.host.send(add):
            fail(EngineError(_SHUT_DOWN))

    async def cancel(self, request_id: str) -> list[tuple[int, int, int]]:
        """Stop what still runs of a request.

        Returns:
            For each unfinished child `(generated, prompt, cached)` tokens; the prompt counts are 0
            where the child had not been scheduled, since the engine then forwarded nothing.
        """
        return await asyncio.wrap_future(self.host.call(lambda: self._abort(request_id)))

    def _abort(self, request_id: str) -> list[tuple[int, int, int]]:
        request = self._requests.pop(request_id, None)
        if request is None or self.lost is not None:
            return []
        self.open -= request.open_children
        processor = self._llm.output_processor
        counts = []
        for child in list(processor.external_req_ids.get(request_id, [])):
            state = processor.request_states.get(child)
            if state is None or state.detokenizer is None:
                continue
            generated = state.detokenizer.num_output_tokens()
            started = not state.is_prefilling
            counts.append(
                (generated, state.prompt_len, state.num_cached_tokens) if started else (0, 0, 0)
            )
        self._llm.abort_request([request_id])
        return counts

    def _step(self) -> None:
        """Run one engine step and hand out what finished; a failing engine fails its requests."""
        OUTBOX.open()
        try:
            for output in self._llm.step():
                self._hand_out(output)
        except Exception as error:
            self.fail_all(error)
        finally:
            OUTBOX.flush()

    def fail_all(self, error: BaseException) -> None:
        """Count the engine as lost and fail its requests; on the host's thread only."""
        self.lost = error
        failed, self._requests, self.open = self._requests, {}, 0
        for request in failed.values():
            request.fail(EngineError(f"engine {self.name} was lost: {error}"))

    def _hand_out(self, output: Any) -> None:
        request = self._requests.get(output.request_id)
        if request is None:
            return
        completions = getattr(output, "outputs", None)
        if isinstance(completions, list):
            finished = sum(completion.finish_reason is not None for completion in completions)
        else:
            finished = int(output.finished)
        if not finished:
            return
        request.open_children -= finished
        self.open -= finished
        if request.open_children <= 0:
            del self._requests[output.request_id]
        request.deliver(output)

    def count(self) -> EngineCounters:
        """A copy of the counters as they stand."""
        return replace(self.counters)

    @property
    def max_context(self) -> int:
        """Longest context in tokens, prompt and continuation together."""
        return int(self._llm.model_config.max_model_len)

    @property
    def capacity(self) -> Capacity:
        """What it can hold at once."""
        config = self._llm.vllm_config
        blocks = config.cache_config.num_gpu_blocks or 0
        return Capacity(
            config.scheduler_config.max_num_seqs, blocks * config.cache_config.block_size
        )

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return self.lost is None and self._llm is not None and self._llm.has_unfinished_requests()


class EngineHost:
    """The one thread of this process that builds and steps vLLM engines. Use `host()`."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._engines: list[Engine] = []
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="vllm-engines", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def call(self, action: Callable[[], T]) -> Future[T]:
        """Run `action` on the host's thread before its next step; the future holds its result."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(action())
            except BaseException as error:
                future.set_exception(error)

        if not self.send(run):
            future.set_exception(EngineError(_SHUT_DOWN))
        return future

    def send(self, action: Callable[[], None]) -> bool:
        """Run `action`, which must not raise, before the next step; False: it never will be."""
        if self._closed:
            return False
        self._commands.put(action)
        return True

    def start(self, name: str, model: Path | str, options: EngineOptions, **extra: Any) -> Engine:
        """Load `model` into a new engine; blocks until it is ready.

        Args:
            name: for messages and metrics.
            model: checkpoint folder or hub id.
            options: sizes and types.
            extra: further vLLM engine arguments (`runner`, `convert`, `pooler_config`, ...).

        Raises:
            EngineError: vLLM cannot load the model.
        """
        engine = Engine(name, self, writes=extra.get("runner") != "pooling")
        try:
            engine._llm = self.call(lambda: _build(engine, str(model), options, extra)).result()
        except Exception as error:
            raise EngineError(f"vLLM cannot load {model}: {_first_line(error)}") from error
        self.call(lambda: self._engines.append(engine)).result()
        return engine

    def stop(self, engine: Engine) -> None:
        """Release an engine's memory; requests under way fail."""

        def release() -> None:
            self._engines.remove(engine)
            engine.fail_all(EngineError("stopped"))
            _release(engine._llm, last=not self._engines)
            engine._llm = None
            gc.collect()

        self.call(release).result()

    def close(self) -> None:
        """End the thread and fail what is under way; called at exit."""
        if not self._closed:
            self.call(self._fail_all)
            self._closed = True
            self._commands.put(None)
        self._thread.join(timeout=10)

    def _fail_all(self) -> None:
        for engine in self._engines:
            engine.fail_all(EngineError(f"engine {engine.name} was stopped"))

    def _run(self) -> None:
        held = Held()
        while True:
            busy = [engine for engine in self._engines if engine.busy]
            if not self._drain(block=not busy):
                return
            writers = [engine for engine in busy if engine.writes]
            for engine in busy:
                if engine.busy and (engine.writes or held.long_enough(engine, writers)):
                    engine._step()

    def _drain(self, *, block: bool) -> bool:
        """Run queued commands; waits for the first where `block`. False when told to end."""
        try:
            command = self._commands.get(block=block)
            while True:
                if command is None:
                    return False
                command()
                command = self._commands.get_nowait()
        except queue.Empty:
            return True


_host: EngineHost | None = None
_host_lock = threading.Lock()


def host() -> EngineHost:
    """The engine host of this process, started at first use."""
    global _host
    with _host_lock:
        if _host is None:
            _host = EngineHost()
        return _host


def _build(engine: Engine, model: str, options: EngineOptions, extra: dict[str, Any]) -> Any:
    prepare_environment()
    # What vLLM's own imports deprecate is nothing a user of this program could mend.
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
                engine.counters.prompt += prompts.total
                engine.counters.cached += prompts.cached_tokens
                engine.counters.generated += iteration_stats.num_generation_tokens
                engine.counters.preemptions += iteration_stats.num_preempted_reqs

        def log_engine_initialized(self) -> None:
            pass

    arguments = engine_arguments(model, options, extra) | {
        "disable_log_stats": False,
        "use_tqdm_on_load": False,
        "served_model_name": engine.name,
    }
    if extra.get("runner") != "pooling":
        arguments["stream_interval"] = _ONLY_WHEN_FINISHED
    args = EngineArgs(**arguments)
    return LLMEngine.from_engine_args(args, stat_loggers=[Counter])


def _release(llm: Any, *, last: bool) -> None:
    """Free what an engine holds.

    vLLM's own shutdown, which also runs when an engine is collected, takes down the parallel groups
    of the whole process. Other engines still use them: only the last one may go that way.
    """
    client = llm.engine_core
    if last:
        client.shutdown()
        return
    client._finalizer.detach()
    client.engine_core.model_executor.shutdown()
    client.engine_core.scheduler.shutdown()
    gc.unfreeze()


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
