"""A transformer's shape: what its attention costs beside its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from executor.files import data_folder
from executor.models.checkpoint import read_config


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes that a model's configuration states.

    Attributes:
        layers: attention layers.
        attention_width: heads x their width; of most models the hidden size.
        kv_width: key-value heads x their width, less where heads share keys.
    """

    layers: int
    attention_width: int
    kv_width: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Shape | None:
        """From a `config.json`; None where it does not say (or says it in another way)."""
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
        """Of a model that this project ships; None for any other."""
        folder = data_folder() / "models" / name
        return cls.of(read_config(str(folder))) if folder.is_dir() else None

    def attention_flops(self, context: float) -> float:
        """FLOPs of attention for one token of a sequence of `context` tokens, on average.

        2 x layers x width x context (Kaplan et al., arXiv 2001.08361, Table 1). One token costs
        4 x layers x width for each token it looks at (two products, a multiplication and an
        addition each, as in arXiv 2407.21787, Sec. 2.3); on average it looks at half of them.
        """
        return 2.0 * self.layers * self.attention_width * context

    def kv_bytes(self, bytes_per_value: float) -> float:
        """Bytes of the key-value cache a token: a key and a value in every layer."""
        return 2.0 * self.layers * self.kv_width * bytes_per_value
