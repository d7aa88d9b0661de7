"""Training the laboratory's models: what is learnt from, resuming, and what comes out."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from executor.models.templates import PromptTemplate, template_for
from profiling.laboratory.catalog import POLICIES, PRMS, REASONERS
from profiling.laboratory.task import DataSplit, distinct, generate
from profiling.laboratory.tokenizer import make_tokenizer
from profiling.laboratory.train import (
    IGNORED,
    Resumable,
    batches,
    learning_rate,
    solution_rows,
    train_policy,
)
from tests.helpers.tiny_models import RECIPE, silent


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def test_a_training_says_what_it_took(trained: Path) -> None:
    card = json.loads((trained / "training.json").read_text())
    assert card["steps"] == 12 and card["tokens"] > 12 * 8 * 20 and card["loss"] < 6.5


def test_only_solutions_and_their_end_are_learnt() -> None:
    tokenizer = make_tokenizer()
    problems = distinct(6, 0, DataSplit.TRAIN)
    for problem, (ids, labels) in zip(
        problems, next(solution_rows(iter(problems), tokenizer, 6)), strict=True
    ):
        learnt = [label for label in labels if label != IGNORED]
        assert tokenizer.decode(learnt[:-1]) == problem.solution
        assert learnt[-1] == tokenizer.eos_token_id
        assert ids[-len(learnt) :] == learnt
        assert tokenizer.decode(ids[: -len(learnt)]) == f"{problem.problem}\n\n"


def test_batches_hold_every_row_of_a_chunk_once_and_pad_on_the_right() -> None:
    rows = [([7] * n, [n] * n) for n in range(1, 9)]
    drawn = list(itertools.islice(batches(iter([rows]), 2), 4))
    lengths = sorted(int((ids[row] != 0).sum()) for ids, _ in drawn for row in (0, 1))
    assert lengths == list(range(1, 9))
    for ids, labels in drawn:
        assert ids.shape == labels.shape
        assert ((ids == 0) == (labels == IGNORED)).all()


def test_the_learning_rate_warms_up_and_decays() -> None:
    rates = [learning_rate(step, 100, 1.0) for step in range(100)]
    assert rates[4] == max(rates) == 1.0
    assert rates[:5] == sorted(rates[:5])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert 0.05 <= rates[-1] < 0.06


def test_a_stopped_training_goes_on_to_the_same_weights(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr("profiling.laboratory.train._CHECKPOINT_EVERY", 0.0)
    real, target = Resumable.done, tmp_path / "tiny-0.1m"

    def die(self: Resumable, step: int, loss: float, tokens: int) -> None:
        real(self, step, loss, tokens)
        if step == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(Resumable, "done", die)
    with pytest.raises(KeyboardInterrupt):
        train_policy(RECIPE, target, silent)
    assert not target.exists()
    monkeypatch.setattr(Resumable, "done", real)
    train_policy(RECIPE, target, silent)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    expected = weights(trained)
    for name, value in weights(target).items():
        torch.testing.assert_close(value, expected[name])


def test_the_same_seed_draws_the_same_problems() -> None:
    one, other = (itertools.islice(generate(7, DataSplit.TRAIN), 20) for _ in range(2))
    assert list(one) == list(other)


MODELS = Path(__file__).parents[3] / "data" / "models"


@pytest.mark.parametrize("name", [*POLICIES, *REASONERS, *PRMS])
def test_the_bundled_models_are_those_of_the_catalog(name: str) -> None:
    card = json.loads((MODELS / name / "training.json").read_text())
    made = dataclasses.asdict({**POLICIES, **REASONERS, **PRMS}[name])
    assert {key: card[key] for key in made} == made
    if name in (*POLICIES, *REASONERS):
        assert template_for(name, MODELS / name) == PromptTemplate()
