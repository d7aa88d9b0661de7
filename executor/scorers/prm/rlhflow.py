"""RLHFlow's PRMs: a chat in which each step is a user turn and each verdict an assistant turn.

The first turn is the question, a space and the first step; every verdict is `+`. The score of a
step is the softmax of the logits of `+` and `-` before its verdict. The two models, trained on
samples of Mistral and of Deepseek, share the convention
(github.com/RLHFlow/RLHF-Reward-Modeling, `math-rm`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from executor.models.checkpoint import Checkpoint
from executor.models.tokens import Step
from executor.scorers.base import Layout
from executor.scorers.prm.public import (
    PublicConvention,
    chat,
    classify_by_tokens,
    names_of,
    piece,
    texts_of,
    without,
    writes,
)

# Stands for a verdict while the chat is tokenised, to distinguish its place from a `+` in a step.
_VERDICT = "<|reserved_special_token_0|>"


class RlhFlow(PublicConvention):
    """The convention of RLHFlow's PRMs."""

    label: ClassVar[str] = "RLHFlow (PRM-Mistral-Data or PRM-Deepseek-Data in its name)"

    def __init__(self, tokenizer: Any, name: str) -> None:
        super().__init__(tokenizer, name)
        self._verdict, self._right, self._wrong = (
            piece(tokenizer, text, name) for text in (_VERDICT, "+", "-")
        )

    @classmethod
    def fits(cls, checkpoint: Checkpoint, config: dict[str, Any]) -> bool:
        """See `Convention.fits`."""
        names = names_of(checkpoint, config)
        trained_on = ("prm-mistral-data", "prm-deepseek-data")
        return writes(config) and any(data in name for name in names for data in trained_on)

    def engine_arguments(self) -> dict[str, Any]:
        """See `Convention.engine_arguments`."""
        return classify_by_tokens(self._tokenizer, self._right, self._wrong)

    def layout(self, question: str, steps: Sequence[Step]) -> Layout:
        """See `Convention.layout`."""
        turns = []
        for index, step in enumerate(texts_of(steps, _VERDICT)):
            text = step if index else f"{without(question, _VERDICT)} {step}"
            turns += [("user", text), ("assistant", _VERDICT)]
        token_ids = chat(self._tokenizer, turns) if turns else []
        ends = [place for place, token in enumerate(token_ids) if token == self._verdict]
        for place in ends:
            token_ids[place] = self._right
        return Layout(token_ids[: ends[-1]] if ends else [], ends)
