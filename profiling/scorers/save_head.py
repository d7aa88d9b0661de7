"""A trained reward head as a checkpoint that vLLM serves as a PRM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from executor.errors import InputError
from executor.files import written_whole
from executor.models.remote_code import trusts_remote_code
from executor.models.templates import PromptTemplate
from executor.policies.base import Policy
from executor.problem import Problem, question_id
from executor.scorers.reward_head import HeadCard, Reads
from profiling.scorers.step_states import norm_eps
from profiling.scorers.train_head import FittedHead

_LARGEST_GAP = 0.25  # logits; bfloat16 alone costs a few hundredths


def save_head(
    fitted: FittedHead,
    checkpoint: str,
    target: Path,
    *,
    policy: Policy,
    template: PromptTemplate,
    problems: Sequence[Problem],
) -> None:
    """Save the head as a checkpoint that vLLM serves; `target` is complete or absent.

    The checkpoint keeps the policy's lower layers. The gain of its final norm is set to 1 if the
    head is trained on states of unit root mean square (`StepStates.reads`). The head's weight
    becomes the classifier.

    Raises:
        InputError: the policy's architecture has no sequence classifier of this shape, or the saved
            head would not score as the trained one.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

    trust = trusts_remote_code()
    config = AutoConfig.from_pretrained(checkpoint, trust_remote_code=trust)
    config.num_hidden_layers = fitted.layers
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[: fitted.layers]
    config.num_labels = 1
    config.pad_token_id = config.pad_token_id or 0
    source = AutoModelForCausalLM.from_pretrained(checkpoint, dtype="auto", trust_remote_code=trust)
    try:
        model = AutoModelForSequenceClassification.from_config(
            config, dtype=source.dtype, trust_remote_code=trust
        )
        kept = {
            name: weight
            for name, weight in source.base_model.state_dict().items()
            if name in model.base_model.state_dict()
        }
        model.base_model.load_state_dict(kept)
        with torch.no_grad():
            if fitted.reads is Reads.AFTER:
                model.base_model.norm.weight.fill_(1.0)
            model.score.weight.copy_(torch.tensor(fitted.weight)[None])
            gap = _serving_gap(source, model, fitted, policy.prompt(problems[0].text))
    except (ValueError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"policy {checkpoint}: no reward head can be put on its architecture ({error})"
        ) from None
    if gap > _LARGEST_GAP:
        raise InputError(
            f"policy {checkpoint}: a reward head on its architecture would not score as trained "
            f"(logits differ by {gap:.2f}); its final norm is not a plain RMS norm"
        )
    with written_whole(target) as scratch:
        model.save_pretrained(scratch)
        policy.tokens.tokenizer.save_pretrained(scratch)
        card_of(fitted, policy, template, problems).save(scratch)


def card_of(
    fitted: FittedHead, policy: Policy, template: PromptTemplate, problems: Sequence[Problem]
) -> HeadCard:
    """Return the card of a head that was trained on these problems."""
    return HeadCard(
        policy=policy.name,
        tokenizer=policy.tokens.fingerprint,
        template=template.to_dict(),
        intercept=fitted.intercept,
        layers=fitted.layers,
        trained_on=tuple(sorted(question_id(problem.text) for problem in problems)),
        metrics=fitted.statistics.to_dict(),
        reads=fitted.reads,
    )


def _serving_gap(source: Any, model: Any, fitted: FittedHead, prompt: list[int]) -> float:
    """Return the absolute gap of two logits at the end of a prompt: checkpoint's and head's.

    `source` is the policy, `model` the checkpoint to serve.
    """
    import torch

    raw: list[Any] = []
    hook = source.base_model.layers[fitted.layers - 1].register_forward_hook(
        lambda module, args, output: raw.append(output[0] if isinstance(output, tuple) else output)
    )
    ids = torch.tensor([prompt])
    try:
        normed = source.base_model(ids).last_hidden_state
    finally:
        hook.remove()
    state = raw[0][0, -1].float()
    state = state * state.pow(2).mean().add(norm_eps(source.config)).rsqrt()
    if fitted.reads is Reads.BEFORE:
        state = normed[0, -1].float()
    served = float(model(ids).logits[0, 0])
    return abs(served - float(state @ torch.tensor(fitted.weight, dtype=torch.float32)))
