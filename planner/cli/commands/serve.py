"""`apportion serve`: an OpenAI-compatible server that answers by a plan."""

from __future__ import annotations

import gc
import math
import os
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from executor.errors import InputError
from planner.cli.commands import common
from planner.cli.console import Output
from planner.plans.plan import Plan
from planner.report.notes import word
from planner.service.monitoring.snapshot import Shift, Snapshot

if TYPE_CHECKING:
    from planner.service.http.settings import Settings
    from planner.service.monitoring.drift import Finding


def run(arguments: Namespace, output: Output) -> None:
    """Serve until told to end."""
    plan = Plan.load(arguments.plan)
    settings, pricing = server_settings(arguments, plan), common.pricing(arguments)
    pricing.apply(plan.rates, plan.policy, plan.prm)  # what cannot be is said now
    _check_installed()
    # These and what they import are not there without the extra.
    from planner.service.answering.factory import open_service
    from planner.service.feedback.route import feedback_router
    from planner.service.http.app import create_app
    from planner.service.http.server import Server
    from planner.service.monitoring.logs import Log
    from planner.service.page.routes import page_router

    log = Log(prompts=settings.log_prompts)
    if settings.keys is None and not settings.only_here:
        log.warning("open_to_all", host=arguments.host, advice="--api-keys lets in who has one")
    with common.session(arguments, output) as session:
        opened = open_service(
            session,
            plan,
            arguments.policy,
            arguments.prm,
            warn=lambda line: log.warning("drift", finding=line),
            unkept=lambda line: log.warning("feedback", trouble=line),
        )

        def passing() -> Snapshot:
            return snapshot(app.state.traffic.to_dict(), plan, opened.drift.findings)

        page = page_router(
            arguments.store, plan=plan, traffic=passing, pricing=pricing, settings=settings
        )
        app = create_app(
            opened.answerer,
            settings,
            routers=(feedback_router(opened.feedback, settings), page),
            gauges=opened.watch_gauges,
            log=log,
        )

        def listening(address: str) -> None:
            # What has been imported stays: no collection between two answers need look at it.
            gc.collect()
            gc.freeze()
            document = {"address": f"{address}/v1", "model": opened.answerer.model}
            output.result(document, lambda console: console.print(
                f"{document['model']} at {document['address']}", highlight=False
            ))  # fmt: skip

        Server(app, arguments.host, arguments.port, listening).run()


def server_settings(arguments: Namespace, plan: Plan) -> Settings:
    """What the arguments and the plan say of the server; InputError where they cannot be."""
    from planner.service.http.keys import Keys
    from planner.service.http.settings import Settings, is_loopback

    if not 0 <= arguments.port < 1 << 16:
        raise InputError(f"--port {arguments.port}: must be between 0 and 65535")
    given = {
        name: getattr(arguments, name)
        for name in ("concurrency", "queue", "max_per_key", "max_prompts", "max_body", "max_tokens",
                     "max_budget", "drain_seconds", "log_prompts")
        if getattr(arguments, name) is not None
    }  # fmt: skip
    keys = Keys.find(arguments.api_keys, os.environ)
    return Settings(
        constraint=plan.own_constraint,
        keys=keys,
        only_here=keys is None and is_loopback(arguments.host),
        **given,
    )


def snapshot(counted: Mapping[str, Any], plan: Plan, findings: Mapping[str, Finding]) -> Snapshot:
    """What the page shows of the traffic.

    Args:
        counted: by the server, see `planner.service.monitoring.traffic.Traffic.to_dict`.
        plan: whose profile traffic is compared with.
        findings: of the last window of traffic, by measure.
    """
    known = [one for one in dict(findings).values() if math.isfinite(one.limit)]
    mix = plan.rests_on.get("mix", {})
    total = sum(mix.values())
    return Snapshot.of(
        counted,
        expected={level: times / total for level, times in mix.items()} if total else {},
        drift={one.measure: Shift(one.statistic, one.limit) for one in known},
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
