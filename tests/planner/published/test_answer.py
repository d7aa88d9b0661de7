"""The first day: what others have published answers, says what it rests on, and how sure it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy.special import expit

from executor.errors import InputError
from executor.ledger import Ledger
from executor.outcome import Outcome
from executor.problem import Problem
from executor.store.store import RunSpec, Store
from executor.strategy import Dvts, Greedy, Majority, from_dict, key, to_dict
from planner.catalog import load_catalog
from planner.cli.commands import recommend as command
from planner.cli.console import Output
from planner.cli.main import build_parser
from planner.costs import measured as noted
from planner.costs.cost import Rates
from planner.notes import NoteCode
from planner.published import figures
from planner.published.answer import ask
from tests.helpers.command import document as document_of
from tests.helpers.notes import of_code, worded

ROOT = Path(__file__).parents[3]
PAIR = ("Llama-3.2-1B-Instruct", "RLHFlow-PRM-Deepseek-8B")
ASKED = ["--policy", PAIR[0], "--prm", PAIR[1], "--benchmark", "MATH-500", "--budget", "256"]

Recommend = Callable[..., dict[str, Any]]


class Kept(Output):
    """Keeps the document that a command ends with."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {}

    def result(self, document: dict[str, Any], show: Callable[[Console], None]) -> None:
        self.document = json.loads(json.dumps(document))


