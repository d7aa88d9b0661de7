"""Reasoning models: figures by hand and by enumeration, and the shipped file and page."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2, norm

from executor.answers.grader import MathGrader
from executor.outcome import SampleRecord, choose
from executor.strategy import Majority, ShortMOfK
from planner.catalog import load_catalog
from planner.prediction.paired_statistics import paired_interval
from planner.published import figures
from planner.published.figures import benchmarks
from profiling.arrays import Floats
from profiling.pass_rate import PassRate
from tests.helpers.shared import SHARED

ROOT = Path(__file__).parents[2]
FILE = ROOT / "data" / "published" / "reasoning.csv"
MODULES = (
    "reasoning", "reasoning_choice", "reasoning_figures", "reasoning_intervals", "reasoning_page",
    "reasoning_runs",
)  # fmt: skip
# Eight responses to each of three problems: the answer ("" for none) and its tokens; "7" is right.
RESPONSES = (
    (("7", 10), ("7", 30), ("1", 20), ("7", 50), ("2", 15), ("", 90), ("7", 60), ("1", 25)),
    (("1", 10), ("1", 12), ("7", 40), ("1", 11), ("", 90), ("", 90), ("2", 30), ("7", 35)),
    (("7", 5), ("7", 6), ("7", 7), ("7", 8), ("7", 9), ("7", 10), ("7", 11), ("1", 4)),
)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The scripts, as modules."""
    monkeypatch.syspath_prepend(ROOT / "bench")
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield {name: __import__(name) for name in MODULES}
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A file of responses."""
    path = tmp_path / "runs.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["model", "benchmark", "problem", "sample", "prediction", "reference",
             "completion_tokens"]
        )  # fmt: skip
        for problem, responses in enumerate(RESPONSES):
            part = "aime2025-i" if problem else "aime2025-ii"
            for sample, (answer, tokens) in enumerate(responses):
                writer.writerow(["R1", part, problem, sample, answer, "7", tokens])
        writer.writerow(["R1", "math500", 0, 0, "7", "7", 1])
    return path


def shipped() -> list[dict[str, str]]:
    with FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def whole(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Rows of one policy on a whole benchmark."""
    return [
        row
        for row in rows
        if row["difficulty"] == "all" and row["strategy"] and "mean of" not in row["policy"]
    ]


def voted(answers: list[str], *, first: bool) -> float:
    """Share of a vote that the right answer wins; of a tie the first one has all, or its part."""
    given = [answer for answer in answers if answer]
    most = max((given.count(answer) for answer in given), default=0)
    best = [answer for answer in dict.fromkeys(given) if given.count(answer) == most]
    return float(best[:1] == ["7"]) if first else best.count("7") / max(len(best), 1)


def by_hand(rule: str, drawn: list[tuple[str, int]]) -> float:
    answers = [answer for answer, _ in drawn]
    if rule == "pass_at_n":
        return float("7" in answers)
    if rule == "majority":
        return voted(answers, first=False)
    shortest = sorted(drawn, key=lambda one: one[1])[: int(rule[6])]
    return voted([answer for answer, _ in shortest], first=True)


def expected(rule: str, k: int, responses: Any) -> float:
    draws = itertools.combinations(responses, k)
    return float(np.mean([by_hand(rule, list(drawn)) for drawn in draws]))


def test_figures_are_means_over_all_draws(bench: dict[str, ModuleType], runs: Path) -> None:
    [cell] = bench["reasoning_runs"].read(runs)
    assert (cell.policy, cell.benchmark, len(cell.problems)) == ("DeepSeek-R1", "AIME25", 3)
    replayed = bench["reasoning_runs"].Replayed.of(cell)
    for rule in bench["reasoning_runs"].RULES:
        for k in (4, 8):
            hand = sorted(expected(rule, k, responses) for responses in RESPONSES)
            assert sorted(replayed.accuracy[rule][:, k - 1]) == pytest.approx(hand)
    lengths = [[tokens for _, tokens in responses] for responses in RESPONSES]
    assert replayed.tokens["majority"][3] == pytest.approx(4 * np.mean(lengths))
    longest = [max(drawn) for one in lengths for drawn in itertools.combinations(one, 4)]
    assert replayed.latency["majority"][3] == pytest.approx(np.mean(longest))
    until = [sorted(drawn)[2] for one in lengths for drawn in itertools.combinations(one, 4)]
    assert replayed.latency["short_3_of_k"][3] == pytest.approx(np.mean(until))
    assert math.isnan(replayed.latency["short_3_of_k"][1])


