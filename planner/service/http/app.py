"""The application: its paths, what stands before them, and the document that describes them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from executor.errors import EngineError, InputError
from planner.service.answering.answerer import Answerer
from planner.service.answering.request_handler import Desk, Exchange
from planner.service.http import requests as protocol
from planner.service.http import responses
from planner.service.http.completions import Delivery, chat_queries, plain_queries
from planner.service.http.faults import ClientGoneError, RequestError, ending, not_ready
from planner.service.http.limits import read_json
from planner.service.http.middleware import EXCHANGE, Door
from planner.service.http.requests import ChatRequest, CompletionRequest
from planner.service.http.settings import Settings
from planner.service.monitoring.logs import Log
from planner.service.monitoring.metrics import Gauges

# Whoever asks whether it is ready will not wait: a second is what Kubernetes gives a probe.
_READY_SECONDS = 0.5
_SCHEMAS = "#/components/schemas/{model}"
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": responses.ErrorResponse, "description": words}
    for status, words in {
        400: "a field is wrong or not supported",
        401: "no valid key",
        404: "no such model",
        408: "the body took too long",
        413: "the body is too large",
        415: "the body is not JSON by its content type",
        429: "the queue is full; Retry-After says when to ask again",
        500: "the server failed",
        503: "the engine is lost or the server ends; Retry-After says when to ask again",
    }.items()
}
_HANDLED = (
    RequestError, InputError, EngineError, ClientGoneError, HTTPException, RequestValidationError,
)  # fmt: skip
_REFUSED: dict[int | str, dict[str, Any]] = {401: _ERRORS[401]}

Asked = TypeVar("Asked", ChatRequest, CompletionRequest)


def create_app(
    answerer: Answerer,
    settings: Settings | None = None,
    *,
    routers: Sequence[APIRouter] = (),
    gauges: Gauges | None = None,
    log: Log | None = None,
) -> FastAPI:
    """The application that serves an answerer.

    Its state has `desk` (`planner.service.answering.request_handler.Desk`) and `traffic`, for
    routers to read.

    Args:
        answerer: answers questions; closed when the application ends.
        settings: limits and keys.
        routers: further paths, behind the same keys.
        gauges: further metrics, see `planner.service.monitoring.metrics.Metrics`.
        log: of the service; None: on stderr.
    """
    desk = Desk(answerer, settings or Settings(), log, gauges)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(_load(desk))
        try:
            yield
        finally:
            desk.close()
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)
            await answerer.close()

    app = FastAPI(
        title="apportion",
        summary="An OpenAI-compatible server that routes every query to its own strategy.",
        lifespan=lifespan,
        docs_url=None,  # both load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # to where the Host header says
    )
    app.state.desk = desk
    app.state.traffic = desk.traffic

    async def failed(request: Request, error: Exception) -> Response:
        fault = desk.failed(request.scope[EXCHANGE], error)
        return _Silence() if fault is None else fault.response()

    for kind in _HANDLED:
        app.add_exception_handler(kind, failed)
    app.add_middleware(Door, desk=desk)
    app.include_router(_api(desk))
    app.include_router(_operation(desk))
    for router in routers:
        app.include_router(router)
    _describe(app, answerer)
    return app


async def _load(desk: Desk) -> None:
    """Have the models loaded before the first question comes; /readyz tells when they are."""
    try:
        why = await desk.answerer.ready()
    except Exception as error:
        desk.log.error("not_ready", error)
    else:
        if why is None:
            desk.log.info("ready", model=desk.answerer.model)
        else:
            desk.log.warning("not_ready", why=why)


class _Silence(Response):
    """Says nothing: nobody is there."""

    async def __call__(self, *_: object) -> None:
        """Nothing is sent."""


class _Plain(APIRoute):
    """A path whose endpoint reads the request and makes the response: what FastAPI does for others
    (parameters, dependencies, validated results) would be done for nothing, at every question."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself; it takes the request, and depends on nothing."""
        assert not self.dependant.dependencies and self.body_field is None
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint


