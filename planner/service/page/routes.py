"""Routes of the page: the page, its content as JSON and as HTML, and live traffic."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from executor.errors import InputError, StoreError
from planner.choice.constraint import MOST_GENERATIONS, Constraint
from planner.costs.pricing import Pricing
from planner.plans.plan import Plan
from planner.service.http.faults import OVERLOADED, RequestError
from planner.service.http.limits import limit_body, read_json
from planner.service.http.responses import ErrorResponse
from planner.service.http.settings import ServiceSettings
from planner.service.monitoring.snapshot import TrafficSnapshot
from planner.service.page.advisor import Advisor, Asked, NotHereError
from planner.service.page.static import StaticPage
from planner.service.page.worker import BusyError, SerialWorker
from planner.usecases.recommend import check_difficulty

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w.\-/:@+ ]+$")]
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_MOST_CHARACTERS = 20_000
_MOST_BYTES = 12 * _MOST_CHARACTERS + 100  # were every character two escapes


class Question(BaseModel):
    """The options of `apportion recommend`."""

    model_config = ConfigDict(extra="forbid")

    policy: Name
    prm: Name | None = None
    difficulty: Annotated[str, Field(max_length=20)] = "all"
    benchmark: Name | None = None
    budget: Annotated[int, Field(ge=1, le=MOST_GENERATIONS)] | None = None
    max_flops: Amount | None = None
    max_seconds: Amount | None = None
    max_usd: Amount | None = None
    target_accuracy: Annotated[float, Field(gt=0, le=1)] | None = None
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95

    def asked(self) -> Asked:
        """Return the question in the advisor's form.

        Raises:
            InputError: the difficulty does not exist, or a limit is out of range.
        """
        limits = self.model_dump(exclude={"policy", "prm", "difficulty", "benchmark"})
        return Asked(
            self.policy,
            self.prm,
            check_difficulty(self.difficulty),
            self.benchmark,
            Constraint(**limits),
        )


class Problem(BaseModel):
    """A question, to estimate its difficulty."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=_MOST_CHARACTERS)]


_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "what was asked for is wrong or not known"},
    429: {"model": ErrorResponse, "description": "too many questions at once"},
    503: {"model": ErrorResponse, "description": "the store is not available"},
}
_NOT_HERE: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorResponse, "description": "this server has nothing to say it from"}
}
_UNREAD: dict[int | str, dict[str, Any]] = {
    408: {"model": ErrorResponse, "description": "the body took too long"},
    413: {"model": ErrorResponse, "description": "no problem is so long"},
    415: {"model": ErrorResponse, "description": "the body is not JSON by its content type"},
}
Asking = Annotated[Question, Query()]


def page_router(
    store_url: str,
    *,
    plan: Plan | None = None,
    traffic: Callable[[], TrafficSnapshot] | None = None,
    catalog: Path | None = None,
    pricing: Pricing | None = None,
    settings: ServiceSettings | None = None,
) -> APIRouter:
    """Return the router of the page and of its requests.

    One thread beside the event loop computes the answers; it reads the evidence at the first
    question.

    Args:
        store_url: SQLAlchemy URL of the store, the first source of evidence; it need not exist.
        plan: the plan that is served; its estimator predicts the difficulty of a text.
        traffic: function that returns a snapshot of the live traffic; None if there is none.
        catalog: TOML file with models beyond the project's own.
        pricing: devices and prices of the costs.
        settings: settings of the server; they limit the seconds that a body may take.
    """
    seconds = (settings or ServiceSettings()).body_seconds
    advisor = Advisor(store_url, plan, catalog, pricing)
    worker = SerialWorker()
    page = StaticPage.read()
    router = APIRouter(route_class=_InWords, tags=["page"])

    @router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    def index(request: Request) -> Response:
        return page.response(request.headers.get("if-none-match"))

    @router.get("/api/choices", responses=_REFUSALS, summary="What can be asked for")
    async def get_choices() -> Response:
        return await worker.ask(lambda: JSONResponse(advisor.choices()))

    @router.get("/api/recommend", responses=_REFUSALS, summary="Which strategy to use")
    async def get_recommend(question: Asking) -> Response:
        asked = question.asked()
        # Made there too: of so long a document the text alone takes milliseconds.
        return await worker.ask(lambda: JSONResponse(advisor.recommend(asked)))

    @router.get("/page/answer", response_class=HTMLResponse, include_in_schema=False)
    async def get_answer(question: Asking) -> HTMLResponse:
        return HTMLResponse(await worker.ask(advisor.answer, question.asked()))

    @router.get("/page/figures", response_class=HTMLResponse, include_in_schema=False)
    async def get_figures(question: Asking) -> HTMLResponse:
        return HTMLResponse(await worker.ask(advisor.figures, question.asked()))

    @router.post(
        "/api/difficulty",
        responses=_REFUSALS | _NOT_HERE | _UNREAD,
        summary="How difficult a question is, from its text alone",
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {
            "schema": Problem.model_json_schema()}}}},
    )  # fmt: skip
    async def post_difficulty(request: Request) -> JSONResponse:
        bounds = limit_body(request.scope, request.receive, _MOST_BYTES)
        body = await read_json(Request(request.scope, bounds), seconds)
        problem = Problem.model_validate_json(body)
        return JSONResponse(await worker.ask(advisor.difficulty, problem.text))

    @router.get("/api/traffic", responses=_NOT_HERE, summary="What passes just now")
    def get_traffic() -> JSONResponse:
        if traffic is None:
            raise NotHereError("no traffic passes here: nothing is served but this page")
        return JSONResponse(traffic().to_dict(), headers={"Cache-Control": "no-store"})

    return router


class _InWords(APIRoute):
    """Route that answers errors itself, in one sentence, whatever the program around it does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_in_words(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                # What FastAPI found first says where it was: in the query.
                found = [one | {"loc": one["loc"][1:]} for one in error.errors()]
                return _refuse(400, "; ".join(map(_sentence, found)))
            except ValidationError as error:
                return _refuse(400, "; ".join(_sentence(one) for one in error.errors()))
            except RequestError as error:
                return error.response()
            except StoreError:
                raise  # the application logs why, which is not for clients
            except InputError as error:
                return _refuse(400, str(error))
            except NotHereError as error:
                return _refuse(404, str(error), code="not_here")
            except BusyError as error:
                return _refuse(429, str(error), code="busy", kind=OVERLOADED, retry_after=1.0)

        return handle_in_words


def _refuse(status: int, message: str, **more: Any) -> Response:
    return RequestError(status, message, **({"code": "invalid_value"} | more)).response()


def _sentence(error: Mapping[str, Any]) -> str:
    """Return pydantic's message after the name of the option, as the command line writes it."""
    where = "-".join(str(part) for part in error["loc"]).replace("_", "-")
    return f"{where or 'request'}: {error['msg'][:1].lower()}{error['msg'][1:]}"
