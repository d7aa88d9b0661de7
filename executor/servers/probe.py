"""Checks, before anything runs, that a server serves the model that the user expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from executor.access import NO_ACCESS, Access
from executor.engines.capacity import Capacity
from executor.errors import InputError
from executor.models.checkpoint import name_of
from executor.models.fused import FusedRows
from executor.models.tokens import Tokens
from executor.servers.address import first_line
from executor.servers.completion import logprobs
from executor.servers.letter import Letter
from executor.servers.metrics import read_capacity
from executor.servers.server import reason_of

# Models with different vocabularies tokenise these words, numbers, signs and line ends differently.
_SAMPLE = "12 + 30 = 42.\n\nSo the café's answer is \\boxed{42}, isn't it?"
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model on a server.

    Attributes:
        url: URL of the server, without `/v1`.
        id: name of the model on the server.
        max_context: longest context in tokens.
        capacity: sequences and tokens that the server holds at once.
        cached: whether it reports cached prompt tokens.
        aborts: whether it takes requests to end another request.
        scores_steps: whether it has this project's plugin that scores steps (PRMs).
    """

    url: str
    id: str
    max_context: int
    capacity: Capacity
    cached: bool = False
    aborts: bool = False
    scores_steps: bool = False


def served_root(url: str, role: str, access: Access = NO_ACCESS) -> str:
    """Return the folder or hub id that a server loaded its model from."""
    with _client(access) as client:
        return str(_models(client, url, role)[0].get("root") or "")


def check_served(url: str, role: str, name: str, location: str, access: Access = NO_ACCESS) -> None:
    """Check that a server has the model `name`, loaded from `location`.

    Args:
        url: URL of the server.
        role: `policy` or `PRM`, for messages.
        name: short name of the model.
        location: folder or hub id of its checkpoint.
        access: what lets requests in.

    Raises:
        InputError: no server answers, or it has another model.
    """
    with _client(access) as client:
        _model(client, url, role, name, location)


def probe_policy(
    url: str,
    name: str,
    location: str,
    tokens: Tokens,
    rows: FusedRows | None = None,
    access: Access = NO_ACCESS,
) -> ServedModel:
    """Ask a server about the policy `name`; it generates one token.

    Args:
        url: URL of the server.
        name: short name of the policy.
        location: folder or hub id of its checkpoint.
        tokens: tokenizer of the policy.
        rows: rows of the reward head that it holds.
        access: what lets requests in.

    Raises:
        InputError: no server answers, its model is another one or does not write, or the server
            does not report log-probabilities of the head's rows.
    """
    with _client(access) as client:
        model = _model(client, url, "policy", name, location)
        _same_tokenizer(client, url, model["id"], name, tokens)
        body = {"model": model["id"], "prompt": tokens.encode("1")[:1], "max_tokens": 1, "seed": 0}
        answer = _post(client, url, "/v1/completions", body, "policy")
        if answer.status_code != 200:
            said = first_line(access.hide(answer.text))
            raise InputError(
                f"policy {url}: that server does not write (status {answer.status_code}: {said}); "
                "PRMs go with --prm"
            )
        usage = _json(answer, url, "policy").get("usage") or {}
        if rows is not None:
            _reports(client, url, body, rows)
        aborted = _post(client, url, "/inference/v1/abort_requests", {"request_ids": []}, "policy")
        return _served(
            client, url, model, "policy",
            cached=usage.get("prompt_tokens_details") is not None,
            aborts=aborted.status_code == 200,
        )  # fmt: skip


def _client(access: Access) -> httpx.Client:
    return httpx.Client(timeout=_TIMEOUT, auth=Letter(access), params=dict(access.query))


def _reports(client: httpx.Client, url: str, body: dict[str, Any], rows: FusedRows) -> None:
    """Check that a server reports the log-probabilities of a head's rows."""
    answer = _post(client, url, "/v1/completions", body | logprobs(rows), "policy")
    asked = {f"token_id:{row}" for row in rows.indices}
    try:
        (top,) = answer.json()["choices"][0]["logprobs"]["top_logprobs"]
        reported = asked <= set(top)
    except (ValueError, KeyError, TypeError, IndexError):
        reported = False
    if not reported:
        raise InputError(
            f"policy {url}: the server does not report what the policy's reward head says "
            f"(status {answer.status_code}); expected vLLM 0.32 or later, which takes "
            "logprob_token_ids"
        )


