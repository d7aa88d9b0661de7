"""A reward head of version 0.1.0 is still found, fits its policy, and scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.errors import InputError
from executor.files import data_folder
from executor.models.tokens import Tokens, load_tokenizer
from executor.scorers.prm import check_prm, find_convention
from executor.scorers.reward_head import HeadCard, RewardHead

HEAD = Path(__file__).parents[2] / "data" / "before_move" / "head"


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens(load_tokenizer(str(data_folder() / "models" / "lab-0.4m")))


def test_its_card_is_read_and_fits_its_policy(tokens: Tokens) -> None:
    checkpoint, convention = find_convention(str(HEAD))
    assert convention is RewardHead and checkpoint.folder == HEAD
    card = HeadCard.load(HEAD)
    assert card.policy == "lab-0.4m" and card.intercept == pytest.approx(-1.0762125449185338)
    check_prm(str(HEAD), tokens)


def test_it_fits_no_policy_with_another_tokenizer(smollm2: Path) -> None:
    with pytest.raises(InputError, match="tokenizer"):
        check_prm(str(HEAD), Tokens(load_tokenizer(str(smollm2))))
