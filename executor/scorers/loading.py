"""Scorers of any kind by name: registered ones, and PRMs and reward heads with weights."""

from __future__ import annotations

from typing import Protocol

from executor.engines.options import EngineOptions
from executor.errors import InputError, did_you_mean
from executor.models.checkpoint import Checkpoint, checkpoint_digest
from executor.models.fused import fused_policy
from executor.models.templates import PromptTemplate, for_checkpoint
from executor.models.tokens import Tokens, load_tokenizer
from executor.policies.base import ChatPolicy, Policy, Reads, no_tokens
from executor.scorers import registry
from executor.scorers.base import AnyScorer
from executor.scorers.fused import HeadPolicy, check_fused
from executor.scorers.judge import check_reads_answers
from executor.scorers.prm import check_prm, load_prm, resolve_prm
from executor.servers.server import Patience
from executor.strategy import Score

# Begins the digest of a scorer of whole responses.
_RESPONSES = "responses:"


def resolve_scorer(name: str) -> Checkpoint:
    """Return what stands for the scorer called `name`, without loading it.

    Raises:
        InputError: there is no such scorer, or no convention fits its checkpoint.
    """
    found = registry.find(name)
    if found is not None:
        return found
    try:
        return resolve_prm(name)
    except InputError as error:
        near = did_you_mean(name, registry.names())
        if not near:
            raise
        raise InputError(f"scorer {name}: no such scorer{near}") from error


def scores_steps(name: str) -> bool:
    """Whether the scorer of a name scores steps; if not, it scores whole responses."""
    return registry.find(name) is None


def scorer_digest(checkpoint: Checkpoint) -> str:
    """Return what names a scorer by its content, and tells its kind, in the settings of a run."""
    kind = _RESPONSES if registry.is_registered(checkpoint) else ""
    return kind + checkpoint_digest(checkpoint.location)


def score_rules(digest: str) -> tuple[Score, ...]:
    """Return the rules that turn the rewards of a scorer into the score of a response.

    If the scorer gives one score a response, all rules are one: `last` stands for it.

    Args:
        digest: `scorer_digest` of the scorer.
    """
    return (Score.LAST,) if digest.startswith(_RESPONSES) else tuple(Score)


def weights_of(checkpoint: Checkpoint) -> str | None:
    """Return the folder or hub id of a scorer's weights, if this process is to load any."""
    if checkpoint.servers or registry.is_registered(checkpoint):
        return None
    return None if fused_policy(checkpoint.location) is not None else checkpoint.location


class ScoredPolicy(Policy, HeadPolicy, Protocol):
    """What a scorer may need of the token policy whose responses it scores."""


def check_scorer(checkpoint: Checkpoint, policy: Checkpoint) -> None:
    """Check that a scorer fits a policy, without loading weights.

    Raises:
        InputError: it does not fit the policy.
    """
    if policy.chat:
        check_reads_text(checkpoint, policy.name)
    elif registry.is_registered(checkpoint):
        if not registry.is_of_policy(checkpoint.name):
            registry.make(checkpoint)
        elif for_checkpoint(PromptTemplate(), policy.location).alone:
            check_reads_answers(checkpoint.name, policy.name, Reads.QUESTION)
    elif fused_policy(checkpoint.location) is not None:
        check_fused(checkpoint, policy)
    else:
        check_prm(checkpoint, Tokens(load_tokenizer(policy.location)))


def check_reads_text(checkpoint: Checkpoint, policy: str) -> None:
    """Check that a scorer reads texts alone, which is all that a chat policy gives.

    Args:
        checkpoint: result of `resolve_scorer`.
        policy: name of the chat policy.

    Raises:
        InputError: it reads tokens or log-probabilities, or asks the policy in tokens.
    """
    name = checkpoint.name
    if not registry.is_registered(checkpoint):
        raise InputError(no_tokens(f"scorer {name} reads the policy's tokens", policy))
    if registry.is_of_policy(name):
        raise InputError(no_tokens(f"scorer {name} asks the policy under a grammar", policy))
    needs = registry.make(checkpoint).needs
    if needs in ("logprobs", "confidences"):
        raise InputError(no_tokens(f"scorer {name} reads log-probabilities", policy))


def load_scorer(
    checkpoint: Checkpoint,
    policy: ScoredPolicy | ChatPolicy,
    options: EngineOptions,
    patience: Patience | None = None,
) -> AnyScorer:
    """Load a scorer, or connect to its servers; see `executor.scorers.prm.load_prm`.

    Raises:
        InputError: it does not fit the policy.
        EngineError: vLLM cannot load it.
    """
    if isinstance(policy, ChatPolicy):
        check_reads_text(checkpoint, policy.name)
        return registry.make(checkpoint)
    if registry.is_registered(checkpoint):
        return registry.make(checkpoint, policy)
    return load_prm(checkpoint, policy.tokens, options, patience, policy)
