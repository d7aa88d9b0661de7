"""Search strategies: one module per kind, and one function that runs any of them."""

from __future__ import annotations

from collections.abc import Sequence

from executor.search.aggregation import aggregate_answers
from executor.search.base import (
    Context,
    Response,
    State,
    aggregate,
    as_response,
    derive_seed,
)
from executor.search.first_finished import first_to_finish, short_m_of_k
from executor.search.particles import particle_filter
from executor.search.sampling import (
    adaptive_majority,
    best_of_n,
    greedy,
    majority,
    sample,
    sample_until,
    score_all,
)
from executor.search.tree import beam_search, dvts
from executor.strategy import (
    AdaptiveMajority,
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    ShortMOfK,
    Strategy,
)


async def search(
    strategy: Strategy, context: Context, *, probes: Sequence[Response] = ()
) -> list[Response]:
    """Run a strategy and return its final responses, charged to the context's ledger.

    Args:
        strategy: the strategy.
        context: the problem and its models.
        probes: samples that were drawn earlier to estimate difficulty; votes over all samples
            count them towards their budget, the others cannot use them.
    """
    match strategy:
        case Greedy():
            return await greedy(context)
        case Majority(n=n):
            return await majority(context, n, given=probes)
        case AdaptiveMajority():
            return await adaptive_majority(context, strategy, given=probes)
        case BestOfN():
            return await best_of_n(context, strategy, given=probes)
        case BeamSearch():
            return await beam_search(context, strategy)
        case Dvts():
            return await dvts(context, strategy)
        case ParticleFilter():
            return await particle_filter(context, strategy)
        case ShortMOfK():
            return await short_m_of_k(context, strategy)
        case Aggregate():
            return await aggregate_answers(context, strategy)


__all__ = [
    "Context",
    "Response",
    "State",
    "aggregate",
    "as_response",
    "derive_seed",
    "first_to_finish",
    "sample",
    "sample_until",
    "score_all",
    "search",
]
