"""What several commands make of their arguments."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from executor.cluster.ray import ClusterOptions
from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.loading import resolve
from executor.models.tokens import Tokens, load_tokenizer
from executor.problem import Problem
from executor.scorers.prm import check_prm, find_prm
from executor.servers.server import Patience
from executor.strategy import STRATEGIES, Sampling
from planner.choice.constraint import Constraint
from planner.cli.console import Output
from planner.costs.pricing import Pricing
from planner.runtime.session import Session, Settings, read_problems

STRATEGY_OPTIONS = ("width", "softmax_temperature", "confidence", "score", "vote")
SAMPLING = ("temperature", "top_p", "max_steps", "max_step_tokens", "max_tokens")


def settings(arguments: Namespace) -> Settings:
    """Settings from the sampling and engine options; what was not given has its default."""
    if arguments.concurrency is not None and arguments.concurrency < 1:
        raise InputError(f"--concurrency {arguments.concurrency}: must be at least 1")
    given = {name: getattr(arguments, name, None) for name in SAMPLING}
    cap = getattr(arguments, "token_cap", None)
    if cap is not None and cap < 1:
        raise InputError(f"--token-cap {cap}: must be at least 1")
    return Settings(
        sampling=Sampling(**{k: v for k, v in given.items() if v is not None}),
        seed=arguments.seed,
        concurrency=arguments.concurrency,
        engine=engine_options(arguments),
        template=getattr(arguments, "template", None),
        token_cap=cap,
        early_stop=getattr(arguments, "early_stop", False),
        cluster=cluster(arguments),
        patience=patience(arguments),
    )


def cluster(arguments: Namespace) -> ClusterOptions | None:
    """The cluster that was asked for; None: everything runs in this process."""
    options = ClusterOptions(
        getattr(arguments, "ray_address", None), getattr(arguments, "ray_workers", None)
    )
    if getattr(arguments, "ray", False):
        return options
    for name, value in (("address", options.address), ("workers", options.workers)):
        if value is not None:
            raise InputError(f"--ray-{name}: goes with --ray")
    return None


def engine_options(arguments: Namespace) -> EngineOptions:
    """Sizes of an engine from the engine options."""
    return EngineOptions(
        # Blocks of 32 tokens: a step is a few dozen tokens long, and only whole blocks are reused.
        block_size=32,
        max_model_len=arguments.max_model_len,
        kv_cache_gib=arguments.kv_cache_gib,
        dtype=arguments.dtype,
        gpu_memory_utilization=arguments.gpu_memory_utilization,
        tensor_parallel_size=arguments.tensor_parallel_size,
        apart=getattr(arguments, "apart", False),
    )


def patience(arguments: Namespace) -> Patience:
    """How long servers are waited for; the demo, which has none, takes the defaults."""
    if not hasattr(arguments, "stall_timeout"):
        return Patience()
    for option in ("stall_timeout", "outage_timeout"):
        if not getattr(arguments, option) > 0:
            name = option.replace("_", "-")
            raise InputError(f"--{name} {getattr(arguments, option)}: must be more than 0")
    return Patience(stall=arguments.stall_timeout, outage=arguments.outage_timeout)


def session(arguments: Namespace, output: Output) -> Session:
    """A session on the store the arguments name.

    Models that are not there or do not fit are said first, before a store is made.
    """
    wanted = settings(arguments)
    prm = getattr(arguments, "prm", None)
    if wanted.engine.apart and arguments.policy is not None and "://" in arguments.policy:
        raise InputError(f"--apart: {arguments.policy} is an address; its server is apart already")
    if wanted.cluster is not None:
        for given in (arguments.policy, prm):
            if given is not None and "://" in given:
                raise InputError(
                    f"--ray: its workers load their models themselves; {given} is an address"
                )
    if prm is not None:
        find_prm(prm)
    if arguments.policy is not None:
        with output.status(f"looking for {arguments.policy}"):
            location = resolve(arguments.policy, "policy").location
            if prm is not None:
                check_prm(prm, Tokens(load_tokenizer(location)))
    return Session(output, arguments.store, wanted)


def problems(arguments: Namespace, *, require_answers: bool = True) -> list[Problem]:
    """The problems the arguments name."""
    return read_problems(
        arguments.problems,
        arguments.limit,
        problem_field=arguments.problem_field,
        answer_field=arguments.answer_field,
        require_answers=require_answers,
    )


def constraint(arguments: Namespace) -> Constraint:
    """The constraint the arguments name."""
    return Constraint(
        budget=arguments.budget,
        max_flops=arguments.max_flops,
        max_seconds=arguments.max_seconds,
        max_usd=arguments.max_usd,
        target_accuracy=arguments.target_accuracy,
        confidence=arguments.confidence,
    )


def pricing(arguments: Namespace) -> Pricing:
    """What the arguments say of devices and prices."""
    return Pricing(
        device=arguments.device,
        devices=arguments.devices,
        prices=arguments.prices,
        usd_per_hour=arguments.usd_per_hour,
        watts=arguments.watts,
        context=arguments.context,
    )


def whole_numbers(option: str, text: str) -> list[int]:
    """Numbers as in `4,16,64`; InputError where there are none."""
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers:
        raise InputError(f"{option} {text!r}: must be whole numbers, as in 4,16,64")
    return numbers


def check_strategy_options(arguments: Namespace, names: Sequence[str]) -> None:
    """InputError where an option was given that none of these strategies has."""
    known = {option.name for name in names for option in fields(STRATEGIES[name])}
    for option in STRATEGY_OPTIONS:
        if getattr(arguments, option) is not None and option not in known:
            raise InputError(
                f"--{option.replace('_', '-')}: {' and '.join(names)} "
                f"{'do' if len(names) > 1 else 'does'} not have it"
            )


def strategy_options(arguments: Namespace, name: str) -> dict[str, Any]:
    """Those of `STRATEGY_OPTIONS` that were given and that the strategy has."""
    has = {option.name for option in fields(STRATEGIES[name])}
    given = {option: getattr(arguments, option) for option in STRATEGY_OPTIONS if option in has}
    return {option: value for option, value in given.items() if value is not None}
