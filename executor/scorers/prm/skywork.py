"""Skywork-o1-Open-PRM: plain text with a value head, read at the line end of every step.

The input is the beginning-of-sequence token, the question and a line end, then each line of each
step and a line end, tokenised line by line (github.com/SkyworkAI/skywork-o1-prm-inference). There
each line is a step; here a step of several lines is read at its last line. The reward is the
sigmoid of the value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from executor.errors import InputError
from executor.models.checkpoint import Checkpoint
from executor.models.tokens import Step, Tokens
from executor.scorers import vllm_plugin
from executor.scorers.base import Layout, classify_last
from executor.scorers.prm.public import PublicConvention, texts_of


class Skywork(PublicConvention):
    """The convention of Skywork-o1-Open-PRM."""

    label: ClassVar[str] = "Skywork-o1-Open-PRM"

    def __init__(self, tokenizer: Any, name: str) -> None:
        super().__init__(tokenizer, name)
        self._tokens = Tokens(tokenizer)
        if tokenizer.bos_token is None:
            raise InputError(
                f"PRM {name}: its tokenizer has no bos_token, with which its inputs begin"
            )
        self._begin = str(tokenizer.bos_token)
        self._line_end = self._tokens.encode("\n")[-1]

    @classmethod
    def fits(cls, checkpoint: Checkpoint, config: dict[str, Any]) -> bool:
        """See `Convention.fits`."""
        return "Qwen2ForPrmModel" in (config.get("architectures") or [])

    def engine_arguments(self) -> dict[str, Any]:
        """See `Convention.engine_arguments`."""
        vllm_plugin.register()
        return {"hf_overrides": {"architectures": [vllm_plugin.SKYWORK]}} | classify_last()

    def layout(self, question: str, steps: Sequence[Step]) -> Layout:
        """See `Convention.layout`."""
        token_ids = self._tokens.encode(f"{self._begin}{question}\n")
        ends = []
        for step in texts_of(steps):
            for line in filter(str.strip, step.split("\n")):
                token_ids += [*self._tokens.encode(line), self._line_end]
            ends.append(len(token_ids))
        return Layout(token_ids, ends)
