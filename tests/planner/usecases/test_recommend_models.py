"""`recommend` over models: from the command line to the document, on evidence and on figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import apportion as public
from executor.ledger import Ledger
from executor.outcome import Outcome
from executor.problem import Problem
from executor.store.store import RunSpec, Store
from executor.strategy import Greedy, Majority, Strategy, to_dict
from planner.choice.constraint import Constraint
from planner.costs.measured import note_model
from planner.notes import NoteCode
from tests.helpers.command import apportion, document
from tests.helpers.notes import worded

PAIR = ["recommend", "--policy", "lab-0.4m", "--policy", "lab-1.8m"]
PRMS = ["--prm", "lab-0.4m-prm", "--prm", "lab-1.8m-prm"]
NO_STORE = "sqlite:///no-such-store.db"


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("laboratory")
    return document(place, *PAIR, *PRMS, "--max-flops", "2e9")


def test_the_document_keeps_the_contract_and_names_models(laboratory: Any) -> None:
    assert {
        "policy", "prm", "difficulty", "strategy", "predicted_accuracy", "interval", "cost",
        "alternatives", "evidence", "notes", "policies", "against", "pairs", "printed_pairs",
    } <= set(laboratory)  # fmt: skip
    assert laboratory["policies"] == ["lab-0.4m", "lab-1.8m"]
    for other in [*laboratory["alternatives"], *laboratory["pareto"], laboratory["runner_up"]]:
        assert other["policy"] in laboratory["policies"]
        assert (other["prm"] is None) == (other["strategy"]["name"] in ("greedy", "majority"))
    assert laboratory["cost"]["flops"] <= 2e9
    assert {row["policy"] for row in laboratory["evidence"]} == set(laboratory["policies"])


def test_the_front_runs_over_models(laboratory: Any) -> None:
    front = laboratory["pareto"]
    assert {one["policy"] for one in front} == {"lab-0.4m", "lab-1.8m"}
    costs = [one["cost"]["flops"] for one in front]
    accuracies = [one["predicted_accuracy"] for one in front]
    assert costs == sorted(costs) and accuracies == sorted(accuracies)
    for other in laboratory["alternatives"]:
        better = [c for c, a in zip(costs, accuracies, strict=True)
                  if a >= other["predicted_accuracy"] and c <= other["cost"]["flops"]]  # fmt: skip
        assert better


def test_measured_models_are_paired_by_their_problems(laboratory: Any) -> None:
    assert laboratory["runner_up"]["paired_problems"] == 400
    [pair] = laboratory["pairs"]
    assert (pair["policy"], pair["larger"]["policy"]) == ("lab-0.4m", "lab-1.8m")
    assert (pair["basis"], pair["paired_problems"]) == ("problems", 400)
    assert pair["size_ratio"] == pytest.approx(5.1, abs=0.1)
    assert pair["cost_ratio"] > 1  # on this task one larger answer is cheaper than many small ones


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*PAIR, "--budget", "16"], "N generations of a small and of a large model are not the"),
        ([*PAIR, "--difficulty", "hard"], "is by the pass@1 of one policy"),
        ([*PAIR, "--parameters", "7B"], "list the sizes of several in a file with --catalog"),
        ([*PAIR, "--policy", "lab-0.4m"], "--policy lab-0.4m: is given twice"),
        ([*PAIR, "--policy", "smollm2-135m"], "were not measured on the same problems"),
        ([*PAIR, "--policy", "Llama-3.2-1B-Instruct"], "there is no evidence on it; measure it"),
        ([*PAIR, "--prm", "none", "--prm", "lab-0.4m-prm"], "cannot stand beside another"),
        ([*PAIR, "--prm", "lab-9m-prm"], "(known: lab-0.4m-head, lab-0.4m-prm,"),
        ([*PAIR, "--prm", "none", "--max-usd", "1"], "no policy has a known cost in money"),
        ([*PAIR, "--prm", "none", "--max-flops", "9"], "the nearest, greedy of lab-0.4m, needs"),
        (["recommend", "--policy", "all", "--benchmark", "MATH-5000"], "nothing is known of any"),
        (["recommend", "--policy", "Llama-3.2-1B", "--policy", "o9", "--benchmark", "MATH-500"],
         "no catalog lists it"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_in_one_line(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    ended = apportion(tmp_path, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert words in ended.stderr and ended.stderr.count("\n") == 1


@pytest.mark.long
def test_all_without_a_benchmark_are_those_of_the_same_problems(tmp_path: Path) -> None:
    made = document(tmp_path, "recommend", "--policy", "all", "--prm", "none")
    assert made["policies"] == ["lab-0.4m", "lab-0.8m", "lab-teacher", "lab-1.8m"]
    [left] = worded(made, NoteCode.MODELS_LEFT_OUT)
    assert left.startswith("left out: qwen2.5-coder-1.5b, smollm2-135m (not run on the problems of")


def test_people_read_models_and_the_papers_sentence(tmp_path: Path) -> None:
    text = apportion(tmp_path, *PAIR, "--prm", "none", "--max-flops", "2e9").stdout
    assert text.startswith("greedy for lab-1.8m\n")
    assert "\nnearest    majority(n=256) of lab-0.4m, " in text
    assert "does not reach one answer of lab-1.8m (greedy," in " ".join(text.split())
    assert "paired on 400 problems" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100
    header = next(line for line in text.splitlines() if line.startswith("policy, PRM"))
    assert header.split()[2:4] == ["strategy@N", "accuracy"]


@pytest.mark.long
def test_the_python_interface_takes_several_policies() -> None:
    answer = public.recommend(
        ["lab-0.4m", "lab-1.8m"], "none", constraint=Constraint(max_flops=1e9), store=NO_STORE
    )
    assert answer.policies == ("lab-0.4m", "lab-1.8m")
    with public.Apportion(NO_STORE) as session:
        again = session.recommend(["lab-0.4m", "lab-1.8m"], "none", max_flops=1e9)
    assert again.made.choice == answer.made.choice
    one = public.recommend("lab-1.8m", constraint=Constraint(max_flops=1e9), store=NO_STORE)
    assert one.policies == () and one.made.choice.models is None


def test_several_prms_of_one_policy_are_compared_with_limits_of_its_own() -> None:
    answer = public.recommend(
        "lab-0.8m", ["lab-0.8m-prm", "lab-0.8m-prm-weak"], difficulty="hard",
        constraint=Constraint(budget=16), store=NO_STORE,
    )  # fmt: skip
    assert answer.prm == "lab-0.8m-prm" and answer.made.choice.strategy.n <= 16
    assert answer.pairs == answer.against == ()


# A store of one's own


def store_of(tmp_path: Path, problems: dict[str, range]) -> str:
    """A store in which every policy solved every third of its problems, greedily and by votes."""
    url = f"sqlite:///{tmp_path}/own.db"
    strategies: list[Strategy] = [Greedy(), Majority(4)]
    with Store.open(url) as store:
        for size, (policy, own) in enumerate(problems.items(), start=1):
            note_model(store, policy, size * 1_000_000, None)
            for strategy in strategies:
                ledger = Ledger(generated=10 * strategy.n)
                outcomes = [
                    Outcome(Problem(f"p{i}", f"How much is {i}?", "1"), "1", i % 3 == 0, None, (),
                            ledger)
                    for i in own
                ]  # fmt: skip
                settings = {"strategy": to_dict(strategy)}
                store.save_runs([(RunSpec("measure", policy, None, settings), outcomes)])
    return url


@pytest.mark.long
def test_the_stores_policies_are_compared_on_the_problems_they_share(tmp_path: Path) -> None:
    url = store_of(tmp_path, {"mine": range(60), "larger": range(20, 60), "other": range(90, 150)})
    asked = ["recommend", "--prm", "none", "--store", url, "--policy"]
    made = document(tmp_path, *asked, "all")
    assert made["policies"] == ["mine", "larger"]
    [shared] = worded(made, NoteCode.COMPARED_ON_SHARED)
    assert "40 of 60 problems" in shared
    [left] = worded(made, NoteCode.MODELS_LEFT_OUT)
    assert "other" in left and "lab-0.8m" in left
    [pair] = made["pairs"]
    assert (pair["paired_problems"], pair["difference"]) == (40, pytest.approx(0))
    assert made["policy"] == "mine"  # as accurate, and smaller
    ended = apportion(tmp_path, *asked, "mine", "--policy", "other")
    assert ended.returncode == 2
    assert "mine on 60, other on 60, and 0 of these are of all" in ended.stderr


def test_models_larger_than_the_device_are_left_out(tmp_path: Path) -> None:
    made = document(
        tmp_path, "recommend", "--policy", "Llama-3.1-8B-Instruct", "--policy",
        "Llama-3.1-405B-Instruct", "--prm", "none", "--device", "l4-24gb", "--max-usd", "1",
    )  # fmt: skip
    assert made["policies"] == ["Llama-3.1-8B-Instruct"]
    assert made["cost_unit"] == "usd"
    [left] = worded(made, NoteCode.MODELS_LEFT_OUT)
    assert left == "left out: Llama-3.1-405B-Instruct (larger than the memory of --device)"


@pytest.mark.long
def test_all_policies_with_figures_of_a_benchmark(tmp_path: Path) -> None:
    ended = apportion(
        tmp_path, "recommend", "--policy", "all", "--benchmark", "MATH-500", "--target-accuracy",
        "0.7", "--confidence", "0.9", "--json",
    )  # fmt: skip
    made = json.loads(ended.stdout)
    assert {"Llama-3.2-1B-Instruct", "Llama-3.1-405B-Instruct", "Qwen2.5-72B-Instruct"} <= set(
        made["policies"]
    )
    # A small one with its strategy is sure enough, and cheaper than the largest.
    assert ended.returncode == 0
    assert (made["policy"], made["strategy"]["n"]) == ("Qwen2.5-Math-7B-Instruct", 4)
    assert made["chance_of_target"] >= 0.9
    assert NoteCode.BONFERRONI not in made["note_codes"]  # one model predicts all of them
    largest = made["against"][0]
    assert largest["larger"]["policy"] == "Llama-3.1-405B-Instruct"
    assert (largest["basis"], largest["paired_problems"]) == ("figures", 0)
    assert largest["difference"] > 0 and largest["size_ratio"] > 50
    assert 1 / largest["cost_ratio"] > 10
    pairs = {(one["policy"], one["larger"]["policy"]): one for one in made["pairs"]}
    saving = pairs["Qwen2.5-Math-7B-Instruct", "Llama-3.1-405B-Instruct"]
    assert saving["strategy"]["name"] == "greedy" and 1 / saving["cost_ratio"] > 50
    printed = {(one["policy"], one["n"], one["larger"]["policy"]): one["difference"]
               for one in made["printed_pairs"]}  # fmt: skip
    assert printed["Llama-3.2-1B-Instruct", 512, "Llama-3.1-405B-Instruct"] > 0
    assert printed["Llama-3.2-1B-Instruct", None, "Llama-3.1-405B-Instruct"] < 0
    assert any(row.get("source") == "arXiv:2502.06703 Table 3" for row in made["evidence"])


def test_a_report_over_models_is_written(tmp_path: Path) -> None:
    asked = ["--policy", "lab-0.4m", "--policy", "lab-1.8m", "--prm", "none"]
    written = document(tmp_path, "report", *asked, "--format", "json", "--out", "models.json")
    assert (written["policy"], written["format"]) == ("lab-1.8m", "json")
    sections = json.loads((tmp_path / "models.json").read_text())["sections"]
    assert list(sections) == ["recommendation", "front", "larger", "basis", "notes"]
    assert sections["larger"]["pairs"][0]["paired_problems"] == 400
