"""A policy on a vLLM engine of this program."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from executor.concurrency import to_the_end
from executor.engines.base import EndedChild, Engine, EngineCounters, EngineOutput
from executor.engines.delivery import Delivery, post
from executor.engines.host import host
from executor.engines.options import EngineOptions
from executor.engines.subprocess_engine import start_subprocess_engine
from executor.ledger import Ledger
from executor.models.fused import FusedRows, fused_policy
from executor.models.stopping import Stopping
from executor.models.templates import PromptTemplate, for_checkpoint
from executor.models.tokens import Tokens, load_tokenizer
from executor.policies.base import Draw, DrawRequest, draw_of, read_head, reads_of


class VllmPolicy:
    """A policy on a vLLM engine that this program started, in its own process or in another."""

    writes_json = True

    def __init__(
        self,
        name: str,
        engine: Engine,
        tokens: Tokens,
        template: PromptTemplate,
        rows: FusedRows | None = None,
    ) -> None:
        self.name = name
        self.tokens = tokens
        self.template = template
        self._rows = rows
        self.max_context = engine.max_context
        self.capacity = engine.capacity
        self.reads = reads_of(tokens, template)
        self._stopping = Stopping(tokens, template)
        self._engine = engine
        self._ids = itertools.count()

    @classmethod
    def load(
        cls, name: str, checkpoint: Path | str, template: PromptTemplate, options: EngineOptions
    ) -> VllmPolicy:
        """Load `checkpoint` (a folder or hub id) into a new engine.

        Raises:
            EngineError: vLLM cannot load it.
        """
        tokens = Tokens(load_tokenizer(checkpoint))
        template = for_checkpoint(template, checkpoint)
        fused = fused_policy(checkpoint)
        start = start_subprocess_engine if options.apart else host().start
        engine = start(f"policy:{name}", checkpoint, options)
        return cls(name, engine, tokens, template, None if fused is None else fused.rows)

    def prompt(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> list[int]:
        """See `Policy.prompt`: the task template within the model's own chat template."""
        return self.template.render(self.tokens.tokenizer, question, before, answers)

    async def draw(self, request: DrawRequest) -> list[Draw]:
        """See `Policy.draw`."""
        ends = self._stopping.at(request.stop)
        stopping: dict[str, Any] = (
            {"stop": list(ends.strings), "include_stop_str_in_output": True}
            if ends.strings
            else {"stop_token_ids": list(ends.token_ids), "detokenize": False}
        )
        params = _sampling_params()(
            n=request.n,
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            seed=request.seed,
            **stopping,
            structured_outputs=_structured_outputs(request.json_schema),
            **_beside(self._rows, request.top_logprobs),
            # A dict per token costs more than a small model's forward pass.
            flat_logprobs=True,
        )

        def ended(child: EndedChild) -> None:
            if request.finished is not None:
                request.finished(child.index, self._to_draw(child, request.stop))

        collected = _Collector(request.n, asyncio.get_running_loop(), ended)
        request_id = f"{self._engine.name}-{next(self._ids)}"
        prompt_ids, ledger = list(request.prompt_ids), request.ledger
        self._engine.submit(
            request_id, prompt_ids, params, deliver=collected.deliver, fail=collected.fail
        )
        try:
            await collected.done
        except asyncio.CancelledError:
            # A second cancellation must not lose the charge of the first.
            await to_the_end(self._cancel(request_id, collected, request))
            raise
        for _, cached in collected.prompts:
            ledger.charge_prompt(len(prompt_ids), cached)
        draws = [self._to_draw(child, request.stop) for child in collected.in_order()]
        ledger.generated += sum(len(draw.token_ids) for draw in draws)
        return draws

    async def _cancel(self, request_id: str, collected: _Collector, request: DrawRequest) -> None:
        """Stop the request and charge what the engine had done by then."""
        cut = await self._engine.cancel(request_id)
        # Outputs delivered before the cancellation may still be queued on this loop.
        await asyncio.sleep(0)
        finished = [
            (child.token_ids, prompt, cached)
            for child, (prompt, cached) in zip(
                collected.children.values(), collected.prompts, strict=True
            )
        ]
        for generated, prompt, cached in finished + cut:
            request.ledger.discarded += len(generated)
            request.ledger.charge_prompt(prompt, cached)
        if request.unfinished is not None:
            for generated, _, _ in cut:
                request.unfinished(generated)

    def _to_draw(self, child: EndedChild, stop: Sequence[str]) -> Draw:
        finish = self._stopping.finish(child.finish_reason, child.stop_reason, stop)
        return draw_of(child.token_ids, finish, child.logprob, child.beside, self._rows)

    async def read_head(self, prompt_ids: Sequence[int], ledger: Ledger) -> float:
        """See `executor.scorers.fused.HeadPolicy.read_head`."""
        return await read_head(self, prompt_ids, ledger)

    @property
    def lost(self) -> bool:
        """See `Policy.lost`."""
        return self._engine.lost

    def counters(self) -> EngineCounters:
        """See `Policy.counters`."""
        return self._engine.count()

    def close(self) -> None:
        """Release the engine's memory."""
        self._engine.stop()


def _beside(rows: FusedRows | None, top_logprobs: int | None) -> dict[str, Any]:
    """Return vLLM's parameters that ask for log-probabilities (`EndedChild.beside`)."""
    return {"logprobs": top_logprobs or 0} if rows is None else rows.sampling()


@functools.cache
def _sampling_params() -> Callable[..., Any]:
    """Return vLLM's class, set to outputs that hold all tokens so far; the import is slow."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return functools.partial(SamplingParams, output_kind=RequestOutputKind.CUMULATIVE)


def _structured_outputs(json_schema: str | None) -> Any:
    """Return vLLM's parameters that bind a draw to a JSON schema; None: free text."""
    if json_schema is None:
        return None
    from vllm.sampling_params import StructuredOutputsParams

    return StructuredOutputsParams(json=json_schema)


class _Collector(Delivery):
    """Collects the children of one request as they end."""

    def __init__(
        self, n: int, loop: asyncio.AbstractEventLoop, ended: Callable[[EndedChild], None]
    ) -> None:
        super().__init__(loop)
        self.children: dict[int, EndedChild] = {}
        self.prompts: list[tuple[int, int]] = []
        self._n = n
        self._ended = ended

    def deliver(self, output: EngineOutput) -> None:
        """Take children that have ended; called on the engine's thread."""
        post(self._loop, self._take, output)

    def in_order(self) -> list[EndedChild]:
        """Return the children by index, whatever order they ended in."""
        return [self.children[index] for index in sorted(self.children)]

    def _take(self, output: EngineOutput) -> None:
        for child in output.children:
            self.children[child.index] = child
            self.prompts.append((output.prompt, output.cached))
            self._ended(child)
        if len(self.children) == self._n:
            self._end()
