"""What a GGUF file says of its model before its weights are read: its size, and its positions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Factors of frequencies that llama.cpp multiplies in, by the method whose result they are.
_FACTORS = {
    "rope_freqs.weight": "llama3",
    "rope_factors_long.weight": "longrope",
    "rope_factors_short.weight": "longrope",
}


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of its model.

    Attributes:
        parameters: number of weights.
        largest: number of weights of the largest tensor.
        rope_scaling: method by which positions are scaled; None if they are not.
        rope_factor: factor of the scaling; None if the file names none.
    """

    parameters: int
    largest: int
    rope_scaling: str | None
    rope_factor: float | None

    def is_scaled_in(self, config: Any) -> bool:
        """Whether a config of transformers scales positions as the file does."""
        parameters = getattr(config, "rope_parameters", None) or {}
        factor = parameters.get("factor")
        same = self.rope_factor is None or (
            isinstance(factor, int | float) and math.isclose(factor, self.rope_factor, rel_tol=1e-6)
        )
        return parameters.get("rope_type") == self.rope_scaling and same


def read_header(weights: Path) -> Header:
    """Return the header of a GGUF file; the package `gguf` raises many errors if it is none."""
    from gguf import GGUFReader

    reader = GGUFReader(weights)
    sizes = [int(tensor.n_elements) for tensor in reader.tensors]
    factor = _value(reader, "rope.scaling.factor", "rope.scale_linear")
    return Header(sum(sizes), max(sizes, default=0), _scaling(reader, factor), factor)


def _scaling(reader: Any, factor: float | None) -> str | None:
    """Return the method of scaling; without a type, llama.cpp takes a factor as linear."""
    for tensor in reader.tensors:
        if tensor.name in _FACTORS and (tensor.data != 1).any():
            return _FACTORS[tensor.name]
    kind = _value(reader, "rope.scaling.type") or "linear"
    if kind == "none" or (kind == "linear" and factor in (None, 0, 1)):
        return None
    return str(kind)


def _value(reader: Any, *keys: str) -> Any:
    """Return the value of the first of these keys of the architecture; None without any."""
    architecture = reader.fields["general.architecture"].contents()
    for key in keys:
        if (field := reader.fields.get(f"{architecture}.{key}")) is not None:
            return field.contents()
    return None
