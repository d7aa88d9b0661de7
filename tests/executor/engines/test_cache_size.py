"""The size of the cache: by the model's shape, the batch, the memory, and what runs beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from executor.engines.cache_size import FIXED, cache_bytes, weight_bytes
from executor.engines.memory import Memory
from executor.errors import InputError
from executor.models.bundled import models_folder
from executor.models.checkpoint import parameter_count

GIB = 2**30
# Qwen2.5-Coder-1.5B: 28 layers, 2 key-value heads of 128: 28 KiB a token.
QWEN = {
    "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2,
    "hidden_size": 1536, "intermediate_size": 8960, "vocab_size": 151_936,
}  # fmt: skip
TOKEN = 28 * 1024
BLOCK = 128
WEIGHTS = 2 * 1_777_088_000
CONTEXT = (8192 + BLOCK) * TOKEN
BATCH = (256 * 1024 + BLOCK) * TOKEN


def checkpoint(folder: Path, kind: str = "BF16", size: int = WEIGHTS, **changes: Any) -> str:
    """Write a checkpoint whose weights are a sparse file of their size."""
    (folder / "config.json").write_text(json.dumps(QWEN | changes))
    write_weights(folder / "model.safetensors", kind, size)
    return str(folder)


def write_weights(file: Path, kind: str, size: int) -> None:
    header = {"w": {"dtype": kind, "shape": [1_777_088_000], "data_offsets": [0, 0]}}
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(file, size)


@pytest.fixture
def qwen(tmp_path: Path) -> str:
    """A checkpoint of the shape of a 1.5B model."""
    return checkpoint(tmp_path)


def machine(free: int, total: int = 64 * GIB) -> Memory:
    return Memory(free=free, unused=free, total=total)


def size(model: str, **changes: Any) -> int:
    given = {
        "sequences": 256, "context": 8192, "block": BLOCK, "wide": False, "beside": 0,
        "memory": machine(64 * GIB),
    }  # fmt: skip
    return cache_bytes(model, **(given | changes))


def test_a_roomy_machine_gives_what_the_batch_needs(qwen: str) -> None:
    assert size(qwen) == BATCH
    assert size(qwen, context=512) == (256 * 512 + BLOCK) * TOKEN
    assert size(qwen, sequences=2) == CONTEXT  # at least one full context
    assert size(qwen, wide=True) == 2 * BATCH


def test_a_context_takes_whole_blocks_and_one_that_vllm_keeps(qwen: str) -> None:
    assert size(qwen, sequences=1, context=1000) == (1024 + BLOCK) * TOKEN
    assert size(qwen, sequences=1, context=1000, block=32) == (1024 + 32) * TOKEN
    assert size(qwen, sequences=3, context=100) == 4 * BLOCK * TOKEN


def test_a_smaller_machine_gives_half_of_what_is_left_beside_the_weights(qwen: str) -> None:
    half = size(qwen, memory=machine(10 * GIB))
    assert half == pytest.approx((0.8 * 10 * GIB - WEIGHTS) / 2, abs=1)
    both = size(qwen, memory=machine(10 * GIB), beside=GIB)
    assert both == pytest.approx((0.8 * 10 * GIB - WEIGHTS - GIB) / 2, abs=1)


def test_a_full_machine_gives_one_context(qwen: str) -> None:
    assert size(qwen, memory=machine(3 * GIB, total=8 * GIB)) == CONTEXT
    assert size(qwen, memory=machine(0, total=8 * GIB)) == CONTEXT


def test_a_machine_that_could_never_hold_it_is_told_so(qwen: str) -> None:
    with pytest.raises(InputError, match=r"3\.3 GiB.*8,192 tokens.*--max-model-len"):
        size(qwen, memory=machine(3 * GIB, total=3 * GIB))


def test_a_container_leaves_room_for_the_pages_of_the_weights(qwen: str) -> None:
    empty = Memory(free=16 * GIB, unused=16 * GIB, total=16 * GIB, limited=True)
    assert size(qwen, memory=empty) == pytest.approx((0.8 * 16 * GIB - 2 * WEIGHTS) / 2, abs=1)
    # vLLM would refuse a larger one than 2 GiB, perhaps, if pages of files fill the container.
    full = Memory(free=64 * GIB, unused=8 * GIB, total=64 * GIB, limited=True)
    assert size(qwen, memory=full) == FIXED


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": None},
        {"kv_lora_rank": 512},
        {"multi_query": True},
        {"num_key_value_heads": [2, 4]},
        {"layer_types": ["full_attention", "sliding_attention"]},
        {"layer_types": ["linear_attention", "full_attention"]},
        {"sliding_window": 4096},
    ],
)
def test_an_unusual_model_gets_two_gib_or_less_and_is_never_refused(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    model = checkpoint(tmp_path, **changes)
    assert size(model) == FIXED
    assert size(model, memory=machine(WEIGHTS + GIB)) == round(0.8 * GIB)
    assert size(model, memory=machine(0, total=GIB)) == FIXED


def test_a_window_that_is_not_used_is_none(tmp_path: Path) -> None:
    model = checkpoint(tmp_path, sliding_window=4096, use_sliding_window=False)
    assert size(model) == BATCH


def test_a_model_without_files_is_an_estimate(tmp_path: Path) -> None:
    config = QWEN | {"intermediate_size": [1, 2]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert weight_bytes(str(tmp_path), width=2) == 0
    assert size(str(tmp_path)) == FIXED
    assert size(str(tmp_path), context=10**6) == (7813 + 1) * BLOCK * TOKEN
    assert size(str(tmp_path), memory=machine(0, total=GIB), context=10**6) > FIXED


def test_weights_have_the_type_of_the_engine(tmp_path: Path) -> None:
    folder = models_folder() / "lab-0.8m"
    values = parameter_count(folder) or 0
    assert weight_bytes(str(folder), width=2) == pytest.approx(2 * values, rel=0.05)
    wide = checkpoint(tmp_path, kind="F32", size=2 * WEIGHTS)
    assert weight_bytes(wide, width=2) == WEIGHTS
    assert weight_bytes(wide, width=4) == 2 * WEIGHTS


def test_quantized_weights_stay_as_small_as_their_files(tmp_path: Path) -> None:
    model = checkpoint(tmp_path, kind="F32", size=GIB, quantization_config={"bits": 4})
    assert weight_bytes(model, width=2) == weight_bytes(model, width=4) == GIB


def test_weights_that_are_there_twice_count_once(qwen: str) -> None:
    write_weights(Path(qwen) / "consolidated.safetensors", "BF16", WEIGHTS)
    assert weight_bytes(qwen, width=2) == WEIGHTS


@pytest.mark.parametrize("content", [b"abc", b"\xff" * 20, (9).to_bytes(8, "little") + b"{"])
def test_a_damaged_header_counts_by_its_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN))
    (tmp_path / "model.safetensors").write_bytes(content)
    assert weight_bytes(str(tmp_path), width=2) == len(content)
    assert parameter_count(tmp_path) is None


def test_older_formats_count_by_their_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN))
    (tmp_path / "pytorch_model.bin").write_bytes(b"x" * 1234)
    assert weight_bytes(str(tmp_path), width=2) == 1234