def test_a_vote_of_as_many_tokens_is_a_mixture_of_two(
    bench: dict[str, ModuleType], runs: Path
) -> None:
    [cell] = bench["reasoning_runs"].read(runs)
    replayed = bench["reasoning_runs"].Replayed.of(cell)
    one, spent = replayed.tokens["majority"][0], replayed.tokens["short_3_of_k"][7]
    k = int(spent / one)
    share = spent / one - k
    assert 1 <= k < 8 and 0 < share < 1
    curve = replayed.accuracy["majority"]
    vote = curve[:, k - 1] + share * (curve[:, k] - curve[:, k - 1])
    apart = replayed.over_majority("short_3_of_k", 8)
    assert apart == pytest.approx(replayed.accuracy["short_3_of_k"][:, 7] - vote)
    # A vote compared with itself, and with one of a response more, at its own tokens
    assert replayed.over_majority("majority", 4) == pytest.approx(np.zeros(3))


def test_a_figure_of_a_difficulty_shares_no_response_with_its_class(
    bench: dict[str, ModuleType], runs: Path
) -> None:
    """Every split into five and three, the five give the class and the three are voted on."""
    [cell] = bench["reasoning_runs"].read(runs)
    rows = {
        (row["difficulty"], row.get("strategy"), row.get("n")): row
        for row in bench["reasoning"].figures([bench["reasoning_runs"].Replayed.of(cell)])
        if "mean of" not in row["policy"]
    }
    for level in ("easy", "medium", "hard"):
        found: dict[str, list[float]] = {"majority": [], "short_1_of_k": [], "tokens": []}
        splits = 0
        for responses in RESPONSES:
            for chosen in itertools.combinations(range(8), 5):
                right = sum(responses[i][0] == "7" for i in chosen)
                if PassRate(right, 5).difficulty.value == level:
                    splits += 1
                    rest = [one for i, one in enumerate(responses) if i not in chosen]
                    for rule in ("majority", "short_1_of_k"):
                        found[rule].append(by_hand(rule, rest))
                    found["tokens"].append(sum(tokens for _, tokens in rest))
        assert splits
        for rule in ("majority", "short_1_of_k"):
            row = rows[level, rule, 3]
            assert float(row["value"]) == pytest.approx(100 * np.mean(found[rule]), abs=0.006)
        assert rows[level, "majority", 3]["problems"] == pytest.approx(splits / 56, abs=0.05)
        assert rows[level, "majority", 3]["tokens"] == pytest.approx(np.mean(found["tokens"]))


def test_cochrans_q_of_two_openings_is_mcnemars(bench: dict[str, ModuleType]) -> None:
    """12 problems that only the first opening solves, 3 only the second, 20 both."""
    correct = np.array([[1, 0]] * 12 + [[0, 1]] * 3 + [[1, 1]] * 20, dtype=bool)
    nothing = np.zeros(correct.shape, dtype=np.int64)
    cell = bench["reasoning_runs"].Cell("one", "two", (), nothing, correct, nothing)
    assert cell.openings_differ() == pytest.approx(chi2.sf((12 - 3) ** 2 / 15, 1))
    alike = bench["reasoning_runs"].Cell("one", "two", (), nothing, correct[-2:], nothing)
    assert alike.openings_differ() == 1


