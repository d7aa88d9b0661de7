"""Conversations: earlier turns and system prompts reach the model, or that is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment
from jinja2.exceptions import TemplateError

from executor.errors import InputError
from executor.models.templates import PromptTemplate, load_template, template_for

TEMPLATE = PromptTemplate("Q: {problem}", "Think.", (("1+1", "2"),))


class Tokenizer:
    """Renders a chat template as its own characters."""

    def __init__(self, chat_template: str | None) -> None:
        self.chat_template = chat_template

    def apply_chat_template(self, messages: Any, **options: Any) -> str:
        def refuse(message: str) -> None:
            raise TemplateError(message)

        template = Environment().from_string(self.chat_template or "")
        return template.render(messages=messages, raise_exception=refuse)

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return [ord(character) for character in text]


CHAT = Tokenizer("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>")
PLAIN = Tokenizer(None)
STRICT = Tokenizer(
    "{% for m in messages %}{% if m.role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{{ m.content }}{% endfor %}"
)
BEFORE = (("system", "Be brief."), ("user", "3+4"), ("assistant", "7"))


def rendered(tokenizer: Any, template: PromptTemplate, *before: tuple[str, str]) -> str:
    return "".join(map(chr, template.render(tokenizer, "2+2", before)))


def test_a_conversation_comes_after_the_worked_turns_and_under_both_system_prompts() -> None:
    assert rendered(CHAT, TEMPLATE, *BEFORE) == (
        "<system>Think.\n\nBe brief.<user>Q: 1+1<assistant>2<user>Q: 3+4<assistant>7"
        "<user>Q: 2+2<assistant>"
    )


def test_a_question_alone_is_asked_as_ever() -> None:
    assert rendered(CHAT, TEMPLATE) == (
        "<system>Think.<user>Q: 1+1<assistant>2<user>Q: 2+2<assistant>"
    )
    assert rendered(PLAIN, TEMPLATE) == "Think.\n\nQ: 1+1\n\n2\n\nQ: 2+2\n\n"
    assert rendered(CHAT, PromptTemplate()) == "<user>2+2<assistant>"


def test_a_policy_that_cannot_be_told_what_was_said_before_is_not_asked() -> None:
    with pytest.raises(InputError, match="messages: the policy has no chat template; it takes one"):
        rendered(PLAIN, PromptTemplate(), *BEFORE)
    with pytest.raises(InputError, match="template refuses them: System role not supported"):
        rendered(STRICT, PromptTemplate(), *BEFORE)
    with pytest.raises(
        InputError, match="refuses a question"
    ):  # the template's own system prompt is the plan's mistake
        rendered(STRICT, TEMPLATE)


def test_a_checkpoint_brings_its_own_template_along(tmp_path: Path) -> None:
    asked = PromptTemplate(user="Solve: {problem}")
    (tmp_path / "apportion_template.json").write_text(json.dumps(asked.to_dict()))
    assert template_for("writer", tmp_path) == asked
    assert template_for("judge", tmp_path / "none") == load_template("default")
    assert template_for("smollm2-135m") == load_template("smollm2-135m")


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('Only user\n and assistant roles') }}",
        "{{ messages[0].content.nothing.there }}",
        "{{ 1 / 0 }}",
        "{{ 'a' + 1 }}",
        "{% for m in messages %}{{ m['content'] | no_such_filter }}{% endfor %}",
        "{% if %}",
        "{{ messages[99].role[3] }}",
        "{{ [].pop() }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ raise_exception('x' * 100000) }}",
    ],
)
@pytest.mark.parametrize("before", [(), BEFORE], ids=["question", "conversation"])
def test_a_template_that_fails_is_one_line(
    template: str, before: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(InputError) as caught:
        rendered(Tokenizer(template), PromptTemplate(), *before)
    assert "chat template refuses" in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
