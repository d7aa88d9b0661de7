"""Shared parts of the conventions of public PRMs: names, marker tokens, loading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from executor.errors import InputError, one_line
from executor.models.checkpoint import Checkpoint
from executor.models.tokens import Step, Tokens, load_tokenizer
from executor.scorers.base import classify_last


class PublicConvention:
    """The base of conventions of public PRMs, which have a tokenizer of their own."""

    trained_on: frozenset[str] = frozenset()  # unknown

    def __init__(self, tokenizer: Any, name: str) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, checkpoint: Checkpoint, policy_tokens: Tokens) -> Self:
        """See `Convention.load`."""
        return cls(load_tokenizer(checkpoint.location), checkpoint.name)


def names_of(checkpoint: Checkpoint, config: dict[str, Any]) -> list[str]:
    """Return all names of a checkpoint, in lower case.

    A language model that was trained as a PRM has the config of any language model; only its name
    shows the difference.
    """
    return [checkpoint.name.lower(), str(config.get("_name_or_path") or "").lower()]


def writes(config: dict[str, Any]) -> bool:
    """Whether a config is that of a language model."""
    named = config.get("architectures") or []
    return bool(named) and all(name.endswith("ForCausalLM") for name in named)


def piece(tokenizer: Any, text: str, prm: str) -> int:
    """Return the id of a marker by its spelling in the vocabulary.

    Raises:
        InputError: the vocabulary has no such token.
    """
    token = tokenizer.get_vocab().get(text)
    if token is None:
        raise InputError(f"PRM {prm}: its tokenizer has no {text}, which its convention needs")
    return int(token)


def classify_by_tokens(tokenizer: Any, right: int, wrong: int) -> dict[str, Any]:
    """Return vLLM's settings for a language model whose next token judges a step.

    The softmax of two logits is the sigmoid of their difference, so vLLM can serve the difference
    of two rows of the output matrix as a head.
    """
    wrong_first = tokenizer.convert_ids_to_tokens([wrong, right])
    overrides = {"classifier_from_token": wrong_first, "method": "from_2_way_softmax"}
    return {"convert": "classify", "hf_overrides": overrides} | classify_last()


def texts_of(steps: Sequence[Step], marker: str | None = None) -> list[str]:
    """Return the steps' texts without surrounding blanks, and without a marker in them."""
    texts = (step.text if marker is None else without(step.text, marker) for step in steps)
    return [text.strip() for text in texts]


def without(text: str, marker: str) -> str:
    """Remove a special token's name from a text; tokenizers would read it as the token."""
    while marker in text:  # again, since removing one may make another
        text = text.replace(marker, "")
    return text


def chat(tokenizer: Any, turns: Sequence[tuple[str, str]]) -> list[int]:
    """Return the token ids of (role, content) turns in the model's own chat template."""
    messages = [{"role": role, "content": content} for role, content in turns]
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False)
    except Exception as error:  # a template is a program of the model's author
        raise InputError(f"the PRM's chat template refuses a solution: {one_line(error)}") from None
    return list(tokenizer.encode(text, add_special_tokens=False))
