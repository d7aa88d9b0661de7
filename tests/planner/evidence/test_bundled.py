"""The first day: `recommend` answers in an empty folder from bundled evidence."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from executor.errors import InputError
from executor.files import data_folder
from executor.models.architecture import Shape
from executor.store.store import RunSpec, Store
from planner.catalog import Catalog, PolicyEntry
from planner.choice.answer import Answer
from planner.choice.constraint import Constraint
from planner.evidence.bundled import (
    bundled_benchmarks,
    bundled_policies,
    bundled_profiles,
    bundled_rows,
    bundled_shape,
)
from planner.evidence.layout import save
from planner.notes import NoteCode
from planner.usecases.recommend import recommend
from planner.usecases.store_lookup import names_in_evidence
from profiling.difficulty.probes import TEXT
from profiling.profiles.profiler import BENCHMARK
from tests.helpers import command
from tests.helpers.notes import of_code, worded


def test_recommend_answers_from_bundled_evidence_and_says_so(tmp_path: Path) -> None:
    pair = ("--policy", "smollm2-135m", "--prm", "smollm2-135m-head")
    document = command.document(tmp_path, "recommend", *pair, "--budget", "16")
    assert set(document["strategy"]) == {"name", "n", "width", "score", "vote"}
    assert document["interval"][0] <= document["predicted_accuracy"] <= document["interval"][1]
    assert document["cost"]["flops"] > 0
    assert worded(document, NoteCode.BUNDLED_EVIDENCE)
    [vote] = worded(document, NoteCode.VOTE_GAIN)
    assert "smollm2-135m-head" in vote
    assert list(tmp_path.iterdir()) == []


def test_bundled_evidence_is_whole() -> None:
    frame = bundled_rows()
    votes = {"majority", "short_m_of_k", "best_of_n"}
    assert set(frame["name"]) == {"greedy", *votes, "beam_search", "dvts"}
    assert frame["accuracy"].between(0, 1).all()
    assert bundled_policies() == tuple(sorted(frame["policy"].unique()))
    assert (frame["generated_tokens"] > 0).all()
    ledger = [column for column in frame.columns if column.endswith("_tokens")]
    assert frame[ledger].notna().all(axis=None)
    assert not frame["policy"].eq("").any()
    # A PRM's rows and only those name it.
    uses = frame["name"].isin(["best_of_n", "beam_search", "dvts"])
    assert (frame["prm"].ne("") == uses).all()


def test_bundled_models_have_shapes() -> None:
    assert bundled_shape("lab-0.8m") == Shape(4, 128, 128)
    assert bundled_shape("smollm2-135m") == Shape(30, 576, 192)
    assert bundled_shape("no-such-model") is None


def test_problems_without_a_text_have_its_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The laboratory's texts ship; of other benchmarks only features do."""
    kept = data_folder()
    (tmp_path / "problems").symlink_to(kept / "problems")
    (tmp_path / "measured" / "problems").mkdir(parents=True)
    (tmp_path / "measured" / "pools").symlink_to(kept / "measured" / "pools")
    known = bundled_profiles("lab-0.4m", None)
    uid, other = sorted(known)[:2]
    features = pd.DataFrame([{"problem": uid} | {name: i for i, name in enumerate(TEXT)}])
    features.to_parquet(tmp_path / "measured" / "problems" / "features.parquet")
    monkeypatch.setattr("planner.evidence.bundled.data_folder", lambda: tmp_path)
    profiles = bundled_profiles("lab-0.4m", None)
    about = profiles[uid].about
    assert about is not None
    assert about.tolist() == list(range(len(TEXT)))
    assert profiles[other].about is None
    assert profiles[other].outcome.problem.text == known[other].outcome.problem.text != ""


@pytest.fixture
def two_benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Bundled evidence on lab-0.8m whose problems are said to be of two benchmarks."""
    frame = bundled_rows("lab-0.8m")
    first = frame["problem"].isin(sorted(frame["problem"].unique())[:150])
    kept = data_folder()
    for name in ("catalog.toml", "prices.toml", "published", "models"):
        (tmp_path / name).symlink_to(kept / name)
    labelled = frame.assign(benchmark=first.map({True: "A", False: "B"}))
    save(labelled, tmp_path / "measured" / "lab-0.8m.parquet")
    for module in ("planner.evidence.bundled", "planner.catalog"):
        monkeypatch.setattr(f"{module}.data_folder", lambda: tmp_path)
    return tmp_path


def test_bundled_evidence_is_asked_about_one_benchmark(two_benchmarks: Path) -> None:
    assert bundled_benchmarks("lab-0.8m") == ("A", "B")

    def ask(benchmark: str | None) -> Answer:
        store = f"sqlite:///{two_benchmarks}/none.db"
        limits = Constraint(budget=16)
        return recommend(
            "lab-0.8m", "lab-0.8m-prm", benchmark=benchmark, constraint=limits, store=store
        )

    one, other, both = ask("A"), ask("B"), ask(None)
    assert [found.made.choice.problems for found in (one, other, both)] == [150, 250, 400]
    codes = [{note.code for note in found.notes} for found in (one, both)]
    of_bundled = [of_code(found.notes, NoteCode.BUNDLED_EVIDENCE)[0] for found in (one, both)]
    assert [note.items("benchmarks") for note in of_bundled] == [("A",), ("A", "B")]
    pooled = [NoteCode.BENCHMARKS_POOLED in found for found in codes]
    assert pooled == [False, True]


def test_a_benchmark_that_nothing_was_measured_on_is_answered_from_figures(
    two_benchmarks: Path,
) -> None:
    with pytest.raises(InputError, match="benchmark is C; expected one with"):
        recommend("lab-0.8m", benchmark="C", store=f"sqlite:///{two_benchmarks}/none.db")


def test_own_runs_on_another_benchmark_do_not_hide_it(two_benchmarks: Path) -> None:
    url = f"sqlite:///{two_benchmarks}/mine.db"
    hub_name = "Lab-0.8M-Instruct"
    entry = PolicyEntry("lab-0.8m", 800_000, "lab", hub=f"org/{hub_name}")
    catalog = Catalog({"lab-0.8m": entry}, {})
    with Store.open(url) as store:
        store.start(RunSpec("profile", hub_name, None, {BENCHMARK: "C"}))
    names = [names_in_evidence(url, "lab-0.8m", None, catalog, each) for each in ("A", "C", "D")]
    assert names == [("lab-0.8m", None), (hub_name, None), (hub_name, None)]
    assert names_in_evidence(url, "lab-0.8m", None, catalog) == (hub_name, None)
