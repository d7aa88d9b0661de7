"""Task templates: how a question is put to a policy, on top of the model's own chat template."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from executor.errors import InputError

# A checkpoint trained for one task brings the way to ask it along under this name.
TEMPLATE_FILE = "apportion_template.json"


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A task template.

    Attributes:
        user: format of the question's turn, with `{problem}` where the question goes.
        system: system turn, or None for the chat template's own default.
        turns: worked (user, assistant) turns put before the question.
        stop: strings that end a response besides the end-of-sequence token.
    """

    user: str = "{problem}"
    system: str | None = None
    turns: tuple[tuple[str, str], ...] = ()
    stop: tuple[str, ...] = ()

    def render(self, tokenizer: Any, question: str) -> list[int]:
        """Token ids that ask `question`; plain text where the model has no chat template."""
        messages = [] if self.system is None else [{"role": "system", "content": self.system}]
        for user, assistant in self.turns:
            messages.append({"role": "user", "content": self._ask(user)})
            messages.append({"role": "assistant", "content": assistant})
        messages.append({"role": "user", "content": self._ask(question)})
        if tokenizer.chat_template:
            text = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
            return list(tokenizer.encode(text, add_special_tokens=False))
        text = "".join(message["content"] + "\n\n" for message in messages)
        return list(tokenizer.encode(text))

    def _ask(self, question: str) -> str:
        # Not str.format: questions and templates are full of braces.
        return self.user.replace("{problem}", question)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that `from_dict` reads."""
        turns = [{"user": user, "assistant": assistant} for user, assistant in self.turns]
        return {
            "system": self.system,
            "turns": turns,
            "user": self.user,
            "stop": list(self.stop),
        }

    @classmethod
    def from_dict(cls, record: Any, where: str) -> PromptTemplate:
        """Read the JSON object; InputError that names `where` if it is not a template."""
        try:
            template = cls(
                user=record["user"],
                system=record.get("system"),
                turns=tuple((turn["user"], turn["assistant"]) for turn in record.get("turns", ())),
                stop=tuple(record.get("stop", ())),
            )
        except (KeyError, TypeError, AttributeError):
            raise InputError(
                f"{where}: not a template; it needs user, and may have system, turns, stop"
            ) from None
        if "{problem}" not in template.user:
            raise InputError(f"{where}: the user format lacks {{problem}}")
        return template


def load_template(name: str) -> PromptTemplate:
    """The template called `name` in this package, or a JSON file's; `default` fits most models."""
    bundled = resources.files(__name__) / f"{name}.json"
    source = bundled if bundled.is_file() else Path(name)
    try:
        record = json.loads(source.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(f"template {name}: no template of this name and no such file") from None
    except ValueError as error:
        raise InputError(f"template {name}: not JSON ({error})") from None
    return PromptTemplate.from_dict(record, f"template {name}")


def template_for(policy: str, folder: Path | None = None) -> PromptTemplate:
    """The template a checkpoint folder brings along, else the one tuned for a catalog policy.

    Where there is neither, the default one.
    """
    if folder is not None and (folder / TEMPLATE_FILE).is_file():
        return load_template(str(folder / TEMPLATE_FILE))
    tuned = resources.files(__name__) / f"{policy}.json"
    return load_template(policy if tuned.is_file() else "default")
