"""The shape of a transformer, which gives the cost of its attention and the size of its cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

# Keys of models whose key-value heads are not those that the usual keys name.
_OTHER_HEADS = ("kv_lora_rank", "multi_query", "multi_query_attention")
# Keys of models of which some layers have no attention, or each its own.
_MIXED_LAYERS = (
    "attn_layer_period", "block_configs", "full_attention_interval", "hybrid_override_pattern",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes from a model's configuration.

    Attributes:
        layers: number of attention layers.
        attention_width: number of heads x width of a head; for most models the hidden size.
        kv_width: number of key-value heads x width of a head; smaller if heads share keys.
    """

    layers: int
    attention_width: int
    kv_width: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Shape | None:
        """Read a shape from a `config.json`; None if the usual keys are missing.

        It is also None if keys and values are compressed, or shared in a model's own way.
        """
        if any(config.get(key) for key in _OTHER_HEADS):
            return None
        layers, heads = config.get("num_hidden_layers"), config.get("num_attention_heads")
        hidden = config.get("hidden_size")
        if not (_is_size(layers) and _is_size(heads) and _is_size(hidden)):
            return None
        width = config.get("head_dim") or hidden // heads
        shared = config.get("num_key_value_heads") or heads
        if not (_is_size(width) and _is_size(shared)):
            return None  # one for each layer, perhaps
        return cls(layers, heads * width, shared * width)

    def attention_flops(self, context: float) -> float:
        """Return the mean FLOPs of attention per token of a sequence of `context` tokens.

        The value is 2 x layers x width x context (Kaplan et al., arXiv 2001.08361, Table 1). A
        token costs 4 x layers x width for each token it attends to (two products of a
        multiplication and an addition each, as in arXiv 2407.21787, Sec. 2.3), and on average it
        attends to half of the sequence.
        """
        return 2.0 * self.layers * self.attention_width * context

    def kv_bytes(self, bytes_per_value: float) -> float:
        """Return the bytes of the key-value cache per token: a key and a value in every layer."""
        return 2.0 * self.layers * self.kv_width * bytes_per_value


def caches_all_tokens(config: Mapping[str, Any]) -> bool:
    """Whether every layer keeps the keys and values of all tokens, as `Shape.kv_bytes` counts.

    Layers with a sliding window keep the last tokens only, and linear attention keeps none.
    """
    if any(config.get(key) for key in _MIXED_LAYERS):
        return False
    if config.get("sliding_window") and config.get("use_sliding_window", True):
        return False
    return all(kind == "full_attention" for kind in config.get("layer_types") or ())


def estimated_parameters(config: Mapping[str, Any]) -> int | None:
    """Return about how many parameters a model has, by its `config.json`; None if it is unusual.

    Counted are its matrices, with a gated feed-forward network, which most models have. Input and
    output embeddings count once each, even if the model shares them.
    """
    shape = Shape.of(config)
    if shape is None:
        return None
    hidden, experts = config["hidden_size"], config.get("num_experts")
    experts = experts or config.get("num_local_experts") or 1
    of_expert = None if experts == 1 else config.get("moe_intermediate_size")
    inner = of_expert or config.get("intermediate_size", 4 * hidden)
    vocabulary = config.get("vocab_size", 0)
    if not (_is_size(experts) and _is_size(inner) and isinstance(vocabulary, int)):
        return None  # one for each layer, perhaps
    attention = 2 * hidden * (shape.attention_width + shape.kv_width)
    layer = attention + 3 * hidden * inner * experts
    return int(shape.layers * layer + 2 * vocabulary * hidden)


def _is_size(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and value > 0
