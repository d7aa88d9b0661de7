"""Scores that the policy's own log-probabilities give: they cost nothing beyond the samples.

DeepConf's are those of Fu, Wang, Tian and Zhao, "Deep Think with Confidence" (arXiv 2508.15260),
over confidences of tokens as `executor.models.confidence` defines them. The authors weight votes by
them in nats; here they are divided by `LARGEST_CONFIDENCE`, which changes no vote.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from executor.errors import InputError
from executor.models.confidence import LARGEST_CONFIDENCE, TOP_LOGPROBS
from executor.scorers.base import Needs, PlainResponseScorer, WholeResponse

NO_CERTAINTY = (
    "samples hold no certainty over the whole vocabulary; draw them with a policy that holds a "
    "reward head (apportion fit-prm --fuse)"
)
_WINDOW = 2048  # tokens
_WINDOWS = 4  # fewest windows of a response


class FreeScorer(PlainResponseScorer):
    """Base of the scorers of this module, which score stored samples as they score new ones."""

    def score_tokens(
        self,
        logprob: float,
        n_tokens: int,
        confidences: Sequence[float],
        certainty: float | None = None,
    ) -> float:
        """Return the score of a response, in [0, 1]; 0 for a response without tokens.

        Args:
            logprob: log-probability of its tokens, in nats.
            n_tokens: number of its tokens.
            confidences: confidence of each token, in nats; empty if they were not recorded.
            certainty: sum of the certainties of its tokens, in nats; None if it is not known.

        Raises:
            InputError: the scorer needs what is not there.
        """
        raise NotImplementedError(f"scorer {self.name}: override score_tokens")

    def score_response(self, question: str, response: WholeResponse) -> float:
        """See `PlainResponseScorer.score_response`."""
        return self.score_tokens(
            response.logprob, len(response.token_ids), response.confidences, response.certainty
        )


class MeanLogprob(FreeScorer):
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

    def score_tokens(
        self,
        logprob: float,
        n_tokens: int,
        confidences: Sequence[float],
        certainty: float | None = None,
    ) -> float:
        """See `FreeScorer.score_tokens`.

        A log-probability that is not a number says nothing for the response: it is worth 0.
        """
        if not n_tokens or math.isnan(logprob):
            return 0.0
        # Rounding may lift a sum of logarithms above 0.
        return math.exp(min(0.0, logprob / n_tokens))


class SelfCertainty(FreeScorer):
    """The mean certainty of a response's tokens (`FusedRows.certainty`).

    Self-certainty is that of Kang, Zhao and Song, "Scalable Best-of-N Selection for Large Language
    Models via Self-Certainty" (arXiv 2502.18581, Sec. 4): the mean over tokens of KL(u | p), p over
    the whole vocabulary at temperature 1. The authors rank by it, and hold Borda votes of power p.
    Here it is divided by `LARGEST_CONFIDENCE`, which changes neither ranks nor weighted votes.
    """

    name = "self-certainty"
    needs: Needs = "certainty"

    def score_tokens(
        self,
        logprob: float,
        n_tokens: int,
        confidences: Sequence[float],
        certainty: float | None = None,
    ) -> float:
        """See `FreeScorer.score_tokens`."""
        if not n_tokens:
            return 0.0
        if certainty is None:
            raise InputError(f"scorer {self.name}: {NO_CERTAINTY}")
        return min(1.0, max(0.0, certainty / n_tokens / LARGEST_CONFIDENCE))


class DeepConfMean(FreeScorer):
    """The mean confidence of a response's tokens: the average trace confidence of DeepConf."""

    name = "deepconf-mean"
    needs: Needs = "confidences"

    def score_tokens(
        self,
        logprob: float,
        n_tokens: int,
        confidences: Sequence[float],
        certainty: float | None = None,
    ) -> float:
        """See `FreeScorer.score_tokens`."""
        if not n_tokens:
            return 0.0
        if len(confidences) != n_tokens:
            raise InputError(
                f"scorer {self.name}: {len(confidences)} of the {n_tokens} tokens of a sample have "
                f"a confidence; draw samples with apportion profile --top-logprobs {TOP_LOGPROBS}"
            )
        return self.confidence(np.asarray(confidences)) / LARGEST_CONFIDENCE

    def confidence(self, confidences: NDArray[np.float64]) -> float:
        """Return the confidence of a response, in nats.

        Args:
            confidences: that of each token, shape `(tokens,)`; at least one.
        """
        return float(confidences.mean())


class DeepConfTail(DeepConfMean):
    """The mean confidence of a response's last tokens: the tail confidence of DeepConf.

    How many these are says `window`.
    """

    name = "deepconf-tail"

    def confidence(self, confidences: NDArray[np.float64]) -> float:
        """See `DeepConfMean.confidence`."""
        return float(confidences[-window(len(confidences)) :].mean())


class DeepConfLowest(DeepConfMean):
    """The lowest mean confidence of consecutive tokens: the lowest group confidence of DeepConf.

    The groups are all that have `window` tokens. The released code rounds the mean of each group to
    three decimals; here it is not rounded again.
    """

    name = "deepconf-lowest"

    def confidence(self, confidences: NDArray[np.float64]) -> float:
        """See `DeepConfMean.confidence`."""
        size = window(len(confidences))
        sums = np.concatenate([[0.0], np.cumsum(confidences)])
        return float((sums[size:] - sums[:-size]).min() / size)


def window(n_tokens: int) -> int:
    """Return how many tokens are a tail, or a group, of a response of that length.

    The authors take 2,048, of responses of some ten thousand tokens, and the whole response if it
    is shorter: tail and lowest group of such a response are its mean. Here a window is at most a
    quarter of the response, rounded up, so that they differ from the mean for short responses too.
    From 8,192 tokens on they are the authors'.
    """
    return min(_WINDOW, -(-n_tokens // _WINDOWS))


FREE: tuple[type[FreeScorer], ...] = (
    MeanLogprob, SelfCertainty, DeepConfMean, DeepConfTail, DeepConfLowest,
)  # fmt: skip
"""All scorers of this module."""
