"""Types of fields in requests: what is honoured, and values that ask for nothing.

A field that the server cannot honour has a type that only takes the values which ask for nothing,
such as a penalty of 0. `REASONS` says why every other value is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from planner.service.http.conversation import Strict, TextPart

MAX_STOPS = 16
MAX_SCHEMA = 32_768
"""Most characters of a JSON Schema: the engine compiles it while others wait."""
INT64 = 1 << 63

_TEXT_ONLY = "the policy reads and writes text only"
_NO_TOOL = "the answer is text and no tool is called; leave it out, or give auto or none"
_NOT_SAMPLED = "samples are drawn without it"
REASONS: Mapping[str, str] = {
    "audio": _TEXT_ONLY,
    "background": "leave it out, and wait for the response",
    "bad_words": _NOT_SAMPLED,
    "best_of": "set budget, the number of responses drawn",
    "context_management": "send the messages that the policy shall read",
    "conversation": "no conversations are kept; send all messages in input",
    "echo": "the response holds what the policy wrote, without the prompt",
    "frequency_penalty": _NOT_SAMPLED,
    "function_call": _NO_TOOL,
    "ignore_eos": _NOT_SAMPLED,
    "include": "nothing of this kind is kept; leave it out",
    "length_penalty": _NOT_SAMPLED,
    "logit_bias": _NOT_SAMPLED,
    "logprobs": "log-probabilities of single tokens are not kept",
    "min_p": _NOT_SAMPLED,
    "min_tokens": _NOT_SAMPLED,
    "modalities": _TEXT_ONLY,
    "presence_penalty": _NOT_SAMPLED,
    "previous_response_id": "no responses are kept; send all messages in input",
    "prompt": "no prompt templates are kept; send the text in input",
    "repeat_penalty": _NOT_SAMPLED,
    "repetition_penalty": _NOT_SAMPLED,
    "stop_token_ids": "give stop strings",
    "suffix": "the policy writes what follows the prompt",
    "tool_choice": _NO_TOOL,
    "top_k": _NOT_SAMPLED,
    "top_logprobs": "log-probabilities of single tokens are not kept",
    "use_beam_search": "set strategy",
    "web_search_options": "the policy searches nothing",
}  # fmt: skip
"""Why values that ask for something are refused, by field."""


def _off(value: object) -> object:
    if value is not False:  # 0 == False, but 0 is not a boolean
        raise ValueError("must be false")
    return value


def _few_stops(value: object) -> object:
    if isinstance(value, list) and len(value) > MAX_STOPS:
        raise ValueError(f"has {len(value)} strings; expected at most {MAX_STOPS}")
    return value


def _short_schema(schema: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(schema))
    if size > MAX_SCHEMA:
        raise ValueError(f"has {size} characters as JSON; expected at most {MAX_SCHEMA}")
    return schema


Zero = Annotated[float, Field(ge=0, le=0)] | None
One = Annotated[float, Field(ge=1, le=1)] | None
NoInteger = Annotated[int, Field(ge=-1, le=0)] | None
Nothing = Annotated[list[Any], Field(max_length=0)] | None
NoObject = Annotated[dict[str, Any], Field(max_length=0)] | None
Off = Annotated[Literal[False], BeforeValidator(_off)] | None

Text = Annotated[str, Field(min_length=1)]
TokenIds = Annotated[list[Annotated[int, Field(ge=0, lt=1 << 31)]], Field(min_length=1)]
TokenLimit = Annotated[int, Field(ge=1, lt=INT64)]
Stop = Annotated[str, Field(min_length=1, max_length=256)]
Stops = Annotated[
    Stop | Annotated[list[Stop], Field(max_length=MAX_STOPS)] | None, BeforeValidator(_few_stops)
]
Schema = Annotated[dict[str, Any], AfterValidator(_short_schema)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Verbosity = Literal["low", "medium", "high"]
ServiceTier = Literal["auto", "default", "flex", "priority", "scale"]


class TextFormat(Strict):
    """Free text, the usual format of responses."""

    type: Literal["text"]


class JsonObjectFormat(Strict):
    """Any JSON object."""

    type: Literal["json_object"]


class NamedSchema(Strict):
    """A JSON Schema with the name that a client gives it."""

    name: str | None = None
    description: str | None = None
    strict: bool | None = None
    schema_: Schema = Field(alias="schema")


class JsonSchemaFormat(Strict):
    """JSON that follows a schema."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


ResponseFormatField = Annotated[
    TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")
]


def schema_text(schema: Mapping[str, Any] | None) -> str:
    """Return a JSON Schema as JSON; None is any object."""
    return json.dumps({"type": "object"} if schema is None else schema)


class StreamOptions(Strict):
    """Options of a stream."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None
    continuous_usage_stats: bool | None = None


class OfferedTool(BaseModel):
    """A tool that the policy may call, and never does."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)
    type: str


class OfferedFunction(BaseModel):
    """A function as older clients offer it."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)
    name: str


class ToolMode(Strict):
    """Tools of which the policy may call any, or none."""

    mode: Literal["auto"]
    tools: list[Any] | None = None


class AllowedTools(Strict):
    """A choice of tools that demands no call."""

    type: Literal["allowed_tools"]
    allowed_tools: ToolMode


class StrategySpec(BaseModel):
    """A strategy with its parameters, as `apportion recommend --json` prints it."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)
    name: str


class Prediction(Strict):
    """A text that the answer is expected to be like, which speeds up other servers."""

    type: Literal["content"]
    content: str | list[TextPart]
