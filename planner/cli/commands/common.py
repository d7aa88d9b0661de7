"""Conversions of parsed options that several commands share."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from executor.cluster.ray import ClusterOptions
from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.servers.address import Api, read_address
from executor.servers.endpoint import EndpointLimits
from executor.servers.server import Patience
from executor.strategy import (
    STEP_SEARCHES,
    STRATEGIES,
    Greedy,
    Sampling,
    Strategy,
    make,
    parse_names,
)
from planner.choice.constraint import Constraint
from planner.cli.api_options import access
from planner.costs.pricing import Pricing
from planner.runtime.settings import PREFIX_BLOCK, SessionSettings
from planner.usecases.asked_models import EVERY, NO_PRM
from planner.usecases.known_models import Unlisted
from planner.usecases.problem_files import ProblemFiles

STRATEGY_OPTIONS = (
    "width", "softmax_temperature", "confidence", "m", "rounds", "shown", "score", "vote", "keep",
    "power",
)  # fmt: skip
SAMPLING = ("temperature", "top_p", "max_steps", "max_step_tokens", "max_tokens",
            "thinking", "thinking_format")  # fmt: skip


def option_name(field: str) -> str:
    """The option of a field of the parsed arguments, as users type it."""
    return f"--{field.replace('_', '-')}"


def settings(arguments: Namespace) -> SessionSettings:
    """Settings of a session from the sampling, engine, server and cluster options."""
    given = {name: getattr(arguments, name, None) for name in SAMPLING}
    spending = _spending(arguments) if hasattr(arguments, "max_usd") else {}
    return SessionSettings(
        sampling=Sampling(**{k: v for k, v in given.items() if v is not None}),
        seed=arguments.seed,
        concurrency=arguments.concurrency,
        engine=engine_options(arguments),
        template=getattr(arguments, "template", None),
        token_cap=getattr(arguments, "token_cap", None),
        early_stop=getattr(arguments, "early_stop", False),
        cluster=cluster(arguments),
        unsafe_execution=getattr(arguments, "unsafe_execution", False),
        patience=patience(arguments),
        top_logprobs=getattr(arguments, "top_logprobs", None),
        access=access(arguments),
        endpoint=endpoint_limits(arguments),
        **spending,
    )


def _spending(arguments: Namespace) -> dict[str, Any]:
    """The cap on money and the prices it counts by, as settings."""
    prices = Pricing(
        prices=arguments.prices,
        batch=arguments.batch_prices,
        names=pairs("--price-name", arguments.price_name),
    )
    if arguments.max_usd is None and prices != Pricing():
        raise InputError(
            "--prices, --batch-prices and --price-name: are what --max-usd counts by; give it too"
        )
    return {"max_usd": arguments.max_usd, "pricing": prices}


def models(
    policies: Sequence[str] | None, prms: Sequence[str] | None
) -> tuple[str | Sequence[str] | None, str | Sequence[str] | None]:
    """One policy and at most one PRM as names, and several of either as sequences."""
    policies, prms = policies or (), prms or ()
    if len(policies) < 2 and len(prms) < 2 and not {EVERY, NO_PRM} & {*policies, *prms}:
        return next(iter(policies), None), next(iter(prms), None)
    return policies or None, prms


def unlisted(arguments: Namespace) -> Unlisted:
    """What is said of models that no catalog lists, from the options for published figures."""
    return Unlisted(arguments.parameters, arguments.prm_parameters, arguments.allow_unknown)


def cluster(arguments: Namespace) -> ClusterOptions | None:
    """The Ray cluster from the cluster options; None: this process runs the models."""
    options = ClusterOptions(
        getattr(arguments, "ray_address", None), getattr(arguments, "ray_workers", None)
    )
    if getattr(arguments, "ray", False):
        return options
    for name, value in (("address", options.address), ("workers", options.workers)):
        if value is not None:
            raise InputError(f"--ray-{name} needs --ray; give --ray too, or leave it out")
    return None


def engine_options(arguments: Namespace) -> EngineOptions:
    """Sizes of an engine from the engine options."""
    return EngineOptions(
        block_size=PREFIX_BLOCK,
        max_model_len=arguments.max_model_len,
        kv_cache_gib=arguments.kv_cache_gib,
        dtype=arguments.dtype,
        gpu_memory_utilization=arguments.gpu_memory_utilization,
        tensor_parallel_size=arguments.tensor_parallel_size,
        apart=getattr(arguments, "apart", False),
    )


def patience(arguments: Namespace) -> Patience:
    """Waiting times for servers, in seconds; the demo, which has none, takes the defaults."""
    if not hasattr(arguments, "stall_timeout"):
        return Patience()
    for option in ("stall_timeout", "outage_timeout"):
        seconds = getattr(arguments, option)
        if not seconds > 0:
            raise InputError(f"{option_name(option)} is {seconds}; expected more than 0")
    return Patience(stall=arguments.stall_timeout, outage=arguments.outage_timeout)


def endpoint_limits(arguments: Namespace) -> EndpointLimits:
    """Limits of a chat policy's requests; the demo, which has none, takes the defaults."""
    if not hasattr(arguments, "api_requests"):
        return EndpointLimits()
    return EndpointLimits(arguments.api_requests, arguments.api_timeout, arguments.one_per_request)


