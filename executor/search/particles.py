"""Particle filtering over steps, as in arXiv 2502.01618: particles are resampled, not ranked.

In every round each live particle takes one step and gets a weight from the PRM. Then `n` of the `n`
particles are drawn with replacement (multinomial, Algorithm 1 there) by the softmax of their
weights. A weight is the logit of the score of the response so far: it covers the whole past and is
not multiplied with earlier weights.

Ended particles, including those that a limit cut, stay in the population with their last weight;
they may be drawn several times or be lost, as in the published runs of that paper. So, unlike in a
beam search, a response may come out several times: `n` responses are `n` draws from a distribution
over responses, and a vote counts them as such. Its tokens are charged once. There is no resampling
after the last step.
"""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from collections.abc import Sequence

from executor.search.base import Context, Response, State, aggregate, derive_seed, together
from executor.search.steps import children, discard_dropped
from executor.strategy import ParticleFilter

# Rewards of 0 and 1 have no logit; at this distance they still leave others no chance.
_EDGE = sys.float_info.epsilon


async def particle_filter(context: Context, strategy: ParticleFilter) -> list[Response]:
    """Return `n` ended responses, possibly with copies; none if the token cap allows no token."""
    before = context.ledger.generated
    particles = await children(context, Response(), strategy.n, "particles/0")
    depth = 0
    while any(particle.state is State.LIVE for particle in particles):
        depth += 1
        chances = softmax(
            [logit(aggregate(one.rewards, strategy.score)) for one in particles],
            strategy.softmax_temperature,
        )
        seed = derive_seed(context.seed, context.problem.id, f"particles/{depth}")
        copies = resample(chances, strategy.n, seed)
        moved = await together(
            _move(context, particles[index], times, f"particles/{depth}.{index}")
            for index, times in copies.items()
        )
        particles = [particle for group in moved for particle in group]
    discard_dropped(context, before, particles)
    return particles


async def _move(context: Context, parent: Response, times: int, where: str) -> list[Response]:
    """Make `times` particles of one: children of a live parent, copies of an ended one."""
    if parent.state is not State.LIVE:
        return [parent] * times
    moved = await children(context, parent, times, where)
    # If the token cap is spent, only the parent comes back, cut; it represents all its children.
    return moved if len(moved) == times else moved * times


def resample(chances: Sequence[float], n: int, seed: int) -> dict[int, int]:
    """Draw `n` particles with replacement and count how often each is drawn.

    Args:
        chances: relative probabilities, not all 0; shape `(particles,)`.
        n: number of draws.
        seed: seed of the draws.

    Returns:
        Counts by index, in the order of indices, of the particles drawn at least once.
    """
    if sum(chances) < sys.float_info.min:  # its products round up, past those that have a chance
        chances = [chance / max(chances) for chance in chances]
    drawn = random.Random(seed).choices(range(len(chances)), weights=chances, k=n)
    return dict(sorted(Counter(drawn).items()))


def softmax(weights: Sequence[float], temperature: float) -> list[float]:
    """Return exp(w / temperature), scaled to sum to 1; shape `(particles,)`."""
    top = max(weights)
    scaled = [math.exp((weight - top) / temperature) for weight in weights]
    total = math.fsum(scaled)
    return [one / total for one in scaled]


def logit(score: float) -> float:
    """Return log(score / (1 - score)), with the score a rounding error away from 0 and 1."""
    inside = min(max(score, _EDGE), 1 - _EDGE)
    return math.log(inside) - math.log1p(-inside)
