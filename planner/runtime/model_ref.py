"""A model that a call names: looked up once, then passed on as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from executor.access import NO_ACCESS, Access
from executor.domains.registry import find_domain
from executor.errors import InputError
from executor.files import is_folder
from executor.loading import portable, resolve
from executor.models.checkpoint import Checkpoint, Role
from executor.models.confidence import check_certainty, check_top_logprobs
from executor.models.fused import FusedPolicy, fused_policy, policy_digest
from executor.models.templates import PromptTemplate, load_template, template_for
from executor.models.tokens import load_tokenizer
from executor.policies.base import no_tokens
from executor.policies.thinking import format_of
from executor.scorers.base import top_logprobs_for
from executor.scorers.loading import check_scorer, resolve_scorer, scorer_digest, weights_of
from executor.scorers.registry import needs_of
from executor.strategy import Sampling
from executor.thinking.budget import FREE
from planner.catalog import load_catalog


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model that can be loaded: what the user wrote, and the checkpoint that it stands for.

    Make one with `find_policy` or `find_prm`.

    Attributes:
        given: name as the user wrote it: a catalog name, folder, file, hub id or address.
        role: `policy` or `PRM`.
        checkpoint: name, weights and servers of the model.
        lasting: name that stands for the same model in other processes and folders: a checkpoint
            folder or file by its full path, any other name as the user wrote it.
    """

    given: str
    role: Role
    checkpoint: Checkpoint
    lasting: str

    @property
    def name(self) -> str:
        """Name of the model in evidence."""
        return self.checkpoint.name

    @property
    def location(self) -> str:
        """Folder or hub id of weights, config and tokenizer."""
        return self.checkpoint.location

    @property
    def folder(self) -> Path | None:
        """Local folder of the checkpoint; None for a hub id."""
        return self.checkpoint.folder

    @property
    def servers(self) -> tuple[str, ...]:
        """URLs of the servers that have the model; empty if this process loads it."""
        return self.checkpoint.servers

    @property
    def weights(self) -> str | None:
        """The location, if this process loads weights from there; see `weights_of`."""
        return weights_of(self.checkpoint)

    def digest(self) -> str:
        """What names the model by its content in the settings of a run."""
        if self.role == "policy":
            return policy_digest(self.location)
        return scorer_digest(self.checkpoint)

    @property
    def fused(self) -> FusedPolicy | None:
        """The facts about a reward head in a policy's output matrix; None if there is none."""
        return fused_policy(self.location)


def find_policy(
    name: str, say: Callable[[str], None] = lambda text: None, access: Access = NO_ACCESS
) -> ModelRef:
    """Look up a policy; loads no weights, but may convert a file once.

    Args:
        name: catalog name, checkpoint folder, GGUF file, hub id or address.
        say: receives remarks for people.
        access: what lets requests into the servers at an address.

    Raises:
        InputError: there is no such model, or it is not a language model.
    """
    found = resolve(name, "policy", say, access)
    return ModelRef(name, "policy", found, found.location if found.chat else portable(name))


def find_prm(name: str) -> ModelRef:
    """Look up a scorer: a PRM, or a registered scorer without weights; loads none.

    Args:
        name: name of a registered scorer, catalog name, checkpoint folder, hub id or address.

    Raises:
        InputError: there is no such scorer, or no known PRM convention fits it.
    """
    return ModelRef(name, "PRM", resolve_scorer(name), portable(name))


def check_fit(policy: ModelRef, prm: ModelRef) -> None:
    """Check that a scorer reads what a policy writes; loads no weights.

    Raises:
        InputError: the scorer does not fit the policy.
    """
    check_scorer(prm.checkpoint, policy.checkpoint)


def check_confidences(policy: ModelRef, prm: ModelRef | None, asked: int | None) -> None:
    """Check that a policy gives the confidences that are asked for, and what its scorer needs.

    Raises:
        InputError: it does not.
    """
    needs = None if prm is None else needs_of(prm.name)
    number = top_logprobs_for(asked, needs)
    if number is not None:
        if policy.checkpoint.chat:
            raise InputError(no_tokens("log-probabilities (--top-logprobs)", policy.name))
        check_top_logprobs(number, policy.location)
    if needs == "certainty":
        check_certainty(policy.location)


def check_executions(prm: ModelRef | None, domain: str) -> None:
    """Check that answers of a domain run, if a scorer needs what they do.

    Raises:
        InputError: they do not.
    """
    if prm is None or needs_of(prm.name) != "executions" or find_domain(domain).runs_programs:
        return
    raise InputError(
        f"--scorer {prm.name}: answers of the domain {domain} are not run; expected problems with "
        "programs as answers (--domain code), or another scorer"
    )


def check_thinking(policy: ModelRef, sampling: Sampling, tokenizer: Any = None) -> Sampling:
    """Check that a policy can think as its sampling says, and say how it thinks; loads no weights.

    Args:
        policy: the policy.
        sampling: how it samples.
        tokenizer: its tokenizer; None: load it.

    Returns:
        The sampling, with the format of the policy's thoughts, and free thinking if it said
        nothing; as it is if the policy does not think.

    Raises:
        InputError: thinking is asked for, and the chat template shows no format, or the policy is
            a chat policy; or the policy holds a reward head.
    """
    if policy.checkpoint.chat:
        if sampling.thinking is not None or sampling.thinking_format is not None:
            raise InputError(no_tokens("thinking is limited by tokens (--thinking)", policy.name))
        return sampling
    tokenizer = tokenizer or load_tokenizer(policy.location)
    format_ = format_of(policy.given, tokenizer, sampling.thinking, sampling.thinking_format)
    if format_ is None:
        return sampling
    if policy.fused is not None:
        raise InputError(
            f"policy {policy.given}: thinks, and holds a reward head, which reads responses "
            "without thoughts; expected the policy without the head"
        )
    return replace(sampling, thinking=sampling.thinking or FREE, thinking_format=format_.name)


def check_plan_prm(name: str) -> None:
    """Check that a plan's PRM, if it is a folder, still exists.

    Raises:
        InputError: the folder is gone.
    """
    if Path(name).is_absolute() and not is_folder(name):
        raise InputError(
            f"plan: its PRM lay at {name}, which is gone; say where it is now with --prm FOLDER"
        )


def template_of(policy: ModelRef) -> PromptTemplate:
    """The prompt template of a policy: the catalog's for a hub id, else the checkpoint's own.

    A policy that holds a reward head has the template that the head was trained with.
    """
    if policy.fused is not None:
        return PromptTemplate.from_dict(policy.fused.template, f"policy {policy.given}")
    entry = load_catalog().policy(policy.name)
    if policy.folder is None and entry is not None and entry.template is not None:
        return load_template(entry.template)
    return template_for(policy.name if policy.servers else policy.given, policy.folder)
