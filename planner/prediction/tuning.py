"""Tuning of the outcome model: chooses its settings, fits it and measures its held-out error.

Optuna chooses family, features and regularisation; the best prior weight is computed for each
choice. The score is the log loss on held-out problems and, if there are several policies or PRMs,
on left-out ones; by default each counts half (`planner.prediction.splits`). The name of a study
holds a digest of its evidence and the settings of its score, so new evidence starts a new study.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from executor.errors import InputError
from planner.evidence.cells import cells
from planner.evidence.comparable import ENOUGH, MIN_SHARED, for_pair
from planner.evidence.layout import UNKNOWN
from planner.prediction.beta import LEVEL
from planner.prediction.features import GROUPS, describe
from planner.prediction.measured import predicted
from planner.prediction.outcome_model import (
    EDGE,
    FAMILIES,
    TAUGHT_FROM,
    Hyperparameters,
    OutcomeModel,
    updated,
)
from planner.prediction.splits import CELL, FOLDS, Kind, Split, problem_folds, splits
from planner.prediction.study import search
from profiling.arrays import Floats
from profiling.pass_rate import ALL
from profiling.reliability import Bin, reliability
from profiling.scorers.rewards import calibration_error

# Weight of left-out policies and PRMs in the score, if there are several.
TRANSFER = 0.5
# Fewer problems do not judge a choice: in a fold of fewer than `MIN_SHARED`, the best strategy in
# hindsight is best by luck, or all are equally good, and the regret says nothing.
JUDGED_FROM = FOLDS * MIN_SHARED
# Candidate weights of a prediction, in problems, for the score of a trial. The same outcomes train
# the classifier and update the prior, and the log loss does not show that larger weights are too
# sure. Recommendations do not use this weight (`planner.prediction.joint`).
_PRIOR_WEIGHTS = np.geomspace(1.0, 16.0, 9)
_WEIGHT = "prior_weight"  # the best of them, kept with each trial
# Candidate weights of a prediction for a new policy or PRM, in problems, largest first. The last
# one is used if no evidence shows how good such predictions are.
_LEAST_TRANSFER = 4.0
_TRANSFER_WEIGHTS = np.geomspace(200.0, _LEAST_TRANSFER, 60)


@dataclass(frozen=True, slots=True)
class Fit:
    """A tuned model and its figures on held-out evidence.

    The settings were chosen on the same folds, so these figures are slightly optimistic;
    `apportion evaluate` tunes again within each fold.

    Attributes:
        model: outcome model, fitted to all evidence.
        hyperparameters: tuned settings.
        log_loss: log loss of the cell predictions on held-out problems, in nats per row.
        base_log_loss: the same for a model that predicts the mean accuracy of the training folds
            in every cell.
        transfer_log_loss: log loss on left-out policies and PRMs, mean of both kinds; NaN if there
            are not two policies or two PRMs.
        calibration: expected calibration error, on held-out problems, of the estimates that
            recommendations rest on (`planner.prediction.measured`): those of the other problems'
            outcomes and of a model that was fitted to them.
        reliability: observed accuracy by predicted accuracy, a bin each.
        regret: accuracy of the best strategy in hindsight minus that of the strategy with the
            highest of these estimates, on held-out problems of one difficulty; mean over folds and
            difficulties.
        regret_error: standard error of `regret` over folds and difficulties. With fewer than
            `JUDGED_FROM` problems, calibration, regret and its error are NaN: so few cannot tell.
        problems, rows, trials: number of problems, evidence rows and Optuna trials.
    """

    model: OutcomeModel
    hyperparameters: Hyperparameters
    log_loss: float
    base_log_loss: float
    transfer_log_loss: float
    calibration: float
    reliability: list[Bin]
    regret: float
    regret_error: float
    problems: int
    rows: int
    trials: int

    def metrics(self) -> dict[str, Any]:
        """Return all fields but the model as plain values, for JSON."""
        record = asdict(replace(self, model=None))  # type: ignore[arg-type]
        del record["model"]
        return record


def fingerprint(frame: pd.DataFrame) -> str:
    """Return a digest of evidence: equal evidence gives an equal study and an equal model."""
    hashed = pd.util.hash_pandas_object(frame.round(9), index=False).to_numpy()
    return hashlib.sha256(hashed.tobytes()).hexdigest()[:12]


def fingerprints(frame: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return digests of the rows by policy and PRM; rows without a PRM have an empty PRM name."""
    digests: dict[str, dict[str, str]] = {}
    for (policy, prm), rows in frame.groupby(["policy", "prm"], sort=True):
        digests.setdefault(str(policy), {})[str(prm)] = fingerprint(rows)
    return digests


