"""The JSON of `/chat/completions`: what is sent, and what endpoints of many makers answer."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from executor.models.stopping import Finish

_MOST_STOPS = 4  # of OpenAI's own endpoint
# Values that say the same as nothing, so that a refused setting may be left out.
_NEUTRAL = {"temperature": 1.0, "top_p": 1.0}
# How OpenAI, vLLM, llama.cpp and Anthropic call a conversation that their model cannot hold.
_TOO_LONG = re.compile(
    r"context[_ ](?:length|size|window)|max_model_len|prompt is too long", re.IGNORECASE
)
_FILTERED = re.compile(r"content[_ ]filter|content_policy_violation|ResponsibleAIPolicy", re.I)
_ENDED = {None: Finish.EOS, "length": Finish.LENGTH, "max_tokens": Finish.LENGTH}


class AnswerError(Exception):
    """An answer with status 200 that holds no responses; another try may have some."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that an endpoint refused.

    Attributes:
        status: HTTP status.
        words: what it said.
        code: its own name of the fault; empty without one.
        param: the field of the request that is at fault; empty without one.
    """

    status: int
    words: str
    code: str = ""
    param: str = ""

    @classmethod
    def of(cls, status: int, record: Any, text: str) -> Refusal:
        """Read the body of a refusal, whatever its form."""
        error = record.get("error", record) if isinstance(record, Mapping) else record
        if not isinstance(error, Mapping):
            return cls(status, str(error or text))
        words = error.get("message") or error.get("detail") or text
        kinds = (error.get("code"), error.get("type"))
        codes = " ".join(str(one) for one in kinds if isinstance(one, str))
        return cls(status, str(words), codes, str(error.get("param") or ""))

    def names(self, setting: str) -> bool:
        """Whether it is about a field of the request."""
        return self.param == setting or re.search(rf"[`'\"]{setting}[`'\"]", self.words) is not None

    @property
    def too_long(self) -> bool:
        """Whether the conversation, or it and its response, do not fit into the context."""
        return self.status in (400, 413, 422) and bool(
            _TOO_LONG.search(f"{self.code} {self.words}")
        )

    @property
    def filtered(self) -> bool:
        """Whether a content filter refused the question."""
        return self.status == 400 and bool(_FILTERED.search(f"{self.code} {self.words}"))


@dataclass(slots=True)
class Dialect:
    """What an endpoint takes, as its refusals have taught so far.

    Attributes:
        length: name of the field with the most tokens.
        takes_n: whether it writes several responses to one request.
        without: settings that it does not take.
    """

    length: str = "max_tokens"
    takes_n: bool = True
    without: set[str] = field(default_factory=set)

    def body(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        *,
        n: int,
        max_tokens: int | None,
        settings: Mapping[str, float],
        stop: Sequence[str],
    ) -> dict[str, Any]:
        """Return the JSON of a request.

        Args:
            model: name of the model at the endpoint.
            messages: the conversation.
            n: number of responses.
            max_tokens: most tokens of each; None: as many as fit.
            settings: temperature, top_p and seed.
            stop: strings that end a response.
        """
        body: dict[str, Any] = {"model": model, "messages": [dict(one) for one in messages]}
        body |= {name: value for name, value in settings.items() if name not in self.without}
        if n > 1:
            body["n"] = n
        if max_tokens is not None:
            body[self.length] = max_tokens
        if stop:
            body["stop"] = list(stop[:_MOST_STOPS])
        return body

    def learn(self, refusal: Refusal, body: Mapping[str, Any]) -> bool:
        """Learn from a refusal; return whether the request can be sent in another form.

        Only what changes no response is learnt: a seed, which nobody relies on, the name of the
        limit, and settings with the value that they have by themselves.
        """
        if refusal.status not in (400, 422):
            return False
        if refusal.names("max_completion_tokens") and "max_tokens" in body:
            self.length = "max_completion_tokens"
            return True
        if "n" in body and refusal.names("n"):
            self.takes_n = False
            return True
        for name in ("seed", *_NEUTRAL):
            if name not in body or not refusal.names(name):
                continue
            if name == "seed" or body[name] == _NEUTRAL[name]:
                self.without.add(name)
                return True
        return False


@dataclass(frozen=True, slots=True)
class Usage:
    """What one answer was billed; None if the endpoint does not say.

    Attributes:
        prompt: prompt tokens, cached ones included.
        cached: prompt tokens of its cache.
        generated: generated tokens, with those of thoughts.
        thought: tokens of thoughts.
    """

    prompt: int | None = None
    cached: int | None = None
    generated: int | None = None
    thought: int | None = None

    @classmethod
    def of(cls, record: Any) -> Usage:
        """Read the `usage` of an answer."""
        if not isinstance(record, Mapping):
            return cls()
        prompt, generated = _count(record, "prompt_tokens"), _count(record, "completion_tokens")
        thought = _count(record.get("completion_tokens_details"), "reasoning_tokens")
        total = _count(record, "total_tokens")
        if None not in (prompt, generated, total) and total is not None:
            # Some bill thoughts beside the completion and count them in the total alone.
            generated = max(generated or 0, total - (prompt or 0))
        cached = _count(record.get("prompt_tokens_details"), "cached_tokens")
        if cached is None:
            cached = _count(record, "prompt_cache_hit_tokens")  # DeepSeek's name
        if cached is not None and prompt is not None:
            cached = min(cached, prompt)
        return cls(prompt, cached, generated, thought)


def _count(record: Any, name: str) -> int | None:
    value = record.get(name) if isinstance(record, Mapping) else None
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if whole else None


@dataclass(frozen=True, slots=True)
class Choice:
    """One response of an answer.

    Attributes:
        text: its text.
        thought: its thought, if the endpoint shows it.
        finish: reason why it ended.
        filtered: whether a content filter stopped it, so that it has no answer.
    """

    text: str
    thought: str
    finish: Finish
    filtered: bool = False

    @classmethod
    def of(cls, record: Any) -> Choice:
        """Read a member of `choices`.

        Raises:
            AnswerError: it is none.
        """
        message = record.get("message") if isinstance(record, Mapping) else None
        if not isinstance(message, Mapping):
            raise AnswerError("a choice has no message")
        reason = record.get("finish_reason")
        if reason == "error":
            raise AnswerError("the endpoint lost its own model")
        thought = message.get("reasoning_content") or message.get("reasoning")
        filtered = reason == "content_filter"
        finish = Finish.LENGTH if filtered else _ENDED.get(reason, Finish.EOS)
        text = _text(message.get("content")) or _text(message.get("refusal"))
        return cls(text, thought if isinstance(thought, str) else "", finish, filtered)


def _text(content: Any) -> str:
    """Return a content as text; some endpoints send it in parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    parts = (one.get("text") for one in content if isinstance(one, Mapping))
    return "".join(one for one in parts if isinstance(one, str))


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request: its responses, which are billed together."""

    choices: tuple[Choice, ...]
    usage: Usage

    @classmethod
    def of(cls, record: Any) -> Answer:
        """Read the body of an answer.

        Raises:
            AnswerError: it holds no responses.
        """
        choices = record.get("choices") if isinstance(record, Mapping) else None
        if not isinstance(choices, Sequence) or isinstance(choices, str) or not choices:
            raise AnswerError("the answer has no choices")
        return cls(tuple(Choice.of(one) for one in choices), Usage.of(record.get("usage")))


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """Divide a number in proportion to weights, to whole numbers with exactly that sum."""
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(weights), len(weights)
    ends, so_far = [0], 0
    for weight in weights:
        so_far += weight
        ends.append(total * so_far // whole)
    return [end - start for start, end in itertools.pairwise(ends)]
