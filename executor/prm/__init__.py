"""Process reward models: one module a convention, one way to load any of them."""

from __future__ import annotations

from executor.checkpoints import Checkpoint, resolve
from executor.engine import EngineOptions
from executor.errors import InputError
from executor.prm.base import Prm
from executor.prm.reward_head import CARD_FILE, HeadCard, RewardHead
from executor.tokens import Tokens

KNOWN_CONVENTIONS = ("reward head (made by apportion fit-prm)",)


def find_prm(name: str) -> Checkpoint:
    """The checkpoint of the PRM called `name`, without loading it.

    Raises:
        InputError: there is no such model, or no convention fits it.
    """
    checkpoint = resolve(name, "PRM")
    if checkpoint.folder is None or not (checkpoint.folder / CARD_FILE).is_file():
        raise InputError(
            f"PRM {name}: no known PRM convention fits this model; "
            f"known: {', '.join(KNOWN_CONVENTIONS)}"
        )
    return checkpoint


def check_prm(name: str, policy_tokens: Tokens) -> None:
    """InputError where a PRM cannot be had or does not fit the policy; loads no weights."""
    folder = find_prm(name).folder
    assert folder is not None
    HeadCard.load(folder).check(name, policy_tokens)


def load_prm(name: str, policy_tokens: Tokens, options: EngineOptions) -> Prm:
    """Load the PRM called `name` for a policy with the tokenizer `policy_tokens`.

    Raises:
        InputError: there is no such model, or it does not fit.
        EngineError: vLLM cannot load it.
    """
    checkpoint = find_prm(name)
    assert checkpoint.folder is not None
    return RewardHead.load(checkpoint.name, checkpoint.folder, policy_tokens, options)


__all__ = ["KNOWN_CONVENTIONS", "Prm", "check_prm", "find_prm", "load_prm"]
