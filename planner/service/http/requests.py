"""Requests in OpenAI's protocol: which fields the server honours, ignores and refuses.

Besides the question there are three kinds of fields. Fields that the server honours have types of
their own. Fields that change no answer (`user`, `metadata`) are accepted and ignored. Fields that
the server cannot honour (`tools`, `logprobs`, ...) are accepted only if they ask for nothing; any
other value is refused with the field's name, because an answer that ignores it would not be the one
that the client asked for. Unknown fields are refused too, and so are fields that have no effect
beside another field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
)
from pydantic_core import ErrorDetails, core_schema

from executor.errors import InputError
from executor.strategy import STRATEGIES, Greedy, Strategy, from_dict, from_key
from planner.service.http.faults import RequestError, from_validation_error

MAX_N = 128
_MAX_STOPS = 16
_INT64 = 1 << 63


def _off(value: object) -> object:
    if value is not False:  # 0 == False, but 0 is not a boolean
        raise ValueError("must be false")
    return value


# Values that ask for nothing: the only ones accepted in fields that cannot be honoured.
Zero = Annotated[float, Field(ge=0, le=0)] | None
One = Annotated[float, Field(ge=1, le=1)] | None
Nothing = Annotated[list[Any], Field(max_length=0)] | None
NoObject = Annotated[dict[str, Any], Field(max_length=0)] | None
Off = Annotated[Literal[False], BeforeValidator(_off)] | None

Text = Annotated[str, Field(min_length=1)]
TokenIds = Annotated[list[Annotated[int, Field(ge=0, lt=1 << 31)]], Field(min_length=1)]
Stop = Annotated[str, Field(min_length=1, max_length=256)]


def _fail_fast(schema: Any) -> None:
    """Set `fail_fast` in the schemas of lists, wherever they stand in a schema."""
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list | tuple):
            _fail_fast(part)
    if isinstance(schema, dict) and schema.get("type") == "list":
        schema["fail_fast"] = True


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Have every list end at its first error: half a million errors would take ten seconds."""
        schema = handler(source)
        _fail_fast(schema)
        return schema


class TextPart(_Strict):
    """One part of a message."""

    type: Literal["text"]
    text: str


class TextFormat(_Strict):
    """The only supported format of responses."""

    type: Literal["text"]


class StreamOptions(_Strict):
    """Options of a stream."""

    include_usage: bool = False
    include_obfuscation: Off = None


class Message(_Strict):
    """A message of a conversation.

    Besides role and content, it may have the fields of the server's own messages, which clients
    send back; `type` is a field that lm-evaluation-harness adds.
    """

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None
    type: Literal["text"] | None = None
    refusal: None = None
    annotations: Nothing = None
    audio: None = None
    tool_calls: Nothing = None
    function_call: None = None

    @property
    def text(self) -> str:
        """The content, as plain text."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class StrategySpec(BaseModel):
    """A strategy with its parameters, as `apportion recommend --json` prints it."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)
    name: str


