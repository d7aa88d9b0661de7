"""GGUF files, which llama.cpp reads, as the Hugging Face checkpoints that vLLM serves."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from executor.errors import InputError, one_line
from executor.files import cache_folder, is_folder, write_whole, written_whole
from executor.models.checkpoint import quiet_transformers
from executor.models.conversions import check_room, convert_once, unwritable
from executor.models.gguf_header import Header, read_header

SUFFIX = ".gguf"
# A change of the conversion makes other checkpoints; those of before stay in a folder of their own.
_VERSION = "2"
_MAGIC = b"GGUF"
# One of several files: `name-00001-of-00003.gguf`.
_SPLIT = re.compile(r"-\d{5}-of-\d{5}$")
# Names that fill the rows of an embedding up to a round number; the model was never taught them.
_PADDING = re.compile(r"\[PAD(\d+)\]")
# Tokens of common chat formats that end a turn or a text, or begin one of somebody else, which no
# policy may write. GGUF names one end token, but a model that was taught several may use any.
_ENDS = ("<|im_start|>", "<|start_header_id|>", "<start_of_turn>",
         "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>",
         "<end_of_turn>", "</s>", "<｜end▁of▁sentence｜>")  # fmt: skip
_HEX = re.compile(r"[0-9a-f]{12}")
_T = TypeVar("_T")
_LONGEST_REASON = 200  # characters of an error of a library


def names_file(name: str) -> bool:
    """Whether a name is that of a GGUF file, in capitals or not, and not of a folder."""
    return name.lower().endswith(SUFFIX) and not is_folder(os.path.expanduser(name))


def converted(weights: Path, say: Callable[[str], None]) -> Path:
    """Return a checkpoint folder of a GGUF file, made once and kept in the cache folder.

    Args:
        weights: the file.
        say: receives remarks for people.

    Raises:
        InputError: it is no GGUF file, one of several parts, or of an architecture that
            transformers cannot read.
    """
    if _SPLIT.search(weights.stem):
        raise InputError(
            f"policy {weights}: one of several parts of a model; join them into one file "
            "(llama-gguf-split --merge), and give that"
        )
    try:
        with weights.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise InputError(f"policy {weights}: cannot be read ({error.strerror})") from None
    if magic != _MAGIC:
        raise InputError(f"policy {weights}: no GGUF file; it does not begin with GGUF")
    target = checkpoint_folder(f"{weights.stem}-{digest(weights)}")

    def make() -> None:
        say(f"policy {weights.name}: converting it for vLLM, once; a minute per billion parameters")
        convert(weights, target)

    convert_once(target, make)
    return target


def digest(weights: Path) -> str:
    """Return 12 hex digits that name a file by its content.

    Files of many gigabytes are read once: their digests are kept by path, size and time of change.
    """
    try:
        status = weights.stat()
        key = f"{weights.resolve()} {status.st_size} {status.st_mtime_ns}"
        kept = checkpoint_folder(".digests") / hashlib.sha256(os.fsencode(key)).hexdigest()[:32]
        if kept.is_file() and _HEX.fullmatch(known := kept.read_text("ascii", "replace")):
            return known
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError as error:
        raise InputError(f"policy {weights}: cannot be read ({error.strerror})") from None
    # Somebody else's cache may be read-only, and hold the checkpoint already.
    with suppress(OSError, InputError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, found)
    return found


def checkpoint_folder(name: str) -> Path:
    """Return the folder in the cache that a converted checkpoint of this name has."""
    return cache_folder() / "checkpoints" / f"v{_VERSION}" / name


def convert(weights: Path, target: Path) -> None:
    """Convert a GGUF file into a checkpoint folder.

    Raises:
        InputError: transformers cannot read the file, memory or disk have no room for the
            checkpoint, or it cannot be written.
    """
    # Before torch, which imports the library of the bars.
    _read(weights, quiet_transformers)
    header = _read(weights, lambda: read_header(weights))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        check_room(f"policy {weights}", target.parent, header.parameters, header.largest)
    except OSError as error:
        raise unwritable(target.parent, error) from None
    _check_positions(weights, header)
    model, tokenizer = _read(weights, lambda: _load(weights))
    words = rows_of_words(tokenizer.get_vocab())
    if words is not None:
        model.resize_token_embeddings(words)
    # Not the whole vocabulary: `</s>` is a word of HTML in some.
    special = tokenizer.get_added_vocab()
    ends = {special[word] for word in _ENDS if word in special} | {tokenizer.eos_token_id}
    # None is the end of a file that names no end token.
    model.generation_config.eos_token_id = sorted(ends - {None}) or None
    # With the engine, which may be missing.
    from safetensors import SafetensorError

    # Another process may have converted it meanwhile, and may be reading it.
    try:
        with written_whole(target, replace=False) as scratch:
            _save(model, tokenizer, words, scratch)
    except (OSError, SafetensorError) as error:
        raise unwritable(target.parent, error) from None


def _read(weights: Path, read: Callable[[], _T]) -> _T:
    """Return what `read` reads of a file; whatever it raises becomes one line."""
    try:
        return read()
    except ImportError as error:
        reason = one_line(error, _LONGEST_REASON)
        raise InputError(
            f"policy {weights}: reading GGUF files needs torch, transformers, gguf and accelerate; "
            f"install apportion with its extra cpu or gpu ({reason})"
        ) from None
    # The libraries trust the file: a damaged one makes them raise nearly anything.
    except Exception as error:
        reason = one_line(str(error) or repr(error), _LONGEST_REASON)
        raise InputError(f"policy {weights}: transformers cannot read it ({reason})") from None


def _check_positions(weights: Path, header: Header) -> None:
    """Refuse a file whose scaling of positions transformers drops, as it does for nearly all."""

    def config() -> Any:
        from transformers import AutoConfig

        return AutoConfig.from_pretrained(
            str(weights.parent), gguf_file=weights.name, trust_remote_code=False
        )

    if header.rope_scaling is not None and not header.is_scaled_in(_read(weights, config)):
        raise InputError(
            f"policy {weights}: scales its positions (RoPE scaling {header.rope_scaling}), which "
            "this conversion cannot carry over; give the original checkpoint"
        )


def _load(weights: Path) -> tuple[Any, Any]:
    """Return model and tokenizer of a GGUF file."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, file = str(weights.parent), weights.name
    # Each tensor is rounded as it is read, so that the model never lies in memory in 32 bits.
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=file, dtype=torch.bfloat16, trust_remote_code=False
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file, trust_remote_code=False)
    # The weights are dequantised now; a config that says otherwise would mislead its readers.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    # All users of the checkpoint agree on bfloat16. It rounds the weights of some quantisations,
    # whose scales have more digits, so that answers may differ slightly from llama.cpp's.
    return model.to(torch.bfloat16), tokenizer


