"""Serve a plan: an OpenAI-compatible server, from its models to its end."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from executor.errors import InputError
from executor.servers.server import Patience
from planner.costs.pricing import Pricing
from planner.plans.plan import Plan
from planner.plans.serialization import HasPlan, as_plan
from planner.report.notes import word
from planner.runtime.reporter import Reporter, SilentReporter
from planner.runtime.settings import SessionSettings
from planner.service.http.keys import ApiKeys
from planner.service.http.settings import ServiceSettings, is_loopback
from planner.service.monitoring.snapshot import DriftReading, TrafficSnapshot
from planner.usecases import DEFAULT_STORE
from planner.usecases.open_session import open_session

if TYPE_CHECKING:
    from planner.service.monitoring.drift import DriftFinding

OUTAGE_SECONDS = 5.0
"""How long servers of models may be down: clients hear it soon, and may ask again."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that listens.

    Attributes:
        address: base URL for clients, which ends in `/v1`.
        model: name of the model that clients ask for.
    """

    address: str
    model: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"address": self.address, "model": self.model}


def serve(
    plan: Plan | HasPlan | Path | str,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    settings: ServiceSettings | None = None,
    policy: str | None = None,
    prm: str | None = None,
    pricing: Pricing | None = None,
    store: str = DEFAULT_STORE,
    session_settings: SessionSettings | None = None,
    reporter: Reporter = SilentReporter(),
    on_listening: Callable[[Listening], None] = lambda listening: None,
) -> None:
    """Answer queries over HTTP by a plan, until SIGTERM or SIGINT.

    Args:
        plan: a plan, or its file.
        host: name or address to listen at.
        port: port to listen at; 0: any that is free.
        settings: limits and keys of the server; None: those of `service_settings`.
        policy, prm: where the plan's models lie now (name, folder, hub id or address of a server);
            None: where the plan says.
        pricing: devices and prices for the costs on the page.
        store: SQLAlchemy URL of the store, which keeps answers for feedback.
        session_settings: of sampling, engines and servers; None: draws that cannot change an
            answer are left out, and servers may be down for `OUTAGE_SECONDS`.
        reporter: receives progress and remarks.
        on_listening: called once, when the server listens.

    Raises:
        InputError: a bad plan or setting, a model that is missing or unfit, a port that is taken,
            or the extra `server` is not installed.
    """
    plan = as_plan(plan)
    if not 0 <= port < 1 << 16:
        raise InputError(f"--port is {port}; expected 0 to 65535")
    settings = settings or service_settings(plan, host)
    pricing = pricing or Pricing()
    pricing.apply(plan.rates, plan.policy, plan.prm)  # a wrong price is an error before any work
    _check_installed()
    # These import what only the extra installs.
    from planner.service.factory import create_plan_service
    from planner.service.http.app import create_app
    from planner.service.http.feedback_route import feedback_router
    from planner.service.http.server import DrainingServer
    from planner.service.monitoring.logs import ServiceLog
    from planner.service.page.routes import page_router

    log = ServiceLog(prompts=settings.log_prompts)
    if settings.keys is None and not settings.local_only:
        log.warning("open_to_all", host=host, advice="--api-keys lets in who has one")
    session_settings = session_settings or SessionSettings(
        early_stop=True, patience=Patience(outage=OUTAGE_SECONDS)
    )
    session_settings = replace(session_settings, domain=plan.domain)
    with open_session(None, store, session_settings, reporter, policy=policy, prm=prm) as session:
        service = create_plan_service(
            session,
            plan,
            policy,
            prm,
            on_drift=lambda line: log.warning("drift", finding=line),
            on_feedback_failure=lambda line: log.warning("feedback", trouble=line),
        )
        page = page_router(
            store,
            plan=plan,
            traffic=lambda: snapshot(app.state.traffic.to_dict(), plan, service.drift.findings),
            pricing=pricing,
            settings=settings,
        )
        app = create_app(
            service.answerer,
            settings,
            routers=(feedback_router(service.feedback, settings), page),
            gauges=service.drift.gauges,
            log=log,
        )

        def listening(address: str) -> None:
            # What has been imported stays: no collection between two answers need look at it.
            gc.collect()
            gc.freeze()
            on_listening(Listening(f"{address}/v1", service.answerer.model))

        DrainingServer(app, host, port, listening).run()


def service_settings(
    plan: Plan, host: str, keys_file: Path | None = None, **limits: Any
) -> ServiceSettings:
    """The settings of a server that answers by a plan.

    Args:
        plan: its constraint holds for requests that have none of their own.
        host: without keys, a server at a loopback address answers only this machine's names.
        keys_file: API keys, one a line; None: those of `APPORTION_API_KEYS`, separated by commas;
            without either everybody may ask.
        limits: other fields of `ServiceSettings`.

    Raises:
        InputError: the keys cannot be read, or a limit is out of range.
    """
    keys = ApiKeys.load(keys_file, os.environ)
    return ServiceSettings(
        constraint=plan.constraint,
        keys=keys,
        local_only=keys is None and is_loopback(host),
        **limits,
    )


def snapshot(
    counted: Mapping[str, Any], plan: Plan, findings: Mapping[str, DriftFinding]
) -> TrafficSnapshot:
    """What the page shows of the traffic.

    Args:
        counted: by the server, see `planner.service.monitoring.traffic.Traffic.to_dict`.
        plan: its profile is what traffic is compared with.
        findings: of the last window of traffic, by measure.
    """
    known = [one for one in dict(findings).values() if math.isfinite(one.limit)]
    mix = plan.rests_on.mix
    total = sum(mix.values())
    return TrafficSnapshot.from_counts(
        counted,
        expected={level: times / total for level, times in mix.items()} if total else {},
        drift={one.measure: DriftReading(one.statistic, one.limit) for one in known},
        warnings=tuple(word(one.note()) for one in known if one.drifted),
    )


def _check_installed() -> None:
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"serve needs {error.name}; install it with: uv pip install 'apportion[server]'"
        ) from None
