"""Reward heads of this project: linear heads on a policy's hidden states at step ends.

The checkpoint of a head is a `*ForSequenceClassification` folder (the policy's lower layers and one
output) with a card `apportion_prm.json`. A head may also lie in the policy's own output matrix
(`executor.models.fused`); the policy's folder then has the card.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from executor.errors import InputError
from executor.json_values import finite
from executor.models.checkpoint import Checkpoint
from executor.models.fused import CARD_FILE, FusedRows, fused_policy
from executor.models.templates import PromptTemplate
from executor.models.tokens import Step, Tokens
from executor.scorers.base import Layout, classify_last

CARD_FORMAT = "apportion-reward-head"
CARD_VERSION = 2
_VERSIONS = (1, CARD_VERSION)


class Reads(StrEnum):
    """Which hidden state of a step a head reads; the values are those of cards."""

    AFTER = "after"  # after the step's last scored token
    BEFORE = "before"  # before the token that ends the step (`Step.end`): the state that writes it


@dataclass(frozen=True, slots=True)
class HeadCard:
    """The facts about a reward head besides its weights.

    Attributes:
        policy: name of the policy whose samples and hidden states it was trained on.
        tokenizer: fingerprint of that policy's tokenizer (`Tokens.fingerprint`).
        template: task template of its prompts.
        intercept: intercept of the logistic head; the server adds it, since checkpoints have no
            place for it.
        layers: number of the policy's layers that it keeps.
        trained_on: ids (`question_id`) of the questions that it was trained on.
        metrics: held-out quality by problem, as printed by `apportion fit-prm`.
        reads: which hidden state of a step it reads.
        fused: its rows in the policy's output matrix; None if it is a checkpoint of its own.
    """

    policy: str
    tokenizer: str
    template: dict[str, Any]
    intercept: float
    layers: int
    trained_on: tuple[str, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    reads: Reads = Reads.AFTER
    fused: FusedRows | None = None

    def save(self, folder: Path) -> None:
        """Write the card into a checkpoint folder."""
        record = {"format": CARD_FORMAT, "version": CARD_VERSION} | asdict(self)
        (folder / CARD_FILE).write_text(
            json.dumps(finite(record), indent=1, allow_nan=False) + "\n", encoding="utf-8"
        )

    @classmethod
    def load(cls, folder: Path) -> HeadCard:
        """Read the card of a checkpoint folder.

        Raises:
            InputError: it cannot be read, or has another format or version.
        """
        path = folder / CARD_FILE
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            kind, version = record.pop("format"), record.pop("version")
            if kind != CARD_FORMAT or version not in _VERSIONS:
                raise InputError(f"PRM card {path}: must be {CARD_FORMAT} version {CARD_VERSION}")
            record["trained_on"] = tuple(record["trained_on"])
            record["reads"] = Reads(record.get("reads", Reads.AFTER))
            if record.get("fused") is not None:
                record["fused"] = FusedRows(**record["fused"])
            return cls(**record)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"PRM card {path}: cannot be read ({error})") from None

    def check(self, name: str, tokens: Tokens) -> None:
        """Check that the head was trained on tokens of this tokenizer.

        Raises:
            InputError: it was trained on another one's.
        """
        if self.tokenizer != tokens.fingerprint:
            raise InputError(
                f"PRM {name}: its tokenizer does not fit the policy's; it scores tokens of "
                f"{self.policy}; train one with: apportion fit-prm --policy POLICY"
            )


class RewardHead:
    """The convention of a reward head: the policy's own prompt and tokens."""

    label: ClassVar[str] = "reward head (made by apportion fit-prm)"

    def __init__(self, card: HeadCard, template: PromptTemplate, tokens: Tokens) -> None:
        self.card = card
        self.trained_on = frozenset(card.trained_on)
        # Searches score one question many times in a row, and rendering a chat takes milliseconds.
        self._prompt = functools.lru_cache(maxsize=64)(
            lambda question: template.render(tokens.tokenizer, question)
        )

    @classmethod
    def fits(cls, checkpoint: Checkpoint, config: dict[str, Any]) -> bool:
        """See `Convention.fits`: the folder holds the card of a head of its own."""
        folder = checkpoint.folder
        has_card = folder is not None and (folder / CARD_FILE).is_file()
        return has_card and fused_policy(checkpoint.location) is None

    @classmethod
    def load(cls, checkpoint: Checkpoint, policy_tokens: Tokens) -> RewardHead:
        """See `Convention.load`; InputError if it was trained on another tokenizer's tokens."""
        assert checkpoint.folder is not None
        card = HeadCard.load(checkpoint.folder)
        card.check(checkpoint.name, policy_tokens)
        template = PromptTemplate.from_dict(card.template, f"PRM {checkpoint.name}")
        return cls(card, template, policy_tokens)

    def engine_arguments(self) -> dict[str, Any]:
        """See `Convention.engine_arguments`."""
        # sigmoid((w.h) - mean) with mean = -intercept is the logistic head.
        return {"convert": "classify"} | classify_last(logit_mean=-self.card.intercept)

    def layout(self, question: str, steps: Sequence[Step]) -> Layout:
        """See `Convention.layout`."""
        token_ids = list(self._prompt(question))
        ends = []
        for step in steps:
            read = step.scored if self.card.reads is Reads.AFTER else step.end
            ends.append(len(token_ids) + read)
            token_ids += step.token_ids
        return Layout(token_ids, ends)
