"""Responses in OpenAI's protocol, with this server's own field `apportion`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from executor.json_values import finite
from executor.ledger import Ledger
from executor.strategy import to_dict
from planner.notes import Note, NoteCode, codes
from planner.report.notes import word
from planner.service.answering.answerer import QueryResult
from planner.service.http.requests import CommonRequest

FinishReason = Literal["stop", "length"]

REQUEST_NOTES = frozenset({
    NoteCode.CONVERSATION_AS_TEXT, NoteCode.FIELD_WITHOUT_EFFECT, NoteCode.GREEDY_BY_REQUEST,
    NoteCode.JSON_VOTE, NoteCode.OTHER_MODEL_NAME, NoteCode.OTHER_TEMPERATURE,
    NoteCode.OTHER_TOP_P, NoteCode.QUESTION_ALONE, NoteCode.RESPONSE_BEGUN,
    NoteCode.TOKENS_CAPPED, NoteCode.TOOL_MESSAGES_AS_TEXT, NoteCode.TOOLS_NOT_CALLED,
    NoteCode.ZERO_TEMPERATURE_ROUTED,
})  # fmt: skip
"""Notes that say what became of a field of the request."""


class PromptTokens(BaseModel):
    """Prompt tokens by kind."""

    cached_tokens: int


class Usage(BaseModel):
    """All tokens that the policy read and wrote, including probes and dropped responses.

    Attributes:
        prompt_tokens: prompt tokens of all requests to the policy, including cached ones.
        completion_tokens: all tokens that the policy generated, whether shown or not.
        ledger: every count of `executor.ledger.Ledger`, including the PRM's.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokens
    ledger: dict[str, int]


class Apportion(BaseModel):
    """The strategy that was run for one question, and why; with `explain`, and in every stream.

    Feedback on the answer names its `id`; that of a single question is the response's own. The
    field `explain` is empty if the request did not ask for it.
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


class ChatMessage(BaseModel):
    """Message of a choice."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(BaseModel):
    """One response of the policy."""

    index: int
    message: ChatMessage
    logprobs: None
    finish_reason: FinishReason


class TextChoice(BaseModel):
    """One response of the policy."""

    index: int
    text: str
    logprobs: None
    finish_reason: FinishReason


class ChatCompletion(BaseModel):
    """Response of POST /v1/chat/completions."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    apportion: list[Apportion] | None = None


class TextCompletion(BaseModel):
    """Response of POST /v1/completions."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage
    apportion: list[Apportion] | None = None


class ResponseUsage(BaseModel):
    """The tokens of `Usage` by the names of /v1/responses."""

    input_tokens: int
    input_tokens_details: PromptTokens
    output_tokens: int
    output_tokens_details: dict[str, int]
    total_tokens: int
    ledger: dict[str, int]


class ResponseObject(BaseModel):
    """Response of POST /v1/responses; it has further fields, which repeat the request."""

    id: str
    object: Literal["response"]
    created_at: int
    model: str
    status: Literal["completed", "incomplete"]
    output: list[dict[str, Any]]
    usage: ResponseUsage
    apportion: list[Apportion] | None = None


class ModelCard(BaseModel):
    """The model that is served."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """Response of GET /v1/models."""

    object: Literal["list"]
    data: list[ModelCard]


class ErrorBody(BaseModel):
    """An error."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorResponse(BaseModel):
    """Response to every request that fails."""

    error: ErrorBody


class Health(BaseModel):
    """Response of /healthz and /readyz."""

    status: str


def usage(results: Sequence[QueryResult]) -> dict[str, Any]:
    """Return the sum of the ledgers of all questions of a request, as `Usage`."""
    ledger = sum((result.ledger for result in results), Ledger())
    prompt, completion = ledger.prompt + ledger.cached, ledger.policy_generated
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": ledger.cached},
        "ledger": ledger.to_dict(),
    }


