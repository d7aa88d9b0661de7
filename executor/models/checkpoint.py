"""Checkpoints: weights that vLLM can serve, and what can be read of them without loading them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from executor.errors import InputError
from executor.files import is_folder
from executor.models.remote_code import needs_remote_code, refusal, trusts_remote_code

Role = Literal["policy", "PRM"]
"""What a model is for; messages name it so."""

CHAT = "chat:"
"""Begins the location of a chat policy."""
_MEGABYTE = 1 << 20
# Parts of architecture names of models that score and do not write.
_SCORERS = ("Classification", "RewardModel", "PrmModel")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that vLLM can serve.

    Attributes:
        name: short name.
        location: path of a folder, or a hub id; of a chat policy its address, `chat:NAME@URL`.
        servers: URLs of servers that serve it, without `/v1`; empty if this program loads it. Of a
            chat policy the base URL of its endpoint.
    """

    name: str
    location: str
    servers: tuple[str, ...] = ()

    @property
    def chat(self) -> bool:
        """Whether it is a chat policy: neither weights nor a tokenizer are here."""
        return self.location.startswith(CHAT)

    @property
    def folder(self) -> Path | None:
        """The local folder, or None for a hub id."""
        path = Path(self.location)
        return path if is_folder(path) else None


def name_of(folder: Path) -> str:
    """Return a folder's name, or the model's name if the folder is a commit in the hub's cache."""
    if folder.parent.name == "snapshots":
        return folder.parents[1].name.rpartition("--")[2]
    return folder.name


def checkpoint_digest(location: str) -> str:
    """Return 12 hex digits that name a checkpoint by its content, so that changed weights differ.

    Of each file, the size and the first and last megabyte count: retraining changes these. A hub id
    is named by the id itself.
    """
    folder = Path(location)
    digest = hashlib.sha256()
    if not is_folder(folder):
        return hashlib.sha256(location.encode()).hexdigest()[:12]
    for file in sorted(folder.iterdir()):
        if file.suffix not in (".json", ".safetensors", ".bin", ".jinja"):
            continue
        size = file.stat().st_size
        digest.update(f"{file.name} {size} ".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(_MEGABYTE))
            stream.seek(max(0, size - _MEGABYTE))
            digest.update(stream.read(_MEGABYTE))
    return digest.hexdigest()[:12]


def quiet_transformers() -> None:
    """Turn off the progress bars and warnings of transformers."""
    # Reading GGUF shows a bar of its own, which only this turns off.
    os.environ.setdefault("TQDM_DISABLE", "1")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def read_config(location: str) -> dict[str, Any]:
    """Return the `config.json` of a folder or hub id; empty if it cannot be read.

    It is not read as a config object: for models with code of their own, that needs trusted code.
    """
    folder = Path(location)
    if is_folder(folder):
        try:
            return dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}
    from transformers import PretrainedConfig

    try:
        return dict(PretrainedConfig.get_config_dict(location)[0])
    except OSError:
        return {}


def is_scorer(folder: Path) -> bool:
    """Whether a checkpoint's config names a model that scores and does not write."""
    named = read_config(str(folder)).get("architectures") or []
    return bool(named) and all(any(kind in name for kind in _SCORERS) for name in named)


def is_on_hub(name: str) -> bool:
    """Whether the hub, or its local cache, has the model."""
    try:
        from transformers import AutoConfig
    except ImportError:
        raise InputError(
            f"model {name}: running models needs the engine; "
            "install apportion with its extra cpu or gpu"
        ) from None
    try:
        AutoConfig.from_pretrained(name, trust_remote_code=trusts_remote_code())
    except (OSError, ValueError) as error:
        if needs_remote_code(error):
            raise refusal(name) from None
        return False
    return True


def parameter_count(folder: Path) -> int | None:
    """Return a checkpoint's number of parameters by its safetensors headers; None without any."""
    files = sorted(folder.glob("*.safetensors"))
    return sum(sum(_values_by_type(file).values()) for file in files) or None


def weight_files(folder: Path) -> list[Path]:
    """Return the files of a checkpoint's weights; of several formats, only one is loaded."""
    for pattern in ("model*.safetensors", "*.safetensors", "pytorch_model*.bin", "*.bin"):
        files = sorted(folder.glob(pattern))
        if files:
            return files
    return []


def widest_share(file: Path) -> float:
    """Return the share of a safetensors file's values that have 32 bits; 0 if it is unknown."""
    values = _values_by_type(file)
    return values.get("F32", 0) / (sum(values.values()) or 1)


def _values_by_type(file: Path) -> dict[str, int]:
    """Return how many values of each type a safetensors file has; empty if it is damaged."""
    values: dict[str, int] = {}
    try:
        with file.open("rb") as stream:
            (size,) = struct.unpack("<Q", stream.read(8))
            if size > file.stat().st_size:
                return {}
            header = json.loads(stream.read(size))
        header.pop("__metadata__", None)
        for tensor in header.values():
            kind = str(tensor["dtype"])
            values[kind] = values.get(kind, 0) + math.prod(tensor["shape"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, struct.error):
        return {}
    return values
