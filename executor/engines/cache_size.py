"""The size of an engine's key-value cache on a CPU: what its batch needs, if memory allows."""

from __future__ import annotations

import math
from pathlib import Path

from executor.engines.memory import Memory
from executor.errors import InputError
from executor.files import is_folder
from executor.models.architecture import Shape, caches_all_tokens, estimated_parameters
from executor.models.checkpoint import read_config, weight_files, widest_share

FIXED = 2 * 2**30
"""Bytes of a cache that cannot be sized: that of an unusual model, or on another machine."""

# Tokens of a sequence, prompt and response, that the cache has room for in every place of a batch.
# Longer ones fit too, but then fewer at once (`executor.engines.cache_room`).
_TYPICAL = 1024
# Share of the free memory that engines take; the rest is for activations, and for other programs.
_TAKEN = 0.8


def cache_bytes(
    model: str,
    *,
    sequences: int,
    context: int,
    block: int,
    wide: bool,
    beside: int,
    memory: Memory,
) -> int:
    """Return the size of a key-value cache, in bytes.

    The cache holds a whole batch of sequences of 1,024 tokens, if that is at most half of the free
    memory after the weights: models that are loaded later need room too. It holds at least one full
    context. A model whose weights or tokens can only be estimated gets 2 GiB, or less if the memory
    is small, and is never refused.

    Args:
        model: checkpoint folder or hub id.
        sequences: most sequences in a batch.
        context: longest context in tokens.
        block: tokens of a block of the cache.
        wide: whether weights and cache have 32 bits a value, and not 16.
        beside: weights in bytes of models that are going to be loaded beside it.
        memory: memory of this machine before the model is loaded.

    Raises:
        InputError: the whole memory does not hold the model and one full context.
    """
    width = 4 if wide else 2
    config = read_config(model)
    shape = Shape.of(config) if caches_all_tokens(config) else None
    stored = stored_bytes(model, width=width)
    weights = weight_bytes(model, width=width) if stored is None else stored
    left = _TAKEN * (memory.free - weights)
    modest = min(FIXED, round(left)) if left > 0 else FIXED
    if shape is None:
        return modest
    token = shape.kv_bytes(width)
    # vLLM keeps one block for itself.
    least = math.ceil((math.ceil(context / block) + 1) * block * token)
    if stored is None:
        return max(modest, least)
    if weights + least > memory.total:
        raise InputError(
            f"model {model}: its weights ({_gib(weights)}) and a context of {context:,} tokens "
            f"({_gib(least)}) do not fit in the memory ({_gib(memory.total)}); give a shorter "
            "context with --max-model-len, or a size with --kv-cache-gib"
        )
    typical = math.ceil(min(context, _TYPICAL) / block)
    wanted = (sequences * typical + 1) * block * token
    # In a container vLLM counts the pages of the files that it has read as taken.
    copies = 2 if memory.limited else 1
    room = (_TAKEN * memory.free - copies * (weights + beside)) / 2
    accepted = max(FIXED, _TAKEN * memory.unused - copies * weights)
    return max(least, math.floor(min(wanted, room, accepted)))


def weight_bytes(model: str, *, width: int) -> int:
    """Return about the size of a model's weights in memory, in bytes; 0 if it is not known.

    The weights of a hub id that is not in the hub's cache are estimated from its config.

    Args:
        model: checkpoint folder or hub id.
        width: bytes of a value.
    """
    stored = stored_bytes(model, width=width)
    return stored or width * (estimated_parameters(read_config(model)) or 0)


def stored_bytes(model: str, *, width: int) -> int | None:
    """Return the size in memory of weights whose files are here, in bytes; None if there are none.

    Files are about as large as their weights, unless the engine loads them in another type.

    Args:
        model: checkpoint folder or hub id.
        width: bytes of a value in the engine.
    """
    files = weight_files(_folder(model))
    if not files:
        return None
    size = sum(file.stat().st_size for file in files)
    if read_config(model).get("quantization_config"):
        return size
    is_wide = widest_share(files[0]) > 0.5
    if is_wide:
        return size * width // 4
    return size * width // 2 if width == 4 and files[0].suffix == ".safetensors" else size


def _folder(model: str) -> Path:
    """Return the folder of a checkpoint: its own, or that of a hub id in the hub's cache."""
    if is_folder(model):
        return Path(model)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(model, "config.json")
    except HFValidationError:
        return Path(model)
    return Path(config).parent if isinstance(config, str) else Path(model)


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