@pytest.mark.parametrize("values", [[0.2, 0.9, 0.5, 1.0, 0.0], [1.0, 1.0, 1.0]])
def test_intervals_of_equal_weights_are_the_usual_ones(
    bench: dict[str, ModuleType], values: list[float]
) -> None:
    given, every = np.array(values), np.ones(len(values))
    mean, low, high = bench["reasoning_intervals"].weighted_accuracy(given, every)
    # Agresti and Coull: with two right and two wrong problems more, the interval is Wald's.
    more = np.array([*values, 1.0, 1.0, 0.0, 0.0])
    reach = norm.ppf(0.975) * more.std() / np.sqrt(len(more))
    assert (mean, low) == pytest.approx((given.mean(), max(more.mean() - reach, 0)))
    assert high == pytest.approx(min(more.mean() + reach, 1))
    difference = bench["reasoning_intervals"].weighted_difference(given - 0.5, every)
    assert difference == pytest.approx((given.mean() - 0.5, *paired_interval(given - 0.5)))


def test_weights_make_intervals_of_their_coverage(bench: dict[str, ModuleType]) -> None:
    """Problems of a mean of 0.6 that count by weights of their own; 95 % of 400 intervals."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        weights: Floats = rng.random(40)
        _, low, high = bench["reasoning_intervals"].weighted_accuracy(
            (rng.random(40) < 0.6).astype(float), weights
        )
        held.append(low <= 0.6 <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.025)


def test_the_shipped_figures_are_whole(bench: dict[str, ModuleType]) -> None:
    rows = whole(shipped())
    catalog, problems = load_catalog(), benchmarks()
    cells = {(row["policy"], row["benchmark"]) for row in rows}
    assert len(cells) == 24 and all(catalog.policy(policy) is not None for policy, _ in cells)
    for policy, benchmark in cells:
        own = {
            (row["strategy"], int(row["n"])): row
            for row in rows
            if (row["policy"], row["benchmark"]) == (policy, benchmark)
        }
        assert len(own) == 12
        assert {row["problems"] for row in own.values()} == {str(problems[benchmark])}
        for (rule, n), row in own.items():
            value, low, high = (float(row[name]) for name in ("value", "low", "high"))
            assert 0 <= low <= high <= 100 and 0 <= value <= 100
            assert int(row["latency"]) <= int(row["tokens"])
            one, vote = own["majority", 1], own["majority", n]
            if n > 1:
                gain = value - float(one["value"])
                assert float(row["gain"]) == pytest.approx(gain, abs=0.011)
                assert value <= float(own["pass_at_n", n]["value"]) + 0.005
            if rule.startswith("short"):
                assert int(row["tokens"]) < int(vote["tokens"])
                assert int(row["latency"]) < int(vote["latency"])
            elif n > 1:
                assert int(row["tokens"]) == pytest.approx(n * int(one["tokens"]), abs=n)


def test_the_page_in_the_tree_is_the_scripts(bench: dict[str, ModuleType]) -> None:
    page = bench["reasoning_page"]
    text = page.page(page.Figures(FILE))
    assert (ROOT / "docs" / "reasoning-models.md").read_text(encoding="utf-8") == text


def test_choices_keep_to_their_budget_and_regret_is_against_the_best(
    bench: dict[str, ModuleType],
) -> None:
    choice = bench["reasoning_choice"]
    for one in choice.every():
        for unit in choice.UNITS:
            for limit in one.limits(unit):
                allowed = one.cost[unit] <= limit
                picked = [rule(one, unit, limit) for rule in choice.RULES.values()]
                assert allowed[picked].all()
                best = choice._best_in_hindsight(one, unit, limit)
                assert one.accuracy[best] == one.accuracy[allowed].max()
        assert choice.largest(one, "tokens", np.inf) == max(
            range(len(one.size)), key=lambda i: (one.size[i], one.budgets[i], i)
        )
    found = choice.regret("the model of figures", "flops", choice.every())
    assert found.low < found.points < found.high and found.points >= 0


def test_no_figure_of_the_benchmark_predicts_it(
    bench: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = bench["reasoning_choice"]
    before = choice.predicted("AIME25")
    cells = figures.cells().copy()
    cells.loc[cells["benchmark"] == "AIME25", "accuracy"] = 0.01
    monkeypatch.setattr(choice.figures, "cells", lambda: cells)
    choice.predicted.cache_clear()
    assert choice.predicted("AIME25") == pytest.approx(before)


@pytest.mark.long
def test_the_shipped_figures_are_those_of_the_runs(bench: dict[str, ModuleType]) -> None:
    """One cell, if the runs are at hand."""
    path = SHARED / "data" / "runs" / "reasoning_samples.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    cells = bench["reasoning_runs"].read(path)
    [cell] = [one for one in cells if (one.policy, one.benchmark) == ("DeepSeek-R1", "AIME24")]
    replayed = bench["reasoning_runs"].Replayed.of(cell)
    for row in whole(shipped()):
        if (row["policy"], row["benchmark"]) == ("DeepSeek-R1", "AIME24"):
            accuracy = replayed.accuracy[row["strategy"]][:, int(row["n"]) - 1].mean()
            assert float(row["value"]) == pytest.approx(100 * accuracy, abs=0.006)


def counted(rows: list[dict[str, str]], no_answer: tuple[str, ...], first: int | None) -> float:
    """What a vote of responses is worth: of all, ties shared, or of the first to finish."""
    if first is not None:
        rows = sorted(rows, key=lambda row: int(row["completion_tokens"]))[:first]
    answers = [row["prediction"] for row in rows if row["prediction"] not in no_answer]
    if not answers:
        return 0.0
    most = max(map(answers.count, answers))
    winners = [answer for answer in dict.fromkeys(answers) if answers.count(answer) == most]
    winners = winners if first is None else winners[:1]
    return winners.count(rows[0]["reference"]) / len(winners)


@pytest.mark.long
def test_votes_of_eight_responses_are_those_counted_by_hand(bench: dict[str, ModuleType]) -> None:
    """Of every policy and benchmark, from the lines of the file alone, if it is at hand."""
    path = SHARED / "data" / "runs" / "reasoning_samples.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    runs = bench["reasoning_runs"]
    found: dict[tuple[str, str], dict[str, list[dict[str, str]]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["benchmark"] in runs.BENCHMARKS:
                at = runs.POLICIES[row["model"]], runs.BENCHMARKS[row["benchmark"]]
                problem = f"{row['benchmark']}/{row['problem']}"
                found.setdefault(at, {}).setdefault(problem, []).append(row)
    rules = {"majority": None, "short_1_of_k": 1, "short_3_of_k": 3}
    figures = {
        (row["policy"], row["benchmark"], row["strategy"]): float(row["value"])
        for row in whole(shipped()) if row["strategy"] in rules and row["n"] == "8"
    }  # fmt: skip
    for (policy, benchmark), problems in found.items():
        for rule, first in rules.items():
            votes = [counted(rows, runs.NO_ANSWER, first) for rows in problems.values()]
            shown = figures[policy, benchmark, rule]
            assert shown == pytest.approx(100 * np.mean(votes), abs=0.006), (policy, rule)
    r1 = [rows for name in ("AIME24", "AIME25") for rows in found["DeepSeek-R1", name].values()]
    right = [row["prediction"] == row["reference"] for rows in r1 for row in rows]
    assert (len(r1), round(float(np.mean(right)), 2)) == (60, 0.70)
    chosen = dict.fromkeys((Majority(8), ShortMOfK(8, 3)), 0)
    with MathGrader() as grader:
        for rows in r1:
            samples = [
                SampleRecord(
                    "", None if row["prediction"] in runs.NO_ANSWER else row["prediction"],
                    row["prediction"] == row["reference"], "finished",
                    int(row["completion_tokens"]), 0.0,
                )
                for row in sorted(rows, key=lambda row: int(row["sample"]))
            ]  # fmt: skip
            for strategy in chosen:
                index = choose(strategy, samples, grader)
                assert index is not None
                chosen[strategy] += bool(samples[index].correct)
    assert round(sum(counted(rows, runs.NO_ANSWER, None) for rows in r1) / 60, 2) == 0.82
    # Of three ties with the right answer among them, two go to it if the first response wins.
    assert chosen == {Majority(8): 50, ShortMOfK(8, 3): 50}
    assert sum(counted(rows, runs.NO_ANSWER, 3) for rows in r1) == 50
