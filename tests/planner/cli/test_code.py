"""Problems of code along the road, on the command line; only the engines are simulated."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.policies.simulated import SimulatedPolicy
from tests.helpers.code_session import code_command, write_code_problems
from tests.helpers.command import apportion, document

pytestmark = [pytest.mark.process, pytest.mark.long]

POLICY = SimulatedPolicy().name
TESTS = ("--policy", POLICY, "--scorer", "tests")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a profile of eight problems, 8 samples each, without a scorer."""
    place = tmp_path_factory.mktemp("code")
    write_code_problems(place / "problems.jsonl", 8)
    with code_command():
        made = document(
            place, "profile", "--problems", "problems.jsonl", "--domain", "code",
            "--policy", POLICY, "--max-samples", "8",
        )  # fmt: skip
    assert 0 < made["ledger"]["executions"] < 8 * 8 and made["ledger"]["prm"] == 0
    assert made["isolation"] in (["namespaces"], ["filters"])
    return place


def test_a_plan_with_public_tests_is_made_from_a_profile_without_a_scorer(place: Path) -> None:
    replayed = document(place, "replay", *TESTS, "--k", "4")
    at = {p["rule"]["name"]: p for p in replayed["surface"] if p["difficulty"] == "all"}
    assert at["max last"]["accuracy"] == pytest.approx(at["pass"]["accuracy"])
    assert 1 < at["max last"]["executions"] <= 4 and at["pass"]["executions"] == 0

    advised = document(place, "recommend", *TESTS, "--budget", "4")
    assert advised["prm"] == "tests" and advised["predicted_accuracy"] > 0.8
    with code_command():
        planned = apportion(place, "plan", *TESTS, "--budget", "4", "--out", "plan.json")
        assert planned.returncode == 0, planned.stderr
        ran = document(place, "run", "--plan", "plan.json", "--problems", "problems.jsonl")
        best = document(
            place, "run", "--strategy", "best_of_n", "--budget", "4", *TESTS,
            "--problems", "problems.jsonl",
        )  # fmt: skip
    assert ran["runs"][0]["isolation"] == best["runs"][0]["isolation"] != []
    assert ran["runs"][0]["problems"] == best["runs"][0]["problems"] == 8
    assert best["runs"][0]["accuracy"] > 0.9
