"""From an address to a policy or a PRM that runs there."""

from __future__ import annotations

from executor.models.checkpoint import Checkpoint
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens, load_tokenizer
from executor.policies.served import HttpPolicy
from executor.scorers.base import Convention
from executor.scorers.served import HttpPrm
from executor.servers.probe import probe_policy, probe_prm
from executor.servers.server import Patience


def connect_policy(
    checkpoint: Checkpoint, template: PromptTemplate, patience: Patience
) -> HttpPolicy:
    """The policy on `checkpoint.servers`.

    Raises:
        InputError: one of them does not answer, or has another model.
    """
    name, location = checkpoint.name, checkpoint.location
    tokens = Tokens(load_tokenizer(location))
    served = [probe_policy(url, name, location, tokens) for url in checkpoint.servers]
    return HttpPolicy(name, tokens, template, served, patience)


def connect_prm(checkpoint: Checkpoint, convention: Convention, patience: Patience) -> HttpPrm:
    """The PRM on `checkpoint.servers`.

    Raises:
        InputError: one of them does not answer, or has another model.
    """
    name, location = checkpoint.name, checkpoint.location
    served = [probe_prm(url, name, location) for url in checkpoint.servers]
    return HttpPrm(name, convention, served, patience)
