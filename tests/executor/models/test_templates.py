"""Conversations: earlier turns and system prompts reach a model that can read them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment
from jinja2.exceptions import TemplateError

from executor.errors import InputError
from executor.models.templates import PromptTemplate, for_checkpoint, load_template, template_for

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
    "{{ raise_exception('System role not supported') }}{% endif %}{{ m.content }}|{% endfor %}"
)
ALTERNATING = Tokenizer(
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}{{ m.content }}|{% endfor %}"
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


def test_earlier_answers_stand_behind_the_question_in_the_wording_of_the_template() -> None:
    def asked(template: PromptTemplate, question: str, *answers: str) -> str:
        return "".join(map(chr, template.render(CHAT, question, (), answers)))

    plain = asked(TEMPLATE, "2+2", "It is 4.\n", "It is {problem}.")
    assert plain.startswith("<system>Think.<user>Q: 1+1<assistant>2<user>Q: 2+2\n\nBelow are")
    assert plain.endswith("\n\nAttempt 1:\nIt is 4.\n\nAttempt 2:\nIt is {problem}.<assistant>")
    own = replace(TEMPLATE, aggregate="{answers} | {problem}")
    assert asked(own, "Of {answers}?", "4").endswith(
        "<user>Q: Attempt 1:\n4 | Of {answers}?<assistant>"
    )


def test_a_wording_for_earlier_answers_is_stored_only_if_the_template_has_its_own() -> None:
    """Runs are known by their templates, so those of before must stay what they were."""
    assert "aggregate" not in TEMPLATE.to_dict()
    own = replace(TEMPLATE, aggregate="{answers} {problem}")
    assert PromptTemplate.from_dict(own.to_dict(), "here") == own
    for wording, lacks in (
        ("{answers}", "{problem}"),
        ("{problem}", "{answers}"),
        (7, "{problem}"),
    ):
        with pytest.raises(InputError, match=f"here: the aggregate format lacks {lacks}"):
            PromptTemplate.from_dict(TEMPLATE.to_dict() | {"aggregate": wording}, "here")


def test_without_a_chat_template_a_conversation_is_text_before_the_question() -> None:
    assert rendered(PLAIN, PromptTemplate(), *BEFORE) == "Be brief.\n\n3+4\n\n7\n\n2+2\n\n"
    assert rendered(PLAIN, PromptTemplate(), ("assistant", "")) == "2+2\n\n"


def test_a_chat_template_without_system_turns_gets_the_system_prompt_in_a_users_turn() -> None:
    assert rendered(STRICT, PromptTemplate(), *BEFORE) == "Be brief.\n\n3+4|7|2+2|"
    # The template's own system prompt is the plan's mistake.
    with pytest.raises(InputError, match="refuses a question"):
        rendered(STRICT, TEMPLATE)


def test_a_chat_template_whose_turns_alternate_gets_turns_of_one_role_as_one() -> None:
    assert rendered(ALTERNATING, PromptTemplate(), ("user", "3+4"), ("user", "5+6")) == (
        "3+4\n\n5+6\n\n2+2|"
    )
    assert rendered(ALTERNATING, PromptTemplate(), ("assistant", "Ask!")) == "|Ask!|2+2|"


def test_a_chat_template_that_refuses_every_conversation_is_said() -> None:
    refusing = Tokenizer("{{ raise_exception('Only one turn') if messages|length > 1 }}")
    with pytest.raises(InputError, match="chat template refuses this conversation: Only one turn"):
        rendered(refusing, PromptTemplate(), *BEFORE)


def test_a_model_trained_on_single_questions_is_asked_the_last_one(tmp_path: Path) -> None:
    alone = for_checkpoint(PromptTemplate(), tmp_path)
    assert not alone.alone
    (tmp_path / "apportion_template.json").write_text("{}")
    alone = for_checkpoint(PromptTemplate(), tmp_path)
    assert alone.alone and alone == PromptTemplate()
    assert alone.to_dict() == PromptTemplate().to_dict()
    for tokenizer in (CHAT, PLAIN):
        assert rendered(tokenizer, alone, *BEFORE) == rendered(tokenizer, PromptTemplate())


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
