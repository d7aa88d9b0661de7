"""Requests in OpenAI's protocol: what is honoured, what may be ignored, what is refused.

Three kinds of fields besides the question. Those that are honoured have types of their own. Those
that change no answer (`user`, `metadata`) are taken and ignored. Those that cannot be honoured
(`tools`, `logprobs`, ...) are taken only where they ask for nothing; any other value is refused by
name, since an answer that ignores them would not be the one asked for. So are unknown fields, and
fields that another one leaves without effect.
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
    ValidationError,
)
from pydantic_core import ErrorDetails

from executor.errors import InputError
from executor.strategy import STRATEGIES, Greedy, Strategy, from_dict, from_key
from planner.service.http.faults import RequestError, invalid

MOST_CHOICES = 128
_MOST_STOPS = 16
_INT64 = 1 << 63


def _off(value: object) -> object:
    if value is not False:  # 0 equals it, but is no boolean
        raise ValueError("must be false")
    return value


# Asks for nothing: the only values that fields have which cannot be honoured.
Zero = Annotated[float, Field(ge=0, le=0)] | None
One = Annotated[float, Field(ge=1, le=1)] | None
Nothing = Annotated[list[Any], Field(max_length=0)] | None
NoObject = Annotated[dict[str, Any], Field(max_length=0)] | None
Off = Annotated[Literal[False], BeforeValidator(_off)] | None

Text = Annotated[str, Field(min_length=1)]
TokenIds = Annotated[list[Annotated[int, Field(ge=0, lt=1 << 31)]], Field(min_length=1)]
Stop = Annotated[str, Field(min_length=1, max_length=256)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class TextPart(_Strict):
    """A part of a message."""

    type: Literal["text"]
    text: str


class TextFormat(_Strict):
    """The only format of responses."""

    type: Literal["text"]


class StreamOptions(_Strict):
    """Of a stream."""

    include_usage: bool = False
    include_obfuscation: Off = None


class Message(_Strict):
    """A message of a conversation.

    Besides role and content, what the server's own messages have may come back with them; `type`
    is what lm-evaluation-harness adds.
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
        """The content as plain text."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class StrategySpec(BaseModel):
    """A strategy with its parameters, as `apportion recommend --json` prints it."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)
    name: str


