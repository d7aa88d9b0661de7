"""A PRM of any convention on a vLLM engine in this process.

A solution is one `token_classify` request; the scores at the ends of its steps are read. By default
vLLM does not let such requests read the prefix cache, since they then have no scores for the cached
tokens. Those are not needed here, so the requests read it: a new step of a search costs its own
tokens and those of the cache block in which it begins, and a whole solution is one pass.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal

from executor.concurrency import to_the_end
from executor.engines.base import Engine, EngineCounters, EngineOutput
from executor.engines.delivery import Delivery, post
from executor.engines.host import host
from executor.engines.options import EngineOptions
from executor.ledger import Ledger
from executor.models.checkpoint import Checkpoint
from executor.models.tokens import Step
from executor.scorers.base import Convention, Needs, Places, at_every_token


class VllmScorer:
    """A PRM on a vLLM engine in this process."""

    scores_steps: Literal[True] = True
    needs: Needs = "model"

    def __init__(self, name: str, engine: Engine, convention: Convention) -> None:
        self.name = name
        self.trained_on = convention.trained_on
        self._max_context = engine.max_context
        self.unjudged = 0
        self._engine = engine
        self._convention = convention
        self._ids = itertools.count()

    @classmethod
    def load(
        cls, checkpoint: Checkpoint, convention: Convention, options: EngineOptions
    ) -> VllmScorer:
        """Load a checkpoint into a new engine.

        Its context is the shorter one of that in the options and that the PRM was made for.

        Raises:
            EngineError: vLLM cannot load it.
        """
        options = options.within(checkpoint.location)
        arguments = at_every_token(convention.engine_arguments())
        engine = host().start(
            f"prm:{checkpoint.name}", checkpoint.location, options, runner="pooling", **arguments
        )
        return cls(checkpoint.name, engine, convention)

    async def score(
        self, question: str, steps: Sequence[Step], *, start: int, ledger: Ledger
    ) -> list[float]:
        """See `StepScorer.score`: one request, and one more for each step that was in the cache.

        All answers are charged, even if the caller is cancelled or a request fails.
        """
        places = Places.from_convention(self._convention, question, steps, start, self._max_context)
        self.unjudged += places.beyond
        rewards: dict[int, float] = {}
        if places.within:
            rewards = await self._ask(places.token_ids, places.within[-1:], ledger)
        # Another search may have left the end of a step in the cache. The last token of a request
        # is always forwarded, so a request that ends there returns its score.
        if cached := [end for end in places.within if end not in rewards]:
            rewards |= await self._ask(places.token_ids, cached, ledger)
        return [rewards.get(end, 0.0) for end in places.asked]

    async def _ask(
        self, token_ids: list[int], lengths: Sequence[int], ledger: Ledger
    ) -> dict[int, float]:
        """Return rewards by place, for all tokens that prompts of these lengths forwarded."""
        answers = _Answers(len(lengths), asyncio.get_running_loop())
        for number, length in enumerate(lengths):
            self._engine.submit(
                f"{self._engine.name}-{next(self._ids)}",
                token_ids[:length],
                _parameters(),
                deliver=functools.partial(answers.deliver, number),
                fail=answers.fail,
            )
        try:
            await asyncio.shield(answers.done)
        except asyncio.CancelledError:
            # A score takes one engine step, so waiting for it is cheaper than cancelling it.
            await to_the_end(answers.settled())
            raise
        finally:
            for output in answers.outputs.values():
                ledger.charge_prm(output.prompt, output.cached)
        return {
            place: reward
            for output in answers.outputs.values()
            for place, reward in enumerate(output.values, start=output.cached + 1)
        }

    @property
    def lost(self) -> bool:
        """See `StepScorer.lost`."""
        return self._engine.lost

    def counters(self) -> EngineCounters:
        """See `StepScorer.counters`."""
        return self._engine.count()

    def close(self) -> None:
        """Release the engine's memory."""
        self._engine.stop()


@functools.cache
def _pooling_params() -> Callable[..., Any]:
    """Return vLLM's class, looked up once: its package searches names at each import."""
    from vllm import PoolingParams

    return PoolingParams  # type: ignore[no-any-return]


def _parameters() -> Any:
    return _pooling_params()(
        task="token_classify", use_activation=True, skip_reading_prefix_cache=False
    )


class _Answers(Delivery):
    """Collects the outputs of several requests."""

    def __init__(self, n: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.outputs: dict[int, EngineOutput] = {}
        self._n = n
        if not n:
            self._end()

    def deliver(self, place: int, output: EngineOutput) -> None:
        """Take an output; called on the engine's thread."""
        post(self._loop, self._take, place, output)

    async def settled(self) -> None:
        """Wait until all requests have ended, or one has failed."""
        await asyncio.wait([self.done])
        self.done.exception()  # retrieved, so that asyncio does not log it

    def _take(self, place: int, output: EngineOutput) -> None:
        self.outputs[place] = output
        if len(self.outputs) == self._n:
            self._end()
