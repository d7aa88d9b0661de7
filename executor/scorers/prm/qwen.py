"""Qwen2.5-Math-PRM (arXiv 2501.07301): a chat whose answer has a tag after every step.

The system turn is fixed; the assistant's turn is `{step 1}<extra_0>{step 2}<extra_0>...`. A head
with two labels, of which the second means "right", is read at every tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from executor.models.checkpoint import Checkpoint
from executor.models.tokens import Step
from executor.scorers import vllm_plugin
from executor.scorers.base import Layout, classify_last
from executor.scorers.prm.public import PublicConvention, chat, piece, texts_of, without

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
TAG = "<extra_0>"


class QwenMath(PublicConvention):
    """The convention of Qwen2.5-Math-PRM."""

    label: ClassVar[str] = "Qwen2.5-Math-PRM"

    def __init__(self, tokenizer: Any, name: str) -> None:
        super().__init__(tokenizer, name)
        self._tag = piece(tokenizer, TAG, name)

    @classmethod
    def fits(cls, checkpoint: Checkpoint, config: dict[str, Any]) -> bool:
        """See `Convention.fits`."""
        return "Qwen2ForProcessRewardModel" in (config.get("architectures") or [])

    def engine_arguments(self) -> dict[str, Any]:
        """See `Convention.engine_arguments`."""
        vllm_plugin.register()
        # vLLM's own class scores all tags of a prompt at once and cannot use the prefix cache.
        return {"hf_overrides": {"architectures": [vllm_plugin.QWEN_MATH]}} | classify_last()

    def layout(self, question: str, steps: Sequence[Step]) -> Layout:
        """See `Convention.layout`."""
        answer = "".join(f"{step}{TAG}" for step in texts_of(steps, TAG))
        turns = [("system", SYSTEM), ("user", without(question, TAG)), ("assistant", answer)]
        token_ids = chat(self._tokenizer, turns)
        ends = [end for end, token in enumerate(token_ids, start=1) if token == self._tag]
        return Layout(token_ids[: ends[-1]] if ends else [], ends)
