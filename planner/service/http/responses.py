"""Responses in OpenAI's protocol, and this server's own field in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from executor.json_values import finite
from executor.ledger import Ledger
from executor.strategy import to_dict
from planner.notes import codes
from planner.report.notes import word
from planner.service.answering.answerer import Answered

Finish = Literal["stop", "length"]


class PromptTokens(BaseModel):
    """Prompt tokens by kind."""

    cached_tokens: int


class Usage(BaseModel):
    """The true ledger: all that the policy read and wrote, probes and dropped responses included.

    Attributes:
        prompt_tokens: of all requests to the policy, those its cache spared included.
        completion_tokens: all that it generated, shown or not.
        ledger: every count of `executor.ledger.Ledger`, the PRM's too.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokens
    ledger: dict[str, int]


class Apportion(BaseModel):
    """What was run for one question, and why; where `explain` asks for it, and in every stream.

    `id` is what feedback on this answer is given under; of a single question the response's own.
    The field `explain` in it is empty where it was not asked for.
    """

    id: str
    strategy: dict[str, Any]
    difficulty: str
    predicted_accuracy: float | None
    interval: tuple[float, float] | None
    answer: str | None
    cost: dict[str, float | None]
    seconds: float
    notes: list[str]
    note_codes: list[str]
    explain: dict[str, Any]


class Reply(BaseModel):
    """The message of a choice."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(BaseModel):
    """A response of the policy."""

    index: int
    message: Reply
    logprobs: None
    finish_reason: Finish


class Choice(BaseModel):
    """A response of the policy."""

    index: int
    text: str
    logprobs: None
    finish_reason: Finish


class ChatCompletion(BaseModel):
    """Of POST /v1/chat/completions."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    apportion: list[Apportion] | None = None


class Completion(BaseModel):
    """Of POST /v1/completions."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    apportion: list[Apportion] | None = None


class ModelCard(BaseModel):
    """A model that can be asked for."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """Of GET /v1/models."""

    object: Literal["list"]
    data: list[ModelCard]


class ErrorBody(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorResponse(BaseModel):
    """Of every request that fails."""

    error: ErrorBody


class Health(BaseModel):
    """Of /healthz and /readyz."""

    status: str


def usage(answers: Sequence[Answered]) -> dict[str, Any]:
    """The ledgers of all questions of a request, as `Usage`."""
    ledger = sum((answered.ledger for answered in answers), Ledger())
    prompt, completion = ledger.prompt + ledger.cached, ledger.policy_generated
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": ledger.cached},
        "ledger": ledger.to_dict(),
    }


def told(answered: Answered) -> dict[str, Any]:
    """What was run, as `Apportion` but for its id."""
    record: dict[str, Any] = finite(
        {
            "strategy": to_dict(answered.strategy),
            "difficulty": answered.difficulty,
            "predicted_accuracy": answered.predicted_accuracy,
            "interval": answered.interval,
            "answer": answered.answer,
            "cost": answered.cost,
            "seconds": answered.seconds,
            "notes": list(map(word, answered.notes)),
            "note_codes": codes(answered.notes),
            "explain": answered.explain,
        }
    )
    return record


def header(answers: Sequence[Answered]) -> str:
    """The header X-Apportion, for instance

    `strategy=majority; n=16; difficulty=hard; predicted=0.412; flops=1.23e+12; notes=0`.

    `predicted` and `flops` are left out where they are not known; `notes` counts what `explain`
    would tell. Of several questions it has their number and the sum of FLOPs only.
    """
    parts: dict[str, str] = {}
    if len(answers) == 1:
        (answered,) = answers
        parts |= {"strategy": answered.strategy.name, "n": str(answered.strategy.n)}
        parts["difficulty"] = answered.difficulty
        if answered.predicted_accuracy is not None:
            parts["predicted"] = f"{answered.predicted_accuracy:.3f}"
    else:
        parts["answers"] = str(len(answers))
    flops = [answered.cost.get("flops") for answered in answers]
    known = [one for one in flops if one is not None]
    if len(known) == len(flops):
        parts["flops"] = f"{sum(known):.3g}"
    parts["notes"] = str(sum(len(answered.notes) for answered in answers))
    return "; ".join(f"{name}={value}" for name, value in parts.items())


def choices(answers: Sequence[Answered], n: int, stops: Sequence[str]) -> list[tuple[str, Finish]]:
    """`n` texts a question, each cut before the first stop string, and why each ends.

    Who asks for n gets n: fewer different responses are repeated, the best first.
    """
    found = []
    for answered in answers:
        for index in range(n):
            at = index % len(answered.texts)
            found.append(_cut(answered.texts[at], answered.finish[at], stops))
    return found


def _cut(text: str, finish: str, stops: Sequence[str]) -> tuple[str, Finish]:
    ends = [at for stop in stops if (at := text.find(stop)) >= 0]
    if ends:
        return text[: min(ends)], "stop"
    return text, "length" if finish == "length" else "stop"
