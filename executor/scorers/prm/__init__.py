"""Process reward models: one module per convention, and functions that load any of them."""

from __future__ import annotations

from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.loading import resolve
from executor.models.checkpoint import Checkpoint, read_config
from executor.models.fused import fused_policy
from executor.models.tokens import Tokens
from executor.scorers.base import Convention, StepScorer
from executor.scorers.fused import FusedScorer, HeadPolicy
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


def resolve_prm(name: str) -> Checkpoint:
    """Return the checkpoint of the PRM called `name`, without loading it.

    Raises:
        InputError: there is no such model, or no convention fits it.
    """
    checkpoint = resolve(name, "PRM")
    if fused_policy(checkpoint.location) is None:
        convention_of(checkpoint)
    return checkpoint


def convention_of(checkpoint: Checkpoint) -> type[Convention]:
    """Return the first convention that fits a PRM's checkpoint.

    Raises:
        InputError: no convention fits it, or it lies in its policy and has no engine of its own.
    """
    if fused_policy(checkpoint.location) is not None:
        raise InputError(
            f"PRM {checkpoint.name}: this reward head lies in the weights of its own policy; "
            f"load or serve that, {checkpoint.location}, as the policy"
        )
    config = read_config(checkpoint.location)
    for convention in CONVENTIONS:
        if convention.fits(checkpoint, config):
            return convention
    raise InputError(
        f"PRM {checkpoint.name}: no known PRM convention fits this model; "
        f"known: {', '.join(convention.label for convention in CONVENTIONS)}"
    )


def check_prm(checkpoint: Checkpoint, policy_tokens: Tokens) -> None:
    """Check that a PRM fits a policy, without loading its weights.

    Raises:
        InputError: it does not fit the policy.
    """
    convention_of(checkpoint).load(checkpoint, policy_tokens)


def load_prm(
    checkpoint: Checkpoint,
    policy_tokens: Tokens,
    options: EngineOptions,
    patience: Patience | None = None,
    policy: HeadPolicy | None = None,
) -> StepScorer:
    """Load a PRM, or connect to its servers.

    Args:
        checkpoint: result of `resolve_prm`.
        policy_tokens: tokenizer of the policy whose steps it scores.
        options: settings of its engine in this process.
        patience: time limits of its servers; the defaults if None.
        policy: the policy, if it may hold the PRM (`executor.scorers.fused`).

    Raises:
        InputError: it does not fit the policy.
        EngineError: vLLM cannot load it.
    """
    if policy is not None and fused_policy(checkpoint.location) is not None:
        return FusedScorer.load(checkpoint, policy)
    convention = convention_of(checkpoint).load(checkpoint, policy_tokens)
    if checkpoint.servers:
        return ServedScorer.connect(checkpoint, convention, patience or Patience())
    return VllmScorer.load(checkpoint, convention, options)


__all__ = ["CONVENTIONS", "check_prm", "convention_of", "load_prm", "resolve_prm"]
