"""Beam search and DVTS: searches step by step that keep the best branches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from executor.answers.voting import SETTLED_EARLY, Vote
from executor.search.base import Context, Response, State, aggregate, together
from executor.search.settle import Ballot, could_reach
from executor.search.steps import children, discard_dropped
from executor.strategy import BeamSearch, Dvts, Score

# A live response and its number of children.
Claim = tuple[Response, int]
# Tells whether the answer is settled, by the ended responses and the claims that would grow.
Over = Callable[[Sequence[Response], Sequence[Claim]], Awaitable[bool]]


async def beam_search(context: Context, strategy: BeamSearch) -> list[Response]:
    """Return `n` ended beams, each a draw of its own; fewer if the vote is settled early."""
    ballot = _ballot(context, strategy)

    async def over(ended: Sequence[Response], claims: Sequence[Claim]) -> bool:
        if ballot is None or not ended or not claims:
            return False
        # Children of the best parent may take all places.
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
    """Search `n / width` independent subtrees, each a beam search with one beam.

    If the first subtrees settle the vote, the others are cancelled.
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
        # In their order, not as they end, which is also their order in the vote.
        for number, task in enumerate(tasks, start=1):
            either: list[asyncio.Future[Any]] = [task, everything]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if everything.done():
                everything.result()  # if one has failed, so has the search
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
    """Return the ballot of the search; None if its vote cannot be settled early."""
    if not context.early_stop or strategy.vote not in SETTLED_EARLY:
        return None
    return Ballot(context.grader, strategy.vote, strategy.score)


async def _never(ended: Sequence[Response], claims: Sequence[Claim]) -> bool:
    return False


async def _grow(
    context: Context, n: int, width: int, score: Score, where: str, over: Over = _never
) -> list[Response]:
    """Search until `n` places hold ended responses, or the search is `over`.

    In every step, candidates claim places in the order of their scores: an ended response takes and
    keeps one, a live one takes `width` and fills them with children. So no branch is copied, and
    exactly `n` responses come out (fewer only if the token cap is spent before).
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
    """Choose the candidates that stay, for a total of `places` places.

    Ties go to the earlier candidate. If live candidates would leave places empty, they share all
    places as evenly as possible, the better ones first.

    Returns:
        The ended candidates, and the live ones with their numbers of places.
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
        # If all candidates stay, shares may exceed the width; otherwise only the last is smaller.
        even = -(-share // (len(live) - index))
        mine = min(share, max(width, even))
        claims.append((parent, mine))
        share -= mine
    return kept, claims
