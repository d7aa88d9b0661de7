"""The next steps of a response, drawn and scored, for searches over steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from executor.models.stopping import Finish
from executor.models.tokens import with_readings, with_tail
from executor.policies.base import Draw
from executor.policies.thinking import ThinkingPolicy
from executor.search.base import Context, Response, State, together
from executor.search.sampling import score_all
from executor.strategy import STEP_DELIMITER


async def children(context: Context, parent: Response, n: int, where: str) -> list[Response]:
    """Draw and score `n` next steps of `parent`; without room, return the parent as cut."""
    return await score_all(context, await unscored_children(context, parent, n, where))


async def unscored_children(
    context: Context, parent: Response, n: int, where: str
) -> list[Response]:
    """Draw `n` next steps of `parent` without scoring them; see `children`."""
    draws = await _draw_step(context, parent, n, where)
    if not draws:
        # The token cap is spent: the parent itself represents all its children.
        return [replace(parent, state=State.CUT)] if parent.n_tokens else []
    return [_append(context, parent, draw) for draw in draws]


async def _draw_step(context: Context, parent: Response, n: int, where: str) -> list[Draw]:
    limits = context.sampling
    so_far = parent.token_ids
    room = limits.max_tokens - len(so_far)
    # The first step stands behind the thought, which may be as long as the response.
    thinks = not parent.steps and isinstance(context.policy, ThinkingPolicy)
    draws = await context.draw(
        so_far,
        n,
        max_tokens=room if thinks else min(limits.max_step_tokens, room),
        where=where,
        stop=[STEP_DELIMITER],
        max_visible_tokens=limits.max_step_tokens,
    )
    blank = {
        index: _past_blank(context, so_far, draw, f"{where}:{index}")
        for index, draw in enumerate(draws)
        if _blank(context, draw)
    }
    gone_on = dict(zip(blank, await together(blank.values()), strict=True))
    return [gone_on.get(index, draw) for index, draw in enumerate(draws)]


def _blank(context: Context, draw: Draw) -> bool:
    """Whether the stop string came before any text."""
    tokens = context.tokens.tokens
    visible = draw.token_ids[draw.visible_from :]
    return draw.finish is Finish.STOP and not tokens.ends_step(tokens.decode(visible))


async def _past_blank(context: Context, so_far: list[int], draw: Draw, where: str) -> Draw:
    """Continue a blank draw until it has text, since a step is never blank."""
    while _blank(context, draw):
        limits = context.sampling
        written = len(so_far) + len(draw.token_ids)
        room = min(limits.max_step_tokens, limits.max_tokens - written)
        if room < 1:
            return replace(draw, finish=Finish.LENGTH)
        where += "+"
        more = await context.draw(
            [*so_far, *draw.token_ids], 1, max_tokens=room, where=where, stop=[STEP_DELIMITER]
        )
        if not more:
            return replace(draw, finish=Finish.LENGTH)
        draw = Draw(
            draw.token_ids + more[0].token_ids,
            more[0].finish,
            draw.logprob + more[0].logprob,
            draw.readings + more[0].readings,
            draw.confidences + more[0].confidences,
            certainty_of(draw, more[0]),
            draw.visible_from,
            draw.forced,
        )
    return draw


def certainty_of(before: Draw | Response, draw: Draw) -> float | None:
    """Return the certainty of both together; None if that of one is not known."""
    if before.certainty is None or draw.certainty is None:
        return None
    return before.certainty + draw.certainty


def _append(context: Context, parent: Response, draw: Draw) -> Response:
    """Append a draw to `parent` as a step; blank or end tokens alone join the step before."""
    thought, visible = draw.token_ids[: draw.visible_from], draw.token_ids[draw.visible_from :]
    steps = parent.steps
    if visible:
        step = context.tokens.tokens.last_step(visible)
        if draw.finish is Finish.STOP:
            step = replace(step, scored=len(step.token_ids))
        (step,) = with_readings([step], draw.readings)
        steps = (*parent.steps, step)
        if parent.steps and not step.text.strip():
            steps = (*parent.steps[:-1], with_tail(parent.steps[-1], visible))
    child = replace(
        parent,
        steps=steps,
        thought=parent.thought + thought,
        forced=parent.forced + draw.forced,
        logprob=parent.logprob + draw.logprob,
        branches=(*parent.branches, (next(context.serials), draw.drawn)),
        confidences=parent.confidences + draw.confidences,
        certainty=certainty_of(parent, draw) if parent.steps else draw.certainty,
    )
    if draw.finish is Finish.EOS:
        return replace(child, state=State.FINISHED)
    limits = context.sampling
    spent = child.n_tokens >= limits.max_tokens or len(steps) >= limits.max_steps
    return replace(child, state=State.CUT) if spent else child


def discard_dropped(context: Context, before: int, responses: Sequence[Response]) -> None:
    """Charge as discarded the tokens that no response holds.

    Args:
        context: context of the search.
        before: generated tokens in the ledger when the search began.
        responses: final responses of the search.
    """
    kept = dict(branch for response in responses for branch in response.branches)
    context.ledger.discard(context.ledger.generated - before - sum(kept.values()))
