"""A reward head in the policy's own output matrix, so that its rewards come with the tokens.

The policy multiplies its last hidden state by the output matrix anyway. A row of this matrix that
no token uses holds the head's weight, another one zeros, a third the mean of all rows;
`executor.models.fused` reads them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from executor.errors import InputError
from executor.files import is_folder, written_whole
from executor.models.checkpoint import checkpoint_digest, quiet_transformers
from executor.models.fused import FusedRows, fused_policy
from executor.models.remote_code import trusts_remote_code
from executor.models.templates import PromptTemplate
from executor.policies.base import Policy
from executor.problem import Problem
from executor.scorers.reward_head import Reads
from profiling.scorers.output_rows import OutputMatrix
from profiling.scorers.save_head import card_of
from profiling.scorers.train_head import FittedHead

# Logits of the served head may differ from those of the trained one by this much, and by this share
# of their size: bfloat16 has 8 bits.
_LARGEST_GAP = 0.25
_ROUNDING = 2**-7
# Most that the rows may take of the probability before they are masked. The policy's own
# log-probabilities are computed from what they leave.
_MOST_TAKEN = 0.99
_PROMPTS = 8  # prompts that the served head is compared on


def check_fusible(checkpoint: str) -> None:
    """Check what can be checked of a policy before a head is trained for it.

    Raises:
        InputError: the policy cannot hold a head, or holds one already.
    """
    if (fused := fused_policy(checkpoint)) is not None:
        raise InputError(
            f"policy {checkpoint}: already holds a reward head; train one for {fused.name}"
        )
    _matrix(checkpoint)


def fuse_head(
    fitted: FittedHead,
    checkpoint: str,
    target: Path,
    *,
    policy: Policy,
    template: PromptTemplate,
    problems: Sequence[Problem],
) -> FusedRows:
    """Save a copy of a policy that holds a head; `target` is complete or absent.

    Args:
        fitted: the head, which must read the states that write steps' ends (`Reads.BEFORE`).
        checkpoint: folder or hub id of the policy.
        target: folder of the copy.
        policy: the policy.
        template: its task template.
        problems: problems that the head was trained on.

    Raises:
        InputError: the policy cannot hold it, or the copy would not score as the trained head.
    """
    if fitted.reads is not Reads.BEFORE:
        raise ValueError("a head in the output matrix reads the states that write steps' ends")
    matrix = _matrix(checkpoint)
    softcap = matrix.config.get("final_logit_softcapping")
    # Softly capped logits have no mean that one row could give.
    zero, head, *mean = matrix.free_rows(policy.tokens.tokenizer, 2 if softcap else 3)
    rows = FusedRows(
        zero, head, checkpoint_digest(checkpoint), softcap,
        *((mean[0], min(zero, matrix.rows)) if mean else ()),
    )  # fmt: skip
    weight = fitted.weight / _logit_scale(matrix.config)
    prompts = [policy.prompt(problem.text) for problem in problems[:_PROMPTS]]
    with written_whole(target) as scratch:
        matrix.copy(scratch, {zero: np.zeros_like(weight), head: weight}, rows.mean)
        replace(card_of(fitted, policy, template, problems), fused=rows).save(scratch)
        _check_copy(checkpoint, scratch, fitted, rows, prompts)
    return rows


def _matrix(checkpoint: str) -> OutputMatrix:
    """Return the output matrix of a policy; InputError if it cannot hold a head."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(checkpoint, trust_remote_code=trusts_remote_code())
    folder = Path(checkpoint)
    if not is_folder(folder):
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(checkpoint))
    return OutputMatrix.of(folder, tied=bool(getattr(config, "tie_word_embeddings", False)))


def _logit_scale(config: Mapping[str, Any]) -> float:
    """Return the factor between the output matrix's products and the policy's logits."""
    scale = float(config.get("logit_scale") or 1)  # Cohere
    return scale / float(config.get("logits_scaling") or 1)  # Granite


def _check_copy(
    checkpoint: str,
    copy: Path,
    fitted: FittedHead,
    rows: FusedRows,
    prompts: Sequence[list[int]],
) -> None:
    """Compare the head in a copy with the trained one at the ends of prompts.

    Raises:
        InputError: they differ by more than rounding.
    """
    import torch

    quiet_transformers()
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        copy, dtype="auto", trust_remote_code=trusts_remote_code()
    ).eval()
    for prompt in prompts:
        ids = torch.tensor([prompt])
        with torch.inference_mode():
            state = model.base_model(ids).last_hidden_state[0, -1].double().numpy()
            logits = model(ids).logits[0, -1].double()
        shares = torch.log_softmax(logits, -1)
        beside = [float(shares[row]) for row in rows.indices]
        zero, head = beside[:2]
        expected = float(state @ fitted.weight)
        (logit,) = rows.readings([zero], [head])
        gap = abs(logit - expected)
        if not gap <= _LARGEST_GAP + _ROUNDING * abs(expected):
            raise InputError(
                f"policy {checkpoint}: a reward head in its output matrix would not score as "
                f"trained (logits differ by {gap:.2f}); it changes its logits in an unknown way"
            )
        if math.fsum(map(math.exp, beside)) > _MOST_TAKEN:
            raise InputError(
                f"policy {checkpoint}: cannot hold a reward head; its logits are so low that a "
                "row of zeros takes the probability of its tokens"
            )
