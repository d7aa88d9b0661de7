"""Scores that the policy's own log-probabilities give: they cost nothing beyond the samples."""

from __future__ import annotations

import math

from executor.scorers.base import Needs, PlainResponseScorer, WholeResponse


class MeanLogprob(PlainResponseScorer):
    """The geometric mean of the probabilities of a response's tokens.

    It is exp(log p(response) / tokens), the reciprocal of the perplexity. A sum of
    log-probabilities would prefer short responses; the mean does not depend on the length by
    itself (Murray and Chiang, 2018, "Correcting Length Bias in Neural Machine Translation"). Kang
    et al. (arXiv 2502.18581) use it, as perplexity, as a baseline of best-of-N.

    The log-probabilities are those of the policy at temperature 1, whatever temperature the
    samples were drawn at.
    """

    name = "mean-logprob"
    needs: Needs = "logprobs"

    def score_response(self, question: str, response: WholeResponse) -> float:
        """See `PlainResponseScorer.score_response`; 0 for a response without tokens."""
        if not response.token_ids:
            return 0.0
        return mean_probability(response.logprob, len(response.token_ids))


def mean_probability(logprob: float, n_tokens: int) -> float:
    """Return exp(logprob / n_tokens), at most 1: rounding may lift a sum of logarithms above 0.

    A log-probability that is not a number says nothing for the response: it is worth 0.
    """
    if math.isnan(logprob):
        return 0.0
    return math.exp(min(0.0, logprob / n_tokens))
