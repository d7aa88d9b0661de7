"""Requests in OpenAI's protocol: which fields the server honours, notes and refuses.

A client that was written for another server should work here without a change. So a field that does
not change which answer is asked for is taken; if it asks for something that does not happen, a note
in the response says so (`notes`). A field that does change it is honoured, or else refused with its
name and the reason, because an answer that ignores it would not be the one that the client asked
for. Unknown fields are refused too, and so are fields of this server's own that have no effect
beside another field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from executor.errors import InputError
from executor.strategy import STRATEGIES, Greedy, Strategy, from_dict, from_key
from planner.choice.constraint import MOST_GENERATIONS
from planner.notes import Note, NoteCode
from planner.service.http.conversation import (
    Conversation,
    Message,
    Strict,
    conversation,
)
from planner.service.http.faults import RequestError, invalid
from planner.service.http.fields import (
    INT64,
    REASONS,
    AllowedTools,
    Effort,
    JsonObjectFormat,
    JsonSchemaFormat,
    NoInteger,
    NoObject,
    Nothing,
    Off,
    OfferedFunction,
    OfferedTool,
    One,
    Prediction,
    ResponseFormatField,
    ServiceTier,
    Stops,
    StrategySpec,
    StreamOptions,
    Text,
    TokenIds,
    TokenLimit,
    Verbosity,
    Zero,
    schema_text,
)

MAX_N = 128
GREEDY_HEADER = "X-Apportion"
"""Header of a request; `off` asks for one greedy response, whatever the plan says."""
# At these values and below, all responses are as good as equal: some clients send 0.01 or 1e-8 for
# a temperature of 0, which other servers do not take.
_NEARLY_ZERO = 0.01


@dataclass(frozen=True, slots=True)
class Drawing:
    """How the responses to a request are drawn.

    Attributes:
        strategy: the strategy that the request forces; None: the router chooses.
        temperature, top_p: None: as the plan says.
        notes: what the request asked for and does not get.
    """

    strategy: Strategy | None
    temperature: float | None
    top_p: float | None
    notes: tuple[Note, ...] = ()


class CommonRequest(Strict):
    """The fields that all requests share.

    The fields from `budget` to `progress` are this server's own; in OpenAI's client they go into
    `extra_body`.
    """

    reasons: ClassVar[Mapping[str, str]] = REASONS
    """Why values of fields that cannot be honoured are refused."""
    id_prefix: ClassVar[str]
    """Prefix of the ids of responses."""
    question_field: ClassVar[str]
    """The field that holds the question."""

    model: str = Field(description="name of the model, as in GET /v1/models")
    seed: Annotated[int, Field(ge=-INT64, lt=INT64)] | None = Field(
        None, description="equal seeds and questions give equal draws"
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        None,
        description="of every sample (default: as the plan says); 0: as the plan says too, or one "
        "greedy response if the server was started with --temperature-zero greedy",
    )
    top_p: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="nucleus mass of every sample (default: as the plan says)"
    )
    user: str | None = None

    budget: Annotated[int, Field(ge=1, le=MOST_GENERATIONS)] | None = Field(
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

    @property
    def choices(self) -> int:
        """Number of responses to each question."""
        return 1

    @property
    def token_limit(self) -> int | None:
        """Most tokens of a response; None: as the plan says."""
        raise NotImplementedError

    @property
    def json_schema(self) -> str | None:
        """JSON Schema, as JSON, that every response must follow; None: free text."""
        return None

    def limits(self) -> dict[str, Any]:
        """Return the limits that the request sets, by their names in `Constraint`."""
        names = ("budget", "target_accuracy", "max_seconds", "max_usd")
        given = {name: getattr(self, name) for name in names}
        return {name: value for name, value in given.items() if value is not None}

    def stop_strings(self) -> tuple[str, ...]:
        """Return the strings that end an answer."""
        return ()

    def notes(self) -> Iterator[Note]:
        """Yield a note for each field that asks for something which does not happen."""
        options = self.stream_options
        if options is not None and not self.stream:
            yield _without_effect("stream_options")
        elif options is not None:
            for name in ("include_obfuscation", "continuous_usage_stats"):
                if getattr(options, name):
                    yield _without_effect(name)

    def drawing(self, max_budget: int, *, off: bool, greedy_at_zero: bool) -> Drawing:
        """Return how the responses are drawn.

        Args:
            max_budget: most generations that a forced strategy may have.
            off: whether the header `X-Apportion: off` asks for one greedy response.
            greedy_at_zero: whether temperature 0 does so too; else the plan is followed.

        Raises:
            RequestError: there is no such strategy, it needs too many generations, or another field
                would have no effect beside it.
        """
        strategy = _parse_strategy(self.strategy, self.budget)
        zero, forcing, notes = self._zero(), "strategy", []
        if strategy is not None:
            self._check_budget(strategy, max_budget)
            self._check_temperature(strategy, greedy_at_zero=greedy_at_zero)
        if off or (zero is not None and greedy_at_zero and strategy is None):
            forcing = f"header {GREEDY_HEADER}: off" if off or zero is None else f"{zero[0]} 0"
            if strategy not in (None, Greedy()):
                raise invalid("strategy", f"{forcing} asks for one greedy response; leave one out")
            strategy = Greedy()
            notes.append(Note.of(NoteCode.GREEDY_BY_REQUEST, by=forcing))
        if strategy is not None:
            self._check_choosing(forcing)
        if zero is not None and strategy != Greedy():
            name, value = zero
            notes.append(Note.of(NoteCode.ZERO_TEMPERATURE_ROUTED, field=name, value=value))
        if zero is not None or strategy == Greedy():
            return Drawing(strategy, None, None, tuple(notes))
        return Drawing(strategy, self.temperature, self.top_p, tuple(notes))

    def _zero(self) -> tuple[str, float] | None:
        """Return name and value of a field that would make all responses equal; None: none does."""
        for name in ("temperature", "top_p"):
            value = getattr(self, name)
            if value is not None and value <= _NEARLY_ZERO:
                return name, value
        return None

    def _check_budget(self, strategy: Strategy, max_budget: int) -> None:
        if strategy.n > max_budget:
            raise invalid(
                "strategy", f"n {strategy.n} is more than the {max_budget} this server allows"
            )
        if self.budget is not None and strategy.n > self.budget:
            raise invalid(
                "budget", f"{self.budget} is less than the n of the strategy, {strategy.n}"
            )

    def _check_temperature(self, strategy: Strategy, *, greedy_at_zero: bool) -> None:
        zero = self._zero()
        if zero is not None and greedy_at_zero and strategy != Greedy():
            raise invalid(
                zero[0],
                "at 0 every response is the same, and this strategy needs different ones; leave it "
                "out, or ask for strategy greedy",
            )
        if zero is None and self.temperature and strategy == Greedy():
            raise invalid("temperature", "strategy greedy has temperature 0; leave one of them out")

    def _check_choosing(self, forcing: str) -> None:
        for name in ("target_accuracy", "max_usd"):
            if getattr(self, name) is not None:
                raise invalid(
                    name,
                    f"it chooses among strategies, and {forcing} forces one; leave one of them out",
                )

    def check(self) -> None:
        """Raise RequestError if fields contradict each other, or one needs a stream."""
        if self.progress and not self.stream:
            raise invalid("progress", "it needs stream")
        if self.json_schema is not None:
            for name in ("target_accuracy", "max_usd"):
                if getattr(self, name) is not None:
                    raise invalid(name, "nothing is known of answers in JSON; leave it out")


class CompletionFields(CommonRequest):
    """The fields that chat and plain completions share."""

    max_tokens: TokenLimit | None = Field(
        None, description="most tokens of one response, up to the plan's limit (default)"
    )
    n: Annotated[int, Field(ge=1, le=MAX_N)] | None = Field(
        None, description="the n best different responses; repeated if there are fewer"
    )
    stop: Stops = Field(None, description="answers end before the first of these")

    bad_words: Nothing = None
    best_of: One = None
    frequency_penalty: Zero = None
    ignore_eos: Off = None
    length_penalty: One = None
    logit_bias: NoObject = None
    min_p: Zero = None
    min_tokens: Zero = None
    presence_penalty: Zero = None
    repeat_penalty: One = None
    repetition_penalty: One = None
    stop_token_ids: Nothing = None
    top_k: NoInteger = None
    use_beam_search: Off = None

    @property
    def choices(self) -> int:
        """See `CommonRequest.choices`."""
        return self.n or 1

    @property
    def token_limit(self) -> int | None:
        """See `CommonRequest.token_limit`."""
        return self.max_tokens

    def stop_strings(self) -> tuple[str, ...]:
        """See `CommonRequest.stop_strings`."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


