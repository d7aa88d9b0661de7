"""The confidence of each token that a policy writes, from the log-probabilities beside it.

Fu, Wang, Tian and Zhao, "Deep Think with Confidence" (arXiv 2508.15260, Sec. 2), define the
confidence of a token as minus the mean of the log-probabilities of the k likeliest tokens there. It
is high if the policy saw one way to go on. Their released code (facebookresearch/deepconf, k = 20)
takes the mean over what vLLM returns: the k likeliest tokens and, if it is none of them, the token
that was written. Here the mean is that of the paper, over exactly k tokens; as in the code it is
rounded to three decimals. The log-probabilities are those of temperature 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from executor.errors import InputError
from executor.models.checkpoint import read_config
from executor.models.fused import fused_policy

TOP_LOGPROBS = 20
"""Number of likeliest tokens in a confidence: what the authors take, and the most that vLLM gives
unless it is told otherwise."""
PER_NAT = 1000
"""Confidences are whole multiples of 1 / `PER_NAT` nats."""
LARGEST_CONFIDENCE = (2**16 - 1) / PER_NAT
"""Largest confidence, in nats, so that one fits into sixteen bits. Larger ones, of policies that
give a likely token the probability 0, count as this one."""


def token_confidences(likeliest: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return the confidence of each token, in nats, in [0, `LARGEST_CONFIDENCE`].

    Args:
        likeliest: log-probabilities of the k likeliest tokens, shape `(k, tokens)`.
    """
    if not likeliest:
        return ()
    mean = -np.asarray(likeliest, dtype=np.float64).mean(axis=0)
    rounded = np.rint(PER_NAT * np.clip(mean, 0.0, LARGEST_CONFIDENCE)) / PER_NAT
    return tuple(rounded.tolist())


def check_top_logprobs(number: int, location: str) -> None:
    """Check that a policy can be asked for the likeliest tokens beside each that it writes.

    Args:
        number: number of likeliest tokens.
        location: checkpoint folder or hub id of the policy.

    Raises:
        InputError: the number is out of range, or the policy holds a reward head: vLLM 0.32 reports
            either the rows of the head or the likeliest tokens, for all requests of a batch.
    """
    if not 1 <= number <= TOP_LOGPROBS:
        raise InputError(f"--top-logprobs is {number}; expected 1 to {TOP_LOGPROBS}")
    fused = fused_policy(location)
    if fused is not None:
        raise InputError(
            f"policy {location}: holds a reward head, which vLLM cannot read together with the "
            f"likeliest tokens; expected the policy without it ({fused.name})"
        )
    vocabulary = read_config(location).get("vocab_size")
    if isinstance(vocabulary, int) and vocabulary < number:
        raise InputError(
            f"--top-logprobs is {number}; expected at most {vocabulary}, the vocabulary of "
            f"{location}"
        )


def check_certainty(location: str) -> None:
    """Check that a policy says how certain it is over its whole vocabulary.

    Args:
        location: checkpoint folder or hub id of the policy.

    Raises:
        InputError: it holds no mean of its output matrix's rows.
    """
    fused = fused_policy(location)
    if fused is None or fused.rows.mean is None:
        raise InputError(
            f"policy {location}: does not say how certain it is over its whole vocabulary; "
            "expected a policy that holds a reward head, as apportion fit-prm --fuse makes one"
        )
