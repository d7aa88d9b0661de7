"""The report on a choice over models: one mark a strategy, one series a model that is named."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from executor.strategy import Greedy, Majority, Strategy
from planner.choice.answer import Answer
from planner.choice.constraint import Constraint
from planner.choice.estimate import Models, StrategyEstimate
from planner.choice.models import Contenders
from planner.choice.paired import independent
from planner.costs.cost import Cost
from planner.prediction.beta import summarise
from planner.published.printed_pairs import printed_pairs
from planner.report.document import Line
from planner.report.html import to_html
from planner.report.markdown import to_markdown
from planner.report.models import models_report
from planner.report.plain import to_dict


def of(policy: str, strategy: Strategy, accuracy: float, flops: float) -> StrategyEstimate:
    a, b = 400 * accuracy, 400 * (1 - accuracy)
    _, low, high = (float(x) for x in summarise(np.array(a), np.array(b)))
    return StrategyEstimate(
        strategy, accuracy, (low, high), (a, b), Cost(10.0, 0.0, 0.0, flops), 400, "measured",
        models=Models(policy),
    )  # fmt: skip


FOUND = (
    of("small", Greedy(), 0.4, 10.0),
    of("small", Majority(16), 0.7, 160.0),
    of("large", Greedy(), 0.6, 100.0),
    of("dear", Greedy(), 0.5, 900.0),
)
SIZES = {"small": 10, "large": 100, "dear": 1000}
RECORD = {"source": "measured", "policy": "small", "name": "greedy", "prm": "", "rows": 9,
          "problems": 9}  # fmt: skip


@pytest.fixture(scope="module")
def answer() -> Answer:
    pair = printed_pairs("MATH-500", ["Llama-3.2-3B-Instruct", "Llama-3.1-405B-Instruct"])[0]
    contenders = Contenders(FOUND, SIZES, {}, independent, (RECORD,), (pair.to_dict(),))
    return contenders.choose(Constraint(target_accuracy=0.65))


def test_every_strategy_is_a_mark_of_its_model(answer: Answer) -> None:
    [plot] = [plot for section in models_report(answer).sections for plot in section.plots()]
    steps, *series = plot.series
    assert steps.line is Line.STEPS and [p.y for p in steps.points] == [0.4, 0.6, 0.7]
    # The dear model is on no front and is not named, so it has no colour of its own.
    assert [(one.name, len(one.points)) for one in series] == [
        ("other models", 1), ("small", 2), ("large", 1),
    ]  # fmt: skip
    assert len({one.like for one in series}) == 3
    chosen = [point.label for one in series for point in one.points if point.chosen]
    assert chosen == ["majority(n=16) of small"]


def test_the_document_has_what_the_page_says(answer: Answer) -> None:
    record = to_dict(models_report(answer))["sections"]
    assert record["recommendation"]["policy"] == "small"
    assert len(record["larger"]["pairs"]) == 3
    rows = record["front"]["tables"]["front-table"]
    assert [row["policy"] for row in rows] == ["small", "large", "small"]
    assert 0.9 < rows[-1]["chance_of_target"] <= 1
    assert record["basis"]["tables"]["basis-table"][0]["policy"] == "small"


@pytest.mark.parametrize("form", [to_html, to_markdown])
def test_equal_answers_give_equal_pages(answer: Answer, form: type) -> None:
    text = form(models_report(answer))
    assert text == form(models_report(replace(answer)))
    plain = " ".join(re.sub(r"<[^>]+>|\\", "", text).split())
    assert "surpasses one answer of large (greedy, 0.600), which is 10 times the size" in plain
    assert "with the best of several strategies" in plain
