"""The format of a model's thoughts, found from its chat template, and the template's switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from executor.thinking.budget import Thinking
from executor.thinking.formats import FORMATS, ThinkingFormat

# Variables by which chat templates turn thoughts on and off: Qwen3, GLM and SmolLM3, and DeepSeek
# and Granite. Seed-OSS takes a number of tokens; -1 is no limit.
_FLAGS = ("enable_thinking", "thinking")
_NUMBER = "thinking_budget"
_NO_LIMIT = -1


def template_text(tokenizer: Any) -> str:
    """Return the source of a tokenizer's chat template; empty if it has none."""
    template = getattr(tokenizer, "chat_template", None)
    if isinstance(template, dict):
        template = template.get("default")
    return template if isinstance(template, str) else ""


def detect_format(tokenizer: Any) -> ThinkingFormat | None:
    """Return the format that a model's chat template mentions; None if it mentions none.

    The vocabulary does not decide: Qwen3's models that do not think have the marks too.
    """
    text = template_text(tokenizer)
    for one in FORMATS:
        if one.open in text or one.close in text:
            return one
    return None


@dataclass(frozen=True, slots=True)
class Switch:
    """The variable of a chat template that turns thoughts on and off.

    Attributes:
        name: its name.
        counts: whether it takes a number of tokens; otherwise it is true or false.
    """

    name: str
    counts: bool

    def variables(self, thinking: Thinking) -> dict[str, Any]:
        """Return the variables for the chat template."""
        if self.counts:
            return {self.name: _NO_LIMIT if thinking.tokens is None else thinking.tokens}
        return {self.name: thinking.tokens != 0}


def find_switch(tokenizer: Any) -> Switch | None:
    """Return the switch of a model's chat template; None if it has none."""
    names = _variables(template_text(tokenizer))
    if _NUMBER in names:
        return Switch(_NUMBER, counts=True)
    for name in _FLAGS:
        if name in names:
            return Switch(name, counts=False)
    return None


def _variables(template: str) -> set[str]:
    """Return the names in a template that are no attributes of others."""
    from jinja2 import Environment, TemplateSyntaxError

    names: set[str] = set()
    before = ""
    try:
        # Tokens and not the tree: templates use statements that only transformers knows.
        for _, kind, value in Environment().lex(template):
            if kind == "name" and before != ".":
                names.add(value)
            before = value
    except TemplateSyntaxError:
        return set()
    return names
