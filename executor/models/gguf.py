"""GGUF files, which llama.cpp reads, as the Hugging Face checkpoints that vLLM serves."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from executor.errors import InputError, one_line
from executor.files import cache_folder, is_folder, written_whole
from executor.models.checkpoint import file_digest, quiet_transformers

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
    target = checkpoint_folder(f"{weights.stem}-{file_digest(weights)}")
    if not is_converted(target):
        say(f"policy {weights.name}: converting it for vLLM, once; a minute per billion parameters")
        convert(weights, target)
    return target


def checkpoint_folder(name: str) -> Path:
    """Return the folder in the cache that a converted checkpoint of this name has."""
    return cache_folder() / "checkpoints" / f"v{_VERSION}" / name


def is_converted(target: Path) -> bool:
    """Whether a conversion is there; a folder that appears, appears whole."""
    return is_folder(target) and (target / "config.json").is_file()


def convert(weights: Path, target: Path) -> None:
    """Convert a GGUF file into a checkpoint folder.

    Raises:
        InputError: transformers cannot read the file.
    """
    # Before torch, which imports the library of the bars.
    quiet_transformers()
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise InputError(
            f"policy {weights}: running models needs the engine; "
            "install apportion with its extra cpu or gpu"
        ) from None
    folder, file = str(weights.parent), weights.name
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=file, dtype=torch.float32, trust_remote_code=False
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file, trust_remote_code=False)
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        reason = one_line(str(error) or repr(error), _LONGEST_REASON)
        raise InputError(f"policy {weights}: transformers cannot read it ({reason})") from None
    # The weights are dequantised now; a config that says otherwise would mislead its readers.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    vocabulary = tokenizer.get_vocab()
    words = len(vocabulary) - len(padding(vocabulary))
    if words < len(vocabulary):
        model.resize_token_embeddings(words)
    # Not the whole vocabulary: `</s>` is a word of HTML in some.
    special = tokenizer.get_added_vocab()
    ends = {special[word] for word in _ENDS if word in special}
    model.generation_config.eos_token_id = sorted(ends | {tokenizer.eos_token_id})
    # Weights of few bits lose nothing in bfloat16, and so all users of the checkpoint agree.
    model = model.to(torch.bfloat16)
    # Another process may have converted it meanwhile, and may be reading it.
    with written_whole(target, replace=False) as scratch:
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        _forget(scratch / "tokenizer.json", words)


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