class ConversationFields(CommonRequest):
    """What clients send with conversations, in chat completions and in responses."""

    metadata: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    service_tier: ServiceTier | None = None
    store: bool | None = None
    parallel_tool_calls: bool | None = None
    tool_choice: Literal["none", "auto"] | AllowedTools | None = None
    tools: list[OfferedTool] | None = None

    @cached_property
    def conversation(self) -> Conversation:
        """The conversation that the messages are."""
        raise NotImplementedError

    @property
    def offered(self) -> int:
        """Number of tools that may be called."""
        return len(self.tools or ()) if self.tool_choice != "none" else 0

    def unheeded(self) -> Iterator[str]:
        """Yield the fields that ask for something which does not happen."""
        if self.store:
            yield "store"
        if self.service_tier not in (None, "auto", "default"):
            yield "service_tier"

    def check(self) -> None:
        """See `CommonRequest.check`."""
        super().check()
        if self.json_schema is not None and self.conversation.begun:
            raise invalid(
                self.question_field,
                "JSON is written whole and continues no text; leave out the assistant's last "
                "message",
            )

    def notes(self) -> Iterator[Note]:
        """See `CommonRequest.notes`."""
        yield from super().notes()
        if self.offered:
            yield Note.of(NoteCode.TOOLS_NOT_CALLED, tools=self.offered)
        yield from map(_without_effect, self.unheeded())
        yield from self.conversation.notes