def rests_on(metrics: Mapping[str, Any], frame: pd.DataFrame, policy: str, prm: str | None) -> bool:
    """Tell whether a model with these metrics was fitted to this evidence on a policy and PRM.

    The answer is no if the metrics hold no digests, which earlier versions did not write.
    """
    before = metrics.get("rests_on", {}).get(policy, {})
    now = fingerprints(frame[frame["policy"] == policy]).get(policy, {})
    return all(before.get(name) == now.get(name) for name in ("", prm or ""))


def fit(
    frame: pd.DataFrame,
    *,
    trials: int,
    storage: str | None,
    random_state: int = 0,
    transfer: float = TRANSFER,
    progress: Callable[[int], None] = lambda finished: None,
) -> Fit:
    """Tune, evaluate and fit the outcome model on evidence.

    Args:
        frame: evidence rows, see `planner.evidence.layout.COLUMNS`.
        trials: number of Optuna trials, including those of earlier calls and of other processes
            that fit the same evidence in the same database.
        storage: database URL for the trials; None: they are kept in memory.
        random_state: seed of sampler and folds.
        transfer: weight, in [0, 1], of left-out policies and PRMs in the score.
        progress: function that is called with the number of trials that ended since the last call.

    Raises:
        InputError: there is too little evidence for cross-validation, or `transfer` is out of
            range.
    """
    # One thread: work this small gains nothing from more threads, and on busy cores they wait for
    # each other several times as long as one thread needs.
    with threadpool_limits(limits=1):
        every_split = splits(frame, random_state)
        model = _tuned(frame, every_split, trials, storage, random_state, transfer, progress)
        return _judged(model, frame, every_split, trials, random_state)


def tune(
    frame: pd.DataFrame, *, trials: int, random_state: int = 0, transfer: float = TRANSFER
) -> OutcomeModel:
    """Return the model that `fit` would return, without its figures; no trial is kept.

    Raises:
        InputError: see `fit`.
    """
    with threadpool_limits(limits=1):
        every_split = splits(frame, random_state)
        return _tuned(frame, every_split, trials, None, random_state, transfer, lambda ended: None)


