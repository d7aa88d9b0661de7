"""`apportion report`: from a store, from this project's own evidence, from published figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from executor.store.store import Store
from profiling.profiles.profiler import read_profile
from tests.helpers.chromium import BROWSER, Chromium
from tests.helpers.command import apportion
from tests.helpers.parsed_report import Page
from tests.helpers.scored_store import PRM, PROBLEMS, SAMPLES, fill


def document(place: Path, *arguments: str) -> Any:
    """The sections of a report written as JSON."""
    out = ["--format", "json", "--out", "report.json", "--json"]
    ended = apportion(place, "report", *arguments, *out)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    written = json.loads((place / "report.json").read_text())
    assert told == {
        "policy": written["policy"], "prm": written["prm"], "format": "json", "out": "report.json"
    }  # fmt: skip
    return written["sections"]


def said(section: Any) -> str:
    return " ".join(section["words"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `tests.helpers.scored_store`."""
    return fill(tmp_path_factory.mktemp("report"))


def test_a_store_without_a_model_has_the_reliability_of_its_prms_scores(place: Path) -> None:
    made = document(place)
    with Store.open(f"sqlite:///{place}/apportion.db") as store:
        (spec,) = (one for one in store.runs("profile") if one.prm == PRM)
        profiles = read_profile(store, spec)
    bins = made["reliability"]["tables"]["reliability-table"]
    assert sum(row["predictions"] for row in bins) == len(PROBLEMS) * SAMPLES
    right = sum(one.pass_rate.successes for one in profiles)
    assert sum(row["predictions"] * row["right"]["right"] for row in bins) == pytest.approx(right)
    assert set(made["reliability"]["plots"]["reliability-bins"]["series"]) == {"PRM"}
    assert made["prm"]["rewards"]["samples"] == len(PROBLEMS) * SAMPLES
    rows = made["basis"]["tables"]["basis-table"]
    assert {(row["strategy"], row["source"], row["origin"]) for row in rows} == {
        ("majority", "replayed", "apportion.db"),
        ("best_of_n", "replayed", "apportion.db"),
        ("short_m_of_k", "replayed", "apportion.db"),
    }
    assert sum(made["basis"]["problems_by_difficulty"].values()) == len(PROBLEMS)


def test_without_a_store_this_projects_own_evidence_answers(tmp_path: Path) -> None:
    made = document(tmp_path, "--policy", "smollm2-135m", "--budget", "16")
    rows = made["basis"]["tables"]["basis-table"]
    assert {row["source"] for row in rows} == {"measured", "replayed"}
    assert {row["origin"] for row in rows} == {"this project's own runs"}
    assert {row["prm"] for row in rows} == {None, "smollm2-135m-head"}
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_where_nothing_was_measured_published_figures_answer_each_with_its_source(
    tmp_path: Path,
) -> None:
    pair = ["--policy", "Llama-3.2-1B-Instruct", "--prm", "RLHFlow-PRM-Deepseek-8B"]
    made = document(tmp_path, *pair)
    rows = made["basis"]["tables"]["basis-table"]
    *published, model = rows
    assert {row["source"] for row in published} == {"published"}
    assert all(0 < row["accuracy"] < 1 and row["origin"] for row in published)
    assert model["source"] == "model" and model["rows"] > len(published)
    assert made["reliability"]["plots"] == {}
    assert "a model's of published figures" in said(made["model"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--policy: must be given; the store knows none"),
        (["--policy", "nobody"], "policy nobody: there is no evidence on it"),
        (["--policy", "lab-0.8m", "--budget", "0"], "budget is 0; expected"),
        (["--policy", "lab-0.8m", "--out", "no/report.html"], "the folder no does not exist"),
        (["--policy", "lab-0.8m", "--format", "pdf"], "invalid choice: 'pdf'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    out = [] if "--out" in arguments else ["--out", "report.html"]
    ended = apportion(tmp_path, "report", *arguments, *out)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
def test_the_laboratorys_page_is_whole_in_a_browser(tmp_path: Path) -> None:
    """102,400 scored samples; a policy named alone has the PRM that comes with it."""
    ended = apportion(tmp_path, "report", "--policy", "lab-0.8m", "--out", "report.html")
    assert ended.returncode == 0, ended.stderr
    page = tmp_path / "report.html"
    made = Page(page.read_text()).record
    assert made["prm"] == "lab-0.8m-prm"
    assert made["sections"]["prm"]["rewards"]["samples"] == 102_400
    with Chromium(tmp_path / "browser") as browser:
        for width in (1280, 390):
            browser.open(page, width)
            (tmp_path / f"report-{width}.png").write_bytes(browser.picture())
            drawn = browser.ask("document.querySelectorAll('svg.plot [data-x]').length")
            assert drawn > 200
            wide = "document.documentElement.scrollWidth"
            assert browser.ask(wide) <= width
