"""A model that a call names: looked up once, then passed on as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from executor.errors import InputError
from executor.files import is_folder
from executor.loading import portable, resolve
from executor.models.checkpoint import Checkpoint, Role, checkpoint_digest
from executor.models.fused import FusedPolicy, fused_policy, policy_digest
from executor.models.templates import PromptTemplate, load_template, template_for
from executor.models.tokens import Tokens, load_tokenizer
from executor.scorers.fused import check_fused
from executor.scorers.prm import check_prm, resolve_prm
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

    def digest(self) -> str:
        """Twelve hex digits that name the checkpoint by its content (`policy_digest`)."""
        digest = policy_digest if self.role == "policy" else checkpoint_digest
        return digest(self.location)

    @property
    def fused(self) -> FusedPolicy | None:
        """The facts about a reward head in a policy's output matrix; None if there is none."""
        return fused_policy(self.location)


def find_policy(name: str, say: Callable[[str], None] = lambda text: None) -> ModelRef:
    """Look up a policy; loads no weights, but may convert a file once.

    Args:
        name: catalog name, checkpoint folder, GGUF file, hub id or address.
        say: receives remarks for people.

    Raises:
        InputError: there is no such model, or it is not a language model.
    """
    return ModelRef(name, "policy", resolve(name, "policy", say), portable(name))


def find_prm(name: str) -> ModelRef:
    """Look up a PRM; loads no weights.

    Args:
        name: catalog name, checkpoint folder, hub id or address.

    Raises:
        InputError: there is no such model, or no known PRM convention fits it.
    """
    return ModelRef(name, "PRM", resolve_prm(name), portable(name))


def check_fit(policy: ModelRef, prm: ModelRef) -> None:
    """Check that a PRM reads a policy's tokens; loads no weights.

    Raises:
        InputError: the PRM does not fit the policy.
    """
    if prm.fused is not None:
        check_fused(prm.checkpoint, policy.checkpoint)
        return
    check_prm(prm.checkpoint, Tokens(load_tokenizer(policy.location)))


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
