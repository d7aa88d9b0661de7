"""Published figures: tidy, each with its source, contradictions left visible."""

from __future__ import annotations

import csv
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from executor.answers.voting import Vote
from executor.files import data_folder
from executor.strategy import STRATEGIES, BeamSearch, BestOfN, Dvts, Majority, Score, key
from planner.evidence.cells import cells
from planner.published import figures
from tests.helpers.evidence_frames import frame_of
from tests.helpers.shared import SHARED

PUBLISHED = data_folder() / "published"
METHODS = {
    *STRATEGIES, "compute_optimal", "pass_at_n", "rebase", "self_verification", "short_1_of_k",
    "short_3_of_k",
}  # fmt: skip
TABLES = ["accuracy.csv", "reasoning.csv", "prms.csv", "facts.csv", "guidance.csv"]


def read(name: str) -> list[dict[str, str]]:
    with (PUBLISHED / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", TABLES)
def test_every_row_has_a_source_and_a_known_reliability(name: str) -> None:
    codes = set(re.findall(r"`(\w+)`", (PUBLISHED / "README.md").read_text(encoding="utf-8")))
    for row in read(name):
        assert re.match(r"(arXiv:\d{4}\.\d{5}|github:[\w.-]+/[\w.-]+)", row["source"]), row
        assert row["reliability"] in codes, row


@pytest.mark.parametrize("name", TABLES)
def test_notes_are_codes_and_no_sentences(name: str) -> None:
    for row in read(name):
        assert re.fullmatch(r"[\w.:;,=-]*", row["note"]), row


def test_accuracies_are_tidy() -> None:
    table = figures.rows()
    unpublished = {"particle_filter", "adaptive_majority", "short_m_of_k", "aggregate"}
    assert set(table["name"]) == METHODS - unpublished
    assert table["accuracy"].between(0, 1).all()
    assert set(table["vote"]) - {""} == set(Vote) - {Vote.BORDA}
    assert set(table["score"]) - {""} <= set(Score)
    assert (table["n"] >= 0).all() and (table["error"] >= 0).all()
    assert not table.duplicated(table.columns.difference(["accuracy"]).tolist()).any()


def test_no_figure_was_lost() -> None:
    """Against the tables they were taken from, where these are at hand."""
    source = SHARED / "data" / "published"
    if not source.is_dir():
        pytest.skip(f"{source} is not here")
    tables = pd.read_csv(source / "tables.csv", keep_default_na=False)
    curves = pd.read_csv(source / "curves.csv", keep_default_na=False)
    printed = tables[tables["metric"] == "accuracy"]["value"].astype(float).tolist()
    printed += curves["value"].astype(float).tolist()
    taken = figures.rows()[figures.rows()["study"] != "agarwal2025"]  # computed, not taken
    kept = (100 * taken["accuracy"]).round(6).tolist()
    assert sorted(kept) == sorted(round(value, 6) for value in printed)
    bias = pd.read_csv(source / "prm_bias.csv", keep_default_na=False)
    said = sorted(float(value.lstrip("~")) for value in bias["value"])
    assert sorted(float(row["value"]) for row in read("prms.csv")) == said
    others = tables[tables["metric"] != "accuracy"]["value"]
    facts = {float(row["value"]) for row in read("facts.csv")}
    assert {float(value.lstrip(">")) for value in others} <= facts


def cell(**of: object) -> pd.DataFrame:
    table = figures.cells()
    for column, value in of.items():
        table = table[table[column] == value]
    return table


def test_cells_have_the_layout_of_measured_ones() -> None:
    measured = cells(frame_of([]))
    table = figures.cells()
    assert set(measured.columns) <= set(table.columns)
    assert set(table["benchmark"]) <= set(figures.benchmarks())
    share = table["problems"] / table["rows"]
    assert (table["successes"] * share).to_numpy() == pytest.approx(
        (table["accuracy"] * table["problems"]).to_numpy()
    )


def test_seeds_are_one_cell_of_several_runs() -> None:
    [row] = cell(policy="Llama-3.2-1B-Instruct", strategy=key(Dvts(256))).to_dict("records")
    assert (row["runs"], row["problems"], row["rows"]) == (5, 500, 2500)
    assert row["accuracy"] == pytest.approx(0.5436)


def test_a_figure_printed_in_two_tables_counts_once() -> None:
    assert len(cell(study="liu2025", policy="Qwen2.5-7B-Instruct", benchmark="MATH-500",
                    name="greedy")) == 1  # fmt: skip


def test_the_first_point_of_every_curve_is_one_sample() -> None:
    table = cell(n=1)
    assert set(table["name"]) == {"greedy", "majority"}
    assert not table.duplicated(["study", "policy", "benchmark", "name", "accuracy"]).any()


@pytest.mark.parametrize(
    ("row", "strategy"),
    [
        ({"name": "best_of_n", "n": 8, "width": 0, "score": "prod", "vote": "max"},
         BestOfN(8, Score.PROD, Vote.MAX)),
        ({"name": "best_of_n", "n": 8, "width": 0, "score": "", "vote": "max"}, BestOfN(8)),
        ({"name": "beam_search", "n": 8, "width": 8, "score": "", "vote": ""}, BeamSearch(8, 8)),
        ({"name": "majority", "n": 64, "width": 0, "score": "", "vote": ""}, Majority(64)),
        ({"name": "majority", "n": 0, "width": 0, "score": "", "vote": ""}, None),
        ({"name": "compute_optimal", "n": 512, "width": 0, "score": "", "vote": ""}, None),
    ],
)  # fmt: skip
def test_what_is_not_printed_is_the_default(row: dict[str, object], strategy: object) -> None:
    assert figures.strategy_of(row) == strategy


@pytest.mark.parametrize(
    ("policy", "study", "printed"),
    [
        ("Llama-3.2-3B-Instruct", "liu2025", {(0.756, "arXiv:2502.06703 Table 3"),
                                              (0.782, "arXiv:2502.06703 Table 5")}),
        ("Qwen2.5-1.5B-Instruct", None, {0.818, 0.856}),
    ],
)  # fmt: skip
def test_contradictions_are_told(policy: str, study: str | None, printed: set[Any]) -> None:
    found = figures.contradictions(policy, "MATH-500")
    by_study = [one for one in found if study is None or one.study == study]
    known = {(round(accuracy, 3), source) for one in by_study for accuracy, source in one.figures}
    assert printed <= known | {accuracy for accuracy, _ in known}
    assert study is None or by_study[0].cell.startswith("compute_optimal")


def test_figures_that_agree_are_no_contradiction() -> None:
    """Printed twice alike, or read to a tenth of a point."""
    assert figures.contradictions("Qwen2.5-72B-Instruct", "MATH-500") == ()
    found = figures.contradictions("Qwen2.5-7B-Instruct", "MATH-500")
    assert not any(one.cell == "greedy" for one in found)


def test_studies_that_differ_by_no_more_than_sampling_are_no_contradiction() -> None:
    """0.246 and 0.229 of 500 problems: half of the time chance alone makes more of it."""
    assert figures.contradictions("Llama-3.2-1B-Instruct", "MATH-500") == ()
    two = np.array([0.246, 0.229]), np.array([500.0, 500.0]), np.zeros(2)
    assert figures.heterogeneity(*two) > 0.5


def test_heterogeneity_of_two_studies_is_the_test_of_two_proportions() -> None:
    """Right out of all problems 60 of 100 and 80 of 200; the squared z is chi-squared."""
    pooled = 140.5 / 301
    z = 0.2 / np.sqrt(pooled * (1 - pooled) * (1 / 100 + 1 / 200))
    chance = figures.heterogeneity(np.array([0.6, 0.4]), np.array([100.0, 200.0]), np.zeros(2))
    assert chance == pytest.approx(2 * norm.sf(z))


def test_heterogeneity_finds_five_in_a_hundred_among_studies_that_agree() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.binomial(500, 0.3, size=(2000, 4)) / 500
    chances = [figures.heterogeneity(one, np.full(4, 500.0), np.zeros(4)) for one in drawn]
    assert np.mean(np.array(chances) < 0.05) == pytest.approx(0.05, abs=0.015)


def test_figures_that_are_hard_to_read_may_differ_by_more() -> None:
    two, trials = np.array([0.5, 0.6]), np.array([1000.0, 1000.0])
    read = [figures.heterogeneity(two, trials, np.full(2, e)) for e in (0.0, 0.05, 0.1)]
    assert read[0] < 0.001 < read[1] < read[2]


def test_tokens_are_those_of_the_policy_on_the_benchmark() -> None:
    tokens, source = figures.printed_tokens("DeepSeek-R1", "AIME24") or (0.0, "")
    assert tokens == pytest.approx(9293) and source.startswith("arXiv:2512.02008")
    [vote] = cell(study="agarwal2025", policy="DeepSeek-R1", benchmark="AIME24",
                  strategy=key(Majority(8)))["generated_tokens"]  # fmt: skip
    assert vote == pytest.approx(8 * tokens, abs=8)
    assert figures.printed_tokens("DeepSeek-R1", "MATH-500") is None
    assert figures.printed_tokens("unheard-of", "AIME24") is None
    # Half of its responses were cut, so that their length is that of the limit.
    assert figures.printed_tokens("Qwen3-235B-A22B-Instruct-2507", "AIME24") is None


def test_methods_that_this_program_lacks_keep_their_budget() -> None:
    found = set(cell(study="agarwal2025", policy="DeepSeek-R1", benchmark="AIME24")["strategy"])
    assert {"short_1_of_2", "short_3_of_4", "short_3_of_8"} < found
    assert "compute_optimal" in set(figures.cells()["strategy"])


def test_a_policy_is_predicted_from_figures_of_its_kind() -> None:
    everything = figures.cells()

    def telling(policy: str, benchmark: str) -> set[str]:
        found = figures.telling(everything, policy, benchmark)
        return {"apart" if study in figures.SET_APART else "general" for study in found["study"]}

    assert telling("Llama-3.2-1B-Instruct", "AIME24") == {"general"}
    assert telling("QwQ-32B-Preview", "AIME24") == {"general"}
    assert telling("unheard-of", "GPQA-Diamond") == {"general"}
    assert telling("QwQ-32B", "AIME24") == {"apart"}
    assert telling("Qwen3-235B-A22B-Instruct-2507", "AIME24") == {"apart"}
    # Their studies do not have this benchmark, so all figures must say how hard it is.
    assert telling("QwQ-32B", "MATH-500") == {"apart", "general"}
    of_r1 = figures.telling(everything, "DeepSeek-R1", "AIME24")
    assert set(of_r1[of_r1["study"] == "liu2025"]["policy"]) == {"DeepSeek-R1"}


def test_policies_of_which_only_samples_are_published() -> None:
    everything = figures.cells()
    found = {one for one in set(everything["policy"]) if figures.is_sampled_only(everything, one)}
    apart = everything[everything["study"].isin(figures.SET_APART)]
    # The makers of DeepSeek-R1 sampled; the study that lists it among greedy ones quotes them.
    assert found == {*apart["policy"], "Gemma-3-12b-it"}
    assert not figures.is_sampled_only(everything, "unheard-of")
