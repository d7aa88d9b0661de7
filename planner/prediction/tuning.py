"""Tunes the outcome model, fits it to all evidence, and says how it does on what it has not seen.

Optuna chooses family, features and regularisation; the prior weight is the best one for them. The
score is the log loss on problems held out and, where there are several policies or PRMs, on those
left out: half and half unless told otherwise (`planner.prediction.splits`). A study is named by
its evidence and what it is scored by, so new evidence starts a new one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from executor.errors import InputError
from planner.evidence.comparable import for_pair
from planner.evidence.gathering import UNKNOWN, cells
from planner.prediction.beta import LEVEL
from planner.prediction.features import GROUPS, describe
from planner.prediction.outcome_model import EDGE, FAMILIES, Hyperparameters, OutcomeModel, updated
from planner.prediction.splits import CELL, Kind, Split, problem_folds, splits
from planner.prediction.study import search
from profiling.arrays import Floats
from profiling.pass_rate import ALL
from profiling.reliability import Bin, reliability
from profiling.scorers.rewards import calibration_error

# How much leaving out policies and PRMs counts in the score, where there are several.
TRANSFER = 0.5
# Problems' worth of evidence that a prediction may count for. It is learnt from the very outcomes
# that then update it: worth many more problems than these, it would make intervals too narrow,
# which log loss does not see.
_PRIOR_WEIGHTS = np.geomspace(1.0, 64.0, 13)
_WEIGHT = "prior_weight"  # the best of them, kept with each trial
# What a prediction for a new policy or PRM may count for, heaviest first; the last one where
# nothing says how good such predictions are.
_LEAST_TRANSFER = 4.0
_TRANSFER_WEIGHTS = np.geomspace(200.0, _LEAST_TRANSFER, 60)


@dataclass(frozen=True, slots=True)
class Fit:
    """A tuned model and how it does on what it has not seen.

    Settings were chosen on the same folds, which flatters these figures a little; `apportion
    evaluate` tunes anew within each fold.

    Attributes:
        model: fitted on all evidence.
        hyperparameters: as tuned.
        log_loss: log loss on problems held out, nats a row (of cell predictions; `base_log_loss`
            predicts the training folds' mean accuracy everywhere).
        transfer_log_loss: the same on policies and PRMs left out, mean of both; NaN where there
            are no two of either.
        calibration: expected calibration error of held-out cell predictions.
        reliability: how often they came true, by what was predicted.
        regret: accuracy of the best strategy in hindsight minus that of the strategy chosen, per
            difficulty, on problems held out; mean over folds and difficulties.
        regret_error: its standard error over folds and difficulties.
        problems, rows, trials: how much it rests on.
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
        """Everything but the model, for JSON."""
        record = asdict(replace(self, model=None))  # type: ignore[arg-type]
        del record["model"]
        return record


def fingerprint(frame: pd.DataFrame) -> str:
    """A digest of evidence: equal evidence, equal study, equal model."""
    hashed = pd.util.hash_pandas_object(frame.round(9), index=False).to_numpy()
    return hashlib.sha256(hashed.tobytes()).hexdigest()[:12]


def fingerprints(frame: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Digests of the rows of each policy with each PRM; without one under an empty name."""
    found: dict[str, dict[str, str]] = {}
    for (policy, prm), rows in frame.groupby(["policy", "prm"], sort=True):
        found.setdefault(str(policy), {})[str(prm)] = fingerprint(rows)
    return found


def rests_on(metrics: Mapping[str, Any], frame: pd.DataFrame, policy: str, prm: str | None) -> bool:
    """Whether a model with these metrics was fitted to this evidence on a policy and PRM.

    A model that does not say (of an earlier version) was not.
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
        frame: evidence rows, see `planner.evidence.gathering.COLUMNS`.
        trials: how many settings Optuna tries in all, those of an earlier call included, and those
            of other processes that fit the same evidence in the same database.
        storage: database URL for the trials, or None to keep them in memory.
        random_state: of sampler and folds.
        transfer: how much of the score, in [0, 1], is on policies and PRMs left out.
        progress: called with the number of trials that ended since it was last called.

    Raises:
        InputError: too little evidence for cross-validation, or `transfer` out of range.
    """
    # One thread: work this small gains nothing from more, and on busy cores they wait for each
    # other several times as long as one needs.
    with threadpool_limits(limits=1):
        found = splits(frame, random_state)
        model = _tuned(frame, found, trials, storage, random_state, transfer, progress)
        return _judged(model, frame, found, trials, random_state)


def tune(
    frame: pd.DataFrame, *, trials: int, random_state: int = 0, transfer: float = TRANSFER
) -> OutcomeModel:
    """The model that `fit` gives, without saying how it does; trials are not kept.

    Raises:
        InputError: as `fit`.
    """
    with threadpool_limits(limits=1):
        found = splits(frame, random_state)
        return _tuned(frame, found, trials, None, random_state, transfer, lambda ended: None)


def _tuned(
    frame: pd.DataFrame,
    found: Sequence[Split],
    trials: int,
    storage: str | None,
    random_state: int,
    transfer: float,
    progress: Callable[[int], None],
) -> OutcomeModel:
    if not 0 <= transfer <= 1:
        raise InputError(f"transfer {transfer}: must be between 0 and 1")
    weights = score_weights([split.kind for split in found], transfer)

    def objective(trial: Any) -> float:
        import optuna

        settings = _suggest(trial)
        totals, done = np.zeros(len(_PRIOR_WEIGHTS)), 0.0
        for step, (split, weight) in enumerate(zip(found, weights, strict=True)):
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
    settings = _transferable(settings, found, random_state)
    return _fitted(describe(cells(frame), frame), settings, random_state)


def score_weights(kinds: Sequence[Kind], transfer: float) -> list[float]:
    """What each split counts for; they sum to 1.

    Problems held out share 1 - `transfer`, what is left out of the other kinds `transfer`, evenly
    by kind. Where there is nothing else to leave out, problems have all.
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


def _predict(split: Split, settings: Hyperparameters, random_state: int) -> Floats:
    """Predicted accuracy of the cells asked for, from what was not left out alone."""
    a, b = _fitted(split.train, settings, random_state).posterior(split.test)
    return np.asarray(a / (a + b))


def _losses(split: Split, settings: Hyperparameters, random_state: int) -> Floats:
    """Log loss a row under each of `_PRIOR_WEIGHTS`, which no classifier depends on."""
    mean = _fitted(split.train, settings, random_state).predict_proba(split.test)[:, 1]
    losses = []
    for weight in _PRIOR_WEIGHTS:
        a, b = updated(mean, np.full(len(mean), weight), split.test)
        losses.append(_loss(split, a / (a + b)))
    return np.array(losses)


def _loss(split: Split, predicted: Floats) -> float:
    """Log loss a row, in nats."""
    p = np.clip(predicted, 1e-6, 1 - 1e-6)
    right, asked = (split.test[name].to_numpy(float) for name in ("right", "asked"))
    return float(-(right * np.log(p) + (asked - right) * np.log(1 - p)).sum() / asked.sum())


def _transferable(
    settings: Hyperparameters, found: Sequence[Split], random_state: int
) -> Hyperparameters:
    """`settings` with the largest transfer weight whose intervals hold what they say.

    That is: whichever policy or PRM is left out, at least `LEVEL` of its cells lie in their
    intervals. The cells of one depend on each other, and the settings were chosen on them, so the
    worst of the few decides, not their mean. Without two of either there is nothing to choose by.
    """
    left_out: list[tuple[Floats, Split]] = []
    for split in found:
        if split.kind is not Kind.PROBLEMS:
            model = _fitted(split.train, settings, random_state)
            mean = np.clip(model.predict_proba(split.test)[:, 1], EDGE, 1 - EDGE)
            left_out.append((mean, split))
    for weight in _TRANSFER_WEIGHTS if left_out else ():
        shares = [split.covered(weight * mean, weight * (1 - mean)).mean()
                  for mean, split in left_out]  # fmt: skip
        if min(shares) >= LEVEL:
            return replace(settings, transfer_weight=float(weight))
    return replace(settings, transfer_weight=_LEAST_TRANSFER)


def _judged(
    model: OutcomeModel, frame: pd.DataFrame, found: Sequence[Split], trials: int, random_state: int
) -> Fit:
    """How the tuned settings do on what is left out of each split."""
    settings = Hyperparameters(**{name: getattr(model, name) for name in Hyperparameters.__slots__})
    losses: dict[Kind, list[float]] = {kind: [] for kind in Kind}
    base, held_out, regrets = [], [], []
    folds = problem_folds(frame["problem"], random_state)
    for split in found:
        predicted = _predict(split, settings, random_state)
        losses[split.kind].append(_loss(split, predicted))
        if split.kind is not Kind.PROBLEMS:
            continue
        train, test = split.train, split.test
        base.append(
            _loss(split, np.full(len(test), train["successes"].sum() / train["rows"].sum()))
        )
        rows = _rows(frame[next(folds)], test.assign(predicted=predicted))
        held_out.append(rows[["problem", "accuracy", "predicted"]])
        regrets += _regrets(rows[rows["difficulty"] != ALL])
    transferred = [float(np.mean(values)) for kind, values in losses.items()
                   if kind is not Kind.PROBLEMS and values]  # fmt: skip
    rows = pd.concat(held_out)
    means, right = (rows[name].to_numpy(float) for name in ("predicted", "accuracy"))
    return Fit(
        model=model,
        hyperparameters=settings,
        log_loss=float(np.mean(losses[Kind.PROBLEMS])),
        base_log_loss=float(np.mean(base)),
        transfer_log_loss=float(np.mean(transferred)) if transferred else float("nan"),
        calibration=calibration_error(means, right),
        reliability=reliability(means, right, pd.factorize(rows["problem"])[0]),
        regret=float(np.mean(regrets)) if regrets else float("nan"),
        regret_error=_standard_error(regrets),
        problems=frame["problem"].nunique(),
        rows=len(frame),
        trials=trials,
    )


def _rows(fold: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """The rows of one fold, each with its difficulty's prediction; that of all if it is unknown."""
    named = fold.assign(difficulty=fold["difficulty"].replace(UNKNOWN, ALL))
    return named.merge(predicted[[*CELL, "predicted"]], on=CELL)


def _regrets(rows: pd.DataFrame) -> list[float]:
    """Of every policy, PRM and difficulty, on rows with predictions."""
    found: list[float] = []
    for policy, prm in pairs(rows):
        for _, level in for_pair(rows, policy, prm).groupby("difficulty"):
            found += _regret(level)
    return found


def pairs(rows: pd.DataFrame) -> list[tuple[str, str | None]]:
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
