"""vLLM model classes: Qwen2 with the heads of public PRMs, read at the last or at every token.

Only vLLM imports this module (`executor.scorers.vllm_plugin`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from vllm.config import VllmConfig
from vllm.model_executor.layers.linear import ReplicatedLinear
from vllm.model_executor.layers.pooler import DispatchPooler
from vllm.model_executor.models.interfaces_base import default_pooling_type
from vllm.model_executor.models.qwen2_rm import Qwen2RewardBaseModel


class _ScoredAtTheEnd(Qwen2RewardBaseModel):  # type: ignore[misc]
    """A model whose pooler applies the head to the tokens that are read."""

    def forward(
        self,
        input_ids: torch.Tensor | None,
        positions: torch.Tensor,
        intermediate_tensors: Any = None,
        inputs_embeds: torch.Tensor | None = None,
    ) -> Any:
        """Return hidden states of shape (tokens, hidden size)."""
        return self.model(input_ids, positions, intermediate_tensors, inputs_embeds)


@default_pooling_type(seq_pooling_type="LAST", tok_pooling_type="ALL")
class ApportionQwen2ForProcessRewardModel(_ScoredAtTheEnd):
    """Qwen2.5-Math-PRM: two layers, two labels."""

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        vllm_config.model_config.hf_config.num_labels = 2
        super().__init__(vllm_config=vllm_config, prefix=prefix)
        self.pooler = _pooler(vllm_config, self.score)


@default_pooling_type(seq_pooling_type="LAST", tok_pooling_type="ALL")
class ApportionQwen2ForPrmModel(_ScoredAtTheEnd):
    """Skywork-o1-Open-PRM: a value head."""

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        config = vllm_config.model_config.hf_config
        config.num_labels = 1
        super().__init__(vllm_config=vllm_config, prefix=prefix)
        del self.score
        summary = ReplicatedLinear(
            config.hidden_size, 1, params_dtype=self.head_dtype, return_bias=False
        )
        self.v_head = nn.ModuleDict({"summary": summary})
        self.pooler = _pooler(vllm_config, summary)


def _pooler(vllm_config: VllmConfig, head: nn.Module) -> DispatchPooler:
    settings = vllm_config.model_config.pooler_config
    return DispatchPooler.for_seq_cls(settings, classifier=head)
