"""What the sections say: the recommendation, curves, the front, reliability, what it rests on."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from executor.strategy import key
from planner.report import BasisRow, report
from planner.report.notes import sentence
from planner.report.plain import to_dict
from profiling.pass_rate import LEVELS
from tests.helpers.accuracies import accuracies
from tests.helpers.report_sample import BINS, data, estimate


def sections(**changes: Any) -> Any:
    return to_dict(report(data(**changes)))["sections"]


def said(section: Any) -> str:
    return " ".join(section["words"])


@pytest.fixture(scope="module")
def full() -> Any:
    return sections()


def test_the_recommendation_is_told_in_words(full: Any) -> None:
    told = said(full["recommendation"])
    for advice in data().advice:
        assert advice.why is not None and advice.buy
        assert key(advice.made.choice.strategy) in full["recommendation"]["words"]
        assert sentence(advice.why) in told
        assert advice.measurement_note is not None and sentence(advice.measurement_note) in told
        assert all(line in told for line in advice.buy)
    assert full["recommendation"]["words"][0] == "All problems together"


def test_a_strategy_has_one_accuracy_on_the_whole_page() -> None:
    """In cards, plots and tables, and in the sentence on majority vote; a level at a time."""
    for one in data().advice:
        level = one.made.difficulty
        page = sections(advice=[one], found={level: data().found[level]})
        found = accuracies(page)
        names = {key(choice.strategy) for choice in data().found[level]}
        assert names <= set(found)
        assert {len(found[name]) for name in names} == {1}
        best = max(min(found[name]) for name in names if name.startswith("majority("))
        gain = page["recommendation"]["recommendations"][0]["efficiency_gain"]
        assert gain["generations"]["majority_best"]["accuracy"] == pytest.approx(best, abs=1e-9)


def test_the_chance_of_a_target_is_said() -> None:
    first = data().advice[0]
    sure = dataclasses.replace(first, made=dataclasses.replace(first.made, chance=0.931))
    assert "reaches the target with a chance of 93.1%" in said(
        sections(advice=[sure])["recommendation"]
    )


def test_a_single_strategy_has_no_rival() -> None:
    first = data().advice[0]
    alone = dataclasses.replace(first, second=None, why=None, less=None, measurement=None)
    told = said(sections(advice=[alone])["recommendation"])
    assert "Nothing of another kind, or of another budget, was known to choose from." in told
    assert "runner-up" not in told.lower()


def test_the_plot_against_budget_takes_the_best_variant_at_each(full: Any) -> None:
    for level in LEVELS:
        series = full["budget"]["plots"][f"budget-{level}"]["series"]
        for kind, points in series.items():
            assert [p["x"] for p in points] == sorted({p["x"] for p in points})
            for point in points:
                rivals = [
                    c.predicted_accuracy
                    for c in data().found[level]
                    if (c.strategy.name, c.strategy.n) == (kind, point["x"])
                ]
                assert point["y"] == max(rivals)


def test_the_front_is_what_nothing_as_cheap_matches(full: Any) -> None:
    for level in LEVELS:
        plot = full["cost"]["plots"][f"cost-{level}"]["series"]
        front = {point["label"] for point in plot.pop("Pareto front")}
        [answered] = [one for one in data().advice if one.made.difficulty == level]
        named = {key(one.strategy) for one in answered.shown}
        rows = full["cost"]["tables"][f"front-{level}"]
        assert {row["strategy"] for row in rows} == front | named
        marks = [point for points in plot.values() for point in points]
        assert len(marks) == len(data().found[level])
        for point in marks:
            matched = any(
                other["x"] <= point["x"]
                and other["y"] >= point["y"]
                and (other["x"], other["y"]) != (point["x"], point["y"])
                for other in marks
            )
            if matched:
                assert point["label"] not in front
        assert all(p["stressed"] == (p["label"] in front or p["chosen"]) for p in marks)
        assert sum(point["chosen"] for point in marks) == 1


def test_the_recommended_row_is_marked_in_words(full: Any) -> None:
    for advice in data().advice:
        rows = full["strategies"]["tables"][f"strategies-{advice.made.difficulty}"]
        marked = [row["strategy"] for row in rows if "recommended" in row.get("marks", [])]
        assert marked == [key(advice.made.choice.strategy)]
        assert "highest accuracy" in rows[0]["marks"]
        assert advice.second is not None
        seconds = [row["strategy"] for row in rows if "runner-up" in row.get("marks", [])]
        assert seconds == [key(advice.second.choice.strategy)]


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({}, "outcome model", "Held-out predictions of the outcome model"),
        ({"fit": None}, "PRM", "No outcome model is fitted; these are the scores of prm"),
        ({"fit": {"log_loss": 0.4}}, "PRM", "came without its held-out predictions"),
    ],
    ids=["model", "scores", "an older model"],
)
def test_reliability_is_the_models_where_it_is_known_else_the_scores(
    changes: dict[str, Any], name: str, words: str
) -> None:
    made = sections(**changes)["reliability"]
    points = made["plots"]["reliability-bins"]["series"][name]
    assert [(p["x"], p["y"]) for p in points] == [(one.predicted, one.right) for one in BINS]
    assert words in said(made)


def test_no_reliability_is_invented() -> None:
    made = sections(fit=None, scores=())["reliability"]
    assert made["plots"] == {} and made["tables"] == {}
    assert "There is nothing to draw" in said(made)


def test_the_verdict_comes_first_and_the_statistics_beside_it() -> None:
    made = sections()["prm"]
    assert made["words"][0].startswith("The PRM tells right from wrong fairly")
    assert made["rewards"]["auc_within"] == estimate(0.65)


def test_what_it_rests_on_is_there_row_by_row(full: Any) -> None:
    rows = full["basis"]["tables"]["basis-table"]
    assert [(r["source"], r["budgets"], r["problems"], r["rows"], r["origin"]) for r in rows] == [
        ("measured", [1], 120, 120, "here"),
        ("replayed", [4, 16], 120, 480, "there"),
    ]
    told = said(full["basis"])
    assert "Measured rows are live runs; replayed ones" in told
    assert "40 easy, 40 medium, 40 hard" in told


def test_published_figures_have_their_accuracy_and_the_model_its_figures() -> None:
    basis = [
        BasisRow("published", "greedy", "", (1,), 500, 1, "MATH-500, a paper", 0.25),
        BasisRow("model", "", "", (), None, 998, "figures of 21 policies"),
    ]
    made = sections(basis=basis, fit=None)
    rows = made["basis"]["tables"]["basis-table"]
    assert [row["accuracy"] for row in rows] == [0.25, None]
    assert not any("budgets" in row for row in rows)
    assert "Published rows are figures of others" in said(made["basis"])
    assert "a model's of published figures of 21 policies" in said(made["model"])


def test_held_out_runs_stand_near_the_top_where_there_are_any() -> None:
    assert list(sections())[1] == "runs"
    assert list(sections(runs=[], paired=[])).index("runs") > 1


@pytest.mark.parametrize(
    ("scorer", "named"),
    [
        ("prm", "process reward model (PRM) prm."),
        ("mean-logprob", "scorer of whole responses mean-logprob."),
        (None, "no process reward model (PRM)."),
    ],
)
def test_a_scorer_is_called_what_it_is(scorer: str | None, named: str) -> None:
    assert f", {named} Difficulty is" in report(data(prm=scorer)).subtitle