class CommonRequest(_Strict):
    """The fields that chat and plain completions share.

    The fields from `budget` to `progress` are this server's own; in OpenAI's client they go into
    `extra_body`.
    """

    model: str = Field(description="name of the model, as in GET /v1/models")
    max_tokens: int | None = Field(
        None, ge=1, description="most tokens of one response (default: as the plan says)"
    )
    n: Annotated[int, Field(ge=1, le=MAX_N)] | None = Field(
        None, description="the n best different responses; repeated if there are fewer"
    )
    seed: Annotated[int, Field(ge=-_INT64, lt=_INT64)] | None = Field(
        None, description="equal seeds and questions give equal draws"
    )
    stop: Stop | Annotated[list[Stop], Field(max_length=_MAX_STOPS)] | None = Field(
        None, description="answers end before the first of these"
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        None,
        description="of every sample; 0: one greedy response (default: as the plan says)",
    )
    user: str | None = None

    frequency_penalty: Zero = None
    presence_penalty: Zero = None
    logit_bias: NoObject = None
    top_p: One = None

    budget: Annotated[int, Field(ge=1)] | None = Field(
        None, description="most generations a question"
    )
    target_accuracy: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="the cheapest strategy that reaches it, rather than the best"
    )
    max_seconds: Annotated[float, Field(ge=0.001)] | None = Field(
        None, description="most seconds; after them the best answer so far is returned"
    )
    max_usd: Annotated[float, Field(gt=0)] | None = Field(
        None, description="most US dollars that a question is expected to cost"
    )
    strategy: str | StrategySpec | None = Field(
        None,
        description=f"forces a strategy: {', '.join(STRATEGIES)}, with `budget` as its n; "
        "dvts(n=16,width=4); or an object with name, n, width, score, vote",
    )
    explain: bool | None = Field(
        None, description="add the field `apportion` to the response: what was run, and why"
    )
    progress: bool | None = Field(
        None,
        description="in a stream: send progress in chunks without choices (default: in comments, "
        "which clients skip)",
    )

    def limits(self) -> dict[str, Any]:
        """Return the limits that the request sets, by their names in `Constraint`."""
        names = ("budget", "target_accuracy", "max_seconds", "max_usd")
        given = {name: getattr(self, name) for name in names}
        return {name: value for name, value in given.items() if value is not None}

    def stop_strings(self) -> tuple[str, ...]:
        """Return the strings that end an answer."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    def forced_strategy(self, max_budget: int) -> Strategy | None:
        """Return the strategy that the request forces, if any; temperature 0 forces greedy.

        Args:
            max_budget: most generations that the strategy may have.

        Raises:
            RequestError: there is no such strategy, it needs too many generations, or another field
                would have no effect beside it.
        """
        strategy = _parse_strategy(self.strategy, self.budget)
        if strategy is not None:
            self._check_other_fields(strategy, max_budget)
        elif self.temperature == 0:
            strategy = Greedy()
        if strategy is not None:
            for name in ("target_accuracy", "max_usd"):
                if getattr(self, name) is not None:
                    forcing = "temperature 0" if self.strategy is None else "strategy"
                    raise _invalid(
                        name,
                        f"it chooses among strategies, and {forcing} forces one; leave one of them "
                        "out",
                    )
        return strategy

    def _check_other_fields(self, strategy: Strategy, max_budget: int) -> None:
        if strategy.n > max_budget:
            raise _invalid(
                "strategy", f"n {strategy.n} is more than the {max_budget} this server allows"
            )
        if self.budget is not None and strategy.n > self.budget:
            raise _invalid(
                "budget", f"{self.budget} is less than the n of the strategy, {strategy.n}"
            )
        if self.temperature == 0 and strategy != Greedy():
            raise _invalid(
                "temperature",
                "at 0 every response is the same, and this strategy needs different ones; leave it "
                "out, or ask for strategy greedy",
            )
        if self.temperature and strategy == Greedy():
            raise _invalid(
                "temperature", "strategy greedy has temperature 0; leave one of them out"
            )

    def check(self) -> None:
        """Raise RequestError if fields contradict each other, or one needs a stream."""
        if self.stream:
            return
        if self.stream_options is not None:
            raise _invalid("stream_options", "it needs stream")
        if self.progress:
            raise _invalid("progress", "it needs stream")


def _ends_with_question(messages: list[Message]) -> list[Message]:
    if messages[-1].role != "user" or not messages[-1].text.strip():
        raise ValueError("the last message must be a question from the user")
    return messages


class ChatRequest(CommonRequest):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Message], Field(min_length=1), AfterValidator(_ends_with_question)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None, description="the same as max_tokens"
    )

    metadata: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    service_tier: Literal["auto", "default"] | None = None
    parallel_tool_calls: bool | None = None

    audio: None = None
    function_call: Literal["none", "auto"] | None = None
    functions: Nothing = None
    logprobs: Off = None
    modalities: list[Literal["text"]] | None = None
    prediction: None = None
    reasoning_effort: None = None
    response_format: TextFormat | None = None
    store: Off = None
    tool_choice: Literal["none", "auto"] | None = None
    tools: Nothing = None
    top_logprobs: Zero = None
    verbosity: None = None
    web_search_options: None = None

    def check(self) -> None:
        """See `CommonRequest.check`."""
        super().check()
        if len({self.max_tokens, self.max_completion_tokens} - {None}) > 1:
            raise _invalid(
                "max_completion_tokens", "it differs from max_tokens; give only one of them"
            )

    @property
    def token_limit(self) -> int | None:
        """Most tokens of a response; None: as the plan says."""
        return self.max_tokens or self.max_completion_tokens


class CompletionRequest(CommonRequest):
    """POST /v1/completions: one or more prompts, as texts or token ids; each is answered alone."""

    prompt: (
        Text
        | Annotated[list[Text], Field(min_length=1)]
        | TokenIds
        | Annotated[list[TokenIds], Field(min_length=1)]
    )

    best_of: One = None
    echo: Off = None
    logprobs: None = None
    suffix: Literal[""] | None = None

    @property
    def token_limit(self) -> int | None:
        """Most tokens of a response; None: as the plan says."""
        return self.max_tokens


RequestT = TypeVar("RequestT", ChatRequest, CompletionRequest)

_INSTEAD = {
    "best_of": "set budget, the number of responses drawn",
    "reasoning_effort": "set budget or max_seconds",
    "top_p": "the plan sets it",
}
_REFUSED = frozenset(
    ("frequency_penalty", "presence_penalty", "logit_bias", "top_p", "audio", "function_call",
     "functions", "logprobs", "modalities", "prediction", "reasoning_effort", "response_format",
     "store", "tool_choice", "tools", "top_logprobs", "verbosity", "web_search_options", "best_of",
     "echo", "suffix")
)  # fmt: skip
_FIELDS = frozenset(
    name
    for model in (ChatRequest, CompletionRequest, Message, TextPart, TextFormat, StreamOptions)
    for name in model.model_fields
)


def parse_request(kind: type[RequestT], body: bytes) -> RequestT:
    """Return the request in a body.

    Raises:
        RequestError: 400; names the field at fault.
    """
    try:
        request = kind.model_validate_json(body)
    except ValidationError as error:
        # The input in an error is the client's question: only the message is sent back.
        raise _from_errors(error.errors(include_url=False, include_context=False)) from None
    request.check()
    return request


def _invalid(param: str, reason: str) -> RequestError:
    return RequestError(400, f"{param}: {reason}", param=param, code="invalid_value")


def _from_errors(errors: Sequence[ErrorDetails]) -> RequestError:
    # A value that fits no member of a union has one error for each member; the error with the
    # longest path belongs to the member that the client most likely meant.
    same = [error for error in errors if error["loc"][:1] == errors[0]["loc"][:1]]
    error = max(same, key=lambda one: len(one["loc"]))
    path = error["loc"]
    first = str(path[0]) if path else ""
    if first in _REFUSED:
        more = f"; {_INSTEAD[first]}" if first in _INSTEAD else ""
        return RequestError(
            400, f"{first} is not supported here{more}",
            param=first, code="unsupported_parameter",
        )  # fmt: skip
    if error["type"] == "extra_forbidden":
        return from_validation_error(error)
    # The path of an error also names the member of a union: keep the names of fields only.
    fields = (str(part) for part in path if isinstance(part, int) or part in _FIELDS)
    return from_validation_error(error, ".".join(fields))


def _parse_strategy(given: str | StrategySpec | None, budget: int | None) -> Strategy | None:
    """Return the forced strategy; if only its name is given, `budget` is its n."""
    if given is None:
        return None
    try:
        if isinstance(given, StrategySpec):
            return from_dict(given.model_dump())
        if given in STRATEGIES and given != Greedy.name:
            if budget is None:
                raise InputError(f"strategy {given}: it needs budget, the number of generations")
            return from_dict({"name": given, "n": budget})
        return from_key(given)
    except (TypeError, ValueError, ArithmeticError) as error:
        message = (
            str(error) if isinstance(error, InputError) else "strategy: a parameter is not valid"
        )
        raise RequestError(400, message, param="strategy", code="invalid_value") from None
