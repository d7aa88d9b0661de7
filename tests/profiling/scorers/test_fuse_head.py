"""A head in the output matrix: the copy writes as the policy does, and its row says the head."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from executor.errors import InputError
from executor.files import data_folder
from executor.models.checkpoint import checkpoint_digest
from executor.models.fused import FusedRows, fused_policy
from executor.scorers.reward_head import HeadCard, Reads
from profiling.scorers import fuse_head
from profiling.scorers.fuse_head import check_fusible
from tests.helpers.fused_models import INTERCEPT, fuse, random_head

LAB = data_folder() / "models" / "lab-0.4m"
TOKENS = 315  # of the laboratory's tokenizer
SHAPE: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 1,
}  # fmt: skip


def policy(folder: Path, kind: str = "Llama", *, shard: str = "1GB", **changes: Any) -> Path:
    """A tiny policy with random weights and the laboratory's tokenizer."""
    import torch
    import transformers

    torch.manual_seed(0)
    dtype = changes.pop("dtype", torch.float32)
    bias = changes.pop("bias", 0.0)
    settings = SHAPE | {"vocab_size": TOKENS, "tie_word_embeddings": True} | changes
    config = getattr(transformers, f"{kind}Config")(**settings)
    model = getattr(transformers, f"{kind}ForCausalLM")(config).to(dtype)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name and name.endswith("weight"):
                weight += torch.randn_like(weight) * 0.3
            if name == "lm_head.bias":
                weight += bias
    model.save_pretrained(folder, max_shard_size=shard)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (folder / file).write_bytes((LAB / file).read_bytes())
    return folder


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Logits and final states of some tokens."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    ids = torch.tensor([[3, 7, 50, 314, 12]])
    with torch.inference_mode():
        states = model.base_model(ids).last_hidden_state[0].double()
        return model(ids).logits[0].double().numpy(), states.numpy()


