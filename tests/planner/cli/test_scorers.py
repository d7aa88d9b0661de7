"""Scorers of whole responses along the road, on the command line; only the engines are simulated.

One is the project's own and one comes from a package that is found by its entry point.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.scorers import registry
from tests.helpers import scorer_package
from tests.helpers.command import apportion, document
from tests.helpers.simulated_command import POLICY, simulated_command, write_problems

FREE = "mean-logprob"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The package `brevity` is installed."""
    folder = scorer_package.install(tmp_path_factory.mktemp("site-packages"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        registry.forget_packages()
        yield
    sys.modules.pop("brevity", None)
    registry.forget_packages()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, installed: None) -> Path:
    """A folder with a profile of twelve problems, as the package's scorer scored it."""
    place = tmp_path_factory.mktemp("scorers")
    write_problems(place / "problems.jsonl", 12)
    with simulated_command():
        for scorer in ([], ["--scorer", "brevity"]):
            found = document(
                place, "profile", "--problems", "problems.jsonl", "--policy", POLICY,
                "--max-samples", "16", *scorer,
            )  # fmt: skip
    assert found["prm"] == "brevity"
    assert found["rewards"]["samples"] == 12 * 16
    assert found["ledger"]["prm"] == 0
    return place


@pytest.mark.parametrize("scorer", ["brevity", FREE])
def test_its_votes_are_replayed_one_rule_each(place: Path, scorer: str) -> None:
    """A free scorer is replayed from a profile that it did not score."""
    made = document(place, "replay", "--policy", POLICY, "--scorer", scorer, "--k", "8")
    assert made["prm"] == scorer
    rules = [point["rule"] for point in made["surface"]]
    assert {one["name"] for one in rules if one["score"]} == {"max last", "weighted last"}


@pytest.mark.parametrize("scorer", ["brevity", FREE])
def test_a_recommendation_prices_it_at_nothing(place: Path, scorer: str) -> None:
    made = document(place, "recommend", "--policy", POLICY, "--scorer", scorer, "--budget", "8")
    assert made["prm"] == scorer
    found = {one["strategy"]["name"]: one for one in made["alternatives"]} | {
        made["strategy"]["name"]: made
    }
    assert "best_of_n" in found
    assert found["best_of_n"]["cost"]["prm_tokens"] == 0


def test_a_plan_with_it_runs(place: Path) -> None:
    with simulated_command():
        line = ["plan", "--policy", POLICY, "--scorer", "brevity", "--budget", "8"]
        assert apportion(place, *line, "--out", "plan.json").returncode == 0
        ran = document(place, "run", "--plan", "plan.json", "--problems", "problems.jsonl")
        direct = document(
            place, "run", "--strategy", "best_of_n", "--budget", "4", "--policy", POLICY,
            "--scorer", "brevity", "--problems", "problems.jsonl",
        )  # fmt: skip
    assert ran["runs"][0]["problems"] == direct["runs"][0]["problems"] == 12
    assert direct["runs"][0]["ledger"]["prm"] == 0


@pytest.fixture(scope="module")
def sure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a profile that recorded the confidences of its tokens."""
    place = tmp_path_factory.mktemp("sure")
    write_problems(place / "problems.jsonl", 12)
    with simulated_command():
        document(
            place, "profile", "--problems", "problems.jsonl", "--policy", POLICY,
            "--max-samples", "24", "--top-logprobs", "20",
        )  # fmt: skip
    return place


@pytest.mark.parametrize("scorer", ["deepconf-mean", "deepconf-tail", "deepconf-lowest"])
def test_one_profile_replays_every_summary_of_confidences(sure: Path, scorer: str) -> None:
    made = document(sure, "replay", "--policy", POLICY, "--scorer", scorer, "--k", "16")
    rules = {point["rule"]["name"]: point["rule"] for point in made["surface"]}
    assert [name for name, rule in rules.items() if rule["score"]] == [
        "max last", "weighted last", "best 10% weighted last", "best 90% weighted last",
    ]  # fmt: skip
    assert [rule.get("keep") for rule in rules.values()][-4:] == [None, None, 0.1, 0.9]


def test_votes_by_rank_are_replayed_as_asked(sure: Path) -> None:
    line = ["replay", "--policy", POLICY, "--scorer", FREE, "--k", "2,8"]
    made = document(sure, *line, "--keep", "0.25", "--power", "0,2")
    rules = [point["rule"]["name"] for point in made["surface"] if point["difficulty"] == "all"]
    assert rules[-6:] == [
        name
        for name in ("best 25% weighted last", "borda p=0 last", "borda p=2 last")
        for _ in range(2)
    ]
    plain = ["replay", "--policy", POLICY]
    for words in (
        [*line, "--keep", "0"], [*line, "--power", "-1"], [*line, "--keep", "most"],
        [*plain, "--keep", "0.1"],
    ):  # fmt: skip
        refused = apportion(sure, *words)
        assert refused.returncode == 2
        assert refused.stderr.strip().splitlines()[-1].startswith("apportion: ")


def test_a_recommendation_knows_the_votes_of_its_authors(sure: Path) -> None:
    made = document(
        sure, "recommend", "--policy", POLICY, "--scorer", "deepconf-tail", "--budget", "16"
    )
    found = [made["strategy"], *(one["strategy"] for one in made["alternatives"])]
    assert {one.get("keep") for one in found if one["name"] == "best_of_n"} == {None, 0.1, 0.9}
    assert {one["cost"]["prm_tokens"] for one in made["alternatives"]} == {0}


def test_a_live_vote_among_the_most_confident_runs(sure: Path) -> None:
    with simulated_command():
        measured = document(
            sure, "measure", "--strategies", "best_of_n", "--budgets", "16", "--vote", "weighted",
            "--keep", "0.1", "--policy", POLICY, "--scorer", "deepconf-tail",
            "--problems", "problems.jsonl",
        )  # fmt: skip
    [run] = measured["runs"]
    assert run["name"] == "best_of_n(n=16,score=last,vote=weighted,keep=0.1)"
    assert run["problems"] == 12
    assert run["ledger"]["prm"] == 0


def test_samples_without_confidences_are_said_to_lack_them(place: Path, tmp_path: Path) -> None:
    for where, policy in ((place, POLICY), (tmp_path, "lab-0.8m")):
        for command in ("replay", "recommend"):
            refused = apportion(where, command, "--policy", policy, "--scorer", "deepconf-tail")
            assert refused.returncode == 2
            assert refused.stderr.strip().splitlines()[-1] == (
                f"apportion: --scorer deepconf-tail: the samples of {policy} hold no confidences "
                "of their tokens; record them with apportion profile --top-logprobs 20"
            )


@pytest.mark.parametrize("scorer", ["brevity", FREE])
def test_a_search_over_steps_is_refused_in_one_line(place: Path, scorer: str) -> None:
    with simulated_command():
        refused = apportion(
            place, "measure", "--strategies", "beam_search", "--budgets", "4", "--policy", POLICY,
            "--scorer", scorer, "--problems", "problems.jsonl",
        )  # fmt: skip
    assert refused.returncode == 2
    assert refused.stderr.strip().splitlines()[-1] == (
        f"apportion: strategy beam_search needs a scorer of steps; {scorer} scores whole responses "
        "only, which is enough for best_of_n"
    )


def test_all_strategies_are_those_that_the_scorer_can_serve(place: Path) -> None:
    with simulated_command():
        made = document(
            place, "measure", "--budgets", "4", "--policy", POLICY, "--scorer", "brevity",
            "--problems", "problems.jsonl", "--store", "sqlite:///all.db",
        )  # fmt: skip
    names = {run["name"].split("(")[0] for run in made["runs"]}
    assert {"best_of_n", "majority"} <= names
    assert not {"beam_search", "dvts", "particle_filter"} & names


@pytest.mark.parametrize("command", ["profile", "replay"])
def test_certainty_of_a_policy_that_does_not_say_it_is_one_line(place: Path, command: str) -> None:
    asked = [] if command == "replay" else ["--problems", "problems.jsonl", "--max-samples", "4"]
    with simulated_command():
        refused = apportion(
            place, command, "--policy", POLICY, "--scorer", "self-certainty", *asked
        )  # fmt: skip
    assert refused.returncode == 2
    last = refused.stderr.strip().splitlines()[-1]
    assert "whole vocabulary" in last and "fit-prm --fuse" in last


def test_bundled_evidence_knows_free_scorers(tmp_path: Path) -> None:
    made = document(tmp_path, "recommend", "--policy", "lab-0.8m", "--scorer", FREE)
    assert made["prm"] == FREE
    assert {one["strategy"]["name"] for one in made["alternatives"]} >= {"majority"}
    replayed = document(tmp_path, "replay", "--policy", "lab-0.8m", "--scorer", FREE, "--k", "4")
    assert {point["rule"]["score"] for point in replayed["surface"]} == {None, "last"}
