"""Fit the outcome model: tuned by Optuna over the evidence in a store, and kept there."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from executor.errors import InputError
from executor.store.store import Store
from planner.evidence.gathering import gather
from planner.evidence.runs import evidence_domain, evidence_grader
from planner.prediction import tuning
from planner.prediction.persistence import store_model
from planner.runtime.reporter import Reporter, SilentReporter
from planner.usecases import DEFAULT_STORE

if TYPE_CHECKING:
    # It imports engines, and a fit needs none.
    from planner.runtime.session import Session


@dataclass(frozen=True, slots=True)
class FittedModel:
    """The outcome model that a store's evidence gives.

    Attributes:
        fit: the model, its hyperparameters and its figures on problems held out.
    """

    fit: tuning.Fit

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values, for JSON."""
        return self.fit.metrics()


def fit(
    *,
    store: str = DEFAULT_STORE,
    trials: int = 50,
    seed: int = 0,
    transfer: float = tuning.TRANSFER,
    domain: str | None = None,
    session: Session | None = None,
    reporter: Reporter = SilentReporter(),
) -> FittedModel:
    """Fit the outcome model to all evidence in a store, and keep it there.

    Args:
        store: SQLAlchemy URL of the store, which must exist.
        trials: number of Optuna trials.
        seed: seed of the tuning.
        transfer: weight, 0 to 1, of the score on policies and PRMs left out, if there are several.
        domain: domain of the evidence; None: that of the newest profile.
        session: an open session, whose store counts; None: the store is opened for this call.
        reporter: receives progress and remarks.

    Raises:
        InputError: there is no store or too little evidence in it, or an argument is out of range.
    """
    if trials < 1:
        raise InputError(f"--trials is {trials}; expected at least 1")
    with ExitStack() as stack:
        if session is None:
            opened = stack.enter_context(Store.open(store, create=False))
        else:
            store, opened = session.store_url, session.store
        domain = domain or evidence_domain(opened.runs())
        grader = stack.enter_context(evidence_grader(opened, domain))
        with reporter.status("gathering evidence"):
            frame = gather(opened, grader, domain=domain)
        with reporter.progress("tuning the outcome model", trials) as progress:
            fitted = tuning.fit(
                frame,
                trials=trials,
                storage=store,
                random_state=seed,
                transfer=transfer,
                progress=progress,
            )
        store_model(opened, fitted, frame, domain)
    return FittedModel(fitted)
