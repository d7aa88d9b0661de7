"""The page and the model cards in the tree are what the scripts make of the matrix in the tree."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from profiling.laboratory.task import LEVELS

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "data" / "models"
PAGE = ROOT / "docs" / "paper-at-small-scale.md"
pytestmark = pytest.mark.long
THINKS = "lab-think-0.4m"  # is not in the matrix; its card is written by hand


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """The script, as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "bench")
        for name in ("matrix", "cards", "sections", "figure", "paper"):
            patch.delitem(sys.modules, name, raising=False)
        import paper  # type: ignore[import-not-found]

        return paper


@pytest.fixture(scope="module")
def made(bench: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page, its figure and the cards, made anew."""
    folder = tmp_path_factory.mktemp("page")
    for record in MODELS.glob("*/training.json"):
        target = folder / "models" / record.parent.name / record.name
        target.parent.mkdir(parents=True)
        shutil.copy(record, target)
    for head in MODELS.glob("*-head"):
        (folder / "models" / head.name).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["cards"], "MODELS", folder / "models")
        patch.setattr(sys, "argv", ["paper.py", "--out", str(folder / PAGE.name)])
        bench.main()
    return folder


def test_the_page_is_made_again_as_it_is(made: Path) -> None:
    assert (made / PAGE.name).read_text() == PAGE.read_text()
    figure = PAGE.with_suffix(".svg").name
    assert (made / figure).stat().st_size > 10_000 and (PAGE.parent / figure).exists()


def test_every_model_has_the_card_it_should_have(made: Path) -> None:
    cards = sorted((made / "models").glob("*/README.md"))
    assert {card.parent.name for card in cards} | {THINKS} == {
        config.parent.name for config in MODELS.glob("*/config.json")
    }
    for card in cards:
        assert card.read_text() == (MODELS / card.parent.name / "README.md").read_text()


def test_an_off_policy_and_a_weak_prm_are_below_the_strong_one(bench: ModuleType) -> None:
    for policy in bench.POLICIES:
        auc = {one.kind: one.statistics.auc for one in bench.qualities(policy)}
        assert auc["strong"].value >= 0.90, policy
        for kind in ("off-policy", "weak"):
            assert auc[kind].high < auc["strong"].low, (policy, kind)


def test_a_recurring_problem_is_one_worked_inside_a_longer_one(bench: ModuleType) -> None:
    counts = sys.modules["sections"].recurring_problems()
    assert set(counts) == set(LEVELS)
    assert counts[1] > counts[5] == 0  # one operation; seven, which nothing is longer than


def test_a_difficulty_of_one_problem_takes_what_all_choose(bench: ModuleType) -> None:
    class OneHard:
        def problems(self, difficulty: str) -> list[str]:
            return {"easy": list("abcdef"), "medium": [], "hard": ["z"]}[difficulty]

        def flops(self, prm: str | None, problems: list[str]) -> pd.Series:
            return pd.Series({"x": 1.0, "y": 2.0})

    accuracy = pd.DataFrame({"x": [1.0] * 6 + [0.0], "y": [0.0] * 6 + [1.0]}, list("abcdefz"))
    judged, flops = sys.modules["sections"].for_each_difficulty(OneHard(), None, accuracy)
    assert judged.tolist() == [1.0] * 6 + [0.0]
    assert flops == 1.0
