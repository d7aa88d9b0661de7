"""Task templates: the wording of a question, inside the model's own chat template."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2.exceptions import TemplateError

from executor.errors import InputError

# A checkpoint that was trained for one task holds its template in a file of this name.
TEMPLATE_FILE = "apportion_template.json"
_LONGEST_REASON = 200  # characters of an error of a chat template
# The question with earlier answers, from which a new one is to be written.
_AGGREGATE = """{problem}

Below are earlier attempts to answer this. Each may be right, wrong or unfinished, and most of them
may share an error. Check them against each other and against the question, keep what holds, and
write one improved answer of your own that does not mention the attempts.

{answers}"""
_PLACES = re.compile(r"\{(problem|answers)\}")


class ConversationError(InputError):
    """The chat template of a model refuses a conversation."""


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A task template.

    Attributes:
        user: format of the question's turn; `{problem}` stands for the question.
        system: system turn, or None for the chat template's own default.
        turns: worked (user, assistant) turns before the question.
        stop: strings that end a response besides the end-of-sequence token.
        aggregate: format of a question with earlier answers, from which a new one is to be written:
            `{problem}` stands for the question and `{answers}` for the answers. It takes the place
            of the question in `user`; None is this project's own wording.
        alone: whether the model was trained on single questions, so that earlier turns, which it
            cannot read, are left out; a property of the checkpoint and not of the wording.
    """

    user: str = "{problem}"
    system: str | None = None
    turns: tuple[tuple[str, str], ...] = ()
    stop: tuple[str, ...] = ()
    aggregate: str | None = None
    alone: bool = field(default=False, compare=False)

    def render(
        self,
        tokenizer: Any,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
        variables: Mapping[str, Any] | None = None,
    ) -> list[int]:
        """Return the token ids that ask `question`; plain text if the model has no chat template.

        Earlier turns follow the worked turns. Their questions get the same format as the last one,
        and their system prompt follows the template's own. If the chat template refuses a system
        turn, or two turns of one role in a row, they become parts of the next or the same turn.

        Args:
            tokenizer: tokenizer of the model.
            question: last question of the conversation.
            before: earlier turns `(role, text)`; the roles are `system`, `user` and `assistant`.
                They are left out if the template is `alone`.
            answers: earlier answers to the question, from which a new one shall be written.
            variables: further variables of the chat template.

        Raises:
            ConversationError: the model's chat template cannot hold the earlier turns.
        """
        messages = self.messages(question, before, answers)
        if tokenizer.chat_template:
            try:
                text = _chat(tokenizer, messages, variables or {})
            except TemplateError as first:
                if not before:
                    raise InputError(
                        f"the policy's chat template refuses a question: {first}"
                    ) from None
                try:
                    text = _chat(tokenizer, _alternating(messages), variables or {})
                except TemplateError as error:
                    raise ConversationError(
                        f"the policy's chat template refuses this conversation: {error}"
                    ) from None
            return list(tokenizer.encode(text, add_special_tokens=False))
        text = "".join(one["content"] + "\n\n" for one in messages if one["content"])
        return list(tokenizer.encode(text))

    def messages(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> list[dict[str, str]]:
        """Return the messages that ask `question`, each with a `role` and its `content`.

        See `render`, of which they are the content.
        """
        if self.alone:
            before = ()
        if answers:
            question = self._with_answers(question, answers)
        systems = [text for role, text in before if role == "system"]
        if self.system is not None:
            systems.insert(0, self.system)
        messages = [{"role": "system", "content": "\n\n".join(systems)}] if systems else []
        earlier = [(role, text) for role, text in before if role != "system"]
        worked = [each for user, assistant in self.turns
                  for each in (("user", user), ("assistant", assistant))]  # fmt: skip
        for role, text in (*worked, *earlier, ("user", question)):
            messages.append({"role": role, "content": self._ask(text) if role == "user" else text})
        return messages

    def _ask(self, question: str) -> str:
        # Not str.format: questions and templates are full of braces.
        return self.user.replace("{problem}", question)

    def _with_answers(self, question: str, answers: Sequence[str]) -> str:
        numbered = "\n\n".join(
            f"Attempt {number}:\n{answer.strip()}" for number, answer in enumerate(answers, 1)
        )
        texts = {"problem": question, "answers": numbered}
        # In one pass: a question may hold the name of a place.
        return _PLACES.sub(lambda place: texts[place[1]], self.aggregate or _AGGREGATE)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `from_dict` reads."""
        # Runs are stored by their template: without a wording of its own it must stay what it was.
        own = {} if self.aggregate is None else {"aggregate": self.aggregate}
        turns = [{"user": user, "assistant": assistant} for user, assistant in self.turns]
        return {
            "system": self.system,
            "turns": turns,
            "user": self.user,
            "stop": list(self.stop),
            **own,
        }

    @classmethod
    def from_dict(cls, record: Any, where: str) -> PromptTemplate:
        """Read the JSON object.

        Raises:
            InputError: it is not a template; the message names `where`.
        """
        try:
            template = cls(
                user=record["user"],
                system=record.get("system"),
                turns=tuple((turn["user"], turn["assistant"]) for turn in record.get("turns", ())),
                stop=tuple(record.get("stop", ())),
                aggregate=record.get("aggregate"),
            )
        except (KeyError, TypeError, AttributeError):
            raise InputError(
                f"{where}: not a template; it needs user, and may have system, turns, stop and "
                "aggregate"
            ) from None
        if "{problem}" not in template.user:
            raise InputError(f"{where}: the user format lacks {{problem}}")
        if template.aggregate is not None:
            for place in ("{problem}", "{answers}"):
                if place not in str(template.aggregate):
                    raise InputError(f"{where}: the aggregate format lacks {place}")
        return template


def _chat(
    tokenizer: Any, messages: Sequence[Mapping[str, str]], variables: Mapping[str, Any]
) -> str:
    """Return a conversation in a model's own chat template.

    Raises:
        TemplateError: the template refuses it or fails. It is a program of the model's author, and
            may raise anything.
    """
    try:
        return str(
            tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, **variables
            )
        )
    except Exception as error:
        name = "" if isinstance(error, TemplateError) else f"{type(error).__name__}: "
        raise TemplateError(" ".join(f"{name}{error}".split())[:_LONGEST_REASON]) from None


def _alternating(messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return the same text as turns of user and assistant alone, which take turns.

    Some chat templates know no system turn, and some refuse two turns of one role in a row.
    """
    turns: list[dict[str, str]] = []
    for message in messages:
        role = "user" if message["role"] == "system" else message["role"]
        if not turns and role == "assistant":
            turns.append({"role": "user", "content": ""})
        if turns and turns[-1]["role"] == role:
            both = filter(None, (turns[-1]["content"], message["content"]))
            turns[-1] = {"role": role, "content": "\n\n".join(both)}
        else:
            turns.append({"role": role, "content": message["content"]})
    return turns


def for_checkpoint(template: PromptTemplate, checkpoint: Path | str) -> PromptTemplate:
    """Return a template as a checkpoint reads it: `alone` if it was trained for one task."""
    return replace(template, alone=(Path(checkpoint) / TEMPLATE_FILE).is_file())


def load_template(name: str) -> PromptTemplate:
    """Load the template called `name` from this package, or from a JSON file.

    Raises:
        InputError: there is none. `default` fits most models.
    """
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
    """Return the template in a checkpoint folder, or of a catalog policy, or the default one."""
    if folder is not None and (folder / TEMPLATE_FILE).is_file():
        return load_template(str(folder / TEMPLATE_FILE))
    tuned = resources.files(__name__) / f"{policy}.json"
    return load_template(policy if tuned.is_file() else "default")
