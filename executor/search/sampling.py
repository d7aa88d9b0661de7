"""Whole responses drawn at once: greedy, majority and best-of-N differ only in what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from executor.policy import Draw, Finish
from executor.search.base import Context, Response, State


async def greedy(context: Context) -> list[Response]:
    """One response at temperature 0."""
    draws = await context.draw(
        (), 1, max_tokens=context.sampling.max_tokens, where="greedy", temperature=0.0
    )
    return [_whole(context, draw) for draw in draws]


async def sample(context: Context, n: int, *, where: str = "sample") -> list[Response]:
    """`n` sampled responses, in one request."""
    draws = await context.draw((), n, max_tokens=context.sampling.max_tokens, where=where)
    return [_whole(context, draw) for draw in draws]


async def score_all(context: Context, responses: Sequence[Response]) -> list[Response]:
    """The responses with a reward for every step, scored concurrently."""
    rewards = await context.score([response.steps for response in responses])
    return [
        replace(response, rewards=reward)
        for response, reward in zip(responses, rewards, strict=True)
    ]


async def best_of_n(context: Context, n: int, *, given: Sequence[Response] = ()) -> list[Response]:
    """`n` scored responses, of which `given` were drawn before."""
    drawn = await majority(context, n, given=given)
    unscored = [response for response in drawn if not response.rewards]
    scored = iter(await score_all(context, unscored))
    return [response if response.rewards else next(scored) for response in drawn]


async def majority(context: Context, n: int, *, given: Sequence[Response] = ()) -> list[Response]:
    """`n` sampled responses, of which `given` were drawn before (under the name `probe`)."""
    missing = n - len(given)
    return [*given[:n], *(await sample(context, missing) if missing > 0 else ())]


def _whole(context: Context, draw: Draw) -> Response:
    state = State.FINISHED if draw.finish is Finish.EOS else State.CUT
    steps = tuple(context.policy.tokens.steps(draw.token_ids))
    return Response(steps=steps, state=state, logprob=draw.logprob)
