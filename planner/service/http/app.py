"""The application: its paths, its middleware, and its OpenAPI document."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from executor.errors import EngineError, InputError
from planner.notes import Note, NoteCode
from planner.service.answering.answerer import Answerer
from planner.service.http import responses
from planner.service.http.completions import (
    AnswerResponse,
    completion_queries,
    conversation_queries,
)
from planner.service.http.faults import ClientGoneError, RequestError, not_ready, shutting_down
from planner.service.http.limits import read_json
from planner.service.http.middleware import EXCHANGE_KEY, ServiceMiddleware
from planner.service.http.parsing import RequestT, parse_request
from planner.service.http.request_handler import Exchange, RequestHandler
from planner.service.http.requests import (
    GREEDY_HEADER,
    ChatRequest,
    CommonRequest,
    CompletionRequest,
    asks_for_greedy,
    names_model,
)
from planner.service.http.responses_request import ResponsesRequest
from planner.service.http.settings import ServiceSettings
from planner.service.monitoring.logs import ServiceLog
from planner.service.monitoring.metrics import ReadGauges
from planner.service.queue.fair_queue import QueueError

# A readiness probe does not wait long: the limit of Kubernetes is one second by default.
_READY_SECONDS = 0.5
_SCHEMAS = "#/components/schemas/{model}"
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": responses.ErrorResponse, "description": description}
    for status, description in {
        400: "a field is wrong or not supported",
        401: "there is no valid key",
        404: "there is no such model",
        408: "the body took too long",
        413: "the body is too large",
        415: "the body is not JSON by its content type",
        429: "the queue is full; Retry-After says when to ask again",
        500: "the server failed",
        503: "the engine is lost or the server shuts down; Retry-After says when to ask again",
    }.items()
}
_HANDLED_ERRORS = (
    RequestError, InputError, EngineError, QueueError, ClientGoneError, HTTPException,
    RequestValidationError,
)  # fmt: skip
_REQUESTS: tuple[type[CommonRequest], ...] = (ChatRequest, CompletionRequest, ResponsesRequest)
_KEY_ERROR: dict[int | str, dict[str, Any]] = {401: _ERRORS[401]}


def create_app(
    answerer: Answerer,
    settings: ServiceSettings | None = None,
    *,
    routers: Sequence[APIRouter] = (),
    gauges: ReadGauges | None = None,
    log: ServiceLog | None = None,
) -> FastAPI:
    """Return the application that serves an answerer.

    Its state has `request_handler` (`planner.service.http.request_handler.RequestHandler`) and
    `traffic` (`planner.service.monitoring.traffic.TrafficCounter`), for routers to read.

    Args:
        answerer: answers questions; the application closes it when it ends.
        settings: limits and keys; None: the defaults.
        routers: further paths, behind the same keys.
        gauges: reads further metrics, see `planner.service.monitoring.metrics.ServiceMetrics`.
        log: log of the service; None: one that writes to stderr.
    """
    handler = RequestHandler(answerer, settings or ServiceSettings(), log, gauges)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(_load(handler))
        try:
            yield
        finally:
            handler.close()
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)
            await answerer.close()

    app = FastAPI(
        title="apportion",
        summary="An OpenAI-compatible server that routes every query to its own strategy.",
        lifespan=lifespan,
        docs_url=None,  # these pages load scripts from other sites
        redoc_url=None,
        redirect_slashes=False,  # a redirect would go to any host that the Host header names
    )
    app.state.request_handler = handler
    app.state.traffic = handler.traffic

    async def respond_to_error(request: Request, error: Exception) -> Response:
        fault = handler.record_failure(request.scope[EXCHANGE_KEY], error)
        return _NoResponse() if fault is None else fault.response()

    for kind in _HANDLED_ERRORS:
        app.add_exception_handler(kind, respond_to_error)
    app.add_middleware(_HeadMiddleware)
    app.add_middleware(ServiceMiddleware, handler=handler)
    app.include_router(_openai_router(handler))
    app.include_router(_operations_router(handler))
    for router in routers:
        app.include_router(router)
    _set_openapi_document(app, answerer)
    return app


async def _load(handler: RequestHandler) -> None:
    """Load the models before the first question comes; /readyz says when they are loaded."""
    try:
        reason = await handler.answerer.ready()
    except Exception as error:
        handler.log.error("not_ready", error)
    else:
        if reason is None:
            handler.log.info("ready", model=handler.answerer.model)
        else:
            handler.log.warning("not_ready", why=reason)


class _HeadMiddleware:
    """Answers HEAD as GET, without the body; probes and load balancers ask so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if "body" in message else message)

        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, send_head)
        finally:
            scope["route"] = asked.get("route")  # for the log


class _NoResponse(Response):
    """No response at all: the client has gone."""

    async def __call__(self, *_: object) -> None:
        """Send nothing."""


class _DirectRoute(APIRoute):
    """A route whose endpoint reads the request and makes the response itself.

    FastAPI's own work for each request (parameters, dependencies, validated results) would have no
    use here.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the endpoint itself, which takes the request and has no dependencies."""
        assert not self.dependant.dependencies and self.body_field is None
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint


