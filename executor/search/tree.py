"""Beam search and DVTS: step by step, each step scored once, the best branches kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from executor.answers.voting import Vote
from executor.search.base import Context, Response, State, aggregate, together
from executor.search.settle import Ballot, could_reach
from executor.search.steps import children, discard_dropped
from executor.strategy import BeamSearch, Dvts, Score

# A live response and how many children it gets.
Claim = tuple[Response, int]
# Whether the answer is settled, with these ended responses and these claims still to be grown.
Over = Callable[[Sequence[Response], Sequence[Claim]], Awaitable[bool]]


async def beam_search(context: Context, strategy: BeamSearch) -> list[Response]:
    """`n` finished beams, each a draw of its own; fewer where the vote is settled before."""
    ballot = _ballot(context, strategy)

    async def over(ended: Sequence[Response], claims: Sequence[Claim]) -> bool:
        if ballot is None or not ended or not claims:
            return False
        # Children of the best may take the places of all the others.
        most = max(could_reach(parent, strategy.score) for parent, _ in claims)
        each = 1.0 if ballot.vote is Vote.MAJORITY else most
        bound = (strategy.n - len(ended)) * each
        if not ballot.settled(await ballot.count(ended), bound):
            return False
        context.ledger.spared += strategy.n - len(ended)
        return True

    before = context.ledger.generated
    ended = await _grow(context, strategy.n, strategy.width, strategy.score, "beam", over)
    discard_dropped(context, before, ended)
    return ended


async def dvts(context: Context, strategy: Dvts) -> list[Response]:
    """`n / width` subtrees that know nothing of each other; each is a beam search one beam wide.

    Where the first of them settle the vote, those that are left are cancelled.
    """
    subtrees = (
        _grow(context, strategy.width, strategy.width, strategy.score, f"subtree {index}")
        for index in range(strategy.n // strategy.width)
    )
    ballot = _ballot(context, strategy)
    before = context.ledger.generated
    tasks = [asyncio.create_task(subtree) for subtree in subtrees]
    everything = asyncio.gather(*tasks)
    ended: list[Response] = []
    try:
        # In their order, not as they end: so what comes later comes later in the vote too.
        for number, task in enumerate(tasks, start=1):
            either: list[asyncio.Future[Any]] = [task, everything]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if everything.done():
                everything.result()  # where one has failed, so has the search
            ended += task.result()
            left = (len(tasks) - number) * strategy.width
            if left and ballot and ballot.settled(await ballot.count(ended), left):
                context.ledger.spared += left
                break
    finally:
        everything.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, everything, return_exceptions=True)
    discard_dropped(context, before, ended)
    return ended


def _ballot(context: Context, strategy: BeamSearch | Dvts) -> Ballot | None:
    """What counts the votes on the way, where the vote can be settled early."""
    if not context.early_stop or strategy.vote is Vote.MAX:
        return None
    return Ballot(context.grader, strategy.vote, strategy.score)


async def _never(ended: Sequence[Response], claims: Sequence[Claim]) -> bool:
    return False


async def _grow(
    context: Context, n: int, width: int, score: Score, where: str, over: Over = _never
) -> list[Response]:
    """Search until `n` places hold ended responses, or it is `over`.

    Every step, candidates claim places in the order of their scores: an ended response takes one
    and keeps it, a live one takes `width` and fills them with children. What ended so frees places
    for others, no branch is copied, and exactly `n` responses come out (fewer only where the token
    cap runs out on the way).
    """
    ended: list[Response] = []
    candidates = await children(context, Response(), n, f"{where}/0")
    depth = 0
    while candidates:
        depth += 1
        kept, claims = select(candidates, n - len(ended), width, score)
        ended += kept
        if await over(ended, claims):
            break
        branches = await together(
            children(context, parent, places, f"{where}/{depth}.{index}")
            for index, (parent, places) in enumerate(claims)
        )
        candidates = [child for branch in branches for child in branch]
    return ended


def select(
    candidates: Sequence[Response], places: int, width: int, score: Score
) -> tuple[list[Response], list[Claim]]:
    """Which candidates stay: `(ended ones, [(live one, its places)])`, `places` in all.

    Ties go to the earlier candidate. Where fewer live ones are left than places, the places are
    shared as evenly as they go, the better first.
    """
    ranked = sorted(candidates, key=lambda r: -aggregate(r.rewards, score))
    kept: list[Response] = []
    live: list[Response] = []
    for candidate in ranked:
        if len(kept) + width * len(live) >= places:
            break
        (live if candidate.state is State.LIVE else kept).append(candidate)
    share = places - len(kept)
    claims = []
    for index, parent in enumerate(live):
        # With all candidates taken the shares may exceed the width; else only the last is less.
        even = -(-share // (len(live) - index))
        mine = min(share, max(width, even))
        claims.append((parent, mine))
        share -= mine
    return kept, claims
