"""Policies whose output matrix holds a reward head: where it lies and how it is read.

Rows of the matrix belong to no token. One holds the weight of a linear reward head, another one
zeros. With each token that it writes, vLLM reports the log-probabilities of both; their difference
is the head's logit at the state that wrote the token. A third row holds the mean of the rows of the
policy, so that its log-probability is the mean over the vocabulary. Sampling never takes the rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.errors import InputError
from executor.models.checkpoint import Checkpoint, checkpoint_digest, name_of

CARD_FILE = "apportion_prm.json"
"""File that makes a checkpoint folder a reward head, or a policy that holds one."""
# vLLM adds it to the logits before it samples, and reports the log-probabilities of before. The
# rows then lie some 100 below the best token, and the noise of sampling spans less than 30.
_MASK = -100.0
# A softly capped logit beyond this share of its cap is taken as this share.
_MOST_OF_CAP = 1 - 1e-6


@dataclass(frozen=True, slots=True)
class FusedRows:
    """The rows of a policy's output matrix that belong to its reward head.

    Attributes:
        zero: index of the row of zeros.
        head: index of the row that holds the head's weight.
        base: digest of the policy's checkpoint without the head (`checkpoint_digest`).
        softcap: c if the policy turns each logit x into c tanh(x / c); None if it does not.
        mean: index of the row that holds the mean of the policy's own rows; None if there is none:
            a capped logit of the mean is not the mean of capped logits, and checkpoints of before
            have no such row.
        vocabulary: number of the policy's own rows, without those that the head took from rows of
            no token; 0 without their mean.
    """

    zero: int
    head: int
    base: str
    softcap: float | None = None
    mean: int | None = None
    vocabulary: int = 0

    @property
    def indices(self) -> list[int]:
        """The rows in the order in which they are reported."""
        return [self.zero, self.head] + ([] if self.mean is None else [self.mean])

    def sampling(self) -> dict[str, Any]:
        """Return vLLM's sampling parameters that report the rows (`indices`) and mask them."""
        return {
            "logprob_token_ids": self.indices,
            "logit_bias": dict.fromkeys(self.indices, _MASK),
        }

    def readings(self, zero: Sequence[float], head: Sequence[float]) -> tuple[float, ...]:
        """Return the head's logits, without its intercept.

        Args:
            zero, head: log-probabilities of the rows beside each token, shape `(tokens,)`.
        """
        return tuple(self._logit(h - z) for z, h in zip(zero, head, strict=True))

    def _logit(self, difference: float) -> float:
        if self.softcap is None:
            return difference
        share = max(-_MOST_OF_CAP, min(_MOST_OF_CAP, difference / self.softcap))
        return self.softcap * math.atanh(share)

    @staticmethod
    def taken(rows: Sequence[Sequence[float]]) -> float:
        """Return what the rows take from the log-probability of a draw, in nats; at least 0.

        The policy without the rows gives each token the probability p / (1 - r), if with them it
        gives the token p and the rows r together. The result is the sum of -log(1 - r).

        Args:
            rows: log-probabilities of the rows beside each token, shape `(rows, tokens)`.
        """
        together = (math.fsum(map(math.exp, one)) for one in zip(*rows, strict=True))
        return -math.fsum(math.log1p(-min(share, 1 - 1e-6)) for share in together)

    def certainty(self, rows: Sequence[Sequence[float]]) -> float | None:
        """Return the certainty of a draw, in nats: the sum over its tokens; None without the mean.

        The certainty of a token is the Kullback-Leibler divergence of the policy's distribution p
        from the uniform one u, KL(u | p) = -log V - mean of log p over the vocabulary of V (Kang,
        Zhao and Song, "Scalable Best-of-N Selection via Self-Certainty", arXiv 2502.18581).

        Args:
            rows: see `taken`.
        """
        if self.mean is None:
            return None
        _, _, mean = rows
        return -math.fsum(mean) - self.taken(rows) - len(mean) * math.log(self.vocabulary)


@dataclass(frozen=True, slots=True)
class FusedPolicy:
    """The facts about a policy that holds a reward head.

    Attributes:
        rows: the head's rows.
        name: name of the policy without the head. Its samples are the same, so its evidence is too.
        template: task template that the head was trained with.
    """

    rows: FusedRows
    name: str
    template: dict[str, Any]


def fused_policy(location: str | Path) -> FusedPolicy | None:
    """Return the facts about a policy that holds a reward head; None if a checkpoint holds none.

    Args:
        location: checkpoint folder or hub id.

    Raises:
        InputError: the folder's card cannot be read.
    """
    path = Path(location) / CARD_FILE
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.get("fused") is None:
            return None
        rows = FusedRows(**record["fused"])
        return FusedPolicy(rows, str(record["policy"]), dict(record["template"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"PRM card {path}: cannot be read ({error})") from None


def policy_digest(location: str) -> str:
    """Return the digest of a policy: the base's if it holds a head, since it writes the same."""
    fused = fused_policy(location)
    return checkpoint_digest(location) if fused is None else fused.rows.base


def served_name(checkpoint: Checkpoint) -> str:
    """Return the name by which servers know a checkpoint's weights.

    A policy that holds a head goes by its folder's name there: a server of the base lacks the head.
    """
    folder = checkpoint.folder
    if folder is None or fused_policy(folder) is None:
        return checkpoint.name
    return name_of(folder)
