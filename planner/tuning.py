"""Optuna chooses the outcome model's family, regularisation and prior weight.

The score is the log loss on problems held out, by grouped cross-validation: all rows of a problem
fall into one fold. Trials live in the evidence's own store and go on where they stopped; a study
is named by its evidence, so new evidence starts a new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from executor.errors import InputError
from planner.evidence import UNKNOWN, for_pair, level_pass_rates
from planner.features import NAMES
from planner.outcome import Hyperparameters, OutcomeModel
from profiling.rewards import calibration_error

Floats = NDArray[np.float64]

FOLDS = 5
# The prior is learnt from the very outcomes that then update it: worth more problems than this, it
# would make intervals too narrow, which log loss does not see.
_MOST_PRIOR = 20.0
# All that skops does not know of the models made here.
_BOOSTING_TYPES = ("sklearn.ensemble._hist_gradient_boosting.", "sklearn._loss.")
# A classifier knows columns by their places: of other features it would predict nonsense.
_FEATURES = hashlib.sha256(",".join(NAMES).encode()).hexdigest()[:12]
_CELL = ["policy", "prm", "difficulty", "strategy"]


@dataclass(frozen=True, slots=True)
class Fit:
    """A tuned model and how it does on problems it has not seen.

    Attributes:
        model: fitted on all evidence.
        hyperparameters: as tuned.
        log_loss: held-out log loss, nats a row (of cell predictions; `base_log_loss` predicts the
            training folds' mean accuracy everywhere).
        calibration: expected calibration error of held-out cell predictions.
        regret: accuracy of the best strategy in hindsight minus that of the strategy chosen, per
            difficulty, on problems held out; mean over folds and difficulties.
        regret_error: its standard error over folds and difficulties.
        problems, rows, trials: how much it rests on.
    """

    model: OutcomeModel
    hyperparameters: Hyperparameters
    log_loss: float
    base_log_loss: float
    calibration: float
    regret: float
    regret_error: float
    problems: int
    rows: int
    trials: int

    def metrics(self) -> dict[str, Any]:
        """Everything but the model, for JSON."""
        record = asdict(self)
        del record["model"]
        return record


def fingerprint(frame: pd.DataFrame) -> str:
    """A digest of evidence: equal evidence, equal study, equal model."""
    hashed = pd.util.hash_pandas_object(frame.round(9), index=False).to_numpy()
    return hashlib.sha256(hashed.tobytes()).hexdigest()[:12]


def fit(
    frame: pd.DataFrame,
    *,
    trials: int,
    storage: str | None,
    random_state: int = 0,
    progress: Callable[[int], None] = lambda finished: None,
) -> Fit:
    """Tune, evaluate and fit the outcome model on evidence.

    Args:
        frame: evidence rows, see `planner.evidence.COLUMNS`.
        trials: how many settings Optuna tries in all, those of an earlier call included.
        storage: database URL for the trials, or None to keep them in memory.
        random_state: of sampler and folds.
        progress: called with 1 after each trial.

    Raises:
        InputError: too little evidence for cross-validation.
    """
    # One thread: work this small gains nothing from more, and on busy cores they wait for each
    # other several times as long as one needs.
    with threadpool_limits(limits=1):
        return _fit(frame, trials, storage, random_state, progress)


def _fit(
    frame: pd.DataFrame,
    trials: int,
    storage: str | None,
    random_state: int,
    progress: Callable[[int], None],
) -> Fit:
    rows = prepare(frame)
    problems = rows["problem"].nunique()
    if problems < FOLDS:
        raise InputError(
            f"evidence on {problems} problems: at least {FOLDS} are needed to fit; "
            "run profile and measure on more"
        )
    folds = _folds(rows, random_state)
    name = f"apportion-outcome-v1-{fingerprint(frame)}-{random_state}"
    best = _tune(rows, folds, trials, storage, name, random_state, progress)
    held_out, regrets = _held_out(rows, folds, best, random_state)
    base = np.empty(len(rows))
    for train, test in folds:
        base[test] = rows["accuracy"].to_numpy()[train].mean()
    accuracy = rows["accuracy"].to_numpy(float)
    return Fit(
        model=_model(best, random_state).fit(rows, accuracy),
        hyperparameters=best,
        log_loss=_log_loss(held_out, accuracy),
        base_log_loss=_log_loss(base, accuracy),
        calibration=calibration_error(held_out, accuracy),
        regret=float(np.mean(regrets)) if regrets else float("nan"),
        regret_error=_standard_error(regrets),
        problems=problems,
        rows=len(rows),
        trials=trials,
    )


def prepare(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows to learn from: each under its difficulty and under `all`, cell means attached.

    The features describe cells, not problems, so `pass_at_1` becomes the mean of its policy and
    difficulty.
    """
    known = frame[frame["difficulty"] != UNKNOWN]
    rows = pd.concat([known, frame.assign(difficulty="all")], ignore_index=True)
    rates = level_pass_rates(frame)
    at = zip(rows["policy"], rows["difficulty"], strict=True)
    return rows.assign(pass_at_1=[rates.get(key, float("nan")) for key in at])


def _folds(
    rows: pd.DataFrame, random_state: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    splitter = GroupKFold(FOLDS, shuffle=True, random_state=random_state)
    return list(splitter.split(rows, groups=rows["problem"]))


def _tune(
    rows: pd.DataFrame,
    folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
    trials: int,
    storage: str | None,
    name: str,
    random_state: int,
    progress: Callable[[int], None],
) -> Hyperparameters:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=8),
        load_if_exists=True,
    )
    accuracy = rows["accuracy"].to_numpy(float)

    def objective(trial: optuna.Trial) -> float:
        settings = _suggest(trial)
        losses = []
        for step, (train, test) in enumerate(folds):
            predicted = _predict_fold(rows, train, test, settings, random_state)
            losses.append(_log_loss(predicted, accuracy[test]))
            trial.report(float(np.mean(losses)), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(losses))

    useful = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    ended = len(study.get_trials(deepcopy=False, states=useful))
    progress(min(trials, ended))
    for number in range(ended, trials):
        # A seed a trial: a study that was interrupted goes on as if it had not been, where one
        # seed for all would have it repeat its first trials.
        seed = np.random.SeedSequence([random_state, number]).generate_state(1)
        study.sampler = optuna.samplers.TPESampler(seed=int(seed[0]))
        study.optimize(objective, n_trials=1)
        progress(1)
    return _from_params(study.best_params)