def _openai_router(handler: RequestHandler) -> APIRouter:
    """Return the paths of OpenAI's protocol."""
    router, questions = APIRouter(prefix="/v1"), APIRouter(route_class=_DirectRoute)

    async def read(request: Request, kind: type[RequestT]) -> RequestT:
        if handler.closing:  # before a long body is read
            raise shutting_down()
        parsed = parse_request(kind, await read_json(request, handler.settings.body_seconds))
        served = handler.answerer.model
        if not names_model(parsed.model, served):
            raise _model_not_found(handler, parsed.model)
        exchange: Exchange = request.scope[EXCHANGE_KEY]
        exchange.off = asks_for_greedy(request.headers.get(GREEDY_HEADER))
        if parsed.model != served:
            exchange.notes = (Note.of(NoteCode.OTHER_MODEL_NAME, model=served),)
        return parsed

    async def converse(
        request: Request, kind: type[ChatRequest] | type[ResponsesRequest]
    ) -> Response:
        exchange: Exchange = request.scope[EXCHANGE_KEY]
        parsed = await read(request, kind)
        queries = conversation_queries(parsed, exchange, handler.settings)
        return AnswerResponse(handler, exchange, parsed, queries)

    @questions.post(
        "/chat/completions",
        response_model=responses.ChatCompletion,
        responses=_with_event_stream(_ERRORS),
        openapi_extra=_request_body(ChatRequest),
    )
    async def chat(request: Request) -> Response:
        """Answer the last message of a conversation."""
        return await converse(request, ChatRequest)

    @questions.post(
        "/responses",
        response_model=responses.ResponseObject,
        responses=_with_event_stream(_ERRORS),
        openapi_extra=_request_body(ResponsesRequest),
    )
    async def respond(request: Request) -> Response:
        """Answer the last message of the input with text."""
        return await converse(request, ResponsesRequest)

    @questions.post(
        "/completions",
        response_model=responses.TextCompletion,
        responses=_with_event_stream(_ERRORS),
        openapi_extra=_request_body(CompletionRequest),
    )
    async def complete(request: Request) -> Response:
        """Answer a prompt, or several."""
        exchange: Exchange = request.scope[EXCHANGE_KEY]
        parsed = await read(request, CompletionRequest)
        given = parsed, exchange, handler.settings, handler.answerer
        if isinstance(parsed.prompt, str):
            queries = completion_queries(*given)
        else:  # token ids are decoded, of which a body may hold half a million
            queries = await asyncio.to_thread(completion_queries, *given)
        return AnswerResponse(handler, exchange, parsed, queries)

    router.include_router(questions)
    started = int(time.time())

    def model_card() -> dict[str, Any]:
        return {
            "id": handler.answerer.model,
            "object": "model",
            "created": started,
            "owned_by": "apportion",
        }

    @router.get("/models", response_model=responses.ModelList, responses=_KEY_ERROR)
    async def models() -> dict[str, Any]:
        """The model that is served."""
        return {"object": "list", "data": [model_card()]}

    @router.get(
        "/models/{model:path}",
        response_model=responses.ModelCard,
        responses={status: _ERRORS[status] for status in (401, 404)},
    )
    async def model(model: str) -> dict[str, Any]:
        """The model of this name."""
        if not names_model(model, handler.answerer.model):
            raise _model_not_found(handler, model)
        return model_card()

    return router


def _operations_router(handler: RequestHandler) -> APIRouter:
    """Return the paths for those who run the server."""
    router = APIRouter()

    @router.get("/healthz", response_model=responses.Health)
    async def healthz() -> dict[str, str]:
        """Whether the process lives. Needs no key."""
        return {"status": "ok"}

    @router.get("/readyz", response_model=responses.Health, responses={503: _ERRORS[503]})
    async def readyz() -> dict[str, str]:
        """Whether questions can be answered now. Needs no key."""
        if handler.closing:
            raise shutting_down()
        try:
            async with asyncio.timeout(_READY_SECONDS):
                reason = await handler.answerer.ready()
        except TimeoutError:
            reason = "the models are being loaded, or their servers do not answer"
        if reason is not None:
            # The path needs no key, and the reason may name the addresses of the models.
            public = handler.settings.keys is None
            raise not_ready(reason if public else "see the log for what is missing")
        return {"status": "ready"}

    @router.get(
        "/metrics",
        response_class=Response,
        responses=_KEY_ERROR | {200: {"content": {CONTENT_TYPE_LATEST: {}}}},
    )
    async def metrics() -> Response:
        """Metrics for Prometheus."""
        return Response(handler.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


def _model_not_found(handler: RequestHandler, name: str) -> RequestError:
    return RequestError(
        404, f"model {name[:80]!r} does not exist here; this server has {handler.answerer.model!r}",
        param="model", code="model_not_found",
    )  # fmt: skip


def _request_body(kind: type[CommonRequest]) -> dict[str, Any]:
    """Return the OpenAPI description of a body, which FastAPI does not read here."""
    schema = {"$ref": _SCHEMAS.format(model=kind.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _with_event_stream(errors: dict[int | str, dict[str, Any]]) -> dict[int | str, Any]:
    events: dict[str, Any] = {"text/event-stream": {}}
    return {200: {"content": events, "description": "the answer, whole or as events"}, **errors}


def _set_openapi_document(app: FastAPI, answerer: Answerer) -> None:
    """Have the OpenAPI document include the requests' schemas and the name of the model."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
            _, requests = models_json_schema(
                [(kind, "validation") for kind in _REQUESTS],
                ref_template=_SCHEMAS,
            )
            schemas = description.setdefault("components", {}).setdefault("schemas", {})
            schemas |= requests["$defs"]
            for kind in _REQUESTS:
                schemas[kind.__name__]["properties"]["model"]["enum"] = [answerer.model]
            app.openapi_schema = description
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
