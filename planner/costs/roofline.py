"""Seconds from a device's data sheet: a roofline, for machines nothing was measured on.

Prompts and the PRM's steps are forwarded many tokens at once and are bound by compute; decoding
reads all weights and the caches of all its sequences for one token each, and is bound by memory
bandwidth until the batch is large (Williams et al. 2009; for transformers Pope et al., arXiv
2211.05102, Sec. 2):

    prefill  = FLOPs a token / (mfu x peak FLOP/s)
    decode   = max( (weight bytes + batch x context/2 x cache bytes a token) / (mbu x bandwidth),
                    batch x FLOPs a token / (mfu x peak FLOP/s) ) / batch

both in seconds of the engine a token. Several devices share one engine as if they were one with the
sum of their peaks: what they say to each other is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.costs.architecture import Shape
from planner.costs.prices import Assumptions, Device


@dataclass(frozen=True, slots=True)
class Roofline:
    """An engine on devices nothing was measured on.

    Attributes:
        device: what it runs on.
        devices: how many of them one engine is split over.
        assumptions: what no data sheet says.
    """

    device: Device
    devices: int
    assumptions: Assumptions

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Roofline:
        """Read what `dataclasses.asdict` made of one; LookupError or TypeError where damaged."""
        return cls(
            Device(**record["device"]), record["devices"], Assumptions(**record["assumptions"])
        )

    def prefill_seconds(self, parameters: int, shape: Shape | None) -> float:
        """Engine seconds for one token of a prompt, or of a step that a PRM scores."""
        return self._compute_seconds(parameters, shape)

    def decode_seconds(
        self, parameters: int, shape: Shape | None, weights: int | None = None
    ) -> float:
        """Engine seconds for one generated token, at the batch assumed.

        Args:
            parameters: those that a token costs.
            shape: without it the key-value cache is not counted.
            weights: all parameters, where a token uses only some: a batch of many sequences goes
                through nearly all experts, so all are read.
        """
        assumed = self.assumptions
        read = (weights or parameters) * assumed.bytes_per_parameter
        if shape is not None:
            cache = shape.kv_bytes(assumed.bytes_per_parameter)
            read += assumed.batch * assumed.context / 2 * cache
        bandwidth = assumed.mbu * self.device.tb_per_second * 1e12 * self.devices
        return max(read / bandwidth / assumed.batch, self._compute_seconds(parameters, shape))

    def memory_gb(self, parameters: int, shape: Shape | None) -> float:
        """Weights and, with a shape, the caches of a batch, in 1e9 bytes."""
        assumed = self.assumptions
        held = parameters * assumed.bytes_per_parameter
        if shape is not None:
            cache = shape.kv_bytes(assumed.bytes_per_parameter)
            held += assumed.batch * assumed.context * cache
        return held / 1e9

    def _compute_seconds(self, parameters: int, shape: Shape | None) -> float:
        flops = 2.0 * parameters
        if shape is not None:
            flops += shape.attention_flops(self.assumptions.context)
        return flops / (self.assumptions.mfu * self.device.tflops * 1e12 * self.devices)