def _suggest(trial: Any) -> Hyperparameters:
    family = trial.suggest_categorical("family", ["logistic", "boosting"])
    if family == "logistic":
        trial.suggest_float("strength", 1e-4, 1.0, log=True)
    else:
        trial.suggest_float("learning_rate", 0.01, 0.3, log=True)
        trial.suggest_int("leaves", 3, 16)
    trial.suggest_float("prior_weight", 1.0, _MOST_PRIOR, log=True)
    return _from_params(trial.params)


def _from_params(params: dict[str, Any]) -> Hyperparameters:
    return Hyperparameters(**params)


def _model(settings: Hyperparameters, random_state: int) -> OutcomeModel:
    return OutcomeModel(**asdict(settings), random_state=random_state)


def _predict_fold(
    rows: pd.DataFrame,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    settings: Hyperparameters,
    random_state: int,
) -> Floats:
    """Predicted accuracy of the test rows' cells from the training rows alone."""
    seen, asked = rows.iloc[train], rows.iloc[test]
    model = _model(settings, random_state).fit(seen, seen["accuracy"].to_numpy(float))
    table = _asked_cells(seen, asked)
    a, b = model.posterior(table)
    means = dict(zip(map(tuple, table[_CELL].to_numpy()), a / (a + b), strict=True))
    return np.array([means[tuple(cell)] for cell in asked[_CELL].to_numpy()])


def _asked_cells(seen: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """The cells of `asked` with the evidence of `seen`, none where it has none."""
    described = asked.drop_duplicates(_CELL)
    counts = seen.groupby(_CELL, as_index=False).agg(
        successes=("accuracy", "sum"), problems=("problem", "nunique"), rows=("accuracy", "size")
    )
    table = described.merge(counts, on=_CELL, how="left")
    return table.fillna({"successes": 0.0, "problems": 0, "rows": 0})


def _held_out(
    rows: pd.DataFrame,
    folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
    settings: Hyperparameters,
    random_state: int,
) -> tuple[Floats, list[float]]:
    """Held-out predictions of all rows, and the regret of each fold and difficulty."""
    predicted = np.empty(len(rows))
    regrets: list[float] = []
    for train, test in folds:
        predicted[test] = _predict_fold(rows, train, test, settings, random_state)
        fold = rows.iloc[test].assign(predicted=predicted[test])
        fold = fold[fold["difficulty"] != "all"]
        for policy, prm in _pairs(fold):
            for _, level in for_pair(fold, policy, prm).groupby("difficulty"):
                regrets += _regret(level)
    return predicted, regrets


def _pairs(rows: pd.DataFrame) -> list[tuple[str, str | None]]:
    """Every policy with each of its PRMs, or with none where it has none."""
    found: list[tuple[str, str | None]] = []
    for policy, prms in rows.groupby("policy")["prm"]:
        named = sorted(set(prms) - {""})
        found += [(str(policy), prm) for prm in named] or [(str(policy), None)]
    return found


def _regret(level: pd.DataFrame) -> list[float]:
    """Regret among the strategies that were run on every problem of the group."""
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
    """Of the mean; NaN where there are fewer than two values."""
    if len(values) < 2:
        return float("nan")
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _log_loss(predicted: Floats, accuracy: Floats) -> float:
    p = np.clip(predicted, 1e-6, 1 - 1e-6)
    return float(-np.mean(accuracy * np.log(p) + (1 - accuracy) * np.log(1 - p)))


def save_model(fitted: Fit, frame: pd.DataFrame) -> tuple[bytes, dict[str, Any]]:
    """The model as bytes (skops, no pickle), and what must be known of it."""
    import skops.io

    content = skops.io.dumps(fitted.model.classifier_)
    meta = fitted.metrics() | {"evidence": fingerprint(frame), "features": _FEATURES}
    return content, meta


def load_model(content: bytes, meta: dict[str, Any]) -> OutcomeModel:
    """Read what `save_model` wrote.

    Raises:
        InputError: the bytes hold anything but such a model, or one of other features than those
            of today (a version of this program that knew other strategies fitted it).
    """
    import skops.io

    where, again = "outcome model in the store", "make it again with: apportion fit"
    try:
        unknown = skops.io.get_untrusted_types(data=content)
        foreign = [name for name in unknown if not name.startswith(_BOOSTING_TYPES)]
        if foreign:
            raise InputError(f"{where}: holds foreign types ({', '.join(foreign)}); {again}")
        classifier = skops.io.loads(content, trusted=unknown)
        model = _model(Hyperparameters(**meta["hyperparameters"]), 0)
    except (BadZipFile, LookupError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}: damaged ({type(error).__name__}); {again}") from None
    if not hasattr(classifier, "predict_proba"):
        raise InputError(f"{where}: holds no classifier; {again}")
    if meta.get("features") != _FEATURES:
        raise InputError(f"{where}: was fitted on other features than are known now; {again}")
    model.classifier_ = classifier
    model.classes_ = np.array([0, 1])
    return model
