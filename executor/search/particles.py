"""Particle filtering over steps, as in arXiv 2502.01618: particles are resampled, not ranked.

Every round all live particles take one step, each is weighed by the PRM, and `n` particles are
drawn from the `n` with replacement (multinomial, Algorithm 1 there) by the softmax of their
weights. A weight is the logit of the score of all that is written so far: it stands for the whole
past, and is not multiplied with earlier ones.

Ended particles, those cut by a limit included, stay in the population with their last weight, may
be drawn several times and may be lost, as in the runs that paper published. So, unlike in a beam
search, a finished response may come out several times: `n` responses are `n` draws from a
distribution over responses, and a vote counts them as such. Its tokens are charged once. After the
last step nothing is resampled.
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

# Rewards of 0 and 1 have no logit; this far from them they still leave others no chance.
_EDGE = sys.float_info.epsilon


async def particle_filter(context: Context, strategy: ParticleFilter) -> list[Response]:
    """`n` ended responses, copies among them; none where the token cap allows no token at all."""
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
    """`times` particles from one: children of a live parent, in one request; else copies."""
    if parent.state is not State.LIVE:
        return [parent] * times
    moved = await children(context, parent, times, where)
    # Where the token cap is spent the parent alone comes back, cut: for all its children.
    return moved if len(moved) == times else moved * times


def resample(chances: Sequence[float], n: int, seed: int) -> dict[int, int]:
    """How often each of the particles is drawn in `n` draws with replacement.

    Args:
        chances: shape `(particles,)`, not all 0.
        n: draws.
        seed: same seed, same draws, whatever else runs.

    Returns:
        Times by index, of those drawn at least once, in the order of their indices.
    """
    drawn = random.Random(seed).choices(range(len(chances)), weights=chances, k=n)
    return dict(sorted(Counter(drawn).items()))


def softmax(weights: Sequence[float], temperature: float) -> list[float]:
    """exp(w / temperature), scaled to sum to 1; shape `(particles,)`."""
    top = max(weights)
    scaled = [math.exp((weight - top) / temperature) for weight in weights]
    total = math.fsum(scaled)
    return [one / total for one in scaled]


def logit(score: float) -> float:
    """log(score / (1 - score)), the score kept a rounding error away from 0 and 1."""
    inside = min(max(score, _EDGE), 1 - _EDGE)
    return math.log(inside) - math.log1p(-inside)