def problem_files(arguments: Namespace) -> ProblemFiles:
    """Files of problems from the problem options."""
    return ProblemFiles(
        tuple(arguments.problems),
        tuple(arguments.limit),
        problem_field=arguments.problem_field,
        answer_field=arguments.answer_field,
        domain=arguments.domain,
    )


def constraint(arguments: Namespace) -> Constraint:
    """Limits of a choice from the constraint options."""
    return Constraint(
        budget=arguments.budget,
        max_flops=arguments.max_flops,
        max_seconds=arguments.max_seconds,
        max_usd=arguments.max_usd,
        target_accuracy=arguments.target_accuracy,
        confidence=arguments.confidence,
    )


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """The values of an option that is given several times as A=B.

    Raises:
        InputError: one has no `=`, or A is given twice.
    """
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"{option} {text}: expected two names with = between them")
        if name in pairs:
            raise InputError(f"{option} {name}: is given twice; expected once")
        pairs[name] = value
    return pairs


def pricing(arguments: Namespace) -> Pricing:
    """Devices and prices from the price options."""
    return Pricing(
        device=arguments.device,
        devices=arguments.devices,
        prices=arguments.prices,
        batch=arguments.batch_prices,
        names=pairs("--price-name", arguments.price_name),
        usd_per_hour=arguments.usd_per_hour,
        watts=arguments.watts,
        context=arguments.context,
    )


def whole_numbers(option: str, text: str) -> list[int]:
    """Parse numbers as in `4,16,64`.

    Raises:
        InputError: there are none, or something else is among them.
    """
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers:
        raise InputError(f"{option} is {text!r}; expected whole numbers, as in 4,16,64")
    return numbers


def numbers(option: str, text: str) -> list[float]:
    """Parse numbers as in `0.1,0.9`.

    Raises:
        InputError: there are none, or something else is among them.
    """
    try:
        found = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = []
    if not found:
        raise InputError(f"{option} is {text!r}; expected numbers, as in 0.1,0.9")
    return found


def strategies(arguments: Namespace, names: str, budgets: Sequence[int]) -> list[Strategy]:
    """Strategies from their names and the strategy options, each at each budget; greedy once.

    Args:
        arguments: with `STRATEGY_OPTIONS`.
        names: `all` that the scorer can serve, or names with commas.
        budgets: numbers of generations.

    Raises:
        InputError: a name is unknown, none of the strategies has an option, or a budget is out of
            range.
    """
    chosen = parse_names(names)
    scorer = arguments.prm
    # Imported here: commands that only read evidence start faster without.
    from executor.scorers.loading import scores_steps

    whole = scorer is not None and not scores_steps(scorer)
    if names == "all" and (whole or _is_chat(arguments)):
        # The scorer and the policy say what all can be.
        chosen = [one for one in chosen if not issubclass(STRATEGIES[one], STEP_SEARCHES)]
    _check_strategy_options(arguments, chosen)
    made: list[Strategy] = []
    for name in chosen:
        if STRATEGIES[name] is Greedy:
            made.append(Greedy())
        else:
            options = _strategy_options(arguments, name)
            made += [make(name, budget, **options) for budget in budgets]
    return made


def _is_chat(arguments: Namespace) -> bool:
    """Whether the policy is named as a chat policy."""
    policy = getattr(arguments, "policy", None)
    address = read_address(policy) if isinstance(policy, str) else None
    return address is not None and address.api is Api.CHAT


def _check_strategy_options(arguments: Namespace, names: Sequence[str]) -> None:
    """Check that each strategy option that was given belongs to one of these strategies."""
    known = {option.name for name in names for option in fields(STRATEGIES[name])}
    for option in STRATEGY_OPTIONS:
        if getattr(arguments, option) is not None and option not in known:
            raise InputError(
                f"{option_name(option)}: {' and '.join(names)} "
                f"{'do' if len(names) > 1 else 'does'} not have it; leave it out"
            )


def _strategy_options(arguments: Namespace, name: str) -> dict[str, Any]:
    """The strategy options that were given and that the strategy has."""
    has = {option.name for option in fields(STRATEGIES[name])}
    given = {option: getattr(arguments, option) for option in STRATEGY_OPTIONS if option in has}
    return {option: value for option, value in given.items() if value is not None}
