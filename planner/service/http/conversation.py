"""Conversations in OpenAI's protocol: messages, their parts, and the question that they end with.

A policy reads text in the turns of a system, a user and an assistant. Messages of other kinds
become text in these turns: calls of tools in the assistant's, results of tools in the user's.
Thoughts that another model wrote are left out, as every server does. Images, audio and files are
refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import core_schema

from planner.notes import Note, NoteCode

Turn = tuple[str, str]
"""A role (`system`, `user` or `assistant`) and a text."""

_ROLES = {"developer": "system", "tool": "user", "function": "user"}
_RESULTS = ("tool", "function")
_INSTRUCTIONS = ("system", "developer")
# Fields of a message in which other servers send thoughts, and in which clients send them back.
_THOUGHTS = ("reasoning", "reasoning_content", "reasoning_details", "thinking_blocks")


def _fail_fast(schema: Any) -> None:
    """Set `fail_fast` in the schemas of lists, wherever they stand in a schema."""
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list | tuple):
            _fail_fast(part)
    if isinstance(schema, dict) and schema.get("type") == "list":
        schema["fail_fast"] = True


class Strict(BaseModel):
    """A part of a request: only the fields that are named, and only values of their types."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Have every list end at its first error: half a million errors would take ten seconds."""
        schema = handler(source)
        _fail_fast(schema)
        return schema


class _Open(BaseModel):
    """A part of a request that is checked no further, because the policy never sees it."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class TextPart(Strict):
    """A text in a message; `input_text` and `output_text` are its names in /v1/responses."""

    type: Literal["text", "input_text", "output_text"]
    text: str
    cache_control: dict[str, Any] | None = None
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class RefusalPart(Strict):
    """A refusal of another model, in the history."""

    type: Literal["refusal"]
    refusal: str


class ThoughtPart(_Open):
    """A thought of another model, in the history."""

    type: Literal["thinking", "redacted_thinking", "reasoning"]


Part = Annotated[TextPart | RefusalPart | ThoughtPart, Field(discriminator="type")]


class CalledFunction(_Open):
    """Name and arguments of a call."""

    name: str
    arguments: str = ""


class ToolCall(_Open):
    """A call of a tool by another model, in the history."""

    id: str | None = None
    function: CalledFunction | None = None


class Message(Strict):
    """A message of a conversation.

    Besides role and content it may have the fields that servers put into their messages, since
    clients send those back.
    """

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: CalledFunction | None = None

    id: str | None = None
    type: Literal["text", "message"] | None = None
    status: str | None = None
    phase: str | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None
    audio: None = None
    reasoning: str | dict[str, Any] | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Any] | None = None
    thinking_blocks: list[Any] | None = None
    provider_specific_fields: dict[str, Any] | None = None
    cache_control: dict[str, Any] | None = None
    prefix: bool | None = None
    partial: bool | None = None

    @property
    def text(self) -> str:
        """The content as plain text, without thoughts; the refusal if there is no content."""
        if isinstance(self.content, str):
            return self.content
        texts = [
            part.text if isinstance(part, TextPart) else part.refusal
            for part in self.content or ()
            if not isinstance(part, ThoughtPart)
        ]
        return "".join(texts) if texts else self.refusal or ""

    @property
    def calls(self) -> list[tuple[str | None, CalledFunction]]:
        """Id and function of each call of a tool."""
        called = [(one.id, one.function) for one in self.tool_calls or () if one.function]
        return called if self.function_call is None else [*called, (None, self.function_call)]

    @property
    def plain(self) -> bool:
        """Whether it is text of a user or an assistant, without tools."""
        return self.role not in _RESULTS and not self.calls

    def unread_fields(self) -> set[str]:
        """Return the names of fields that hold something which the policy does not read."""
        parts = self.content if isinstance(self.content, list) else ()
        unread = {
            name
            for name in (*_THOUGHTS, "cache_control")
            if getattr(self, name) not in (None, "", [], {})
        }
        if any(isinstance(part, ThoughtPart) for part in parts):
            unread.add("reasoning")
        if any(isinstance(part, TextPart) and part.cache_control for part in parts):
            unread.add("cache_control")
        if self.name and self.role not in _RESULTS:
            unread.add("name")
        return unread


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as the policy reads it.

    Attributes:
        before: turns before the question.
        question: text of the last question, with the results of tools that were called for it.
        begun: text that the answer begins with; empty unless the last message is the assistant's.
        notes: what was changed or left out.
    """

    before: tuple[Turn, ...]
    question: str
    begun: str = ""
    notes: tuple[Note, ...] = ()


def conversation(messages: Sequence[Message]) -> Conversation:
    """Return the conversation of a request's messages.

    Raises:
        ValueError: it does not end with a question.
    """
    asks = _last_question(messages)
    texts = _Texts(messages)
    # Some clients put their instructions last; the policy reads those first in any case.
    late = [one for one in messages[asks + 1 :] if one.role in _INSTRUCTIONS]
    after, begun = [one for one in messages[asks + 1 :] if one.role not in _INSTRUCTIONS], ""
    if after and after[-1].plain:
        begun = after.pop().text
    if after and all(one.plain for one in after):  # several messages of the assistant in a row
        begun = "".join([*(one.text for one in after), begun])  # nothing that nobody wrote
        after = []
    question = "\n\n".join(filter(None, [messages[asks].text, *map(texts.of, after)]))
    earlier = (*messages[:asks], *late)
    before = tuple((_ROLES.get(one.role, one.role), texts.of(one)) for one in earlier)
    return Conversation(before, question, begun, tuple(_notes(messages, begun)))


def _last_question(messages: Sequence[Message]) -> int:
    users = [at for at, one in enumerate(messages) if one.role == "user"]
    if not users and messages and messages[-1].role in _INSTRUCTIONS:
        users = [len(messages) - 1]  # all that the client wrote is in the system prompt
    if not users or not messages[users[-1]].text.strip():
        raise ValueError("the last message must be a question from the user")
    return users[-1]


class _Texts:
    """The texts of messages, with calls and results of tools in words."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._names = {
            identifier: called.name
            for one in messages
            for identifier, called in one.calls
            if identifier is not None
        }

    def of(self, message: Message) -> str:
        """Return the text of a message."""
        if message.role in _RESULTS:
            name = message.name or self._names.get(message.tool_call_id or "", "the tool")
            return f"Result of {name}: {message.text}"
        calls = [f"Call of {called.name}: {called.arguments}" for _, called in message.calls]
        return "\n".join(filter(None, [message.text, *calls]))


def _notes(messages: Sequence[Message], begun: str) -> Iterable[Note]:
    if not all(one.plain for one in messages):
        yield Note.of(NoteCode.TOOL_MESSAGES_AS_TEXT)
    for name in sorted(set().union(*(one.unread_fields() for one in messages))):
        yield Note.of(NoteCode.FIELD_WITHOUT_EFFECT, field=name)
    if begun:
        yield Note.of(NoteCode.RESPONSE_BEGUN)
