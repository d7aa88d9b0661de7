"""Process reward models: one module per convention, and functions that load any of them."""

from __future__ import annotations

from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.loading import resolve
from executor.models.checkpoint import Checkpoint, read_config
from executor.models.tokens import Tokens
from executor.scorers.base import Convention, StepScorer
from executor.scorers.prm.math_shepherd import MathShepherd
from executor.scorers.prm.qwen import QwenMath
from executor.scorers.prm.rlhflow import RlhFlow
from executor.scorers.prm.skywork import Skywork
from executor.scorers.reward_head import RewardHead
from executor.scorers.served import ServedScorer
from executor.scorers.vllm import VllmScorer
from executor.servers.server import Patience

# The first convention that fits a checkpoint is used.
CONVENTIONS: tuple[type[Convention], ...] = (RewardHead, QwenMath, Skywork, MathShepherd, RlhFlow)


def find_prm(name: str) -> Checkpoint:
    """Return the checkpoint of the PRM called `name`, without loading it.

    Raises:
        InputError: there is no such model, or no convention fits it.
    """
    return find_convention(name)[0]


def find_convention(name: str) -> tuple[Checkpoint, type[Convention]]:
    """Return the checkpoint of the PRM called `name`, and its convention.

    Raises:
        InputError: there is no such model, or no convention fits it.
    """
    checkpoint = resolve(name, "PRM")
    config = read_config(checkpoint.location)
    for convention in CONVENTIONS:
        if convention.fits(checkpoint, config):
            return checkpoint, convention
    raise InputError(
        f"PRM {name}: no known PRM convention fits this model; "
        f"known: {', '.join(convention.label for convention in CONVENTIONS)}"
    )


def check_prm(name: str, policy_tokens: Tokens) -> None:
    """Check a PRM without loading its weights.

    Raises:
        InputError: there is no such model, or it does not fit the policy.
    """
    checkpoint, convention = find_convention(name)
    convention.load(checkpoint, policy_tokens)


def load_prm(
    name: str,
    policy_tokens: Tokens,
    options: EngineOptions,
    patience: Patience | None = None,
) -> StepScorer:
    """Load the PRM called `name`, or connect to its servers.

    Args:
        name: name of the PRM, or its address.
        policy_tokens: tokenizer of the policy whose steps it scores.
        options: settings of its engine in this process.
        patience: time limits of its servers; the defaults if None.

    Raises:
        InputError: there is no such model, or it does not fit.
        EngineError: vLLM cannot load it.
    """
    checkpoint, kind = find_convention(name)
    convention = kind.load(checkpoint, policy_tokens)
    if checkpoint.servers:
        return ServedScorer.connect(checkpoint, convention, patience or Patience())
    return VllmScorer.load(checkpoint, convention, options)


__all__ = ["CONVENTIONS", "check_prm", "find_convention", "find_prm", "load_prm"]
