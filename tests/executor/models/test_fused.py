"""Reading a head in the output matrix: its logits, and the probability that its rows take."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InputError
from executor.models.checkpoint import Checkpoint, checkpoint_digest
from executor.models.fused import CARD_FILE, FusedRows, fused_policy, policy_digest, served_name

LOGITS = st.lists(st.floats(-20, 20), min_size=1, max_size=6)


def log_shares(*logits: float) -> list[float]:
    """The log-probabilities of these logits: the head's first, the zero row's last."""
    exact = np.array([*logits, 0.0])
    return list((exact - np.logaddexp.reduce(exact)).tolist())


@given(head=st.floats(-25, 25), others=LOGITS)
def test_the_head_is_the_difference_of_its_rows(head: float, others: list[float]) -> None:
    shares = log_shares(head, *others)
    assert FusedRows(0, 1, "").readings([shares[-1]], [shares[0]]) == pytest.approx([head])


@given(head=st.floats(-25, 25), others=LOGITS)
def test_a_soft_cap_is_undone(head: float, others: list[float]) -> None:
    shares = log_shares(30 * math.tanh(head / 30), *others)
    rows = FusedRows(0, 1, "", softcap=30.0)
    assert rows.readings([shares[-1]], [shares[0]]) == pytest.approx([head], abs=1e-9)


def test_a_logit_at_its_cap_is_still_a_number() -> None:
    (capped,) = FusedRows(0, 1, "", softcap=30.0).readings([-31.0], [-1.0])
    assert math.isfinite(capped) and capped > 200


@given(head=st.floats(-5, 5), others=LOGITS)
def test_what_the_rows_take_is_given_back(head: float, others: list[float]) -> None:
    """The log-probability of a token among the others alone, by enumeration."""
    shares = log_shares(head, *others)
    alone = np.array(others) - np.logaddexp.reduce(np.array(others))
    taken = FusedRows.taken([[shares[-1]], [shares[0]]])
    if math.exp(shares[0]) + math.exp(shares[-1]) < 1 - 1e-5:
        assert np.array(shares[1:-1]) + taken == pytest.approx(alone, abs=1e-6)
    assert taken >= 0


@given(head=st.floats(-5, 5), tokens=st.lists(LOGITS, min_size=1, max_size=4))
def test_certainty_is_the_divergence_from_uniform(head: float, tokens: list[list[float]]) -> None:
    """KL(u | p) by enumeration over the policy's own rows, summed over tokens."""
    size = min(map(len, tokens))
    held = FusedRows(0, 1, "", mean=2, vocabulary=size)
    beside: list[list[float]] = [[], [], []]
    expected, least = 0.0, 1.0
    for one in tokens:
        own = np.array(one[:size])
        rows = np.array([0.0, head, own.mean()])
        shares = rows - np.logaddexp.reduce(np.concatenate([own, rows]))
        for values, share in zip(beside, shares, strict=True):
            values.append(float(share))
        expected += float(np.mean(-math.log(size) - (own - np.logaddexp.reduce(own))))
        least = min(least, 1 - float(np.exp(shares).sum()))
    if least > 1e-5:
        assert held.certainty(beside) == pytest.approx(expected, abs=1e-6)
    assert FusedRows(0, 1, "").certainty(beside[:2]) is None


@pytest.mark.parametrize(
    ("rows", "indices"),
    [(FusedRows(7, 9, ""), [7, 9]), (FusedRows(7, 9, "", mean=8, vocabulary=5), [7, 9, 8])],
)
def test_all_rows_are_reported_and_masked(rows: FusedRows, indices: list[int]) -> None:
    asked = rows.sampling()
    assert asked["logprob_token_ids"] == indices
    assert set(asked["logit_bias"]) == set(indices) and max(asked["logit_bias"].values()) <= -100


def card(folder: Path, fused: object) -> Path:
    folder.mkdir()
    record = {"policy": "mine", "template": {"user": "{problem}"}, "fused": fused}
    (folder / CARD_FILE).write_text(json.dumps(record))
    return folder


def test_a_policy_that_holds_a_head_keeps_its_name_and_digest(tmp_path: Path) -> None:
    folder = card(tmp_path / "mine-fused", {"zero": 3, "head": 4, "base": "abc"})
    fused = fused_policy(folder)
    assert fused is not None
    assert fused.rows == FusedRows(3, 4, "abc") and fused.name == "mine"
    assert policy_digest(str(folder)) == "abc"
    # Servers of the policy without the head must not be taken for it.
    assert served_name(Checkpoint("mine", str(folder))) == "mine-fused"


def test_other_checkpoints_hold_none(tmp_path: Path) -> None:
    head = card(tmp_path / "head", None)
    for folder in (head, tmp_path):
        assert fused_policy(folder) is None
        assert policy_digest(str(folder)) == checkpoint_digest(str(folder))
        assert served_name(Checkpoint("any", str(folder))) == "any"
    assert fused_policy("org/model") is None


def test_a_card_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    folder = card(tmp_path / "broken", {"zero": 3})
    with pytest.raises(InputError, match=r"PRM card .*broken.* cannot be read") as caught:
        fused_policy(folder)
    assert "\n" not in str(caught.value)
