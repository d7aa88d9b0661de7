"""A streamed `/v1/completions` request for one continuation, and its answer so far."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from executor.engines.base import NO_TOKEN_FITS, RequestRefusedError
from executor.errors import EngineError
from executor.models.fused import FusedRows
from executor.models.stopping import StopAt
from executor.servers.address import first_line
from executor.servers.letter import hidden
from executor.servers.server import Lease, ServerLostError, refused

# Tokens per chunk, except the first, which comes at once: a chunk per token would cost more time
# than a small model.
STREAM_INTERVAL = 16

# What vLLM says if its engine ends a single request with an error and goes on, as it does if a
# grammar allows no token of the vocabulary: another try would fail in the same way.
_ENDED_BY_THE_ENGINE = (500, "Internal server error")

# Settings that vLLM would otherwise take from the model's generation_config.
_PLAIN = {
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A request for one continuation.

    `seed` is the child's own, `json_schema` may bind it, `rows` are those of a head to read, and
    `top_logprobs` is the number of likeliest tokens to read if there is no head.
    """

    prompt: Sequence[int]
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    stop: StopAt
    json_schema: str | None = None
    rows: FusedRows | None = None
    top_logprobs: int | None = None

    def body(self, model: str, request_id: str) -> dict[str, Any]:
        """Return the JSON of the request."""
        stop: dict[str, Any] = (
            {"stop": list(self.stop.strings), "include_stop_str_in_output": True}
            if self.stop.strings
            else {"stop_token_ids": list(self.stop.token_ids)}
        )
        sampling = {
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
        }
        bound = {} if self.json_schema is None else {
            "structured_outputs": {"json": self.json_schema}
        }  # fmt: skip
        return _PLAIN | stop | sampling | bound | logprobs(self.rows, self.top_logprobs) | {
            "model": model,
            "request_id": request_id,
            "prompt": list(self.prompt),
            "return_token_ids": True,
            "stream": True,
            "stream_interval": STREAM_INTERVAL,
            "stream_options": {"include_usage": True},
        }  # fmt: skip


def logprobs(rows: FusedRows | None, top_logprobs: int | None = None) -> dict[str, Any]:
    """Return the parameters that ask for log-probabilities.

    They are those of the tokens, and of a head's rows or of the likeliest tokens.
    """
    # Rows that are added to a vocabulary have no spelling, and several tokens may share one.
    by_id = {"return_tokens_as_token_ids": True}
    if rows is not None:
        asked = rows.sampling()
        return asked | {"logprobs": len(asked["logprob_token_ids"])} | by_id
    return {"logprobs": 0} if top_logprobs is None else {"logprobs": top_logprobs} | by_id


@dataclass(slots=True)
class StreamedCompletion:
    """The part of a continuation that a server has sent so far.

    Attributes:
        token_ids: generated tokens.
        logprob: sum of their log-probabilities, in nats.
        beside: log-probabilities beside them: of each token that the request named in
            `logprob_token_ids`, or of the k likeliest tokens if its `logprobs` is k.
        reason: vLLM's `finish_reason`; None until the continuation ends.
        met: vLLM's `stop_reason`.
        cached: cached prompt tokens; 0 if the server does not report them.
        complete: whether the server has sent everything.
    """

    token_ids: list[int] = field(default_factory=list)
    logprob: float = 0.0
    beside: list[list[float]] = field(default_factory=list)
    reason: str | None = None
    met: int | str | None = None
    cached: int = 0
    complete: bool = False

    async def read(self, client: httpx.AsyncClient, lease: Lease, body: dict[str, Any]) -> None:
        """Send the request and read the stream to its end.

        Raises:
            ServerLostError: the server failed, or the stream broke off.
            EngineError: the server refused the request.
            httpx.HTTPError: the connection failed.
        """
        url = lease.server.url
        asked = [f"token_id:{token}" for token in body.get("logprob_token_ids", ())]
        self.beside = [[] for _ in range(body["logprobs"])]
        async with client.stream("POST", f"{url}/v1/completions", json=body) as response:
            if response.status_code != 200:
                said = (await response.aread()).decode(errors="replace")
                raise refused(response.status_code, hidden(client, said).encode(), url)
            async for line in response.aiter_lines():
                before = len(self.token_ids)
                if line.startswith("data: "):
                    data = hidden(client, line[6:]) if '"error"' in line else line[6:]
                    self._take(data, url, asked, bound="structured_outputs" in body)
                lease.heard(len(self.token_ids) - before)
        if not self.complete:
            raise ServerLostError(f"{url}: the answer broke off")

    def _take(self, data: str, url: str, asked: Sequence[str], *, bound: bool) -> None:
        """Take one event of the stream.

        Args:
            data: JSON of the event.
            url: URL of the server.
            asked: tokens whose log-probabilities it must have, as vLLM writes them.
            bound: whether a grammar binds the continuation.
        """
        if data == "[DONE]":
            self.complete = self.reason is not None
            return
        try:
            event = json.loads(data)
            if "error" not in event:
                self._add(event, asked)
                return
            status, message = int(event["error"]["code"]), event["error"].get("message")
        except (ValueError, KeyError, TypeError) as error:
            raise EngineError(f"{url}: its answer is not vLLM's ({first_line(error)})") from None
        if bound and (status, message) == _ENDED_BY_THE_ENGINE:
            raise RequestRefusedError(f"{url} refused a request: {NO_TOKEN_FITS}")
        raise refused(status, data.encode(), url)

    def _add(self, event: dict[str, Any], asked: Sequence[str]) -> None:
        for choice in event["choices"]:
            self.token_ids += choice["token_ids"]
            if choice["logprobs"] is not None:
                self.logprob += sum(choice["logprobs"]["token_logprobs"])
                for top in choice["logprobs"]["top_logprobs"] if self.beside else ():
                    wanted = _wanted(top, asked, len(self.beside))
                    for values, one in zip(self.beside, wanted, strict=True):
                        values.append(one)
            self.reason = choice["finish_reason"]
            self.met = choice["stop_reason"]
        details = (event.get("usage") or {}).get("prompt_tokens_details") or {}
        self.cached = details.get("cached_tokens", self.cached)


def _wanted(top: dict[str, float], asked: Sequence[str], k: int) -> list[float]:
    """Return the log-probabilities of the tokens asked for by name, or else of the k likeliest.

    If the token that was written is none of the likeliest, vLLM reports it besides.
    """
    return [top[token] for token in asked] if asked else sorted(top.values(), reverse=True)[:k]