def heads(rows: FusedRows, logits: np.ndarray) -> np.ndarray:
    """What the rows say, from log-probabilities, as vLLM reports them."""
    shares = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return np.array(rows.readings(shares[:, rows.zero].tolist(), shares[:, rows.head].tolist()))


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("rows", [TOKENS, 320], ids=["unpadded", "padded"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_copy_is_the_policy_with_three_rows(
    tied: bool, rows: int, dtype: str, tmp_path: Path
) -> None:
    import torch

    base = policy(
        tmp_path / "base", vocab_size=rows, tie_word_embeddings=tied, dtype=getattr(torch, dtype)
    )
    head = random_head(32, 2)
    held = fuse(base, tmp_path / "fused", head)
    first = TOKENS if rows == TOKENS else 317
    assert held.indices == [first, first + 1, first + 2] and held.vocabulary == first
    before, states = read(base)
    after, same_states = read(tmp_path / "fused")
    assert after.shape[1] == max(rows, first + 3)
    close = 1e-5 if dtype == "float32" else 0.02
    assert (same_states == states).all()  # no input has changed, to the bit
    assert after[:, :TOKENS] == pytest.approx(before[:, :TOKENS], abs=close)
    assert (after[:, held.zero] == 0).all()
    assert heads(held, after) == pytest.approx(states @ head.weight, abs=close)
    assert certainty(held, after) == pytest.approx(
        divergence(before[:, :first]), abs=len(before) * close
    )


def certainty(rows: FusedRows, logits: np.ndarray) -> float | None:
    """What the rows say of the certainty of all tokens together."""
    shares = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return rows.certainty([shares[:, row].tolist() for row in rows.indices])


def divergence(logits: np.ndarray) -> float:
    """KL(u | p) over all rows of the policy, summed over tokens."""
    shares = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return float(np.sum(-np.log(logits.shape[1]) - shares.mean(axis=1)))


def test_the_card_says_what_and_where(tmp_path: Path) -> None:
    base = policy(tmp_path / "base")
    rows = fuse(base, tmp_path / "fused", random_head(32, 2))
    card = HeadCard.load(tmp_path / "fused")
    assert card.fused == rows and card.reads is Reads.BEFORE and card.intercept == INTERCEPT
    assert rows.base == checkpoint_digest(str(base)) and card.policy == "base"
    assert checkpoint_digest(str(tmp_path / "fused")) != rows.base
    fused = fused_policy(tmp_path / "fused")
    assert fused is not None and fused.rows == rows and fused.template == card.template


def test_files_without_the_matrix_are_linked(tmp_path: Path) -> None:
    base = policy(tmp_path / "base", tie_word_embeddings=False, shard="40KB")
    fuse(base, tmp_path / "fused", random_head(32, 2))
    index = "model.safetensors.index.json"
    files = json.loads((base / index).read_text())["weight_map"]
    changed = {files[name] for name in ("lm_head.weight", "model.embed_tokens.weight")}
    assert len(set(files.values()) - changed) >= 2
    for file in set(files.values()):
        linked = (tmp_path / "fused" / file).stat().st_ino == (base / file).stat().st_ino
        assert linked == (file not in changed)
    size = json.loads((tmp_path / "fused" / index).read_text())["metadata"]["total_size"]
    added = 3 * 2 * 32 * 4  # three rows of two matrices
    assert size == json.loads((base / index).read_text())["metadata"]["total_size"] + added


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("Gemma2", {"head_dim": 16, "final_logit_softcapping": 3.0, "query_pre_attn_scalar": 16}),
        ("Cohere", {"logit_scale": 0.0625}),
        ("Granite", {"logits_scaling": 4.0}),
        ("Phi", {"tie_word_embeddings": False, "bias": 0.5}),
    ],
    ids=["soft cap", "logit scale", "logits scaling", "bias and layer norm"],
)
def test_other_outputs_are_undone(kind: str, changes: dict[str, Any], tmp_path: Path) -> None:
    base = policy(tmp_path / "base", kind, **changes)
    head = random_head(32, 2)
    rows = fuse(base, tmp_path / "fused", head)
    before, states = read(base)
    after, _ = read(tmp_path / "fused")
    assert after[:, :TOKENS] == pytest.approx(before[:, :TOKENS], abs=1e-5)
    assert heads(rows, after) == pytest.approx(states @ head.weight, abs=1e-4)
    if kind == "Gemma2":  # a capped logit of a mean is not the mean of capped logits
        assert rows.mean is None and certainty(rows, after) is None
    else:
        assert certainty(rows, after) == pytest.approx(divergence(before), abs=1e-3)


def test_an_output_that_is_not_understood_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = policy(tmp_path / "base", "Granite", logits_scaling=4.0)
    monkeypatch.setattr(fuse_head, "_logit_scale", lambda config: 1.0)
    head = random_head(32, 2)
    with pytest.raises(InputError, match="would not score as trained") as caught:
        fuse(base, tmp_path / "fused", replace(head, weight=50 * head.weight))
    assert "\n" not in str(caught.value) and not (tmp_path / "fused").exists()


def test_logits_below_a_row_of_zeros_are_refused(tmp_path: Path) -> None:
    base = policy(tmp_path / "base", "Phi", tie_word_embeddings=False, bias=-40.0)
    with pytest.raises(InputError, match="logits are so low"):
        fuse(base, tmp_path / "fused", random_head(32, 2))


def test_weights_in_another_form_are_refused_before_any_work(tmp_path: Path) -> None:
    base = policy(tmp_path / "base")
    check_fusible(str(base))
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    with pytest.raises(InputError, match="expected its weights in safetensors") as caught:
        check_fusible(str(base))
    assert "\n" not in str(caught.value)


def test_a_policy_holds_one_head(tmp_path: Path) -> None:
    base = policy(tmp_path / "base")
    fuse(base, tmp_path / "fused", random_head(32, 2))
    with pytest.raises(InputError, match="already holds a reward head; train one for base"):
        check_fusible(str(tmp_path / "fused"))


def test_a_config_of_another_size_than_the_weights_is_refused(tmp_path: Path) -> None:
    base = policy(tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"vocab_size": 999}))
    with pytest.raises(InputError, match="expected an output matrix of 999 rows, found none"):
        check_fusible(str(base))