def response_usage(results: Sequence[QueryResult]) -> dict[str, Any]:
    """Return the same as `usage` by the names of /v1/responses."""
    whole = usage(results)
    return {
        "input_tokens": whole["prompt_tokens"],
        "input_tokens_details": whole["prompt_tokens_details"],
        "output_tokens": whole["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": whole["total_tokens"],
        "ledger": whole["ledger"],
    }


def explained(request: CommonRequest, results: Sequence[QueryResult], name: str) -> dict[str, Any]:
    """Return the field `apportion` of a whole response, if it has one.

    It has one if the request asks for it, and if a note says that the request does not get all that
    it asked for: only then is there something that its client did not know.
    """
    noted = any(note.code in REQUEST_NOTES for result in results for note in result.notes)
    return explanations(results, name) if request.explain or noted else {}


def explanations(results: Sequence[QueryResult], name: str) -> dict[str, Any]:
    """Return the field `apportion`, with an object for each question.

    Args:
        results: results of the questions.
        name: id of the response.
    """
    names = [name] if len(results) == 1 else [f"{name}-{i}" for i in range(len(results))]
    pairs = zip(names, results, strict=True)
    return {"apportion": [{"id": one, **explanation(result)} for one, result in pairs]}


def explanation(result: QueryResult) -> dict[str, Any]:
    """Return the fields of `Apportion`, without its id."""
    record: dict[str, Any] = finite(
        {
            "strategy": to_dict(result.strategy),
            "difficulty": result.difficulty,
            "predicted_accuracy": result.predicted_accuracy,
            "interval": result.interval,
            "answer": result.answer,
            "cost": result.cost,
            "seconds": result.seconds,
            "notes": list(map(word, result.notes)),
            "note_codes": codes(result.notes),
            "explain": result.explain,
        }
    )
    return record


def summary_header(results: Sequence[QueryResult]) -> str:
    """Return the value of the header X-Apportion.

    For instance
    `strategy=majority; n=16; difficulty=hard; predicted=0.412; flops=1.23e+12; notes=0`.
    `predicted` and `flops` are left out if they are not known; `notes` is the number of notes. If
    there are several questions, the header has their number, the sum of FLOPs and the notes only.
    """
    parts: dict[str, str] = {}
    if len(results) == 1:
        (result,) = results
        parts |= {"strategy": result.strategy.name, "n": str(result.strategy.n)}
        parts["difficulty"] = result.difficulty
        if result.predicted_accuracy is not None:
            parts["predicted"] = f"{result.predicted_accuracy:.3f}"
    else:
        parts["answers"] = str(len(results))
    flops = [result.cost.get("flops") for result in results]
    known_flops = [one for one in flops if one is not None]
    if len(known_flops) == len(flops):
        parts["flops"] = f"{sum(known_flops):.3g}"
    parts["notes"] = str(sum(len(result.notes) for result in results))
    return "; ".join(f"{name}={value}" for name, value in parts.items())


def notes_header(results: Sequence[QueryResult]) -> str:
    """Return the value of the header X-Apportion-Notes: the codes of all notes, each once.

    A code of a note on one field has the field behind it: `field_without_effect(store)`.
    """
    notes = {note: None for result in results for note in result.notes}
    return ", ".join(dict.fromkeys(map(_short_note, notes)))


def _short_note(note: Note) -> str:
    field = dict(note.parameters).get("field")
    return note.code.value if field is None else f"{note.code.value}({field})"


def select_choices(
    results: Sequence[QueryResult], n: int, stops: Sequence[str]
) -> list[tuple[str, FinishReason]]:
    """Return n texts for each question, cut before the first stop string, and their finish reasons.

    If there are fewer than n different responses, they are repeated, the best first.
    """
    choices = []
    for result in results:
        for index in range(n):
            at = index % len(result.texts)
            choices.append(_cut(result.texts[at], result.finish[at], stops))
    return choices


def _cut(text: str, finish: str, stops: Sequence[str]) -> tuple[str, FinishReason]:
    ends = [at for stop in stops if (at := text.find(stop)) >= 0]
    if ends:
        return text[: min(ends)], "stop"
    return text, "length" if finish == "length" else "stop"
