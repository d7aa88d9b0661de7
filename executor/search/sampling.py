"""Strategies that sample whole responses: greedy, majority, best-of-N.

Responses are drawn in one request. If a vote may be settled early, they are drawn in several: each
request asks for the fewest responses that could settle it, and each response is graded (and scored)
as soon as it has ended. Response i has the same seed in both cases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from executor.answers.voting import SETTLED_EARLY, Vote
from executor.search.base import Context, Response
from executor.search.settle import Ballot, ConfidenceRule, Fewest, Standing
from executor.strategy import AdaptiveMajority, BestOfN

# Processes responses that have ended, for instance scores them.
Finishing = Callable[[Sequence[Response]], Awaitable[Sequence[Response]]]
# Returns, for the first responses and the number of those still possible, the fewest further
# responses that could be enough; 0 if no more are needed.
Missing = Callable[[Sequence[Response], int], Awaitable[int]]


async def greedy(context: Context) -> list[Response]:
    """Draw one response at temperature 0."""
    return await context.respond(
        1, max_tokens=context.sampling.max_tokens, where="greedy", temperature=0.0
    )


async def sample(context: Context, n: int, *, where: str = "sample") -> list[Response]:
    """Draw `n` samples in one request."""
    return await _Flight(context, where, (), n, None).all()


async def sample_until(
    context: Context, n: int, missing: Missing, *, where: str = "sample"
) -> list[Response]:
    """Draw the first of `n` samples, as many as `missing` asks for; see `_Flight.until`."""
    return await _Flight(context, where, (), n, None).until(missing)


async def score_all(context: Context, responses: Sequence[Response]) -> list[Response]:
    """Return the responses with their rewards: one a step, or one a response, by the scorer."""
    rewards: Sequence[tuple[float, ...]]
    if context.prm is None or context.prm.scores_steps:
        rewards = await context.score([response.steps for response in responses])
    else:
        rewards = [(score,) for score in await context.judge(responses)]
    return [replace(one, rewards=given) for one, given in zip(responses, rewards, strict=True)]


async def best_of_n(
    context: Context, strategy: BestOfN, *, given: Sequence[Response] = ()
) -> list[Response]:
    """Draw and score `n` samples, including those `given`; fewer if the vote is settled early."""

    given = given[: strategy.n]
    unscored = [response for response in given if not response.rewards]
    late = iter(await score_all(context, unscored))
    given = [response if response.rewards else next(late) for response in given]
    flight = _Flight(context, "sample", given, strategy.n, partial(score_all, context))
    if not context.early_stop or strategy.vote not in SETTLED_EARLY or strategy.keep < 1:
        return await flight.all()
    ballot = Ballot(context.voter, strategy.vote, strategy.score)
    return await flight.until(_by_vote(ballot, ballot.fewest))


async def majority(context: Context, n: int, *, given: Sequence[Response] = ()) -> list[Response]:
    """Draw `n` samples, including those `given`; fewer if the vote is settled early.

    The earlier samples were drawn at the place `probe`.
    """
    flight = _Flight(context, "sample", given[:n], n, None)
    if not context.early_stop:
        return await flight.all()
    ballot = Ballot(context.voter, Vote.MAJORITY)
    return await flight.until(_by_vote(ballot, ballot.fewest))


async def adaptive_majority(
    context: Context, strategy: AdaptiveMajority, *, given: Sequence[Response] = ()
) -> list[Response]:
    """Draw samples, `given` ones first, until the leading answer is sure enough; at most `n`."""
    ballot = Ballot(context.voter, Vote.MAJORITY)
    rule = ConfidenceRule(strategy.confidence)

    def fewest(standing: Standing, left: int) -> int:
        return min(rule.fewest(standing, left), ballot.fewest(standing, left))

    flight = _Flight(context, "sample", given[: strategy.n], strategy.n, None)
    return await flight.until(_by_vote(ballot, fewest))


def _by_vote(ballot: Ballot, fewest: Fewest) -> Missing:
    async def missing(known: Sequence[Response], left: int) -> int:
        return fewest(await ballot.count(known), left)

    return missing


class _Flight:
    """Responses that are being drawn; each is processed when it ends, and kept in its place.

    Args:
        context: context of the problem.
        where: place of the draws, for their seed.
        given: earlier responses, which come first.
        n: most responses in total.
        finishing: function that processes the responses that ended in one turn of the loop; None
            leaves them as they are.
    """

    def __init__(
        self,
        context: Context,
        where: str,
        given: Sequence[Response],
        n: int,
        finishing: Finishing | None,
    ) -> None:
        self._context = context
        self._where = where
        self._given = list(given)
        self._left = n - len(given)
        self._finishing = finishing
        self._asked = 0
        self._done: dict[int, Response] = {}
        self._ended: list[tuple[int, Response]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._over = False
        # The room of each response must not depend on how the draws are split into requests.
        share = context.cap.left // self._left if self._left > 0 else 0
        self._most_tokens = min(context.sampling.max_tokens, share)
        if self._most_tokens < 1:
            self._left = 0

    async def all(self) -> list[Response]:
        """Draw all responses."""
        return await self._run(self._ask_for_all)

    async def until(self, missing: Missing) -> list[Response]:
        """Draw the first responses, until none is missing, in whatever order they end.

        Only the responses before the first unfinished one count. Beyond them, the fewest responses
        that could be enough are requested at any time. A rule that looks at the responses one after
        another could not end before those have ended, so no more are drawn than one at a time.
        """
        known = list(self._given)

        async def ask() -> None:
            while (index := len(known) - len(self._given)) in self._done:
                known.append(self._done[index])
            fewest = await missing(known, self._left - index)
            self._ask_for(fewest - (self._asked - index))

        responses = await self._run(ask)
        self._context.ledger.spared += self._left - self._asked
        return responses

    async def _ask_for_all(self) -> None:
        self._ask_for(self._left - self._asked)

    def _ask_for(self, n: int) -> None:
        n = min(n, self._left - self._asked)
        if n > 0:
            self._start(self._draw(self._asked, n))
            self._asked += n

    async def _run(self, ask: Callable[[], Awaitable[None]]) -> list[Response]:
        try:
            await ask()
            while self._tasks:
                await self._changed.wait()
                self._changed.clear()
                for task in [task for task in self._tasks if task.done()]:
                    self._tasks.discard(task)
                    task.result()
                await ask()
        finally:
            self._over = True  # responses that end during the cancellation are not scored
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        return [*self._given, *(self._done[index] for index in sorted(self._done))]

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._changed.set())
        self._tasks.add(task)

    async def _draw(self, first: int, n: int) -> None:
        def ended(child: int, response: Response) -> None:
            if not self._over:
                self._end(first + child, response)

        responses = await self._context.respond(
            n, max_tokens=self._most_tokens, where=self._where, first=first, finished=ended
        )
        if not responses:  # the prompt fills the context
            self._left = self._asked = 0

    def _end(self, index: int, response: Response) -> None:
        if self._finishing is None:
            self._done[index] = response
            self._changed.set()
            return
        if not self._ended:
            self._start(self._finish(self._finishing))
        self._ended.append((index, response))

    async def _finish(self, finishing: Finishing) -> None:
        ended, self._ended = self._ended, []
        finished = await finishing([response for _, response in ended])
        self._done.update(zip((index for index, _ in ended), finished, strict=True))
