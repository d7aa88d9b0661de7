"""The parts of a response: its thoughts, and questions that it invents after its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from executor.thinking.formats import TAG, may_have_tags

_SPEAKER = r"(?:Human|User|Student|Instruction|Input)\s?[:\uff1a]"
_ASKED = (
    r"(?:(?:(?:Next|New|Another) (?:question|problem)|(?:Next |New )?(?:Question|Problem)|Exercise"
    r"|Example)(?: \d{1,3})?|Q\d{0,3}"
    r"|问题|問題|题目|題目|質問)"
)
_QUESTION = re.compile(
    rf"\n[ \t>#*]*(?:(?P<speaker>{_SPEAKER})|{_ASKED}\**\s?[:\uff1a]|{_ASKED}[ \t*]*\n)"
)
_TOKEN = re.compile(r"<\|(?:im_start|im_end|endoftext|eot_id)\|>|\[INST\]|</s>")
_GIVES_A_RESULT = re.compile(r"=\s*\\?\$?\s?-?\d[^\n=]*$")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a response.

    Attributes:
        text: its text.
        implied: whether its last value counts as its answer if it states none.
        thought: whether it is a thought, whose boxes count only if no statement follows them.
    """

    text: str
    implied: bool
    thought: bool = False


def visible_first(response: str) -> Iterator[Part]:
    """The parts of a response in the order in which its answer is looked for.

    Text outside thoughts goes first, but the last value counts only if it stands after them. A
    response whose visible text has no answer is read from its last thought that ended; one that
    was cut off has not come to an answer, whatever it boxed on its way.
    """
    visible, thought = _split(response)
    if len(visible) == 1 and thought is None:
        yield Part(response, True)
        return
    yield Part("".join(visible), False)
    yield Part(visible[-1], True)
    if thought is not None:
        yield Part(thought, True, thought=True)


def without_thoughts(response: str) -> str:
    """Return the text behind all thoughts; a response that ends in a thought is returned whole."""
    visible, _ = _split(response)
    return visible[-1].strip() or response


def _split(response: str) -> tuple[list[str], str | None]:
    """The texts outside thoughts, the last of them behind all; the last thought that ended.

    A response without thoughts is one text, and None.
    """
    if not may_have_tags(response):
        return [response], None
    visible: list[str] = []
    thought: str | None = None
    place, opened = 0, False
    for tag in TAG.finditer(response):
        if tag["open"] and opened:
            continue
        between = response[place : tag.start()]
        place = tag.end()
        if tag["open"]:
            visible.append(between)
        elif opened or thought is None:
            # A template may have opened the first thought in the prompt.
            thought = between
        opened = tag["open"] is not None
    return [*visible, "" if opened else response[place:]], thought


def before_questions(part: Part) -> Iterator[Part]:
    """The texts between the questions that begin a line, and last all of it.

    A question that stands before the answer only repeats the problem; the part before it has no
    answer.
    """
    place, text = 0, part.text
    questions = list(_QUESTION.finditer(text))
    if "<|" in text or "[INST]" in text or "</s>" in text:
        questions.extend(_TOKEN.finditer(text))
        questions.sort(key=lambda question: question.start())
    for question in questions:
        before = text[place : question.start()]
        place = question.end()
        if before.strip():
            certain = question.re is _TOKEN or question["speaker"] is not None
            result = _GIVES_A_RESULT.search(before.rstrip()[-200:]) is not None
            yield Part(before, part.implied and (certain or result))
    yield part
