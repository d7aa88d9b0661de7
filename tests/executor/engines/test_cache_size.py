"""The size of the cache: by the model's shape, the batch, the memory, and what runs beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from executor.engines import cache_size
from executor.engines.cache_size import cache_bytes, free_memory, weight_bytes
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


@pytest.fixture
def qwen(tmp_path: Path) -> str:
    """A checkpoint of the shape of a 1.5B model, whose weights are an empty tensor of its size."""
    (tmp_path / "config.json").write_text(json.dumps(QWEN))
    header = {"w": {"dtype": "BF16", "shape": [1_777_088_000], "data_offsets": [0, 0]}}
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    return str(tmp_path)


def size(model: str, **changes: int | bool) -> int:
    given = {"sequences": 256, "context": 8192, "wide": False, "beside": 0, "free": 64 * GIB}
    return cache_bytes(model, **(given | changes))  # type: ignore[arg-type]


def test_a_roomy_machine_gives_what_the_batch_needs(qwen: str) -> None:
    assert size(qwen) == 256 * 1024 * TOKEN
    assert size(qwen, context=512) == 256 * 512 * TOKEN
    assert size(qwen, sequences=2) == 8192 * TOKEN  # at least one full context
    assert size(qwen, wide=True) == 2 * size(qwen)


def test_a_smaller_machine_gives_what_is_left_beside_the_weights(qwen: str) -> None:
    weights = 2 * 1_777_088_000
    assert size(qwen, free=8 * GIB) == round(0.8 * 8 * GIB - weights)
    both = size(qwen, free=10 * GIB, beside=GIB)
    assert both == round((0.8 * 10 * GIB - weights - GIB) / 2)


def test_a_machine_that_cannot_hold_it_is_told_so(qwen: str) -> None:
    with pytest.raises(InputError, match=r"3\.3 GiB.*8,192 tokens.*--max-model-len"):
        size(qwen, free=4 * GIB)


def test_a_model_of_an_unknown_shape_gets_two_gib(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert size(str(tmp_path)) == 2 * GIB
    assert size(str(tmp_path), free=GIB) == round(0.8 * GIB)


def test_weights_have_the_type_of_the_engine() -> None:
    folder = models_folder() / "lab-0.8m"
    assert weight_bytes(str(folder), width=2) == 2 * (parameter_count(folder) or 0)


def test_older_formats_count_by_their_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN))
    (tmp_path / "pytorch_model.bin").write_bytes(b"x" * 1234)
    assert weight_bytes(str(tmp_path), width=2) == 1234


def test_a_container_and_the_cores_bound_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_size, "_CGROUP", tmp_path)
    monkeypatch.setattr(cache_size, "cores", lambda: list(range(os.cpu_count() or 1)))
    whole = free_memory()
    assert whole > 0
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory() == pytest.approx(whole, rel=0.2)
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    assert free_memory() == 3000
    monkeypatch.setattr(cache_size, "cores", lambda: [0])
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert free_memory() == 750
