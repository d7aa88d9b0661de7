"""Confidences of tokens: their closed form, and the policies that give none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InputError
from executor.models.confidence import (
    LARGEST_CONFIDENCE,
    TOP_LOGPROBS,
    check_top_logprobs,
    token_confidences,
)
from executor.models.fused import CARD_FILE


@given(st.lists(st.lists(st.floats(-60, 0), min_size=3, max_size=3), min_size=1, max_size=20))
def test_a_confidence_is_minus_the_mean_of_the_log_probabilities(
    likeliest: list[list[float]],
) -> None:
    found = token_confidences(likeliest)
    exact = [-math.fsum(one) / len(likeliest) for one in zip(*likeliest, strict=True)]
    assert found == pytest.approx(exact, abs=0.000_501)
    assert all(one == round(one, 3) for one in found)


def test_of_a_uniform_distribution_it_is_the_logarithm_of_the_number_of_tokens() -> None:
    assert token_confidences([[-math.log(50)]] * 20) == (round(math.log(50), 3),)


def test_a_token_that_cannot_be_written_gives_the_largest_confidence() -> None:
    assert token_confidences([[0.0, -1.0], [-math.inf, -2.0]]) == (LARGEST_CONFIDENCE, 1.5)
    assert token_confidences([[1e-9], [0.0]]) == (0.0,)


def test_nothing_asked_for_gives_nothing() -> None:
    assert token_confidences([]) == ()


def refused(number: int, folder: Path) -> str:
    with pytest.raises(InputError) as error:
        check_top_logprobs(number, str(folder))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_number_that_vllm_does_not_give_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 12}))
    for number in (0, TOP_LOGPROBS + 1):
        assert refused(number, tmp_path) == f"--top-logprobs is {number}; expected 1 to 20"
    assert "expected at most 12, the vocabulary" in refused(13, tmp_path)
    check_top_logprobs(12, str(tmp_path))


def test_a_policy_that_holds_a_head_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 500}))
    card = {"fused": {"zero": 1, "head": 2, "base": "a"}, "policy": "plain-one", "template": {}}
    (tmp_path / CARD_FILE).write_text(json.dumps(card))
    assert refused(20, tmp_path).endswith("expected the policy without it (plain-one)")
