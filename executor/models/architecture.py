"""The shape of a transformer, which gives the cost of its attention and the size of its cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from executor.files import data_folder, is_folder
from executor.models.checkpoint import read_config


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
        """Read a shape from a `config.json`; None if the usual keys are missing."""
        layers, heads = config.get("num_hidden_layers"), config.get("num_attention_heads")
        hidden = config.get("hidden_size")
        if not all(isinstance(size, int) and size > 0 for size in (layers, heads, hidden)):
            return None
        assert layers is not None and heads is not None and hidden is not None
        width = config.get("head_dim") or hidden // heads
        shared = config.get("num_key_value_heads") or heads
        return cls(layers, heads * width, shared * width)

    @classmethod
    def bundled(cls, name: str) -> Shape | None:
        """Return the shape of a model that this project ships; None for any other model."""
        folder = data_folder() / "models" / name
        return cls.of(read_config(str(folder))) if is_folder(folder) else None

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
    inner = (config.get("moe_intermediate_size") if experts > 1 else None) or config.get(
        "intermediate_size", 4 * hidden
    )
    attention = 2 * hidden * (shape.attention_width + shape.kv_width)
    layer = attention + 3 * hidden * inner * experts
    return int(shape.layers * layer + 2 * config.get("vocab_size", 0) * hidden)