def _tuned(
    frame: pd.DataFrame,
    every_split: Sequence[Split],
    trials: int,
    storage: str | None,
    random_state: int,
    transfer: float,
    progress: Callable[[int], None],
) -> OutcomeModel:
    if not 0 <= transfer <= 1:
        raise InputError(f"transfer is {transfer}; expected a number from 0 to 1")
    weights = score_weights([split.kind for split in every_split], transfer)

    def objective(trial: Any) -> float:
        import optuna

        settings = _suggest(trial)
        totals, done = np.zeros(len(_PRIOR_WEIGHTS)), 0.0
        for step, (split, weight) in enumerate(zip(every_split, weights, strict=True)):
            if not weight:
                continue
            totals += weight * _losses(split, settings, random_state)
            done += weight
            trial.report(float(totals.min()) / done, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        trial.set_user_attr(_WEIGHT, float(_PRIOR_WEIGHTS[totals.argmin()]))
        return float(totals.min())

    name = f"apportion-outcome-v3-{fingerprint(frame)}-{random_state}-{transfer:g}"
    best = search(
        objective,
        name=name,
        trials=trials,
        storage=storage,
        random_state=random_state,
        progress=progress,
    )
    settings = Hyperparameters(**best.params, prior_weight=best.user_attrs[_WEIGHT])
    settings = _transferable(settings, every_split, random_state)
    whole = describe(cells(frame), frame)
    return _fitted(whole, settings, random_state).learn_from_others(whole)


def score_weights(kinds: Sequence[Kind], transfer: float) -> list[float]:
    """Return the weight of each split in the score; the weights sum to 1.

    Splits by problems share 1 - `transfer`. The other kinds share `transfer` evenly. If there are
    no other kinds, splits by problems have the whole weight.
    """
    counts = Counter(kinds)
    others = len(counts) - 1
    shares = {
        kind: (1 - transfer if others else 1.0) if kind is Kind.PROBLEMS else transfer / others
        for kind in counts
    }
    return [shares[kind] / counts[kind] for kind in kinds]


def _suggest(trial: Any) -> Hyperparameters:
    family = trial.suggest_categorical("family", FAMILIES)
    if family == "boosting":
        trial.suggest_float("learning_rate", 0.03, 0.3, log=True)
        trial.suggest_int("leaves", 3, 16)
    else:
        trial.suggest_float("strength", 1e-4, 1.0, log=True)
    for group in GROUPS:
        trial.suggest_categorical(group, [True, False])
    return Hyperparameters(**trial.params)


def _fitted(train: pd.DataFrame, settings: Hyperparameters, random_state: int) -> OutcomeModel:
    rows = train["rows"].to_numpy(float)
    model = OutcomeModel(**asdict(settings), random_state=random_state)
    return model.fit(train, train["successes"].to_numpy(float) / rows, rows)


def _losses(split: Split, settings: Hyperparameters, random_state: int) -> Floats:
    """Return the log loss per row under each of `_PRIOR_WEIGHTS`; one classifier serves all."""
    mean = _fitted(split.train, settings, random_state).predict_proba(split.test)[:, 1]
    losses = []
    for weight in _PRIOR_WEIGHTS:
        a, b = updated(mean, np.full(len(mean), weight), split.test)
        losses.append(_loss(split, a / (a + b)))
    return np.array(losses)


def _loss(split: Split, predicted: Floats) -> float:
    """Return the log loss, in nats per row."""
    p = np.clip(predicted, 1e-6, 1 - 1e-6)
    right, asked = (split.test[name].to_numpy(float) for name in ("right", "asked"))
    return float(-(right * np.log(p) + (asked - right) * np.log(1 - p)).sum() / asked.sum())


def _transferable(
    settings: Hyperparameters, every_split: Sequence[Split], random_state: int
) -> Hyperparameters:
    """Return `settings` with the largest transfer weight whose intervals reach their coverage.

    For each left-out policy or PRM, the mean coverage of its cells must be at least `LEVEL`. The
    cells of one policy or PRM depend on each other, and the settings were chosen on them, so the
    worst one decides and not the mean. Cells of fewer than `ENOUGH` outcomes do not count, because
    coverage of their means cannot fail (`planner.prediction.coverage`). Without two policies or two
    PRMs, or without such cells, the weight is the smallest.
    """
    left_out: list[tuple[Floats, Split]] = []
    for split in every_split:
        if split.kind is not Kind.PROBLEMS:
            model = _fitted(split.train, settings, random_state)
            mean = np.clip(model.predict_proba(split.test)[:, 1], EDGE, 1 - EDGE)
            telling = split.test["asked"].to_numpy() >= ENOUGH
            if telling.any():
                left_out.append((mean[telling], replace(split, test=split.test[telling])))
    for weight in _TRANSFER_WEIGHTS if left_out else ():
        shares = [split.covered(weight * mean, weight * (1 - mean)).mean()
                  for mean, split in left_out]  # fmt: skip
        if min(shares) >= LEVEL:
            return replace(settings, transfer_weight=float(weight))
    return replace(settings, transfer_weight=_LEAST_TRANSFER)


def _judged(
    model: OutcomeModel,
    frame: pd.DataFrame,
    every_split: Sequence[Split],
    trials: int,
    random_state: int,
) -> Fit:
    """Return the tuned model with its figures on the left-out part of each split."""
    settings = Hyperparameters(**{name: getattr(model, name) for name in Hyperparameters.__slots__})
    losses: dict[Kind, list[float]] = {kind: [] for kind in Kind}
    base, held_out, regrets = [], [], []
    folds = problem_folds(frame["problem"], random_state)
    for split in every_split:
        train, test = split.train, split.test
        fitted = _fitted(train, settings, random_state)
        a, b = fitted.posterior(test)
        losses[split.kind].append(_loss(split, a / (a + b)))
        if split.kind is not Kind.PROBLEMS:
            continue
        base.append(
            _loss(split, np.full(len(test), train["successes"].sum() / train["rows"].sum()))
        )
        if frame["problem"].nunique() >= JUDGED_FROM:
            # It learns from others if the whole model does, which has a fold more.
            fitted.learn_from_others(train, TAUGHT_FROM * (FOLDS - 1) // FOLDS)
            rows, found = _fold(frame, next(folds), fitted)
            held_out.append(rows)
            regrets += found
    transferred = [float(np.mean(values)) for kind, values in losses.items()
                   if kind is not Kind.PROBLEMS and values]  # fmt: skip
    calibration, bins = _calibration(held_out)
    return Fit(
        model=model,
        hyperparameters=settings,
        log_loss=float(np.mean(losses[Kind.PROBLEMS])),
        base_log_loss=float(np.mean(base)),
        transfer_log_loss=float(np.mean(transferred)) if transferred else float("nan"),
        calibration=calibration,
        reliability=bins,
        regret=float(np.mean(regrets)) if regrets else float("nan"),
        regret_error=_standard_error(regrets),
        problems=frame["problem"].nunique(),
        rows=len(frame),
        trials=trials,
    )


def _fold(
    frame: pd.DataFrame, held_out: NDArray[np.bool_], model: OutcomeModel
) -> tuple[pd.DataFrame, list[float]]:
    """Return the held-out rows with their predictions, and the regrets of the choices.

    The predictions are those of recommendations: outcomes, shrunk toward what the model learnt.

    Args:
        frame: evidence.
        held_out: mask of rows, shape `(rows,)`.
        model: a model that was fitted to the other rows.
    """
    train, test = frame[~held_out], frame[held_out]
    parts, regrets = [], []
    for policy, prm in pairs(train):
        rows = _rows(for_pair(test, policy, prm), predicted(train, policy, prm, model))
        parts.append(rows)
        for _, level in rows[rows["difficulty"] != ALL].groupby("difficulty"):
            regrets += _regret(level)
    columns = ["policy", "prm", "problem", "strategy", "accuracy", "predicted"]
    # Strategies without a PRM are predicted with each PRM; one of these predictions is enough.
    whole = pd.concat(parts)[columns].drop_duplicates(columns[:4])
    return whole[["problem", "accuracy", "predicted"]], regrets


def _calibration(held_out: list[pd.DataFrame]) -> tuple[float, list[Bin]]:
    """Return calibration error and reliability of predictions; NaN and no bins without any."""
    if not held_out:
        return float("nan"), []
    rows = pd.concat(held_out)
    means, right = (rows[name].to_numpy(float) for name in ("predicted", "accuracy"))
    bins = reliability(means, right, pd.factorize(rows["problem"])[0])
    return calibration_error(means, right), bins


def _rows(fold: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a fold with the prediction for their difficulty, or `all` if unknown."""
    if cells.empty:
        return fold[:0].assign(predicted=0.0)
    with_level = fold.assign(difficulty=fold["difficulty"].replace(UNKNOWN, ALL))
    return with_level.merge(cells[[*CELL, "predicted"]], on=CELL)


def pairs(rows: pd.DataFrame) -> list[tuple[str, str | None]]:
    """Return every policy with each of its PRMs; with None if it has no PRM."""
    policies_and_prms: list[tuple[str, str | None]] = []
    for policy, prms in rows.groupby("policy")["prm"]:
        names = sorted(set(prms) - {""})
        policies_and_prms += [(str(policy), prm) for prm in names] or [(str(policy), None)]
    return policies_and_prms


def _regret(level: pd.DataFrame) -> list[float]:
    """Return the regret among the strategies that were run on every problem of the group.

    The list is empty if there are fewer than two such strategies.
    """
    table = level.groupby("strategy").agg(
        accuracy=("accuracy", "mean"), predicted=("predicted", "mean"),
        problems=("problem", "nunique"),
    )  # fmt: skip
    complete = table[table["problems"] == level["problem"].nunique()]
    if len(complete) < 2:
        return []
    accuracy = complete["accuracy"].to_numpy()
    chosen = int(complete["predicted"].to_numpy().argmax())
    return [float(accuracy.max() - accuracy[chosen])]


def _standard_error(values: list[float]) -> float:
    """Return the standard error of the mean; NaN if there are fewer than two values."""
    if len(values) < 2:
        return float("nan")
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))
