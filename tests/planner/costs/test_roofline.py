"""Rooflines and shapes: by hand, and in the limits where one bound is all there is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.models.architecture import Shape
from planner.costs.prices import Assumptions, Device
from planner.costs.roofline import Roofline

DEVICE = Device("device", tflops=100, tb_per_second=1, memory_gb=10, watts=300)
ASSUMED = Assumptions(mfu=0.5, mbu=0.5, batch=10, context=1000, bytes_per_parameter=2)
LINE = Roofline(DEVICE, 1, ASSUMED)
SHAPE = Shape(layers=10, attention_width=1000, kv_width=100)
BILLION = 1_000_000_000


def test_a_prompt_is_bound_by_compute() -> None:
    assert LINE.prefill_seconds(BILLION, None) == pytest.approx(2e9 / (0.5 * 100e12))
    # Attention adds 2 x 10 x 1000 x 1000 FLOPs a token.
    assert LINE.prefill_seconds(BILLION, SHAPE) == pytest.approx((2e9 + 2e7) / 50e12)


def test_decoding_reads_the_weights_once_a_step_and_each_sequences_cache() -> None:
    assert LINE.decode_seconds(BILLION, None) == pytest.approx(2e9 / 0.5e12 / 10)
    # A token's cache is 2 x 10 x 100 x 2 bytes; ten sequences hold 500 tokens on average.
    read = 2e9 + 10 * 500 * 4000
    assert LINE.decode_seconds(BILLION, SHAPE) == pytest.approx(read / 0.5e12 / 10)


def test_a_large_batch_decodes_as_fast_as_it_computes() -> None:
    many = replace(LINE, assumptions=replace(ASSUMED, batch=1e6))
    assert many.decode_seconds(BILLION, None) == many.prefill_seconds(BILLION, None)


@given(
    parameters=st.integers(1, 10**12),
    batch=st.floats(1, 1e4),
    devices=st.integers(1, 64),
)
def test_decoding_never_beats_compute_and_gains_from_batch_and_devices(
    parameters: int, batch: float, devices: int
) -> None:
    line = replace(LINE, assumptions=replace(ASSUMED, batch=batch))
    alone = line.decode_seconds(parameters, SHAPE)
    assert alone >= line.prefill_seconds(parameters, SHAPE)
    larger = replace(LINE, assumptions=replace(ASSUMED, batch=2 * batch))
    assert larger.decode_seconds(parameters, SHAPE) <= alone * (1 + 1e-12)
    split = replace(line, devices=devices)
    assert split.decode_seconds(parameters, SHAPE) == pytest.approx(alone / devices)


def test_memory_holds_weights_and_caches() -> None:
    assert LINE.memory_gb(BILLION, None) == 2
    assert LINE.memory_gb(BILLION, SHAPE) == pytest.approx(2 + 10 * 1000 * 4000 / 1e9)


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        ({"num_hidden_layers": 28, "num_attention_heads": 24, "hidden_size": 3072,
          "num_key_value_heads": 8, "head_dim": 128}, Shape(28, 3072, 1024)),
        ({"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64}, Shape(2, 64, 64)),
        ({"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64,
          "num_key_value_heads": None, "head_dim": 32}, Shape(2, 128, 128)),
        ({"num_hidden_layers": 2, "hidden_size": 64}, None),
        ({"num_hidden_layers": "2", "num_attention_heads": 4, "hidden_size": 64}, None),
        ({}, None),
        ({"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64,
          "num_key_value_heads": [1, 2]}, None),
        ({"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64,
          "kv_lora_rank": 16}, None),
    ],
)  # fmt: skip
def test_a_shape_is_read_from_a_models_configuration(
    config: dict[str, object], shape: Shape | None
) -> None:
    assert Shape.of(config) == shape


def test_attention_over_a_sequence_is_the_sum_over_its_tokens() -> None:
    """Each token looks at those before it and itself: 4 x layers x width FLOPs for each of them."""
    context = 4096
    exact = sum(4 * SHAPE.layers * SHAPE.attention_width * (t + 1) for t in range(context))
    assert context * SHAPE.attention_flops(context) == pytest.approx(exact, rel=1e-3)
