"""`apportion serve`: an OpenAI-compatible server that answers by a plan."""

from __future__ import annotations

import gc
import ipaddress
import os
from argparse import Namespace
from typing import TYPE_CHECKING

from executor.errors import InputError
from planner.commands import common
from planner.console import Output
from planner.plan import Plan

if TYPE_CHECKING:
    from planner.service.settings import Settings


def run(arguments: Namespace, output: Output) -> None:
    """Serve until told to end."""
    plan = Plan.load(arguments.plan)
    settings = server_settings(arguments, plan)
    _check_installed()
    # These and what they import are not there without the extra.
    from planner.service.app import create_app
    from planner.service.feedback_route import feedback_router
    from planner.service.logs import Log
    from planner.service.opening import open_service
    from planner.service.server import Server

    log = Log(prompts=settings.log_prompts)
    if settings.keys is None and not _loopback(arguments.host):
        log.warning("open_to_all", host=arguments.host, advice="--api-keys lets in who has one")
    with common.session(arguments, output) as session:
        opened = open_service(
            session,
            plan,
            arguments.policy,
            arguments.prm,
            warn=lambda line: log.warning("drift", finding=line),
        )
        app = create_app(
            opened.answerer,
            settings,
            routers=(feedback_router(opened.feedback),),
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
    from planner.service.keys import Keys
    from planner.service.settings import Settings

    if not 0 <= arguments.port < 1 << 16:
        raise InputError(f"--port {arguments.port}: must be between 0 and 65535")
    given = {
        name: getattr(arguments, name)
        for name in ("concurrency", "queue", "max_body", "max_tokens", "max_budget",
                     "drain_seconds", "log_prompts")
        if getattr(arguments, name) is not None
    }  # fmt: skip
    return Settings(
        constraint=plan.own_constraint,
        keys=Keys.find(arguments.api_keys, os.environ),
        **given,
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


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
