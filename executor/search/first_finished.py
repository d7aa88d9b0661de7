"""short-m@k: samples that run side by side until the first m of them have finished.

Each sample is a request of its own, so that those that finished are charged as generated and those
that were cancelled as discarded. A response that a limit cut has not finished.

The responses that vote are the m shortest, as in the replay of a pool
(`profiling.pools.first_finished`). If all samples begin together and grow at one speed, they are
the first to finish, so that a live run has the answer and the tokens of the replay. It may differ
if samples wait for a place in a full engine, if servers differ in speed, or if an engine delivers
responses of equal length one after the other: then a response is cancelled that might have become
one of the m shortest. Until a cancellation reaches an engine, its response grows by a token or two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from executor.answers.voting import Vote
from executor.search.base import Context, Response, State
from executor.search.settle import Ballot
from executor.strategy import ShortMOfK


async def short_m_of_k(context: Context, strategy: ShortMOfK) -> list[Response]:
    """Start `n` samples and cancel those that still run when `m` have finished.

    With early stopping they are also cancelled once the others of the `m` cannot change the vote.

    Returns:
        The responses that ended, in the order in which they were started. More than `m` may have
        finished, and fewer if limits cut the others or the vote was settled.
    """
    each = min(context.sampling.max_tokens, context.cap.left // strategy.n)
    if each < 1:
        return []
    tasks = [
        asyncio.create_task(context.respond(1, max_tokens=each, where="sample", first=index))
        for index in range(strategy.n)
    ]
    ended: dict[int, Response] = {}
    running = set(tasks)
    try:
        while running and not await _decided(context, strategy, ended):
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:  # without a draw, the question fills the context
                ended |= {tasks.index(task): response for response in task.result()}
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    context.ledger.spared += len(running)
    return [ended[index] for index in sorted(ended)]


def first_to_finish(lengths: Sequence[int], finished: Sequence[bool], m: int) -> list[int]:
    """Return the indices of the `m` shortest finished responses, the shortest first.

    Of equally long ones the earlier comes first; there are fewer if fewer have finished.

    Args:
        lengths: tokens of each response, shape `(n,)`.
        finished: whether the policy ended it, shape `(n,)`.
        m: number of responses that vote.
    """
    candidates = [index for index, ended in enumerate(finished) if ended]
    return sorted(candidates, key=lambda index: lengths[index])[:m]


async def _decided(context: Context, strategy: ShortMOfK, ended: Mapping[int, Response]) -> bool:
    """Tell whether no response that still runs will vote, or none can change the vote."""
    responses = [ended[index] for index in sorted(ended)]
    first = first_to_finish(
        [one.n_tokens for one in responses],
        [one.state is State.FINISHED for one in responses],
        strategy.m,
    )
    if len(first) == strategy.m or not context.early_stop:
        return len(first) == strategy.m
    ballot = Ballot(context.voter, Vote.MAJORITY)
    standing = await ballot.count([responses[index] for index in first])
    return ballot.settled(standing, strategy.m - len(first))
