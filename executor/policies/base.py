"""What a strategy needs of a policy, the model that writes.

A *token policy* (`Policy`) continues any tokens, so that every strategy works on it. A *chat
policy* (`ChatPolicy`) is a model behind an API, whose tokenizer is not here: it takes messages and
returns whole responses, as texts with the lengths that were billed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from executor.engines.base import EngineCounters
from executor.engines.capacity import Capacity
from executor.errors import EngineError, InputError
from executor.ledger import Ledger
from executor.models.confidence import token_confidences
from executor.models.fused import FusedRows
from executor.models.stopping import Finish
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens


class Reads(StrEnum):
    """What a policy reads of a conversation; the values name what becomes of its earlier turns."""

    TURNS = "turns"  # they are turns of the model's chat template
    TEXT = "text"  # there is no chat template: they are plain text before the question
    QUESTION = "question"  # the model was trained on single questions: they are left out


@dataclass(frozen=True, slots=True)
class Draw:
    """One continuation of a prompt.

    Attributes:
        token_ids: generated tokens, including the end-of-sequence token if the policy drew it.
        finish: reason why the draw ended.
        logprob: sum of the log-probabilities of its tokens, in nats.
        readings: logits of the reward head in the policy's output matrix, without its intercept:
            for each token, at the state that wrote it; empty if the policy holds no head.
        confidences: confidence of each token, in nats (`executor.models.confidence`); empty if the
            request did not ask for them. Forced tokens have none.
        certainty: sum of the certainties of its tokens, in nats (`FusedRows.certainty`); None if
            the policy does not say.
        visible_from: number of its first tokens that belong to the response's thought.
        forced: number of its tokens that were appended and not drawn: a thought's forced end.
    """

    token_ids: tuple[int, ...]
    finish: Finish
    logprob: float
    readings: tuple[float, ...] = ()
    confidences: tuple[float, ...] = ()
    certainty: float | None = None
    visible_from: int = 0
    forced: int = 0

    @property
    def drawn(self) -> int:
        """Number of its tokens that the policy drew."""
        return len(self.token_ids) - self.forced


# Receives the index and the draw of a child as soon as it has ended, on the event loop.
Finished = Callable[[int, Draw], None]
# Receives the tokens that a child had generated when the request was cancelled.
Unfinished = Callable[[tuple[int, ...]], None]


@dataclass(frozen=True, slots=True)
class DrawRequest:
    """A request for `n` continuations of one prompt.

    Child `i` is drawn with the seed `seed + i`, so a request may be split into several without
    changing what is drawn.

    Attributes:
        prompt_ids: tokens of the prompt, including the response so far.
        n: number of continuations (children).
        max_tokens: most tokens of each continuation.
        temperature: sampling temperature; 0 is greedy.
        top_p: nucleus mass, in (0, 1].
        seed: seed of the first child.
        ledger: ledger that all tokens are charged to.
        stop: strings that end a continuation; they stay in the draw.
        finished: callback for each child that ends, in whatever order the children end.
        unfinished: callback for each child that has not ended when the draw is cancelled.
        json_schema: JSON Schema, as JSON, that each continuation must follow; None: free text.
        top_logprobs: number of likeliest tokens that the confidence of each token is taken over;
            None: no confidences. A policy that holds a reward head has none
            (`executor.models.confidence.check_top_logprobs`).
        written: number of the prompt's last tokens that the response itself has written.
        max_visible_tokens: most tokens of each continuation behind its thought; None: no limit but
            `max_tokens`. Of policies without thoughts `max_tokens` is the only limit.
    """

    prompt_ids: Sequence[int]
    n: int
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    ledger: Ledger
    stop: Sequence[str] = ()
    finished: Finished | None = None
    unfinished: Unfinished | None = None
    json_schema: str | None = None
    top_logprobs: int | None = None
    written: int = 0
    max_visible_tokens: int | None = None


def draw_of(
    token_ids: tuple[int, ...],
    finish: Finish,
    logprob: float,
    beside: Sequence[Sequence[float]],
    rows: FusedRows | None,
) -> Draw:
    """Return a draw with what the log-probabilities beside its tokens say.

    Args:
        token_ids, finish: see `Draw`.
        logprob: sum of the log-probabilities of its tokens beside those of the head's rows.
        beside: log-probabilities beside the tokens, each of shape `(tokens,)`: of the rows of a
            reward head (`FusedRows.indices`), or else of the likeliest tokens, if they were asked
            for.
        rows: rows of the policy's reward head; None if it holds none.
    """
    if rows is None:
        return Draw(token_ids, finish, logprob, confidences=token_confidences(beside))
    zero, head = beside[:2]
    return Draw(
        token_ids,
        finish,
        logprob + rows.taken(beside),
        rows.readings(zero, head),
        certainty=rows.certainty(beside),
    )


async def read_head(policy: Policy, prompt_ids: Sequence[int], ledger: Ledger) -> float:
    """Return the logit of a policy's reward head after a prompt; draws one token there.

    Raises:
        EngineError: the engine was lost.
    """
    request = DrawRequest(prompt_ids, n=1, max_tokens=1, temperature=0.0, top_p=1.0, seed=0,
                          ledger=ledger)  # fmt: skip
    (draw,) = await policy.draw(request)
    return draw.readings[0]


def reads_of(tokens: Tokens, template: PromptTemplate) -> Reads:
    """Return what a model reads of a conversation."""
    if template.alone:
        return Reads.QUESTION
    return Reads.TURNS if tokens.tokenizer.chat_template else Reads.TEXT


class Policy(Protocol):
    """A token policy: all prompts and continuations are tokens.

    `executor.testing.policy_conformance` tests that an implementation keeps these promises.
    """

    name: str
    """Short name, which evidence goes by."""
    tokens: Tokens
    """The policy's tokenizer."""
    max_context: int
    """Longest context in tokens, prompt and continuation together."""
    capacity: Capacity
    """What its engines hold at once."""
    reads: Reads
    """What it reads of a conversation."""
    writes_json: bool
    """Whether it can keep to the `json_schema` of a request."""

    def prompt(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> list[int]:
        """Return the token ids that ask `question`.

        Args:
            question: text of the question.
            before: earlier turns of the conversation (`Problem.before`).
            answers: earlier answers to it, from which a new one shall be written.

        Raises:
            ConversationError: the model's chat template refuses these turns.
        """
        ...

    async def draw(self, request: DrawRequest) -> list[Draw]:
        """Draw `request.n` different continuations, charged to `request.ledger`.

        Cancelling the awaiting task cancels the request in the engine; the tokens generated by
        then are charged as discarded.

        Returns:
            The draws in the order of their seeds.

        Raises:
            EngineError: the engine was lost.
        """
        ...

    @property
    def lost(self) -> bool:
        """Whether its engine will never answer again, so that another must be loaded."""
        ...

    def counters(self) -> EngineCounters:
        """Return the engine's own token counts since it started."""
        ...

    def close(self) -> None:
        """Release the engine."""
        ...


Messages = Sequence[Mapping[str, str]]
"""Messages of a conversation, each with a `role` and its `content`."""


@dataclass(frozen=True, slots=True)
class Written:
    """A whole response as an endpoint sent and billed it.

    Attributes:
        text: its text, without its thought.
        finish: reason why it ended.
        n_tokens: its billed tokens, with those of its thought; 0 if the endpoint does not say.
        thought: text of its thought, if the endpoint shows it; never graded.
        thought_tokens: billed tokens of its thought; None if the endpoint does not say.
    """

    text: str
    finish: Finish
    n_tokens: int
    thought: str = ""
    thought_tokens: int | None = None


@dataclass(slots=True)
class Bill:
    """What an endpoint did for one problem, beside what it charged to the ledger.

    Attributes:
        calls: requests that it answered with responses.
        lost: requests that it did not answer; it may bill them all the same.
        thought: tokens of thoughts among those that it generated.
        filtered: responses that its content filter stopped.
        empty: responses without any text.
        shared: responses that came several at once: the endpoint bills them together, and each has
            the share that its text has.
        unknown: counts that it did not report (`executor.outcome.Outcome.unknown`).
    """

    calls: int = 0
    lost: int = 0
    thought: int = 0
    filtered: int = 0
    empty: int = 0
    shared: int = 0
    unknown: set[str] = field(default_factory=set)

    def to_dict(self) -> dict[str, int]:
        """Return the counts that are not 0 and not of the ledger, for the note of an outcome."""
        names = ("calls", "lost", "thought", "filtered", "empty", "shared")
        return {name: count for name in names if (count := getattr(self, name))}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request for `n` whole responses to one conversation.

    Attributes:
        messages: the conversation.
        n: number of responses.
        max_tokens: most tokens of each response, with its thought.
        temperature: sampling temperature; 0 is greedy.
        top_p: nucleus mass, in (0, 1].
        seed: seed of the first response. Endpoints are told it, and nobody relies on it.
        ledger: ledger that is charged with what the endpoint bills.
        bill: what the endpoint did besides.
        finished: callback for each response with its index, as soon as it has come.
    """

    messages: Messages
    n: int
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    ledger: Ledger
    bill: Bill
    finished: Callable[[int, Written], None] | None = None


class ContextFullError(EngineError):
    """A conversation fills a chat policy's context, so that it can write nothing."""


class ChatPolicy(ABC):
    """A model behind an API that writes whole responses, and whose tokens are only counted.

    It is a base class and no Protocol, so that a policy says which of both kinds it is.
    `executor.testing.chat_policy_conformance` tests that an implementation keeps these promises.

    Attributes:
        name: short name, which evidence goes by.
        capacity: requests that may be on their way at once; its tokens are no limit.
    """

    name: str
    capacity: Capacity
    reads = Reads.TURNS
    writes_json = False

    @abstractmethod
    def ask(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> Messages:
        """Return the messages that ask `question`; see `Policy.prompt`."""

    @abstractmethod
    async def write(self, request: ChatRequest) -> list[Written]:
        """Write `request.n` responses, charged to its ledger and its bill.

        What a cancelled request costs is unknown, and its bill says so.

        Raises:
            ContextFullError: the conversation leaves no room for a response.
            EngineError: the endpoint refused the request, or did not answer for too long.
            InputError: the endpoint refuses the key, the model or a setting.
        """

    @property
    def lost(self) -> bool:
        """Always False: endpoints come back."""
        return False

    @abstractmethod
    def counters(self) -> EngineCounters:
        """Return what the endpoint has billed to this policy since it was made."""

    @abstractmethod
    def close(self) -> None:
        """Release what it holds."""


AnyPolicy = Policy | ChatPolicy


def token_policy(policy: AnyPolicy, why: str) -> Policy:
    """Return a policy that must be a token policy.

    Args:
        policy: the policy.
        why: what needs tokens, as the beginning of the message.

    Raises:
        InputError: it is a chat policy.
    """
    if isinstance(policy, ChatPolicy):
        raise InputError(no_tokens(why, policy.name))
    return policy


def no_tokens(why: str, policy: str) -> str:
    """Return the refusal of what a chat policy cannot do, in one line."""
    return (
        f"{why}: policy {policy} is a chat endpoint, which gives whole responses and no tokens; "
        "expected a vllm serve of a model whose tokenizer is here (--policy-api tokens)"
    )
