"""Problems of code with a real engine: a laboratory model, which writes no programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.code_session import write_code_problems
from tests.helpers.command import ROOT, document

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.process]


def test_an_engine_s_responses_are_executed_and_scored(tmp_path: Path) -> None:
    write_code_problems(tmp_path / "problems.jsonl", 2)
    models = ("--policy", ROOT / "data" / "models" / "lab-0.4m", "--scorer", "tests")
    given = ("--problems", "problems.jsonl", "--max-tokens", "24")
    made = document(tmp_path, "profile", *given, *models, "--max-samples", "4")
    assert made["prm"] == "tests" and made["rewards"]["samples"] == 8
    assert made["ledger"]["generated"] > 0 and made["ledger"]["prm"] == 0
    best = ("--strategy", "best_of_n", "--budget", "2")
    ran = document(tmp_path, "run", *given, *models, *best)
    assert ran["runs"][0]["problems"] == 2 and ran["runs"][0]["accuracy"] is not None
