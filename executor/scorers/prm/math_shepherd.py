"""Math-Shepherd (arXiv 2312.08935): a language model that writes `+` or `-` at each step's tag.

The input is `{question} {step 1} ки\\n{step 2} ки ...`; at every `ки` the softmax of the logits of
`+` and `-` is read. In `peiyi9979/math-shepherd-mistral-7b-prm` these tokens are 12902, 648, 387.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from executor.errors import InputError
from executor.models.checkpoint import Checkpoint
from executor.models.tokens import Step
from executor.scorers.base import Layout
from executor.scorers.prm.public import (
    PublicConvention,
    classify_by_tokens,
    names_of,
    piece,
    texts_of,
    writes,
)

TAG = "ки"


class MathShepherd(PublicConvention):
    """The convention of Math-Shepherd."""

    label: ClassVar[str] = "Math-Shepherd (math-shepherd and prm in its name)"

    def __init__(self, tokenizer: Any, name: str) -> None:
        super().__init__(tokenizer, name)
        # By piece: the spelling of a lone marker depends on how the tokenizer begins a text.
        tag, self._right, self._wrong = (
            piece(tokenizer, f"▁{text}", name) for text in (TAG, "+", "-")
        )
        tried = tokenizer.encode(f"x {TAG}")
        if tried[-1] != tag or not tokenizer.convert_ids_to_tokens(tried)[-2].startswith("▁"):
            raise InputError(
                f"PRM {name}: its tokenizer does not spell words as Mistral's does; "
                "save the checkpoint with the model's own tokenizer.json"
            )

    @classmethod
    def fits(cls, checkpoint: Checkpoint, config: dict[str, Any]) -> bool:
        """See `Convention.fits`."""
        # Policies of the same authors also have math-shepherd in their names.
        names = names_of(checkpoint, config)
        return writes(config) and any("math-shepherd" in name and "prm" in name for name in names)

    def engine_arguments(self) -> dict[str, Any]:
        """See `Convention.engine_arguments`."""
        return classify_by_tokens(self._tokenizer, self._right, self._wrong)

    def layout(self, question: str, steps: Sequence[Step]) -> Layout:
        """See `Convention.layout`."""
        text, tags = f"{question} ", []
        for index, step in enumerate(texts_of(steps)):
            text += "\n" * (index > 0) + f"{step} {TAG}"
            tags.append(len(text))
        # By place, not by id: a policy may write the letters of the tag itself.
        encoded = self._tokenizer(text, return_offsets_mapping=True)
        after = {end: index for index, (_, end) in enumerate(encoded["offset_mapping"], start=1)}
        ends = [after[tag] for tag in tags]
        return Layout(encoded["input_ids"][: ends[-1]] if ends else [], ends)
