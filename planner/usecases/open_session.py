"""The session of a use case: the caller's own, or one that is opened for the call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from executor.errors import InputError
from executor.servers.address import read_address
from planner.runtime.model_ref import (
    ModelRef,
    check_confidences,
    check_executions,
    check_fit,
    check_thinking,
    find_policy,
    find_prm,
)
from planner.runtime.reporter import Reporter
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings


@contextmanager
def open_session(
    session: Session | None,
    store: str,
    settings: SessionSettings,
    reporter: Reporter,
    *,
    policy: str | None = None,
    prm: str | None = None,
) -> Iterator[Session]:
    """Yield the caller's session, or a new one that is closed at the end.

    A new one is opened after its models were looked up: a wrong name makes no store.

    Args:
        session: the caller's, which stays open; None: open one with the other arguments.
        store: SQLAlchemy URL of the store.
        settings: of sampling, engines, servers and cluster.
        reporter: receives progress and remarks.
        policy, prm: names of the models as the user gave them; None: not known yet.

    Raises:
        InputError: a model does not exist or does not fit the settings or the other model.
    """
    if session is not None:
        yield session
        return
    known = find_models(policy, prm, settings, reporter)
    with Session(reporter, store, settings, known) as opened:
        yield opened


def find_models(
    policy: str | None, prm: str | None, settings: SessionSettings, reporter: Reporter
) -> list[ModelRef]:
    """Look up models before a session is opened; loads no weights.

    Raises:
        InputError: a model does not exist, is served though the settings load models here, the PRM
            does not fit the policy, the policy gives no confidences and they are asked for, or the
            scorer needs executions and the domain has none.
    """
    _check_addresses(policy, prm, settings)
    found = [] if prm is None else [find_prm(prm)]
    for scorer in found:
        check_executions(scorer, settings.domain)
    if policy is not None:
        with reporter.status(f"looking for {policy}"):
            model = find_policy(policy, reporter.say, settings.access)
            for scorer in found:
                check_fit(model, scorer)
            check_confidences(model, found[0] if found else None, settings.top_logprobs)
            if settings.sampling.thinking or settings.sampling.thinking_format:
                check_thinking(model, settings.sampling)
        found.append(model)
    return found


def _check_addresses(policy: str | None, prm: str | None, settings: SessionSettings) -> None:
    """Check that the settings can use models on servers, and that their addresses can be shown."""
    for model in (policy, prm):
        if model is not None:
            read_address(model)
    if settings.engine.apart and policy is not None and "://" in policy:
        raise InputError(
            f"--apart: {policy} is an address, and its server is a process of its own already; "
            "leave --apart out"
        )
    if settings.cluster is not None:
        for model in (policy, prm):
            if model is not None and "://" in model:
                raise InputError(
                    f"--ray: {model} is an address, and Ray workers load their models themselves; "
                    "name the model, or leave --ray out"
                )
