"""Rows of a policy's output matrix that belong to no token, and a checkpoint that fills some.

If the tokenizer has fewer tokens than the matrix has rows, the last rows are filled. Otherwise the
matrix gets more rows, and so does the input embedding. If both are one tensor (tied), it is filled
once and stays tied: the rows' indices are never an input, so no input changes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from executor.errors import InputError
from executor.models.checkpoint import read_config

_INDEX = "model.safetensors.index.json"
_ONE_FILE = "model.safetensors"
_FLOATS = ("F32", "F16", "BF16")
# How architectures call the module of an output matrix of its own.
_OUTPUTS = ("lm_head", "embed_out", "output")
_OTHER_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".onnx")


@dataclass(frozen=True, slots=True)
class OutputMatrix:
    """The tensors of a checkpoint that have a row per token.

    Attributes:
        folder: the checkpoint's folder.
        config: its `config.json`.
        file_of: file of each of its tensors.
        outputs: names of the output matrix; two if a tied one is stored twice.
        others: names of the input embedding, if it is not the output matrix, and of biases.
    """

    folder: Path
    config: Mapping[str, Any]
    file_of: Mapping[str, str]
    outputs: tuple[str, ...]
    others: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, *, tied: bool) -> Self:
        """Find the tensors by their shapes; reads no weights.

        Args:
            folder: checkpoint folder.
            tied: whether the input embedding is the output matrix.

        Raises:
            InputError: the weights are not in safetensors, or it is not clear which tensor is the
                output matrix.
        """
        config, file_of = read_config(str(folder)), _files(folder)
        rows = config.get("vocab_size")
        matrices: list[str] = []
        biases: list[str] = []
        for name, (kind, shape) in _headers(folder, file_of).items():
            if shape[:1] != [rows]:
                continue
            if kind not in _FLOATS or len(shape) > 2:
                raise InputError(f"policy {folder}: cannot hold a reward head; {name} is quantised")
            (matrices if len(shape) == 2 else biases).append(name)
        own = [name for name in matrices if name.split(".")[-2:-1] in [[one] for one in _OUTPUTS]]
        outputs = matrices if tied else own
        if not outputs or (not tied and (len(own), len(matrices)) != (1, 2)):
            raise InputError(
                f"policy {folder}: cannot hold a reward head; expected an output matrix of "
                f"{rows} rows, found {', '.join(matrices) or 'none'}"
            )
        others = [name for name in matrices if name not in outputs] + biases
        return cls(folder, config, file_of, tuple(outputs), tuple(others))

    @property
    def rows(self) -> int:
        """Number of its rows."""
        return int(self.config["vocab_size"])

    def free_rows(self, tokenizer: Any, n: int) -> list[int]:
        """Return the indices of the last `n` rows without a token; they may have to be added."""
        used = max(tokenizer.get_vocab().values()) + 1
        first = self.rows - n if self.rows - used >= n else self.rows
        return list(range(first, first + n))

    def copy(
        self, target: Path, rows: Mapping[int, NDArray[np.float64]], mean: int | None = None
    ) -> None:
        """Copy the checkpoint with other rows in its output matrix.

        Files without these tensors are linked if the file system can, and copied if it cannot.

        Args:
            target: an empty folder.
            rows: new rows by index, each of shape `(hidden,)`; indices from `self.rows` on are
                added.
            mean: index of a row that gets the mean of all rows that are not new; None: none does.
        """
        changed = {self.file_of[name] for name in (*self.outputs, *self.others)}
        n = max(self.rows, max(rows) + 1, 0 if mean is None else mean + 1)
        for path in sorted(self.folder.iterdir()):
            if path.name in changed:
                self._rewrite(path, target / path.name, rows, n, mean)
            elif path.name in self.file_of.values():
                _link(path.resolve(), target / path.name)
            elif path.is_file() and path.suffix not in _OTHER_WEIGHTS:
                shutil.copyfile(path, target / path.name)
        config = {**self.config, "vocab_size": n}
        (target / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        if (target / _INDEX).is_file():
            _resize_index(target, self.file_of)

    def _rewrite(
        self,
        source: Path,
        target: Path,
        rows: Mapping[int, NDArray[np.float64]],
        n: int,
        mean: int | None,
    ) -> None:
        """Write one file of weights anew, with `n` rows a matrix."""
        import torch
        from safetensors import safe_open
        from safetensors.torch import load_file, save_file

        with safe_open(source, "pt") as opened:
            metadata = opened.metadata()
        tensors = load_file(source)
        for name in (*self.outputs, *self.others):
            if name not in tensors:
                continue
            old = tensors[name]
            new = torch.zeros((n, *old.shape[1:]), dtype=old.dtype)
            new[: self.rows] = old
            if name in self.outputs:
                for index, row in rows.items():
                    new[index] = torch.tensor(row).to(old.dtype)
            elif old.dim() == 1:
                new[list(rows)] = 0
            if mean is not None and (name in self.outputs or old.dim() == 1):
                own = torch.ones(self.rows, dtype=torch.bool)
                own[[row for row in (*rows, mean) if row < self.rows]] = False
                new[mean] = old[own].double().mean(dim=0).to(old.dtype)
            tensors[name] = new
        save_file(tensors, target, metadata=metadata)


def _files(folder: Path) -> dict[str, str]:
    """Return the file of each tensor of a checkpoint in safetensors."""
    from safetensors import safe_open

    if (folder / _INDEX).is_file():
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        return dict(index["weight_map"])
    if (folder / _ONE_FILE).is_file():
        with safe_open(folder / _ONE_FILE, "pt") as opened:
            return dict.fromkeys(opened.keys(), _ONE_FILE)
    raise InputError(
        f"policy {folder}: cannot hold a reward head; expected its weights in safetensors, as "
        "save_pretrained of Transformers writes them"
    )


def _headers(folder: Path, file_of: Mapping[str, str]) -> dict[str, tuple[str, list[int]]]:
    """Return the type and shape of each tensor."""
    from safetensors import safe_open

    found = {}
    for file in sorted(set(file_of.values())):
        with safe_open(folder / file, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                part = opened.get_slice(name)
                found[name] = part.get_dtype(), list(part.get_shape())
    return found


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _resize_index(folder: Path, file_of: Mapping[str, str]) -> None:
    """Correct the total size in the index of a checkpoint of several files."""
    path = folder / _INDEX
    index = json.loads(path.read_text(encoding="utf-8"))
    if "total_size" in index.get("metadata", {}):
        width = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
        sizes = _headers(folder, file_of).values()
        index["metadata"]["total_size"] = sum(
            width.get(kind, 1) * int(np.prod(shape)) for kind, shape in sizes
        )
        path.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
