"""What the conventions of public PRMs share: names, marker tokens, and how they are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from executor.errors import InputError
from executor.models.checkpoint import Checkpoint
from executor.models.tokens import Step, Tokens, load_tokenizer
from executor.scorers.base import classify_last


class PublicConvention:
    """What the conventions of public PRMs share: a tokenizer of the PRM's own."""

    trained_on: frozenset[str] = frozenset()  # not known

    def __init__(self, tokenizer: Any, name: str) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, checkpoint: Checkpoint, policy_tokens: Tokens) -> Self:
        """See `Convention.load`."""
        return cls(load_tokenizer(checkpoint.location), checkpoint.name)


def names_of(checkpoint: Checkpoint, config: dict[str, Any]) -> list[str]:
    """Every name a checkpoint goes by, in lower case.

    A language model that was trained as a PRM has the config of any language model; only its name
    tells.
    """
    return [checkpoint.name.lower(), str(config.get("_name_or_path") or "").lower()]


def writes(config: dict[str, Any]) -> bool:
    """Whether a config is a language model's."""
    named = config.get("architectures") or []
    return bool(named) and all(name.endswith("ForCausalLM") for name in named)


def piece(tokenizer: Any, text: str, prm: str) -> int:
    """The id of a marker by its spelling in the vocabulary; InputError where there is none."""
    token = tokenizer.get_vocab().get(text)
    if token is None:
        raise InputError(f"PRM {prm}: its tokenizer has no {text}, which its convention needs")
    return int(token)


def classify_by_tokens(tokenizer: Any, right: int, wrong: int) -> dict[str, Any]:
    """vLLM's settings for a language model whose next token says whether a step is right.

    The softmax of two logits is the sigmoid of their difference, so that vLLM can serve the
    difference of two rows of the output matrix as a head.
    """
    wrong_first = tokenizer.convert_ids_to_tokens([wrong, right])
    overrides = {"classifier_from_token": wrong_first, "method": "from_2_way_softmax"}
    return {"convert": "classify", "hf_overrides": overrides} | classify_last()


def texts_of(steps: Sequence[Step], marker: str | None = None) -> list[str]:
    """The steps' texts without blanks around them, and without a marker the policy wrote."""
    texts = (step.text if marker is None else without(step.text, marker) for step in steps)
    return [text.strip() for text in texts]


def without(text: str, marker: str) -> str:
    """A text without a special token's name: tokenizers would take it for a real one."""
    while marker in text:  # again, where leaving one out makes another
        text = text.replace(marker, "")
    return text


def chat(tokenizer: Any, turns: Sequence[tuple[str, str]]) -> list[int]:
    """Token ids of (role, content) turns through the model's own chat template."""
    messages = [{"role": role, "content": content} for role, content in turns]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    return list(tokenizer.encode(text, add_special_tokens=False))
