"""Optuna's side of tuning: a study that several processes work on at once.

Trials live in the evidence's own store and go on where they stopped. However many processes ask
for the same study, as many trials are run as were asked for, and each process ends with all of
them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy.exc import SQLAlchemyError

# A process that is killed leaves a trial that seems to run: after this many seconds without a sign
# of life it counts as failed, and another takes its place.
_HEARTBEAT, _GRACE = 5, 30
_LONGEST = timedelta(minutes=10)  # for a trial that was lost before its first sign of life
_POLL, _RETRIES = 0.2, 4


class _TakenError(Exception):
    """All trials that were asked for are done, or in other hands."""


def search(
    objective: Callable[[Any], float],
    *,
    name: str,
    trials: int,
    storage: str | None,
    random_state: int,
    progress: Callable[[int], None],
) -> Any:
    """The best of the first `trials` trials, other processes' included: a frozen Optuna trial.

    A process that stood still for so long that others gave its trial up goes on with the next.

    Args:
        objective: of an Optuna trial, to be minimised; may raise `optuna.TrialPruned`.
        name: of the study.
        trials: how many are wanted in all.
        storage: database URL, or None to keep them in memory.
        random_state: a trial's suggestions follow from it and the trials before that were not
            lost.
        progress: called with the number of trials that ended since it was last called.
    """
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
        """Trials that count: ended ones, and those that somebody is at work on."""
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
        # A seed a trial: a study that was interrupted goes on as if it had not been, where one
        # seed for all would have it, or another process, repeat its first trials. By rank, as the
        # one that takes the place of a lost trial has another number.
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
        """Whether the trial this process was at work on was given up by another."""
        state = study.get_trials(deepcopy=False)[number].state
        return not failed and state is TrialState.FAIL

    told = 0
    while True:
        counted = live()
        done = min(trials, sum(trial.state in ended for trial in counted))
        if done > told:
            progress(done - told)
            told = done
        if done >= trials:
            first = sorted((t for t in counted if t.state in ended), key=lambda t: t.number)
            complete = [t for t in first[:trials] if t.state is TrialState.COMPLETE]
            return min(complete, key=lambda trial: trial.value)
        if len(counted) < trials:
            try:
                study.optimize(claimed, n_trials=1, catch=(_TakenError,))
            except (AssertionError, ValueError):  # what Optuna's versions say of a failed trial
                if not lost():
                    raise
        else:
            time.sleep(_POLL)
            optuna.storages.fail_stale_trials(study)


def _storage(url: str) -> Any:
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RDBStorage

    patient = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}

    def connect() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return RDBStorage(
                url, engine_kwargs=patient, heartbeat_interval=_HEARTBEAT, grace_period=_GRACE
            )

    for _ in range(_RETRIES):
        try:
            return connect()
        except SQLAlchemyError:
            time.sleep(_POLL)  # two processes that find no tables both make them; one is late
    return connect()
