"""The workload's division in the report: never worse than equal, and adding up."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from planner.costs.cost import Cost
from planner.report import report
from planner.report.plain import to_dict
from planner.report.workload import QUERIES, TOTALS, budget_splits
from planner.workloads.allocation import Option, QueryClass
from tests.helpers.report_sample import data


@pytest.fixture(scope="module")
def made() -> Any:
    return to_dict(report(data()))["sections"]["workload"]


def _class(queries: float, *options: tuple[float, float]) -> QueryClass:
    from executor.strategy import Majority

    return QueryClass(
        queries,
        tuple(
            Option(Majority(n + 1), accuracy, (accuracy, accuracy), Cost(price, 0.0, 0.0), price)
            for n, (price, accuracy) in enumerate(options)
        ),
    )


def test_totals_rise_to_what_the_most_accurate_strategies_take() -> None:
    classes = {
        "easy": _class(50, (1.0, 0.8), (10.0, 0.9)),
        "hard": _class(50, (1.0, 0.1), (30.0, 0.4), (40.0, 0.3)),
    }
    found = budget_splits(classes)
    assert len(found) == TOTALS
    assert all(one.total < other.total for one, other in pairwise(found))
    assert found[0].total > 100
    assert found[-1].total == pytest.approx(2000)  # 50 * 10 + 50 * 30
    assert found[-1].divided.correct == pytest.approx(50 * 0.9 + 50 * 0.4)
    for one in found:
        assert one.divided.spent <= one.total * (1 + 1e-9)
        assert one.equal is not None
        assert one.divided.correct >= one.equal.correct - 1e-9


def test_where_the_cheapest_is_best_there_is_nothing_to_divide() -> None:
    assert (
        budget_splits({"easy": _class(5, (1.0, 0.9), (2.0, 0.8)), "hard": _class(5, (1.0, 0.2))})
        == []
    )


def test_where_an_equal_share_does_not_reach_nothing_is_compared() -> None:
    classes = {"easy": _class(90, (1.0, 0.8), (2.0, 0.9)), "hard": _class(10, (50.0, 0.1))}
    assert [one.equal for one in budget_splits(classes)] == [None] * TOTALS


def test_queries_and_prices_of_the_parts_add_up(made: Any) -> None:
    for row in made["tables"]["workload-totals"]:
        for name in ("divided", "equal"):
            parts = [
                part
                for part in made["tables"]["workload-parts"]
                if part["total"] == row["total"] and part["division"] == name
            ]
            if row[name] is None:
                assert parts == []
                continue
            assert sum(part["queries"] for part in parts) == pytest.approx(QUERIES)
            spent = sum(part["queries"] * part["price"] for part in parts)
            assert spent <= row["total"] * (1 + 1e-6)
            right = sum(part["queries"] * part["accuracy"] for part in parts)
            assert right == pytest.approx(row[name]["expected"])
        if row["equal"] is not None:
            assert row["more"]["expected"] >= -1e-6


def test_the_mix_is_that_of_the_evidence(made: Any) -> None:
    assert made["mix"] == pytest.approx({"easy": 1 / 3, "medium": 1 / 3, "hard": 1 / 3})


def test_a_difficulty_that_nothing_is_known_of_is_left_out_and_said() -> None:
    found = {level: choices for level, choices in data().found.items() if level != "hard"}
    made = to_dict(report(data(found=found)))["sections"]["workload"]
    assert made["mix"] == pytest.approx({"easy": 0.5, "medium": 0.5})
    assert "Nothing is known of hard problems: left out." in made["words"]
