"""Evaluate cascades of several policies, on problems held out from all choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from executor.errors import InputError
from planner.cascades.choice import UNITS
from planner.cascades.comparison import AtLimit, AtTarget, at_limits, at_targets, limits_of
from planner.costs.pricing import Pricing
from planner.notes import Note, codes
from planner.prediction.splits import FOLDS
from planner.report.notes import word
from planner.runtime.reporter import Reporter, SilentReporter
from planner.usecases import DEFAULT_STORE
from planner.usecases.cascade_evidence import read_models_evidence


@dataclass(frozen=True, slots=True)
class CascadeEvaluation:
    """Cascades beside models alone, mixtures, a router's threshold and an oracle.

    Attributes:
        policies: the cheapest first.
        problems: number of problems that all of them were run on.
        unit: unit of costs: `flops`, `usd` or `seconds`.
        limits: the comparison within each limit of cost.
        targets: the cheapest cascades that reach each target.
        confidence: probability with which the targets are to be reached.
        notes: notes on the evidence.
    """

    policies: tuple[str, ...]
    problems: int
    unit: str
    limits: tuple[AtLimit, ...]
    targets: tuple[AtTarget, ...]
    confidence: float
    notes: tuple[Note, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON document, plain values."""
        return {
            "policies": list(self.policies),
            "problems": self.problems,
            "unit": self.unit,
            "folds": FOLDS,
            "limits": [asdict(one) for one in self.limits],
            "targets": [asdict(one) for one in self.targets],
            "confidence": self.confidence,
            "notes": list(map(word, self.notes)),
            "note_codes": codes(self.notes),
        }


def evaluate_cascades(
    policies: Sequence[str],
    prms: Sequence[str] = (),
    *,
    limits: Sequence[float] | None = None,
    unit: str = "flops",
    targets: Sequence[float] = (),
    confidence: float = 0.95,
    pricing: Pricing = Pricing(),
    seed: int = 0,
    store: str = DEFAULT_STORE,
    reporter: Reporter = SilentReporter(),
) -> CascadeEvaluation:
    """Choose cascades without each fold of problems, and compare them on that fold.

    Args:
        policies: names of at least two policies, or `all`.
        prms: names of scorers; `none` for none; empty: all that there is evidence with.
        limits: most cost of a problem; None: five from the cheapest cascade to the dearest model.
        unit: unit of the costs: `flops`, `usd` or `seconds`.
        targets: accuracies to reach at the least cost.
        confidence: probability with which they are to be reached.
        pricing: devices and prices.
        seed: seed of the folds and of the bootstrap.
        store: SQLAlchemy URL of the store; without one this project's own evidence answers.
        reporter: receives progress.

    Raises:
        InputError: see `read_models_evidence`; or nothing keeps to any limit.
    """
    if unit not in UNITS:
        raise InputError(f"unit is {unit}; expected {', '.join(UNITS)}")
    for name, values, most in (("limit", limits or (), None), ("target-accuracy", targets, 1.0)):
        for value in values:
            if not value > 0 or (most is not None and value > most):
                bound = "" if most is None else f", at most {most:g}"
                raise InputError(f"{name} is {value:g}; expected a number above 0{bound}")
    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence}; expected a number between 0 and 1")
    evidence, notes = read_models_evidence(
        policies, prms, unit=unit, pricing=pricing, store=store, reporter=reporter
    )
    asked = limits_of(evidence) if limits is None else sorted(limits)
    with reporter.progress("choosing without each fold", FOLDS) as progress:
        found = at_limits(evidence, asked, random_state=seed, progress=progress)
    if not found and not targets:
        least = min(float(one.cost.mean()) for one in evidence.options)
        raise InputError(
            f"no model keeps to {max(asked):g} {unit}; the cheapest strategy needs {least:.3g}"
        )
    reached = at_targets(evidence, targets, confidence, random_state=seed) if targets else []
    return CascadeEvaluation(
        evidence.policies, len(evidence.problems), unit, tuple(found), tuple(reached), confidence,
        tuple(notes),
    )  # fmt: skip
