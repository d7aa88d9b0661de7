"""The size of an engine's key-value cache on a CPU: what its batch needs, if memory allows."""

from __future__ import annotations

import os
from pathlib import Path

from executor.engines.cores import cores
from executor.errors import InputError
from executor.files import is_folder
from executor.models.architecture import Shape, estimated_parameters
from executor.models.checkpoint import parameter_count, read_config

# Tokens of a sequence, prompt and response, that the cache has room for in every place of a batch.
# Longer ones fit too, but then fewer at once (`executor.engines.cache_room`).
_TYPICAL = 1024
# Share of the free memory that engines take; the rest is for activations, and for other programs.
_TAKEN = 0.8
_CGROUP = Path("/sys/fs/cgroup")
# Cache of a model whose config does not say how large its tokens are.
_UNKNOWN = 2 * 2**30


def cache_bytes(
    model: str, *, sequences: int, context: int, wide: bool, beside: int, free: int
) -> int:
    """Return the size of a key-value cache, in bytes.

    The cache holds a whole batch of sequences of 1,024 tokens, and at least one full context, if
    the free memory allows it after the weights. If other engines are going to be loaded, it takes
    at most half of what is left.

    Args:
        model: checkpoint folder or hub id.
        sequences: most sequences in a batch.
        context: longest context in tokens.
        wide: whether weights and cache have 32 bits a value, and not 16.
        beside: weights in bytes of models that are going to be loaded beside it.
        free: free memory in bytes, before the model is loaded.

    Raises:
        InputError: the memory does not hold the model and one full context.
    """
    width = 4 if wide else 2
    config = read_config(model)
    shape = Shape.of(config)
    weights = weight_bytes(model, width=width)
    room = _TAKEN * free - weights - beside
    if beside:
        room /= 2
    if shape is None:
        return round(min(room, _UNKNOWN)) if room > 0 else _UNKNOWN
    token = shape.kv_bytes(width)
    least = context * token
    if room < least:
        raise InputError(
            f"model {model}: its weights ({_gib(weights)}) and a context of {context:,} tokens "
            f"({_gib(least)}) do not fit in the free memory ({_gib(free)}); give a shorter "
            "context with --max-model-len, or a size with --kv-cache-gib"
        )
    return round(min(room, max(least, sequences * min(context, _TYPICAL) * token)))


def weight_bytes(model: str, *, width: int) -> int:
    """Return the size of a model's weights in memory, in bytes; 0 if it is not known.

    The weights of a hub id, which may not be here yet, are estimated from its config.

    Args:
        model: checkpoint folder or hub id.
        width: bytes of a value.
    """
    if is_folder(model):
        count = parameter_count(Path(model))
        if count is None:
            # Older formats, in whatever type they are: files are about as large as their weights.
            return sum(file.stat().st_size for file in Path(model).glob("*.bin"))
    else:
        count = estimated_parameters(read_config(model))
    return width * (count or 0)


def free_memory() -> int:
    """Return the memory that this process may still take, in bytes.

    A container may take less than the machine has. A process that is bound to some of the cores,
    like a worker of a cluster, counts on as large a share of the free memory.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        free = min(free, max(0, limit - int((_CGROUP / "memory.current").read_text())))
    except (OSError, ValueError):  # no container, or "max": no limit
        pass
    return round(free * min(1.0, len(cores()) / (os.cpu_count() or 1)))


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
