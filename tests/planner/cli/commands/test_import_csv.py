"""`apportion import --format csv`, and the choice between the models of one file."""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.helpers.command import apportion, document
from tests.helpers.shared import SHARED

REAL = SHARED / "data" / "runs" / "reasoning_samples.csv.gz"
NAMES = ("gpqa=GPQA-Diamond", "R1=DeepSeek-R1", "QwQ=QwQ-32B")


def small_file(place: Path) -> Path:
    """Two catalogued models; the votes of the second are all right."""
    rows = ["model,benchmark,problem,sample,prediction,reference,completion_tokens"]
    for problem in range(30):
        for sample in range(4):
            right = problem % 2 == 0 or sample == 0
            rows.append(f"R1,gpqa,{problem},{sample},{'A' if right else 'BC'[sample % 2]},A,900")
            rows.append(f"QwQ,gpqa,{problem},{sample},{'D' if sample == 3 else 'A'},A,700")
    file = place / "samples.csv"
    file.write_text("\n".join(rows) + "\n")
    return file


def renamed() -> list[str]:
    return [word for name in NAMES for word in ("--rename", name)]


@pytest.mark.long
def test_the_models_of_one_file_are_chosen_between(tmp_path: Path) -> None:
    small_file(tmp_path)
    line = ["import", "--format", "csv", "--domain", "exact", "--prompt-tokens", "250", *renamed()]
    made = document(tmp_path, *line, "samples.csv")
    assert [(one["policy"], one["benchmark"], one["problems"]) for one in made["imported"]] == [
        ("DeepSeek-R1", "GPQA-Diamond", 30), ("QwQ-32B", "GPQA-Diamond", 30)
    ]  # fmt: skip
    first, second = made["imported"]
    assert (first["accuracy"], second["accuracy"]) == (0.625, 0.75)
    assert (second["majority"]["n"], second["majority"]["accuracy"]) == ([4, 4], 1.0)
    asked = ["recommend", "--policy", "all", "--benchmark", "gpqa-diamond"]
    answer = document(tmp_path, *asked, "--target-accuracy", "0.8")
    assert answer["policy"] == "QwQ-32B" and answer["strategy"]["n"] > 1
    assert answer["cost"]["generated_tokens"] == 700 * answer["strategy"]["n"]


def test_what_is_wrong_with_the_options_is_said(tmp_path: Path) -> None:
    small_file(tmp_path)
    for words, message in (
        (["--format", "csv", "--column", "tokens"], "--column tokens: expected two names with ="),
        (["--format", "csv", "--domain", "code"], "--domain code: its grader runs programs"),
        (["--format", "csv", "--rename", "a=b", "--rename", "a=c"], "--rename a: is given twice"),
        (["--format", "jsonl", "--column", "a=b"], "--column: is for --format csv"),
    ):
        ended = apportion(tmp_path, "import", *words, "samples.csv")
        assert ended.returncode == 2 and message in ended.stderr


@pytest.mark.long
@pytest.mark.skipif(not REAL.is_file(), reason="needs shared/data/runs/reasoning_samples.csv.gz")
def test_reasoning_runs_as_their_file_has_them(tmp_path: Path) -> None:
    """Accuracy of one sample and of the vote, by equality of strings; the first of a tie counts."""
    pools: dict[tuple[str, str], dict[str, list[tuple[str, str]]]] = defaultdict(dict)
    with gzip.open(REAL, "rt", newline="") as file:
        for row in csv.DictReader(file):
            pool = pools[row["model"], row["benchmark"]].setdefault(row["problem"], [])
            pool.append((row["prediction"].strip(), row["reference"].strip()))
    made = document(tmp_path, "import", "--format", "csv", "--domain", "exact", REAL)
    assert len({one["policy"] for one in made["imported"]}) == 8
    found = {(one["policy"], one["benchmark"]): one for one in made["imported"]}
    assert found.keys() == pools.keys()
    for at, problems in pools.items():
        right = [answer == reference for pool in problems.values() for answer, reference in pool]
        votes = []
        for pool in problems.values():
            counts = Counter(a for a, _ in pool if a not in ("", "None", "NO_ANSWER"))
            votes.append(bool(counts) and counts.most_common(1)[0][0] == pool[0][1])
        assert found[at]["accuracy"] == pytest.approx(sum(right) / len(right))
        assert found[at]["majority"]["accuracy"] == pytest.approx(sum(votes) / len(votes))