def probe_prm(url: str, name: str, location: str) -> ServedModel:
    """Ask a server about the PRM `name`; it scores one token.

    Raises:
        InputError: no server answers, or its model is another one or does not score.
    """
    with httpx.Client(timeout=_TIMEOUT) as client:
        model = _model(client, url, "PRM", name, location)
        data = {"token_ids": [0], "ends": [1]}
        body = {"model": model["id"], "data": data}
        scores_steps = _post(client, url, "/pooling", body, "PRM").status_code == 200
        body = {"model": model["id"], "input": [[0]]}
        if not scores_steps and _post(client, url, "/classify", body, "PRM").status_code != 200:
            raise InputError(
                f"PRM {url}: that server does not score; start one with what "
                f"`apportion serve-command --prm {name}` prints"
            )
        return _served(client, url, model, "PRM", cached=scores_steps, scores_steps=scores_steps)


def _model(client: httpx.Client, url: str, role: str, name: str, location: str) -> dict[str, Any]:
    """Return the entry of `/v1/models` for the model `name`."""
    models = _models(client, url, role)
    for model in models:
        root = str(model.get("root") or "")
        if name in (model["id"], root, _name_of(root)) or root == location:
            return model
    others = ", ".join(f"{model['id']} (from {model.get('root')})" for model in models)
    raise InputError(
        f"{role} {url}: that server has {others}, not {name}; name its model with "
        f"--{role.lower()}-model, or start it with --served-model-name {name}"
    )


def _name_of(root: str) -> str:
    return name_of(Path(root))


def _models(client: httpx.Client, url: str, role: str) -> list[dict[str, Any]]:
    try:
        answer = client.get(f"{url}/v1/models")
    except httpx.HTTPError as error:
        raise InputError(
            f"{role} {url}: no server answers there ({reason_of(error)}); "
            "apportion serve-command prints how to start one"
        ) from None
    if answer.status_code in (401, 403):
        raise InputError(
            f"{role} {url}: the server refuses the key (status {answer.status_code}); "
            "expected that of its --api-key, with --api-key-env or --api-key-file"
        )
    models: Any = None
    if answer.status_code == 200:
        models = _json(answer, url, role).get("data")
    if not isinstance(models, list) or not models or not all("id" in one for one in models):
        raise InputError(
            f"{role} {url}: the answer is not that of a `vllm serve` "
            f"(/v1/models: status {answer.status_code})"
        )
    return models


def _same_tokenizer(client: httpx.Client, url: str, model: str, name: str, tokens: Tokens) -> None:
    body = {"model": model, "prompt": _SAMPLE, "add_special_tokens": False}
    answer = _post(client, url, "/tokenize", body, "policy")
    if answer.status_code != 200:
        return  # the endpoint is turned off; the model's name has been compared
    if _json(answer, url, "policy").get("tokens") != tokens.encode(_SAMPLE):
        raise InputError(
            f"policy {url}: its tokenizer is another than {name}'s; "
            "name the model it serves with --policy-model"
        )


def _served(
    client: httpx.Client, url: str, model: dict[str, Any], role: str, **knows: bool
) -> ServedModel:
    context = int(model["max_model_len"])
    try:
        metrics = client.get(f"{url}/metrics")
        metrics.raise_for_status()
        capacity = read_capacity(metrics.text, context)
    except (httpx.HTTPError, ValueError) as error:
        raise InputError(f"{role} {url}: /metrics cannot be read ({reason_of(error)})") from None
    return ServedModel(url, model["id"], context, capacity, **knows)


def _post(
    client: httpx.Client, url: str, path: str, body: dict[str, Any], role: str
) -> httpx.Response:
    try:
        return client.post(f"{url}{path}", json=body)
    except httpx.HTTPError as error:
        raise InputError(f"{role} {url}: {path} was not answered ({reason_of(error)})") from None


def _json(answer: httpx.Response, url: str, role: str) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{role} {url}: the answer is not that of a `vllm serve`")
    return found


def shortcomings(served: Sequence[ServedModel], role: str) -> list[str]:
    """Describe the counts that the servers do not report, for readers of the ledger."""
    notes = []
    silent = [one.url for one in served if not one.cached]
    if silent:
        option = (
            "--enable-prompt-tokens-details" if role == "policy"
            else "--io-processor-plugin apportion_steps"
        )  # fmt: skip
        notes.append(
            f"{role} on {', '.join(silent)}: started without {option}, it does not report "
            "cached tokens; whole prompts count as forwarded"
        )
    deaf = [one.url for one in served if role == "policy" and not one.aborts]
    if deaf:
        notes.append(
            f"policy on {', '.join(deaf)}: started without --enable-scale-out, it does not report "
            "the tokens of cancelled requests; streamed tokens count"
        )
    return notes