def _save(model: Any, tokenizer: Any, words: int | None, folder: Path) -> None:
    """Write a model and its tokenizer, cut to a number of words; None: to be left whole."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if words is not None:
        _forget(folder / "tokenizer.json", words)


def padding(vocabulary: dict[str, int]) -> list[str]:
    """Return the names at the end of a vocabulary that only fill it up.

    A policy must not draw them, and its tokenizer must be that of the model's makers.
    """
    by_id = sorted(vocabulary.items(), key=lambda item: -item[1])
    found = []
    for word, number in by_id:
        named = _PADDING.fullmatch(word)
        if not named or int(named[1]) != number:
            break
        found.append(word)
    return found


def rows_of_words(vocabulary: dict[str, int]) -> int | None:
    """Return the number of rows of an embedding before its padding; None if it has none.

    It is the first padding's number and not a count of words: tokens of the same text, which a
    vocabulary holds once, leave gaps.
    """
    padded = padding(vocabulary)
    return vocabulary[padded[-1]] if padded else None


def _forget(path: Path, words: int) -> None:
    """Remove the tokens from number `words` on from a tokenizer's file."""
    if not path.is_file():
        return
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    known = record["model"]["vocab"]
    if isinstance(known, dict):
        record["model"]["vocab"] = {word: at for word, at in known.items() if at < words}
    else:
        record["model"]["vocab"] = known[:words]
    record["added_tokens"] = [one for one in record["added_tokens"] if one["id"] < words]
    path.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