def _api(desk: Desk) -> APIRouter:
    """OpenAI's paths."""
    router, asking = APIRouter(prefix="/v1"), APIRouter(route_class=_Plain)

    async def read(request: Request, kind: type[Asked]) -> Asked:
        if desk.closing:  # before a long body comes
            raise ending()
        asked = protocol.read(kind, await read_json(request, desk.settings.body_seconds))
        if asked.model != desk.answerer.model:
            raise _no_model(desk, asked.model)
        return asked

    @asking.post(
        "/chat/completions",
        response_model=responses.ChatCompletion,
        responses=_streamed(_ERRORS),
        openapi_extra=_takes(ChatRequest),
    )
    async def chat(request: Request) -> Response:
        """Answer the last message of a conversation."""
        exchange: Exchange = request.scope[EXCHANGE]
        asked = await read(request, ChatRequest)
        return Delivery(desk, exchange, asked, chat_queries(asked, exchange, desk.settings))

    @asking.post(
        "/completions",
        response_model=responses.Completion,
        responses=_streamed(_ERRORS),
        openapi_extra=_takes(CompletionRequest),
    )
    async def complete(request: Request) -> Response:
        """Answer a prompt, or several."""
        exchange: Exchange = request.scope[EXCHANGE]
        asked = await read(request, CompletionRequest)
        queries = plain_queries(asked, exchange, desk.settings, desk.answerer)
        return Delivery(desk, exchange, asked, queries)

    router.include_router(asking)
    started = int(time.time())

    def card() -> dict[str, Any]:
        return {
            "id": desk.answerer.model,
            "object": "model",
            "created": started,
            "owned_by": "apportion",
        }

    @router.get("/models", response_model=responses.ModelList, responses=_REFUSED)
    async def models() -> dict[str, Any]:
        """The model that is served."""
        return {"object": "list", "data": [card()]}

    @router.get(
        "/models/{model:path}",
        response_model=responses.ModelCard,
        responses={status: _ERRORS[status] for status in (401, 404)},
    )
    async def model(model: str) -> dict[str, Any]:
        """The model of a name."""
        if model != desk.answerer.model:
            raise _no_model(desk, model)
        return card()

    return router


def _operation(desk: Desk) -> APIRouter:
    """Paths for those who run the server."""
    router = APIRouter()

    @router.get("/healthz", response_model=responses.Health)
    async def healthz() -> dict[str, str]:
        """Whether the process lives. Needs no key."""
        return {"status": "ok"}

    @router.get("/readyz", response_model=responses.Health, responses={503: _ERRORS[503]})
    async def readyz() -> dict[str, str]:
        """Whether questions can be answered now. Needs no key."""
        if desk.closing:
            raise ending()
        try:
            async with asyncio.timeout(_READY_SECONDS):
                why = await desk.answerer.ready()
        except TimeoutError:
            why = "the models are being loaded, or their servers do not answer"
        if why is not None:
            # Who has no key need not know where the models run.
            raise not_ready(
                why if desk.settings.keys is None else "see the log for what is missing"
            )
        return {"status": "ready"}

    @router.get(
        "/metrics",
        response_class=Response,
        responses=_REFUSED | {200: {"content": {CONTENT_TYPE_LATEST: {}}}},
    )
    async def metrics() -> Response:
        """For Prometheus."""
        return Response(desk.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


def _no_model(desk: Desk, name: str) -> RequestError:
    return RequestError(
        404, f"model {name[:80]!r} does not exist here; this server has {desk.answerer.model!r}",
        param="model", code="model_not_found",
    )  # fmt: skip


def _takes(kind: type[ChatRequest] | type[CompletionRequest]) -> dict[str, Any]:
    """The body of a request, for the document: bodies are read here, and not by FastAPI."""
    schema = {"$ref": _SCHEMAS.format(model=kind.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _streamed(errors: dict[int | str, dict[str, Any]]) -> dict[int | str, Any]:
    events: dict[str, Any] = {"text/event-stream": {}}
    return {200: {"content": events, "description": "the answer, whole or as events"}, **errors}


def _describe(app: FastAPI, answerer: Answerer) -> None:
    """Make the OpenAPI document, with the requests' schemas and the name of the model."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
            _, requests = models_json_schema(
                [(ChatRequest, "validation"), (CompletionRequest, "validation")],
                ref_template=_SCHEMAS,
            )
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            schemas |= requests["$defs"]
            for kind in (ChatRequest, CompletionRequest):
                schemas[kind.__name__]["properties"]["model"]["enum"] = [answerer.model]
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
