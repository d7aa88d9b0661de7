"""`apportion serve`: an OpenAI-compatible server that answers by a plan."""

from __future__ import annotations

from argparse import Namespace

from planner.cli.commands import common
from planner.cli.console import Output
from planner.plans.serialization import load_plan
from planner.service.serving import Listening, serve, service_settings

_LIMITS = (
    "concurrency", "queue", "max_per_key", "max_prompts", "max_body", "max_connections",
    "max_tokens", "max_budget", "drain_seconds", "log_prompts",
)  # fmt: skip


def run(arguments: Namespace, output: Output) -> None:
    """Serve until a signal ends it; print the address when the server listens."""
    plan = load_plan(arguments.plan)
    given = {name: getattr(arguments, name) for name in _LIMITS}
    limits = {name: value for name, value in given.items() if value is not None}
    limits["greedy_at_zero"] = arguments.temperature_zero == "greedy"

    def listening(found: Listening) -> None:
        output.result(
            found.to_dict(),
            lambda console: console.print(f"{found.model} at {found.address}", highlight=False),
        )

    serve(
        plan,
        host=arguments.host,
        port=arguments.port,
        settings=service_settings(plan, arguments.host, arguments.api_keys, **limits),
        policy=arguments.policy,
        prm=arguments.prm,
        pricing=common.pricing(arguments),
        store=arguments.store,
        session_settings=common.settings(arguments),
        reporter=output,
        on_listening=listening,
    )
