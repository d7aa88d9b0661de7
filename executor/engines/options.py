"""Settings of engines: sizes, vLLM's arguments, and its environment variables."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from typing import Any

from executor.engines.cache_size import cache_bytes
from executor.engines.cores import CORES, cores, own_cores
from executor.engines.memory import memory_for
from executor.models.remote_code import needs_remote_code, refusal, trusts_remote_code

# Longest context on a CPU unless the user asks for more: a whole prompt is one batch there, and the
# cache is small.
_CPU_CONTEXT = 8192
# Fewest tokens of a batch, so that models with short contexts batch several prompts.
_CPU_BATCH = 4096
# vLLM's own choice on a CPU.
_CPU_BLOCK = 128


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Settings of an engine; None leaves vLLM's own choice.

    Attributes:
        max_model_len: longest context in tokens.
        max_num_seqs: most sequences in one batch.
        kv_cache_gib: key-value cache on a CPU, in GiB; None is what its batch needs, if the memory
            holds it (a GPU uses `gpu_memory_utilization`).
        gpu_memory_utilization: share of a GPU's memory; two engines on one GPU must share it.
        dtype: type of weights and activations; `auto` is the checkpoint's, but 16 bits for 32.
        block_size: tokens of a prefix-cache block; only whole blocks are reused.
        tensor_parallel_size: number of GPUs that share the model.
        apart: whether a policy's engine runs in a child process
            (`executor.engines.subprocess_engine`).
        cores: cores of an engine on a CPU; None is all that its process may use.
        beside: weights, in bytes, of models that are going to be loaded on the same CPU.
        memory_share: share of the free memory that its process takes, on a CPU.
    """

    max_model_len: int | None = None
    max_num_seqs: int = 256
    kv_cache_gib: float | None = None
    gpu_memory_utilization: float = 0.45
    dtype: str = "auto"
    block_size: int | None = None
    tensor_parallel_size: int = 1
    apart: bool = False
    cores: tuple[int, ...] | None = None
    beside: int = 0
    memory_share: float = 1.0

    def within(self, model: str) -> EngineOptions:
        """Return the same settings, with a context no longer than the model was made for."""
        if self.max_model_len is None:
            return self
        return replace(self, max_model_len=min(self.max_model_len, native_context(model)))


def on_cpu() -> bool:
    """Whether vLLM will run on the CPU here."""
    import torch

    return not torch.cuda.is_available()


def prepare_environment() -> None:
    """Set the environment variables that vLLM reads, except those that the user has set."""
    defaults = {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        CORES: own_cores(),
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    # vLLM logs during its import, before it reads its own level.
    logging.getLogger("vllm").setLevel(os.environ["VLLM_LOGGING_LEVEL"])


def engine_arguments(model: str, options: EngineOptions, extra: dict[str, Any]) -> dict[str, Any]:
    """Return vLLM's arguments for a model, in this process and on a server alike.

    Args:
        model: checkpoint folder or hub id.
        options: sizes and types.
        extra: further arguments (`runner`, `convert`, `pooler_config`, ...).

    Raises:
        InputError: the memory of a CPU does not hold the model.
    """
    arguments: dict[str, Any] = {
        "model": model,
        "dtype": options.dtype,
        "max_model_len": options.max_model_len,
        "max_num_seqs": options.max_num_seqs,
        "tensor_parallel_size": options.tensor_parallel_size,
        "enable_prefix_caching": True,
    }
    if trusts_remote_code():
        arguments["trust_remote_code"] = True
    if options.block_size is not None:
        arguments["block_size"] = options.block_size
    if on_cpu():
        context = options.max_model_len or min(native_context(model), _CPU_CONTEXT)
        # Eager, since compiling takes over two minutes on two cores.
        arguments |= {
            "enforce_eager": True,
            "distributed_executor_backend": "uni",
            "kv_cache_memory_bytes": _cache_on_cpu(model, options, context),
            # Whole prompts: vLLM 0.32 rewinds the generator of a seeded request whose prefill
            # was cut into chunks, which CPU generators cannot do.
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": max(context, _CPU_BATCH),
            "max_model_len": context,
        }
        if extra.get("runner") == "pooling" and options.dtype == "auto":
            # vLLM would take float16, for which CPUs have no fast multiplication: on two cores a
            # PRM took six times as long. For policies it takes bfloat16 itself.
            arguments["dtype"] = "bfloat16"
    else:
        arguments["gpu_memory_utilization"] = options.gpu_memory_utilization
    return arguments | extra


def _cache_on_cpu(model: str, options: EngineOptions, context: int) -> int:
    """Return the size of the key-value cache, in bytes."""
    if options.kv_cache_gib is not None:
        return int(options.kv_cache_gib * 2**30)
    return cache_bytes(
        model,
        sequences=options.max_num_seqs,
        context=context,
        block=options.block_size or _CPU_BLOCK,
        wide=options.dtype == "float32",
        beside=options.beside,
        memory=memory_for((options.cores or cores())[0]).shared(options.memory_share),
    )


def native_context(model: str) -> int:
    """Return the longest context that the model was made for, in tokens.

    If its config names none, it is the default on a CPU.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(model, trust_remote_code=trusts_remote_code())
    except ValueError as error:
        if needs_remote_code(error):
            raise refusal(model) from None
        raise
    return int(getattr(config, "max_position_embeddings", None) or _CPU_CONTEXT)
