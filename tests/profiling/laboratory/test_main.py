"""`python -m profiling.laboratory`: which samples a PRM is trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.ledger import Ledger
from executor.models.checkpoint import checkpoint_digest
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem
from executor.store.store import RunSpec, Store
from profiling.laboratory.__main__ import _samples, main
from profiling.laboratory.prm import PrmRecipe
from profiling.profiles.profiler import KIND

DATA = Path(__file__).parents[3] / "data"
PROBLEMS = [Problem(f"p{number}", f"{number} + 1 = ?", str(number + 1)) for number in range(3)]


def recipe(problems: int = 3, samples: int = 2) -> PrmRecipe:
    return PrmRecipe(policy="tiny", base="tiny", problems=problems, samples=samples, steps=1)


def sampled(url: str, digest: str, n: int, text: str) -> None:
    spec = RunSpec(KIND, "tiny", None, {"models": {"policy": digest}, "text": text})
    drawn = (SampleRecord(text, None, True, "finished", 1, 0.0, token_ids=(5,)),) * n
    with Store.open(url) as store:
        store.start(spec)
        for problem in PROBLEMS:
            store.save(spec, Outcome(problem, None, None, None, drawn, Ledger(), 0.0))


def test_samples_are_those_of_these_weights_and_as_many_as_asked_for(tmp_path: Path) -> None:
    policy = tmp_path / "tiny"
    policy.mkdir()
    (policy / "config.json").write_text(json.dumps({"of": "these"}))
    url = f"sqlite:///{tmp_path}/samples.db"
    sampled(url, checkpoint_digest(str(policy)), 3, "mine")
    sampled(url, "another", 9, "of other weights")
    graded = _samples(url, recipe(), policy, PROBLEMS)
    assert [problem.id for problem, _ in graded] == ["p0", "p1", "p2"]
    assert [[one.text for one in samples] for _, samples in graded] == [["mine", "mine"]] * 3


def test_a_prm_without_its_samples_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/samples.db"
    Store.open(url).close()
    problems = DATA / "problems" / "laboratory" / "train.jsonl"
    with pytest.raises(SystemExit) as ended:
        main(["lab-0.4m-prm-weak", "--models", str(DATA / "models"), "--store", url,
              "--problems", str(problems)])  # fmt: skip
    assert ended.value.code == 2
    assert "does not hold 16 samples of lab-0.4m" in capsys.readouterr().err
