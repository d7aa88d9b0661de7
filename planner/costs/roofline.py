"""The roofline: engine seconds from a device's data sheet, for devices without measurements.

An engine forwards many tokens of a prompt or of a PRM's step at once; this is bound by compute.
Decoding reads all weights and the caches of all sequences for one token of each sequence; this is
bound by memory bandwidth unless the batch is large (Williams et al. 2009; for transformers Pope et
al., arXiv 2211.05102, Sec. 2):

    prefill  = FLOPs per token / (mfu x peak FLOP/s)
    decode   = max( (weight bytes + batch x context/2 x cache bytes per token) / (mbu x bandwidth),
                    batch x FLOPs per token / (mfu x peak FLOP/s) ) / batch

Both are engine seconds per token. Several devices of one engine count as one device with the sum of
their peaks; communication between them is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from executor.models.architecture import Shape
from planner.costs.prices import Assumptions, Device


@dataclass(frozen=True, slots=True)
class Roofline:
    """An engine on devices without measurements.

    Attributes:
        device: the kind of device.
        devices: number of devices of one engine.
        assumptions: inputs that no data sheet gives.
    """

    device: Device
    devices: int
    assumptions: Assumptions

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Roofline:
        """Read a record of `dataclasses.asdict`; LookupError or TypeError if it is damaged."""
        return cls(
            Device(**record["device"]), record["devices"], Assumptions(**record["assumptions"])
        )

    def prefill_seconds(self, parameters: int, shape: Shape | None) -> float:
        """Return the engine seconds per token of a prompt, or of a step that a PRM scores."""
        return self._compute_seconds(parameters, shape)

    def decode_seconds(
        self, parameters: int, shape: Shape | None, weights: int | None = None
    ) -> float:
        """Return the engine seconds per generated token, at the assumed batch.

        Args:
            parameters: number of parameters that a token uses.
            shape: shape of the model; None leaves the key-value cache out.
            weights: number of all parameters, if a token uses only some: a batch of many sequences
                uses nearly all experts, so decoding reads all. None means `parameters`.
        """
        assumed = self.assumptions
        read = (weights or parameters) * assumed.bytes_per_parameter
        if shape is not None:
            cache = shape.kv_bytes(assumed.bytes_per_parameter)
            read += assumed.batch * assumed.context / 2 * cache
        bandwidth = assumed.mbu * self.device.tb_per_second * 1e12 * self.devices
        return max(read / bandwidth / assumed.batch, self._compute_seconds(parameters, shape))

    def memory_gb(self, parameters: int, shape: Shape | None) -> float:
        """Return the memory of weights and, with a shape, of a batch's caches, in 1e9 bytes."""
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
