"""Requests of /v1/responses, OpenAI's newer protocol, as far as an answer in text needs it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from planner.service.http.conversation import (
    CalledFunction,
    Conversation,
    Message,
    Part,
    Strict,
    ToolCall,
    conversation,
)
from planner.service.http.faults import invalid
from planner.service.http.fields import (
    Effort,
    JsonObjectFormat,
    Nothing,
    Off,
    Schema,
    Text,
    TextFormat,
    TokenLimit,
    Verbosity,
    Zero,
    schema_text,
)
from planner.service.http.requests import ConversationFields

# What a request may ask to be included beside the answer. All of it belongs to calls of tools and
# to thoughts, and there are none.
Inclusion = Literal[
    "reasoning.encrypted_content", "file_search_call.results", "web_search_call.results",
    "web_search_call.action.sources", "code_interpreter_call.outputs",
    "computer_call_output.output.image_url", "message.input_image.image_url",
]  # fmt: skip


class FunctionCallItem(Strict):
    """A call of a tool by another model, in the history."""

    type: Literal["function_call"]
    name: str
    arguments: str
    call_id: str
    id: str | None = None
    status: str | None = None
    namespace: str | None = None


class FunctionOutputItem(Strict):
    """The result of a call of a tool, in the history."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[Part]
    id: str | None = None
    status: str | None = None


class ReasoningItem(Strict):
    """A thought of another model, in the history."""

    type: Literal["reasoning"]
    id: str | None = None
    status: str | None = None
    summary: list[Any] | None = None
    content: list[Any] | None = None
    encrypted_content: str | None = None


def _kind(item: Any) -> str:
    kind = item.get("type", "message") if isinstance(item, dict) else getattr(item, "type", None)
    return str(kind or "message")


Item = Annotated[
    Annotated[Message, Tag("message")]
    | Annotated[FunctionCallItem, Tag("function_call")]
    | Annotated[FunctionOutputItem, Tag("function_call_output")]
    | Annotated[ReasoningItem, Tag("reasoning")],
    Discriminator(_kind),
]


class JsonSchemaText(Strict):
    """JSON that follows a schema, as this protocol asks for it."""

    type: Literal["json_schema"]
    name: str | None = None
    description: str | None = None
    strict: bool | None = None
    schema_: Schema = Field(alias="schema")


class TextOptions(Strict):
    """Options of the answer's text."""

    format: (
        Annotated[TextFormat | JsonObjectFormat | JsonSchemaText, Field(discriminator="type")]
        | None
    ) = None
    verbosity: Verbosity | None = None


class Reasoning(Strict):
    """Options of thoughts before the answer."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None


class ResponsesRequest(ConversationFields):
    """POST /v1/responses."""

    id_prefix: ClassVar[str] = "resp_"
    question_field: ClassVar[str] = "input"

    input: Text | Annotated[list[Item], Field(min_length=1)]
    instructions: str | None = None
    max_output_tokens: TokenLimit | None = Field(
        None, description="most tokens of one response, up to the plan's limit (default)"
    )
    text: TextOptions | None = Field(
        None, description="text, or JSON, with a majority vote over equal JSON values"
    )

    background: Off = None
    context_management: Nothing = None
    conversation_id: None = Field(None, alias="conversation")
    include: list[Inclusion] | None = None
    max_tool_calls: int | None = None
    previous_response_id: None = None
    prompt: None = None
    reasoning: Reasoning | None = None
    top_logprobs: Zero = None
    truncation: Literal["auto", "disabled"] | None = None

    @cached_property
    def conversation(self) -> Conversation:
        """See `ConversationFields.conversation`."""
        said = [Message(role="system", content=self.instructions)] if self.instructions else []
        if isinstance(self.input, str):
            return conversation([*said, Message(role="user", content=self.input)])
        items = [_message(item) for item in self.input if not isinstance(item, ReasoningItem)]
        return conversation([*said, *items])

    @property
    def token_limit(self) -> int | None:
        """See `CommonRequest.token_limit`."""
        return self.max_output_tokens

    @property
    def json_schema(self) -> str | None:
        """See `CommonRequest.json_schema`."""
        match None if self.text is None else self.text.format:
            case JsonSchemaText() as asked:
                return schema_text(asked.schema_)
            case JsonObjectFormat():
                return schema_text(None)
        return None

    def unheeded(self) -> Iterator[str]:
        """See `ConversationFields.unheeded`."""
        yield from super().unheeded()
        if self.text is not None and self.text.verbosity not in (None, "medium"):
            yield "verbosity"
        if self.reasoning is not None:
            if self.reasoning.effort not in (None, "none"):
                yield "reasoning_effort"
            if self.reasoning.summary or self.reasoning.generate_summary:
                yield "reasoning_summary"
        if isinstance(self.input, list) and any(isinstance(x, ReasoningItem) for x in self.input):
            yield "reasoning"
        if self.truncation == "auto":
            yield "truncation"

    def check(self) -> None:
        """See `CommonRequest.check`."""
        try:
            _ = self.conversation
        except ValueError as error:
            raise invalid("input", str(error)) from None
        super().check()


def _message(item: Message | FunctionCallItem | FunctionOutputItem) -> Message:
    match item:
        case FunctionCallItem():
            called = CalledFunction(name=item.name, arguments=item.arguments)
            return Message(
                role="assistant", tool_calls=[ToolCall(id=item.call_id, function=called)]
            )
        case FunctionOutputItem():
            return Message(role="tool", tool_call_id=item.call_id, content=item.output)
    return item
