"""`apportion evaluate`: the document, what it rests on, and what it refuses."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from executor.errors import InputError
from executor.strategy import BeamSearch, Greedy, Majority
from planner.cli.commands.evaluate import show
from planner.evaluation.crossfit import HeldOut
from planner.evidence.cells import cells
from planner.notes import Note, NoteCode
from planner.prediction.features import describe
from planner.prediction.outcome_model import OutcomeModel
from planner.report.notes import word
from planner.usecases.evaluate import Evaluation, check_budgets, compare_plans, read_evidence
from tests.helpers.arena import arena_of
from tests.helpers.command import apportion
from tests.helpers.command import document as document_of

CHANCES = {Greedy(): 0.3, Majority(4): 0.4, Majority(16): 0.5, BeamSearch(4): 0.6,
           BeamSearch(16): 0.8}  # fmt: skip
ARENA = arena_of({"easy": CHANCES, "hard": CHANCES}, {"easy": 20, "hard": 20},
                 [{"all": CHANCES}])  # fmt: skip


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return compare_plans([ARENA], [4, 16], 0, trials=1, notes=[Note.of(NoteCode.HINDSIGHT_BY_LUCK)])


@pytest.fixture(scope="module")
def document(evaluation: Evaluation) -> dict[str, Any]:
    return evaluation.to_dict()


def test_the_document_has_every_comparison_at_every_budget(document: dict[str, Any]) -> None:
    assert document["problems"] == 40
    assert document["policies_and_prms"] == [["policy", "prm"]]
    for budget in (4, 16):
        rows = [row for row in document["comparisons"] if row["budget"] == budget]
        names = [row["against"] for row in rows]
        assert len(names) == len(set(names))
        for wanted in ("greedy", f"majority of {budget}", "rule of thumb (reply)",
                       "best in hindsight for each policy and PRM"):  # fmt: skip
            assert wanted in names
        for row in rows:
            if row["against"].startswith(("greedy", "majority", "rule")):
                gap = row["plan"]["value"] - row["other"]["value"]
                assert row["difference"]["value"] == pytest.approx(gap)
    assert [row["budget"] for row in document["regret"]] == [4, 16]
    for row in document["regret"]:
        assert row["cells"] == 2
        assert row["honest"] <= row["naive"] + 1e-9
        assert row["naive"] >= 0
    assert {one["against"] for one in document["areas"]} >= {"majority", "rule of thumb (reply)"}


def test_it_is_said_in_words(evaluation: Evaluation) -> None:
    console = Console(width=200, record=True, file=StringIO())
    show(console, evaluation)
    said = console.export_text()
    assert "40 problems, 1 pair of" in said
    assert "regret at 16, mean of 2 cells" in said
    assert f"note: {word(Note.of(NoteCode.HINDSIGHT_BY_LUCK))}" in said
    assert "nan" not in said.lower()


@pytest.mark.long
def test_the_bundled_evidence_answers_where_there_is_no_store(tmp_path: Path) -> None:
    frame, sizes, notes = read_evidence(f"sqlite:///{tmp_path}/none.db", "lab-0.8m")
    assert set(frame["policy"]) == {"lab-0.8m"}
    assert sizes["lab-0.8m"] == 795_136
    assert notes == [Note.of(NoteCode.EVALUATED_ON_BUNDLED, benchmarks=("",))]
    assert check_budgets(frame, None) == [4, 16, 64, 256]

    def fit(train: Any) -> OutcomeModel:
        table = describe(cells(train), train)
        return OutcomeModel().fit(table, table["successes"] / table["rows"], table["rows"])

    own = frame[frame["prm"].isin(["", "lab-0.8m-prm"])].reset_index(drop=True)
    [arena] = HeldOut.fit(own, fit).arenas(sizes)
    made = compare_plans([arena], [16], 0, trials=1)
    assert made.problems == 400
    greedy = next(one for one in made.comparisons if one.against == "greedy")
    assert greedy.difference.low > 0


def test_an_unknown_policy_and_bad_budgets_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="policy nobody: there is no evidence"):
        read_evidence(f"sqlite:///{tmp_path}/none.db", "nobody")
    frame, _, _ = read_evidence(f"sqlite:///{tmp_path}/none.db", "smollm2-135m")
    with pytest.raises(InputError, match="budget is 0; expected"):
        check_budgets(frame, [4, 0])


@pytest.mark.long
def test_the_command_prints_one_json_document(tmp_path: Path) -> None:
    line = ("evaluate", "--policy", "smollm2-135m", "--trials", "1", "--budgets", "16")
    printed = document_of(tmp_path, *line)
    assert printed["problems"] == 30
    assert printed["folds"] == 5
    assert list(tmp_path.iterdir()) == []


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    ended = apportion(tmp_path, "evaluate", "--trials", "0")
    assert ended.returncode == 2
    assert ended.stderr.strip() == "apportion: --trials is 0; expected at least 1"
