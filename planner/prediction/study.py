"""Optuna studies that several processes work on at once.

Trials are kept in the store of the evidence, so an interrupted study continues. Processes that
share a study share its trials: together they run the requested number, and each process ends with
all of them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy.exc import SQLAlchemyError

from executor.errors import InputError
from executor.store.address import parse
from executor.store.database import engine_options, store_error

# A killed process leaves a trial in the state RUNNING. After the grace period (seconds) without a
# heartbeat the trial counts as failed, and another one takes its place.
_HEARTBEAT, _GRACE = 5, 30
_LONGEST = timedelta(minutes=10)  # for a trial that was lost before its first heartbeat
_POLL, _RETRIES = 0.2, 4


class _TakenError(Exception):
    """All requested trials have ended, or other processes run them."""


def search(
    objective: Callable[[Any], float],
    *,
    name: str,
    trials: int,
    storage: str | None,
    random_state: int,
    progress: Callable[[int], None],
) -> Any:
    """Return the best of the first `trials` trials of all processes, as a frozen Optuna trial.

    If this process stalls and another one declares its trial failed, it continues with the next.

    Args:
        objective: function of an Optuna trial, to be minimised; it may raise `optuna.TrialPruned`.
        name: name of the study.
        trials: number of trials of all processes together.
        storage: database URL; None: trials are kept in memory.
        random_state: base seed; it and the earlier trials that were not lost determine the
            suggestions of a trial.
        progress: function that is called with the number of trials that ended since the last call.

    Raises:
        StoreError: the database cannot be written, or was lost.
    """
    with _store_errors(storage):
        return _search(objective, name, trials, storage, random_state, progress)


def _search(
    objective: Callable[[Any], float],
    name: str,
    trials: int,
    storage: str | None,
    random_state: int,
    progress: Callable[[int], None],
) -> Any:
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        study_name=name,
        storage=None if storage is None else _storage(storage),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=8),
        load_if_exists=True,
    )
    ended = (TrialState.COMPLETE, TrialState.PRUNED)

    def live() -> list[Any]:
        """Return the trials that count: those that ended, and those that a process still runs."""
        since = datetime.now() - _LONGEST
        return [
            trial
            for trial in study.get_trials(deepcopy=False)
            if trial.state in ended
            or (trial.state is TrialState.RUNNING and trial.datetime_start > since)
        ]

    number, failed = -1, False

    def claimed(trial: Any) -> float:
        nonlocal number, failed
        number, failed = trial.number, False
        rank = sum(other.number < trial.number for other in live())
        if rank >= trials:
            raise _TakenError
        # Each trial has its own seed, so an interrupted study continues as if it had not stopped.
        # With one seed for all, a restart or a second process would repeat the first trials. The
        # seed follows from the rank: the replacement of a lost trial has another number.
        seed = np.random.SeedSequence([random_state, rank]).generate_state(1)
        study.sampler = optuna.samplers.TPESampler(seed=int(seed[0]))
        try:
            return objective(trial)
        except (optuna.TrialPruned, optuna.exceptions.UpdateFinishedTrialError):
            raise
        except BaseException:
            failed = True
            raise

    def lost() -> bool:
        """Tell whether another process declared the trial of this process failed."""
        state = study.get_trials(deepcopy=False)[number].state
        return not failed and state is TrialState.FAIL

    reported = 0
    while True:
        counted = live()
        done = min(trials, sum(trial.state in ended for trial in counted))
        if done > reported:
            progress(done - reported)
            reported = done
        if done >= trials:
            first = sorted((t for t in counted if t.state in ended), key=lambda t: t.number)
            complete = [t for t in first[:trials] if t.state is TrialState.COMPLETE]
            return min(complete, key=lambda trial: trial.value)
        if len(counted) < trials:
            try:
                study.optimize(claimed, n_trials=1, catch=(_TakenError,))
            except (AssertionError, ValueError):  # Optuna's versions differ on a failed trial
                if not lost():
                    raise
        else:
            time.sleep(_POLL)
            optuna.storages.fail_stale_trials(study)


def _storage(url: str) -> Any:
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RDBStorage

    parsed = parse(url)
    options = engine_options(parsed)
    if parsed.get_backend_name() == "sqlite":
        options = {"connect_args": {"timeout": 60}}

    def connect() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return RDBStorage(
                parsed.render_as_string(hide_password=False),
                engine_kwargs=options,
                heartbeat_interval=_HEARTBEAT,
                grace_period=_GRACE,
            )

    for _ in range(_RETRIES):
        try:
            return connect()
        except SQLAlchemyError:
            time.sleep(_POLL)  # two processes may create the tables at once; one then fails
    return connect()


@contextmanager
def _store_errors(url: str | None) -> Iterator[None]:
    """Raise what goes wrong with Optuna's tables as errors of the store."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        # Optuna raises errors of its own in place of the database's, and stumbles over some.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, SQLAlchemyError):
            cause = cause.__cause__ or cause.__context__
        if url is None or cause is None:
            raise
        raise store_error(cause, parse(url)) from None