class Common(_Strict):
    """What chat and plain completions share.

    `budget` to `progress` are this server's own; in OpenAI's client they go into `extra_body`.
    """

    model: str = Field(description="as GET /v1/models names it")
    max_tokens: int | None = Field(
        None, ge=1, description="most tokens of one response (default: as the plan says)"
    )
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = Field(
        None, description="the n best different responses; repeated where there are fewer"
    )
    seed: Annotated[int, Field(ge=-_INT64, lt=_INT64)] | None = Field(
        None, description="equal seeds and questions give equal draws"
    )
    stop: Stop | Annotated[list[Stop], Field(max_length=_MOST_STOPS)] | None = Field(
        None, description="answers end before the first of these"
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        None, description="of every sample; 0 is one greedy response (default: as the plan says)"
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
    max_seconds: Annotated[float, Field(gt=0)] | None = Field(
        None, description="most seconds; then the best answer so far"
    )
    max_usd: Annotated[float, Field(gt=0)] | None = Field(
        None, description="most money a question, expected"
    )
    strategy: str | StrategySpec | None = Field(
        None,
        description=f"forces one: {', '.join(STRATEGIES)}, with `budget` as its n; "
        "dvts(n=16,width=4); or an object with name, n, width, score, vote",
    )
    explain: bool | None = Field(
        None, description="add the field `apportion` to the response: what was run, and why"
    )
    progress: bool | None = Field(
        None,
        description="of a stream: how far the search is, in chunks without choices; without it in "
        "comments, which clients skip",
    )

    def limits(self) -> dict[str, Any]:
        """The limits that the request sets, by their names in `Constraint`."""
        names = ("budget", "target_accuracy", "max_seconds", "max_usd")
        given = {name: getattr(self, name) for name in names}
        return {name: value for name, value in given.items() if value is not None}

    def stops(self) -> tuple[str, ...]:
        """The strings that end an answer."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    def forced(self, most: int) -> Strategy | None:
        """The strategy that the request forces; temperature 0 forces greedy.

        Args:
            most: generations that it may ask for.

        Raises:
            RequestError: no such strategy, beyond the limit, or a field beside it that it would
                leave without effect.
        """
        strategy = _parse(self.strategy, self.budget)
        if strategy is not None:
            self._check_beside(strategy, most)
        elif self.temperature == 0:
            strategy = Greedy()
        if strategy is not None:
            for name in ("target_accuracy", "max_usd"):
                if getattr(self, name) is not None:
                    forcing = "temperature 0" if self.strategy is None else "strategy"
                    raise _wrong(
                        name,
                        f"chooses among strategies, and {forcing} forces one; leave one of the two "
                        "out",
                    )
        return strategy

    def _check_beside(self, strategy: Strategy, most: int) -> None:
        if strategy.n > most:
            raise _wrong("strategy", f"n {strategy.n} is more than the {most} this server allows")
        if self.budget is not None and strategy.n > self.budget:
            raise _wrong("budget", f"{self.budget} is less than the {strategy.n} of the strategy")
        if self.temperature == 0 and strategy != Greedy():
            raise _wrong(
                "temperature",
                "0 draws the same response every time, and a strategy of several needs different "
                "ones; leave it out, or ask for strategy greedy",
            )
        if self.temperature and strategy == Greedy():
            raise _wrong("temperature", "greedy draws at 0; leave it out, or the strategy")

    def check(self) -> None:
        """RequestError where fields contradict each other, or ask something of no stream."""
        if self.stream:
            return
        if self.stream_options is not None:
            raise _wrong("stream_options", "goes with stream")
        if self.progress:
            raise _wrong("progress", "goes with stream")


def _questioning(messages: list[Message]) -> list[Message]:
    if messages[-1].role != "user" or not messages[-1].text.strip():
        raise ValueError("the last message must be a question of the user's")
    return messages


class ChatRequest(Common):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Message], Field(min_length=1), AfterValidator(_questioning)]
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
        """See `Common.check`."""
        super().check()
        if len({self.max_tokens, self.max_completion_tokens} - {None}) > 1:
            raise _wrong("max_completion_tokens", "differs from max_tokens; give one of them")

    @property
    def most_tokens(self) -> int | None:
        """Tokens that a response may have; None: as the plan says."""
        return self.max_tokens or self.max_completion_tokens


class CompletionRequest(Common):
    """POST /v1/completions: a prompt, or several that are answered apart, as texts or token ids."""

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
    def most_tokens(self) -> int | None:
        """Tokens that a response may have; None: as the plan says."""
        return self.max_tokens


Asked = TypeVar("Asked", ChatRequest, CompletionRequest)

_INSTEAD = {
    "best_of": "budget says how many are drawn",
    "reasoning_effort": "budget and max_seconds say how much is spent",
    "top_p": "the plan says it",
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


def read(kind: type[Asked], body: bytes) -> Asked:
    """The request in a body; RequestError 400 that names the field at fault."""
    try:
        asked = kind.model_validate_json(body)
    except ValidationError as error:
        # An error's input is the client's question: only the message goes back.
        raise _fault(error.errors(include_url=False, include_context=False)) from None
    asked.check()
    return asked


def _wrong(param: str, why: str) -> RequestError:
    return RequestError(400, f"{param}: {why}", param=param, code="invalid_value")


def _fault(errors: Sequence[ErrorDetails]) -> RequestError:
    # What fits no member of a union has an error of each: the deepest is of the one that was meant.
    same = [error for error in errors if error["loc"][:1] == errors[0]["loc"][:1]]
    error = max(same, key=lambda one: len(one["loc"]))
    where = error["loc"]
    first = str(where[0]) if where else ""
    if first in _REFUSED:
        more = f"; {_INSTEAD[first]}" if first in _INSTEAD else ""
        return RequestError(
            400, f"{first} is not supported here{more}",
            param=first, code="unsupported_parameter",
        )  # fmt: skip
    if error["type"] == "extra_forbidden":
        return invalid(error)
    # Of a union, the path also names the member that did not fit.
    known = (str(part) for part in where if isinstance(part, int) or part in _FIELDS)
    return invalid(error, ".".join(known))


def _parse(given: str | StrategySpec | None, budget: int | None) -> Strategy | None:
    """A forced strategy; a bare name takes its n from `budget`."""
    if given is None:
        return None
    try:
        if isinstance(given, StrategySpec):
            return from_dict(given.model_dump())
        if given in STRATEGIES and given != Greedy.name:
            if budget is None:
                raise InputError(f"strategy {given}: give budget, the number of generations")
            return from_dict({"name": given, "n": budget})
        return from_key(given)
    except (TypeError, ValueError, ArithmeticError) as error:
        message = str(error) if isinstance(error, InputError) else "strategy: a bad parameter"
        raise RequestError(400, message, param="strategy", code="invalid_value") from None