def _ends_with_question(messages: list[Message]) -> list[Message]:
    conversation(messages)
    return messages


Messages = Annotated[list[Message], Field(min_length=1), AfterValidator(_ends_with_question)]


class ChatRequest(CompletionFields, ConversationFields):
    """POST /v1/chat/completions."""

    id_prefix: ClassVar[str] = "chatcmpl-"
    question_field: ClassVar[str] = "messages"

    messages: Messages
    max_completion_tokens: TokenLimit | None = Field(None, description="the same as max_tokens")
    reasoning_effort: Effort | None = None
    response_format: ResponseFormatField | None = Field(
        None, description="text, or JSON, with a majority vote over equal JSON values"
    )

    audio: None = None
    function_call: Literal["none", "auto"] | None = None
    functions: list[OfferedFunction] | None = None
    logprobs: Off = None
    modalities: list[Literal["text"]] | None = None
    prediction: Prediction | None = None
    top_logprobs: Zero = None
    verbosity: Verbosity | None = None
    web_search_options: None = None

    @cached_property
    def conversation(self) -> Conversation:
        """See `ConversationFields.conversation`."""
        return conversation(self.messages)

    @property
    def offered(self) -> int:
        """See `ConversationFields.offered`."""
        older = len(self.functions or ()) if self.function_call != "none" else 0
        return super().offered + older

    @property
    def token_limit(self) -> int | None:
        """See `CommonRequest.token_limit`."""
        return self.max_tokens or self.max_completion_tokens

    @property
    def json_schema(self) -> str | None:
        """See `CommonRequest.json_schema`."""
        match self.response_format:
            case JsonSchemaFormat():
                return schema_text(self.response_format.json_schema.schema_)
            case JsonObjectFormat():
                return schema_text(None)
        return None

    def unheeded(self) -> Iterator[str]:
        """See `ConversationFields.unheeded`."""
        yield from super().unheeded()
        if self.prediction is not None:
            yield "prediction"
        if self.verbosity not in (None, "medium"):
            yield "verbosity"
        if self.reasoning_effort not in (None, "none"):
            yield "reasoning_effort"

    def check(self) -> None:
        """See `CommonRequest.check`."""
        super().check()
        if len({self.max_tokens, self.max_completion_tokens} - {None}) > 1:
            raise invalid(
                "max_completion_tokens", "it differs from max_tokens; give only one of them"
            )


class CompletionRequest(CompletionFields):
    """POST /v1/completions: one or more prompts, as texts or token ids; each is answered alone."""

    reasons: ClassVar[Mapping[str, str]] = {
        name: reason for name, reason in REASONS.items() if name != "prompt"
    }
    id_prefix: ClassVar[str] = "cmpl-"
    question_field: ClassVar[str] = "prompt"

    prompt: (
        Text
        | Annotated[list[Text], Field(min_length=1)]
        | TokenIds
        | Annotated[list[TokenIds], Field(min_length=1)]
    )

    echo: Off = None
    logprobs: None = None
    suffix: Literal[""] | None = None


def asks_for_greedy(header: str | None) -> bool:
    """Return whether the header `X-Apportion` of a request asks for one greedy response.

    Raises:
        RequestError: it says neither `off` nor `on`.
    """
    said = "on" if header is None else header.strip().lower()
    if said not in ("on", "off"):
        raise RequestError(
            400, f"header {GREEDY_HEADER} is not known; expected off, or on",
            param=GREEDY_HEADER, code="invalid_value",
        )  # fmt: skip
    return said == "off"


def names_model(asked: str, model: str) -> bool:
    """Return whether a client means this model: case and a `provider/` prefix do not count."""
    asked, model = asked.strip().lower(), model.lower()
    return asked == model or asked.endswith(f"/{model}")


def _without_effect(field: str) -> Note:
    return Note.of(NoteCode.FIELD_WITHOUT_EFFECT, field=field)


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
