"""From an address to a policy or a PRM that runs there."""

from __future__ import annotations

from executor.checkpoints import Checkpoint
from executor.prm.base import Convention
from executor.servers.policy import HttpPolicy
from executor.servers.prm import HttpPrm
from executor.servers.probe import probe_policy, probe_prm
from executor.servers.server import Patience
from executor.templates import PromptTemplate
from executor.tokens import Tokens, load_tokenizer


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
