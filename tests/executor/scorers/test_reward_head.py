"""A reward head of version 0.1.0 is still found, fits its policy, and scores as it did."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.files import data_folder
from executor.ledger import Ledger
from executor.models.tokens import Step, Tokens, load_tokenizer
from executor.scorers.prm import check_prm, convention_of, load_prm, resolve_prm
from executor.scorers.reward_head import HeadCard, RewardHead

HEAD = Path(__file__).parents[2] / "data" / "before_move" / "head"


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens(load_tokenizer(str(data_folder() / "models" / "lab-0.4m")))


def test_its_card_is_read_and_fits_its_policy(tokens: Tokens) -> None:
    checkpoint = resolve_prm(str(HEAD))
    convention = convention_of(checkpoint)
    assert convention is RewardHead and checkpoint.folder == HEAD
    card = HeadCard.load(HEAD)
    assert card.policy == "lab-0.4m" and card.intercept == pytest.approx(-1.0762125449185338)
    check_prm(resolve_prm(str(HEAD)), tokens)


def test_it_fits_no_policy_with_another_tokenizer(smollm2: Path) -> None:
    with pytest.raises(InputError, match="tokenizer"):
        check_prm(resolve_prm(str(HEAD)), Tokens(load_tokenizer(str(smollm2))))


@pytest.mark.vllm
def test_its_rewards_are_those_of_version_0_1_0(tokens: Tokens) -> None:
    """The numbers are what 0.1.0 printed for the same steps."""
    steps = [
        Step(tuple(tokens.encode(text)), text.strip(), len(tokens.encode(text.rstrip())))
        for text in ("3 + 4 = 7\n\n", "7 * 2 = \\boxed{14}")
    ]
    options = EngineOptions(block_size=32, kv_cache_gib=0.25, dtype="float32", max_model_len=512)
    scorer = load_prm(resolve_prm(str(HEAD)), tokens, options)
    try:
        rewards = asyncio.run(scorer.score("3 + 4 * 2 = ?", steps, start=0, ledger=Ledger()))
    finally:
        scorer.close()
    assert rewards == pytest.approx([0.44195685, 0.16577545], abs=1e-5)
