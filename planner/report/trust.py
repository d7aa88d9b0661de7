"""Trust in predictions and scores: the PRM's verdict, calibration, the outcome model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from planner.report import scorer_wording as prm_words
from planner.report import wording as words
from planner.report.data import ReportData
from planner.report.document import (
    Block,
    Cell,
    Column,
    Plot,
    Plots,
    Point,
    Row,
    Section,
    Series,
    Table,
    Text,
    Weight,
)
from profiling.reliability import Bin

MODEL, SCORES = "outcome model", "PRM"


def prm(data: ReportData) -> Section:
    """Return the section with the PRM's verdict and statistics."""
    first, *rest = prm_words.rewards(data.rewards, data.prm)
    blocks = (Text(first, Weight.STRONG), *(Text(sentence) for sentence in rest))
    return Section("prm", "How good the PRM is", "PRM", blocks, {"rewards": data.rewards})


def model(data: ReportData) -> Section:
    """Return the section on the outcome model's held-out error."""
    others = [row for row in data.basis if row.source == "model"]
    said = (
        [f"Nothing was fitted here: predictions are a model's of published {row.origin}."
         for row in others]
        if data.fit is None and others
        else words.fit(data.fit)
    )  # fmt: skip
    blocks = tuple(Text(sentence) for sentence in said)
    return Section("model", "How good the outcome model is", "Model", blocks, {"fit": data.fit})


def reliability(data: ReportData) -> Section:
    """Return the section on reliability: the share of right answers by predicted chance.

    The chances are the model's held-out predictions if there are any, else the PRM's scores.
    """
    kept = None if data.fit is None else data.fit.get("reliability")
    if kept:
        blocks = _diagram(
            MODEL,
            [Bin(**one) for one in kept],
            "Held-out predictions of the outcome model: each is of a strategy and a problem that "
            "the model was not fitted on.",
            "predicted accuracy",
        )
    elif data.scores:
        why = (
            "No outcome model is fitted"
            if data.fit is None
            else "The stored outcome model came without its held-out predictions (apportion fit "
            "keeps them)"
        )
        blocks = _diagram(
            SCORES,
            data.scores,
            f"{why}; these are the scores of {data.prm}, taken as chances that a sample is right.",
            "score of a sample (its last step's reward)",
        )
    else:
        blocks = (
            Text(
                "There is nothing to draw: neither held-out predictions of an outcome model nor "
                "samples with scores of a PRM are known here."
            ),
        )
    return Section("reliability", "Reliability", "Reliability", blocks)


def _diagram(name: str, bins: Sequence[Bin], what: str, x_label: str) -> tuple[Block, ...]:
    points = tuple(
        Point(f"{one.predicted:.3f}", one.predicted, one.right, one.low, one.high) for one in bins
    )
    listed = "; ".join(
        f"{words.decimal(one.predicted)}: {words.decimal(one.right)} "
        f"{words.interval(one.low, one.high)}"
        for one in bins
    )
    plot = Plot(
        name="reliability-bins",
        caption=f"Reliability of the {name}",
        title=f"Share right against {x_label}",
        text=f"Share right by {x_label}: {listed}.",
        x_label=x_label,
        y_label="share right",
        series=(Series(name, points),),
        diagonal=True,
    )
    return (
        Text(
            f"{what} A mark is the share right of those in a tenth of the scale; on the dashed "
            "line it is what was said, below it the promise was too high. Intervals are 95 % and "
            "rather too wide: what is said of one problem is taken to come true together."
        ),
        Plots((plot,)),
        _table(name, bins),
    )


def _table(name: str, bins: Sequence[Bin]) -> Table:
    def cells(one: Bin) -> tuple[Cell, ...]:
        right: dict[str, Any] = {k: v for k, v in asdict(one).items() if k in _SHARE}
        return (
            Cell(words.decimal(one.predicted), one.predicted),
            Cell(words.decimal(one.right), right, words.interval(one.low, one.high)),
            Cell(words.count(one.predictions), one.predictions),
            Cell(words.count(one.problems), one.problems),
        )

    return Table(
        "reliability-table",
        f"Reliability of the {name}: share right with its 95 % interval",
        (
            Column("predicted", "Predicted, on average"),
            Column("right", "Share right"),
            Column("predictions", "Predictions"),
            Column("problems", "Problems"),
        ),
        tuple(Row(cells(one)) for one in bins),
        folded=True,
    )


_SHARE = ("right", "low", "high")