@pytest.fixture
def recommend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recommend:
    """The command, in a folder without a store; its document."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> dict[str, Any]:
        output = Kept()
        default = () if "--store" in arguments else ("--store", "sqlite:///apportion.db")
        asked = ["recommend", *arguments, *default]
        command.run(build_parser().parse_args(asked), output)
        return output.document

    return run


def width(document: dict[str, Any]) -> float:
    low, high = document["interval"]
    return float(high - low)


def test_a_published_pair_is_answered_and_holds_its_figure(tmp_path: Path) -> None:
    document = document_of(tmp_path, "recommend", *ASKED)
    assert (document["policy"], document["prm"]) == PAIR
    chosen = dict(document["strategy"])
    name = key(from_dict({k: v for k, v in chosen.items() if v is not None}))
    [own] = [row for row in document["evidence"] if row.get("strategy") == name]
    low, high = document["interval"]
    assert low <= own["accuracy"] <= high
    assert low <= document["predicted_accuracy"] <= high
    assert own["source"].startswith("github:") and own["study"] == "hf-regrade"
    [published] = worded(document, NoteCode.STRATEGY_PUBLISHED)
    assert own["source"] in published
    assert document["evidence"][-1]["source"] == "model"
    assert document["cost"]["flops"] > 0
    assert list(tmp_path.iterdir()) == []


def test_it_rests_on_figures_of_the_pair_and_shows_those_of_unnamed_prms(
    recommend: Recommend,
) -> None:
    rows = recommend(*ASKED)["evidence"][:-1]
    assert {row["policy"] for row in rows} == {PAIR[0]}
    assert {row["prm"] for row in rows} == {"", PAIR[1], "unstated"}
    assert {row["strategy"] for row in rows if row["prm"] == "unstated"} == {"compute_optimal"}
    assert {row["study"] for row in rows} == {"hf-regrade", "liu2025", "search-and-learn-44"}


def test_budgets_are_kept_to(recommend: Recommend) -> None:
    document = recommend(*ASKED[:-1], "16")
    found = [document["strategy"], *(one["strategy"] for one in document["alternatives"])]
    assert max(one["n"] for one in found) == 16
    assert {one["sources"] for one in document["alternatives"]} == {"published", "predicted"}


@pytest.mark.parametrize("budget", ["8", "100"])
def test_a_budget_without_figures_is_said_with_those_that_were_considered(
    recommend: Recommend, budget: str
) -> None:
    document = recommend(*ASKED[:-1], budget)
    [note] = worded(document, NoteCode.BUDGETS_CONSIDERED)
    assert note.startswith("budgets considered: N = 1, 2, 4, 16, 64 and 256; ")
    assert f"no figures of N = {budget}" in note
    [considered] = worded(recommend(*ASKED), NoteCode.BUDGETS_CONSIDERED)
    assert considered == "budgets considered: N = 1, 2, 4, 16, 64 and 256"


def test_hub_ids_name_the_same_models(recommend: Recommend) -> None:
    catalog = load_catalog()
    by_hub = recommend(
        "--policy", catalog.hub_id(PAIR[0]), "--prm", catalog.hub_id(PAIR[1]),
        "--benchmark", "MATH-500", "--budget", "256",
    )  # fmt: skip
    by_name = recommend(*ASKED)
    assert by_hub["predicted_accuracy"] == by_name["predicted_accuracy"]
    assert by_hub["evidence"] == by_name["evidence"]


def test_the_benchmark_is_chosen_and_said_where_none_is_given(recommend: Recommend) -> None:
    document = recommend("--policy", PAIR[0])
    [figures] = worded(document, NoteCode.PUBLISHED_FIGURES)
    assert "MATH-500" in figures and "--benchmark" in figures
    [asked] = worded(recommend(*ASKED), NoteCode.PUBLISHED_FIGURES)
    assert "MATH-500" in asked and "--benchmark" not in asked
    assert document["strategy"]["name"] in ("greedy", "majority")


@pytest.mark.parametrize(
    "pair", [("unheard-of-3B", "unheard-of-PRM"), (PAIR[0], "Qwen2.5-Math-PRM-7B")]
)
def test_an_unpublished_pair_is_the_models_answer_wider_and_says_so(
    recommend: Recommend, pair: tuple[str, str]
) -> None:
    published = recommend(*ASKED)
    document = recommend(
        "--policy", pair[0], "--prm", pair[1], "--benchmark", "MATH-500", "--budget", "256",
        "--allow-unknown",
    )  # fmt: skip
    assert width(document) > width(published)
    [unpublished] = worded(document, NoteCode.NOT_PUBLISHED)
    assert all(name in unpublished for name in (*pair, "MATH-500"))
    unknown = worded(document, NoteCode.NOT_IN_CATALOG)
    assert len(unknown) == (2 if pair[0] != PAIR[0] else 0)
    assert document["evidence"][-1]["source"] == "model"


def test_a_name_that_is_nearly_known_is_asked_after(recommend: Recommend) -> None:
    document = recommend(
        "--policy", "Llama-3.2-1B-instruct", "--benchmark", "MATH-500", "--allow-unknown"
    )
    [unknown] = worded(document, NoteCode.NOT_IN_CATALOG)
    assert "Llama-3.2-1B-Instruct" in unknown


def test_contradictions_that_touch_the_answer_are_told(recommend: Recommend) -> None:
    document = recommend("--policy", "Llama-3.2-3B-Instruct", "--benchmark", "MATH-500")
    [contrary] = worded(document, NoteCode.SOURCES_DISAGREE)
    assert "0.756 (arXiv:2502.06703 Table 3), 0.782 (arXiv:2502.06703 Table 5)" in contrary
    assert not worded(recommend(*ASKED), NoteCode.SOURCES_DISAGREE)
    both = [r["accuracy"] for r in document["evidence"] if r.get("strategy") == "compute_optimal"]
    assert sorted(both) == pytest.approx([0.756, 0.782])


def test_a_prm_that_cannot_be_run_is_said(recommend: Recommend) -> None:
    document = recommend("--policy", "Qwen2.5-Math-7B-Instruct", "--prm", "EurusPRM-Stage1")
    [unknown] = worded(document, NoteCode.PRM_FORMAT_UNKNOWN)
    assert "EurusPRM-Stage1" in unknown


def test_a_catalog_of_ones_own_gives_sizes_and_with_them_flops(
    recommend: Recommend, tmp_path: Path
) -> None:
    line = ["--policy", "mine", "--benchmark", "MATH-500"]
    without = recommend(*line, "--allow-unknown")
    (tmp_path / "mine.toml").write_text(
        '[policies.mine]\nparameters = 3_000_000_000\nfamily = "Llama-3"\n'
    )
    found = recommend(*line, "--catalog", "mine.toml")
    assert without["cost"]["flops"] is None
    tokens, _ = figures.tokens_per_response()
    assert found["cost"]["flops"] == pytest.approx(
        2 * 3e9 * tokens * found["strategy"]["n"], rel=1e-9
    )
    assert width(found) < width(without)


def test_own_measurements_come_before_published_figures(
    tmp_path: Path, recommend: Recommend
) -> None:
    """Runs of a catalog's model are stored under its hub id."""
    url = f"sqlite:///{tmp_path / 'own.db'}"
    with Store.open(url) as store:
        settings = {"strategy": to_dict(Majority(4))}
        store.start(RunSpec("measure", "meta-llama/Llama-3.2-1B-Instruct", None, settings))
    # Nothing in that run is finished, so that the store's own evidence cannot answer.
    with pytest.raises(InputError, match=r"policy meta-llama/\S+: there is no evidence"):
        recommend("--policy", PAIR[0], "--store", url)
    assert recommend(*ASKED, "--store", url)["evidence"][-1]["source"] == "model"


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (
            [*ASKED[:4], "--benchmark", "MATH500"],
            "is MATH500; expected .*: MATH-500, AIME24",
        ),
        ([*ASKED, "--difficulty", "hard"], "of whole benchmarks"),
        (["--policy", "unheard-of"], "there is no evidence"),
        ([*ASKED, "--catalog", "none.toml"], "none.toml: no such file"),
        ([*ASKED, "--max-seconds", "1"], "seconds"),
    ],
)
def test_bad_questions_are_one_line(
    recommend: Recommend, question: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        recommend(*question)
    assert "\n" not in str(caught.value)


def test_a_policy_measured_here_has_its_size_and_is_beyond_what_is_published(
    recommend: Recommend,
) -> None:
    """The bundled evidence knows how small the laboratory's policies are."""
    document = recommend("--policy", "lab-0.8m", "--prm", "lab-0.8m-prm", *ASKED[4:6])
    assert document["cost"]["flops"] is not None
    assert not worded(document, NoteCode.NOT_IN_CATALOG)
    assert not worded(document, NoteCode.PRM_FORMAT_UNKNOWN)
    [beyond] = worded(document, NoteCode.SIZE_BEYOND_FIGURES)
    assert all(part in beyond for part in ("lab-0.8m", "795,136", "494,032,768", "2.8 decades"))
    unheard_of = recommend("--policy", "unheard-of", *ASKED[4:6], "--allow-unknown")
    assert width(document) > width(unheard_of)
    assert document["predicted_accuracy"] < unheard_of["predicted_accuracy"]


def test_what_was_measured_here_and_not_used_is_said(recommend: Recommend) -> None:
    [unused] = worded(recommend("--policy", "lab-0.8m", *ASKED[4:6]), NoteCode.RUNS_NOT_USED)
    assert "this project's own runs of lab-0.8m on 400 problems" in unused
    assert "--benchmark" in unused
    assert not worded(recommend(*ASKED), NoteCode.RUNS_NOT_USED)


def test_a_store_knows_sizes_before_the_catalog(recommend: Recommend, tmp_path: Path) -> None:
    """Its checkpoint of a catalog's model was pruned, and has problems of its own."""
    url = f"sqlite:///{tmp_path / 'own.db'}"
    hub = load_catalog().hub_id(PAIR[0])
    outcome = Outcome(Problem("own", "Own?", "1"), "1", True, None, (), Ledger(generated=9))
    with Store.open(url) as store:
        noted.note_model(store, hub, 1_000_000_000, None)
        settings = {"strategy": to_dict(Greedy())}
        store.save_runs([(RunSpec("measure", hub, None, settings), [outcome])])
    document = recommend(*ASKED[:2], *ASKED[4:6], "--store", url)
    tokens, _ = figures.tokens_per_response()
    drawn = tokens * document["strategy"]["n"]
    assert document["cost"]["flops"] == pytest.approx(2 * 1e9 * drawn)
    [unused] = worded(document, NoteCode.RUNS_NOT_USED)
    assert f"own.db of {hub} on 1 problem;" in unused


def test_strategies_are_compared_by_what_they_do_not_share() -> None:
    """What is not known of the policy moves all its strategies: differences are surer than sums."""
    found = ask(*PAIR, "MATH-500", load_catalog(), Rates())
    strategies = [choice.strategy for choice in found.choices]
    i, j = strategies.index(Dvts(256)), strategies.index(Majority(4))
    contrast = found.contrast(found.choices[i], found.choices[j])
    together = contrast.better
    apart = found.means[i] - found.means[j]
    independent = apart / np.sqrt(found.covariance[i, i] + found.covariance[j, j])
    assert together > 0.99 > 0.95 > independent / 2
    back = found.contrast(found.choices[j], found.choices[i])
    assert back.better == pytest.approx(1 - together)
    assert back.interval == pytest.approx((-contrast.interval[1], -contrast.interval[0]))
    assert contrast.told_apart and back.told_apart


def test_the_error_of_a_difference_is_that_of_draws() -> None:
    """To first order; a normal on the logits, drawn."""
    found = ask(*PAIR, "MATH-500", load_catalog(), Rates())
    strategies = [choice.strategy for choice in found.choices]
    at = [strategies.index(Dvts(256)), strategies.index(Dvts(16))]
    drawn = np.random.default_rng(0).multivariate_normal(
        found.means[at], found.covariance[np.ix_(at, at)], size=20_000
    )
    apart = np.diff(expit(drawn), axis=1)
    one, other = (found.choices[i] for i in at)
    contrast = found.contrast(other, one)
    assert contrast.error == pytest.approx(apart.std(), rel=0.1)
    assert contrast.difference == pytest.approx(apart.mean(), abs=0.002)


def test_a_prediction_outside_its_own_figures_is_explained(recommend: Recommend) -> None:
    """0.544 is printed of the choice; all other figures let expect less."""
    document = recommend(*ASKED)
    assert worded(document, NoteCode.OUTSIDE_FIGURES)
    found = ask(*PAIR, "MATH-500", load_catalog(), Rates())
    [chosen] = [choice for choice in found.choices if choice.strategy == Dvts(256)]
    [outside] = of_code(found.printed(chosen, [chosen]), NoteCode.OUTSIDE_FIGURES)
    [(name, predicted, low, high)] = outside.items("strategies")
    assert (name, outside.text("chosen")) == (key(Dvts(256)), key(Dvts(256)))
    assert (predicted, low, high) == pytest.approx((0.494, 0.544, 0.544), abs=5e-4)
    assert outside.number("without") < document["predicted_accuracy"] < 0.544


def test_a_prediction_without_its_own_figures_has_not_seen_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalog = load_catalog()
    before = ask(*PAIR, "MATH-500", catalog, Rates()).without(Dvts(256))
    cells = figures.cells().copy()
    own = (cells["policy"] == PAIR[0]) & (cells["strategy"] == key(Dvts(256)))
    assert own.any()
    cells.loc[own, "accuracy"] = 0.1
    monkeypatch.setattr(figures, "cells", lambda: cells)
    after = ask(*PAIR, "MATH-500", catalog, Rates())
    assert after.without(Dvts(256)) == pytest.approx(before)
    assert (
        after.choices[[c.strategy for c in after.choices].index(Dvts(256))].predicted_accuracy < 0.4
    )


def test_what_a_prm_forwards_is_said_to_be_an_assumption(recommend: Recommend) -> None:
    documents = recommend(*ASKED), recommend(*ASKED[:2], *ASKED[4:])
    [scored], [plain] = (worded(one, NoteCode.TOKENS_ASSUMED) for one in documents)
    assert "PRM" in scored and "PRM" not in plain


def test_a_policy_with_tokens_of_its_own_is_priced_with_them(recommend: Recommend) -> None:
    document = recommend("--policy", "QwQ-32B", "--benchmark", "GPQA-Diamond", "--budget", "4")
    printed = figures.printed_tokens("QwQ-32B", "GPQA-Diamond")
    assert printed is not None and printed[0] > 5000
    drawn = printed[0] * document["strategy"]["n"]
    assert document["cost"]["generated_tokens"] == pytest.approx(drawn)
    [note] = worded(document, NoteCode.TOKENS_PUBLISHED)
    assert f"{printed[0]:.0f} tokens a response" in note and printed[1] in note
    assert not worded(document, NoteCode.TOKENS_ASSUMED)
    shown = {row.get("strategy") for row in document["evidence"]}
    assert {"majority(n=8)", "short_3_of_8"} <= shown


@pytest.mark.parametrize("policy", [PAIR[0], "QwQ-32B-Preview", "unheard-of"])
def test_studies_set_apart_move_no_prediction_of_other_policies(
    monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    catalog = load_catalog()
    found = ask(policy, PAIR[1], "AIME24", catalog, Rates())
    cells = figures.general(figures.cells()).reset_index(drop=True)
    assert len(cells) < len(figures.cells())
    monkeypatch.setattr(figures, "cells", lambda: cells)
    without = ask(policy, PAIR[1], "AIME24", catalog, Rates())
    assert found.choices == without.choices
    assert np.array_equal(found.means, without.means)
    assert np.array_equal(found.covariance, without.covariance)
    assert found.without(Majority(4)) == without.without(Majority(4))


def test_a_benchmark_of_studies_set_apart_is_refused_for_other_policies() -> None:
    catalog = load_catalog()
    assert ask("QwQ-32B", None, "GPQA-Diamond", catalog, Rates()).choices
    with pytest.raises(InputError, match=r"GPQA-Diamond; .* tell of \S+-Instruct: MATH"):
        ask(PAIR[0], None, "GPQA-Diamond", catalog, Rates())


def strategies_of(document: dict[str, Any]) -> set[str]:
    return {one["strategy"]["name"] for one in (document, *document["alternatives"])}


def test_greedy_is_not_proposed_of_a_policy_that_was_only_sampled(recommend: Recommend) -> None:
    asked = ("--policy", "DeepSeek-R1", "--benchmark", "AIME24")
    document = recommend(*asked)
    assert strategies_of(document) == {"majority"}
    [note] = worded(document, NoteCode.GREEDY_NOT_PUBLISHED)
    assert "DeepSeek-R1" in note and "N = 1 is one sample" in note
    cheapest = recommend(*asked, "--budget", "1")
    assert (cheapest["strategy"]["name"], cheapest["strategy"]["n"]) == ("majority", 1)


def test_greedy_stays_a_candidate_of_all_others(
    recommend: Recommend, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = recommend(*ASKED)
    assert "greedy" in strategies_of(document)
    assert not worded(document, NoteCode.GREEDY_NOT_PUBLISHED)
    unknown = recommend("--policy", "unheard-of", *ASKED[4:6], "--allow-unknown")
    assert "greedy" in strategies_of(unknown)
    sampled = ask("QwQ-32B", None, "AIME24", load_catalog(), Rates())
    monkeypatch.setattr(figures, "is_sampled_only", lambda *_: False)
    all_of_them = ask("QwQ-32B", None, "AIME24", load_catalog(), Rates())
    left_out = {one.strategy for one in all_of_them.choices} - {
        one.strategy for one in sampled.choices
    }
    assert left_out == {Greedy()}


def test_what_is_nearly_as_good_for_less_is_told_by_the_joint_prediction(
    recommend: Recommend,
) -> None:
    document = recommend(*ASKED)
    less = document["cheaper"]
    assert less["cost_ratio"] < 0.75 and less["paired_problems"] == 0
    low, high = less["difference_interval"]
    assert low < less["difference"] < 0 < high
    assert "joint prediction from published figures" in less["why"]


def test_an_answered_question_is_no_evidence(recommend: Recommend, tmp_path: Path) -> None:
    """`apportion run` leaves a run of the policy in the store, and nothing to judge it by."""
    with Store.open(f"sqlite:///{tmp_path}/runs.db") as store:
        store.start(RunSpec("run", PAIR[0], PAIR[1], {}))
    document = recommend(*ASKED[:4], "--store", f"sqlite:///{tmp_path}/runs.db")
    assert document["evidence"][-1]["source"] == "model"


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("Llama-3.2-1B-Instrukt", "did you mean Llama-3.2-1B-Instruct"),
        ("zzz", "give its size (--parameters 7B)"),
        ("zzz-3b-it", "give its size (--parameters 3b)"),
        ("zzz", "--allow-unknown"),
        ("lab-0.8", "did you mean lab-0.8m"),
    ],
)
def test_a_policy_nobody_knows_gets_near_names_and_a_way_on(
    recommend: Recommend, policy: str, said: str
) -> None:
    for benchmark in ((), ("--benchmark", "MATH-500")):
        with pytest.raises(InputError) as caught:
            recommend("--policy", policy, *benchmark)
        assert str(caught.value).startswith(f"policy {policy}: there is no evidence on it")
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("prm", "said"),
    [
        ("Skywork-PRM-7", "did you mean Skywork-PRM-7B"),
        ("zzz", "give its size (--prm-parameters 7B)"),
    ],
)
def test_a_prm_nobody_knows_gets_near_names_and_a_way_on(
    recommend: Recommend, prm: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        recommend("--policy", PAIR[0], "--prm", prm)
    assert str(caught.value).startswith(f"PRM {prm}: there is no evidence on it")
    assert said in str(caught.value)


def test_a_given_size_is_as_good_as_a_catalog_s(recommend: Recommend) -> None:
    unknown = recommend("--policy", "mine", "--allow-unknown")
    found = recommend("--policy", "mine", "--parameters", "3B")
    scored = recommend(
        "--policy", "mine", "--parameters", "3e9", "--prm", "judge", "--prm-parameters", "7B"
    )
    assert unknown["cost"]["flops"] is None
    assert not worded(found, NoteCode.NOT_IN_CATALOG)
    assert worded(unknown, NoteCode.NOT_IN_CATALOG)
    for document in (found, scored):
        assert document["cost"]["flops"] is not None
        assert width(document) < width(unknown)


def test_a_folder_has_the_size_of_its_checkpoint(recommend: Recommend, tmp_path: Path) -> None:
    folder = tmp_path / "my-checkpoint"
    folder.mkdir()
    header = json.dumps({"w": {"dtype": "F16", "shape": [1000, 2000], "data_offsets": [0, 0]}})
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header.encode())
    document = recommend("--policy", str(folder), "--benchmark", "MATH-500")
    tokens, _ = figures.tokens_per_response()
    assert document["policy"] == "my-checkpoint"
    assert document["cost"]["flops"] == pytest.approx(
        2 * 2e6 * tokens * document["strategy"]["n"], rel=1e-9
    )


@pytest.mark.parametrize("broken", [b"", b"x", b"\xff" * 20, b"\x02\0\0\0\0\0\0\0[]"])
def test_a_folder_whose_size_cannot_be_counted_is_not_known(
    recommend: Recommend, tmp_path: Path, broken: bytes
) -> None:
    folder = tmp_path / "my-checkpoint"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(broken)
    with pytest.raises(InputError, match="policy my-checkpoint: there is no evidence on it"):
        recommend("--policy", str(folder), "--benchmark", "MATH-500")


def test_a_size_of_a_model_that_is_not_named_is_refused(recommend: Recommend) -> None:
    with pytest.raises(InputError, match="--prm-parameters: is the size of no model"):
        recommend("--policy", PAIR[0], "--prm-parameters", "7B")


def test_what_is_said_of_published_figures_is_of_published_figures(recommend: Recommend) -> None:
    document = recommend(*ASKED)
    assert "joint prediction from published figures" in document["runner_up"]["why"]
    wide = worded(document, NoteCode.INTERVAL_WIDE)
    assert wide and not any("problem" in note for note in wide)
