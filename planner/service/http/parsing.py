"""From the body of a request to the request; an error names the field at fault and the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from planner.service.http.faults import RequestError, from_validation_error, invalid
from planner.service.http.requests import CommonRequest

RequestT = TypeVar("RequestT", bound=CommonRequest)

# Kinds of parts that other servers read, by the words for what they hold.
_OTHER_PARTS: Mapping[str, str] = {
    "image_url": "images", "input_image": "images", "image": "images", "video_url": "videos",
    "input_audio": "audio", "audio": "audio", "audio_url": "audio",
    "file": "files", "input_file": "files", "document": "files",
}  # fmt: skip


def parse_request(kind: type[RequestT], body: bytes) -> RequestT:
    """Return the request in a body.

    Raises:
        RequestError: 400; names the field at fault.
    """
    try:
        request = kind.model_validate_json(body)
    except ValidationError as error:
        # The input in an error is the client's question: only the message is sent back.
        raise _from_errors(error.errors(include_url=False), kind) from None
    request.check()
    return request


def _from_errors(errors: Sequence[ErrorDetails], kind: type[CommonRequest]) -> RequestError:
    # What the server cannot do at all comes first: a client that mends another field meets it next.
    fields = [str(error["loc"][0]) if error["loc"] else "" for error in errors]
    refused = [name for name in fields if name in kind.reasons]
    first = refused[0] if refused else fields[0]
    # A value that fits no member of a union has one error for each member; the error with the
    # longest path belongs to the member that the client most likely meant.
    same = [error for error, name in zip(errors, fields, strict=True) if name == first]
    error = max(same, key=lambda one: len(one["loc"]))
    if error["type"] == "extra_forbidden":
        return from_validation_error(error)
    if refused and not _missing(error):
        return RequestError(
            400, f"{first} is not supported here: {kind.reasons[first]}",
            param=first, code="unsupported_parameter",
        )  # fmt: skip
    path = _field_path(error["loc"], _field_names(kind))
    if error["type"] == "union_tag_not_found":
        return invalid(".".join([*path, "type"]), "Field required")
    if error["type"] == "union_tag_invalid":
        return _wrong_kind(".".join([*path, "type"]), str(error.get("ctx", {}).get("tag")))
    return from_validation_error(error, ".".join(path))


@cache
def _field_names(kind: type[CommonRequest]) -> frozenset[str]:
    """Return the names of all fields of a request and of its parts."""
    schema = kind.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name for part in parts for name in part.get("properties", ()))


def _field_path(location: Sequence[int | str], names: frozenset[str]) -> list[str]:
    """Return the place of an error in a request.

    Its location also names the member of each union, which may be called as a field is: such a name
    comes twice in a row.
    """
    path: list[str] = []
    for part in location:
        if isinstance(part, int) or (part in names and [part] != path[-1:]):
            path.append(str(part))
    return path


def _missing(error: ErrorDetails) -> bool:
    return error["type"] == "missing" and len(error["loc"]) == 1


def _wrong_kind(param: str, kind: str) -> RequestError:
    """Return the response to a part or format of a kind that is not known; it quotes known ones."""
    if kind in _OTHER_PARTS:
        reason = f"{kind} is not supported here: the policy reads text, and no {_OTHER_PARTS[kind]}"
        return RequestError(400, f"{param}: {reason}", param=param, code="unsupported_parameter")
    return invalid(param, "this kind is not known here")
