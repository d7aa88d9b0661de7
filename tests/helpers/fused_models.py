"""Policies that hold a reward head: made of any checkpoint, without an engine."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from executor.models.checkpoint import checkpoint_digest
from executor.models.fused import FusedRows
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens, load_tokenizer
from executor.problem import Problem
from executor.scorers.reward_head import HeadCard, Reads
from profiling.scorers.fuse_head import fuse_head
from profiling.scorers.save_head import save_head
from profiling.scorers.train_head import FittedHead

PROBLEMS = [Problem(str(i), f"{i} + {i + 1} = ?", str(2 * i + 1)) for i in range(3)]
TEMPLATE = PromptTemplate()
INTERCEPT = 0.25


def looks_fused(base: Path, folder: Path) -> Path:
    """A copy of a policy that holds a head as far as it is looked up; no weight is changed."""
    shutil.copytree(base, folder)
    rows = FusedRows(315, 316, checkpoint_digest(str(base.resolve())))
    template = PromptTemplate("Solve {problem}").to_dict()
    card = HeadCard(base.name, "", template, 0.0, 3, reads=Reads.BEFORE, fused=rows)
    card.save(folder)
    return folder


class Writer:
    """What a head is saved for: a policy's name, tokens and prompts."""

    def __init__(self, checkpoint: Path) -> None:
        self.name = checkpoint.name
        self.tokens = Tokens(load_tokenizer(checkpoint))

    def prompt(self, question: str, before: Sequence[tuple[str, str]] = ()) -> list[int]:
        return TEMPLATE.render(self.tokens.tokenizer, question, before)


class _NoStatistics:
    def to_dict(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class FusedModels:
    """A policy that holds a head with random weights, and the same head by itself.

    Attributes:
        fused: folder of the policy.
        head: folder of the head.
        fitted: the head.
        rows: its rows.
    """

    fused: Path
    head: Path
    fitted: FittedHead
    rows: FusedRows


def random_head(hidden: int, layers: int) -> FittedHead:
    """A head that reads what a fused one can read."""
    weight = np.random.default_rng(0).normal(size=hidden) * 0.1
    statistics: Any = _NoStatistics()
    return FittedHead(layers, weight, INTERCEPT, statistics, Reads.BEFORE)


def fuse(checkpoint: Path, target: Path, fitted: FittedHead) -> FusedRows:
    """Save a copy of a policy that holds a head."""
    policy: Any = Writer(checkpoint)
    return fuse_head(
        fitted, str(checkpoint), target, policy=policy, template=TEMPLATE, problems=PROBLEMS
    )


def fused_models(checkpoint: Path, folder: Path, *, hidden: int, layers: int) -> FusedModels:
    """Save a random head twice, in `folder`."""
    fitted, policy = random_head(hidden, layers), Writer(checkpoint)
    served: Any = policy
    rows = fuse(checkpoint, folder / "fused", fitted)
    save_head(
        fitted, str(checkpoint), folder / "head",
        policy=served, template=TEMPLATE, problems=PROBLEMS,
    )  # fmt: skip
    return FusedModels(folder / "fused", folder / "head", fitted, rows)
