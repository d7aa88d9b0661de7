"""Formats of thoughts, by model family, and the tags of thoughts in texts of unknown models.

A reasoning model writes a thought before its answer. The thought stands between two marks, which
are tokens of their own in most tokenizers. The chat template may write the first mark, so that the
response begins inside its thought.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from executor.errors import InputError, did_you_mean

SENTENCE = "\n\nTime is up: I answer now, from what I have so far.\n"
"""What the model reads as the end of its thought if the thought is ended from outside."""


@dataclass(frozen=True, slots=True)
class ThinkingFormat:
    """The marks of a thought.

    Attributes:
        name: name for `--thinking-format`.
        open: mark that begins a thought.
        close: mark that ends it; what follows is the answer.
        ending: what is written to end a thought from outside; it holds the mark `close`.
        models: models that use the format, for people.
    """

    name: str
    open: str
    close: str
    ending: str
    models: str

    @property
    def empty(self) -> str:
        """A thought without content."""
        return f"{self.open}{self.ending}"


def _tags(name: str, open_: str, close: str, models: str) -> ThinkingFormat:
    return ThinkingFormat(name, open_, close, f"\n{close}\n\n", models)


FORMATS: tuple[ThinkingFormat, ...] = (
    # Harmony's final channel begins a message of its own; other channels come before it.
    ThinkingFormat(
        "harmony",
        "<|channel|>analysis<|message|>",
        "<|channel|>final<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
        "gpt-oss",
    ),
    _tags("seed", "<seed:think>", "</seed:think>", "Seed-OSS"),
    _tags("magistral", "[THINK]", "[/THINK]", "Magistral"),
    _tags("cohere", "<|START_THINKING|>", "<|END_THINKING|>", "Command A Reasoning"),
    _tags("sky", "<|begin_of_thought|>", "<|end_of_thought|>", "Sky-T1, OpenThinker"),
    _tags("kimi-vl", "\u25c1think\u25b7", "\u25c1/think\u25b7", "Kimi-VL-Thinking"),
    # The last one, since templates of others may mention it too.
    _tags("think", "<think>", "</think>", "DeepSeek-R1, Qwen3, QwQ, GLM-4.5, SmolLM3"),
)
"""All formats; if the chat template of a model mentions several, the first of them is its own."""


def find_format(name: str) -> ThinkingFormat:
    """Return a format by its name.

    Raises:
        InputError: there is none of this name.
    """
    names = [one.name for one in FORMATS]
    for one in FORMATS:
        if one.name == name:
            return one
    raise InputError(
        f"--thinking-format {name}: no such format; expected one of {', '.join(names)}"
        f"{did_you_mean(name, names)}"
    )


# Models that are only prompted to think spell their tags in several ways.
_NAMES = "think|thinking|thought|thoughts|reasoning|scratchpad"
_OPEN = "|".join(re.escape(one.open) for one in FORMATS if one.name != "harmony")
_CLOSE = "|".join(re.escape(one.close) for one in FORMATS if one.name != "harmony")
TAG = re.compile(
    rf"(?P<open><(?:{_NAMES})\s?>|{_OPEN}|<\|channel\|>(?:analysis|commentary)<\|message\|>)"
    rf"|(?P<close></(?:{_NAMES})\s?>|{_CLOSE}|<\|channel\|>final<\|message\|>)",
    re.IGNORECASE,
)
"""A tag of a thought in a text whose model is unknown; the group `open` or `close` matches."""
_TAG_WORDS = (
    "hink",
    "THINK",
    "hought",
    "HOUGHT",
    "easoning>",
    "EASONING>",
    "cratchpad>",
    "<|channel|>",
)


def may_have_tags(text: str) -> bool:
    """Whether a text may have tags of thoughts; quicker than a search for `TAG`."""
    return any(word in text for word in _TAG_WORDS)
