"""Training of a reward head: an on-policy PRM that needs no more than a profile.

The head is linear in the policy's hidden states at step ends. The label of a step is the
correctness of its sample. Held-out problems choose the layer and the regularisation. The layers
above the chosen one are removed, so the PRM is cheaper to run than the policy.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from executor.errors import InputError
from executor.files import written_whole
from executor.models.checkpoint import quiet_transformers
from executor.models.remote_code import trusts_remote_code
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens
from executor.outcome import SampleRecord
from executor.policies.base import Policy
from executor.problem import Problem, question_id
from executor.run.runner import Progress
from executor.scorers.reward_head import HeadCard, Reads
from profiling.scorers.rewards import RewardStatistics, reward_statistics

_FOLDS = 5
_LARGEST_GAP = 0.25  # logits; bfloat16 alone costs a few hundredths
_STRENGTHS = (1e-4, 1e-3, 1e-2)  # inverse regularisation on standardised features
# Layers to read, as shares of the depth. A layer below the last often predicts correctness better,
# because the last one serves the prediction of the next token.
_DEPTHS = (0.5, 0.67, 0.83, 1.0)


@dataclass(frozen=True, slots=True)
class StepStates:
    """Hidden states at step ends.

    Attributes:
        states: states by number of layers, each of shape `(steps, hidden)`, as the head will see
            them (`reads`).
        correct: whether the sample of each step is right, shape `(steps,)`.
        problem: problem index of each step, shape `(steps,)`.
        last: whether each step is the last one of its sample, shape `(steps,)`.
        reads: `AFTER`: states after the steps, scaled to unit root mean square. `BEFORE`: states
            that write the steps' ends, after the policy's final norm; of the last layer only.
    """

    states: dict[int, NDArray[np.float32]]
    correct: NDArray[np.bool_]
    problem: NDArray[np.int64]
    last: NDArray[np.bool_]
    reads: Reads = Reads.AFTER


@dataclass(frozen=True, slots=True)
class FittedHead:
    """A trained head: `P(right) = sigmoid(weight . state + intercept)`; see `StepStates`."""

    layers: int
    weight: NDArray[np.float64]
    intercept: float
    statistics: RewardStatistics
    reads: Reads = Reads.AFTER


def hidden_states(
    checkpoint: str,
    policy: Policy,
    samples: Sequence[tuple[Problem, Sequence[SampleRecord]]],
    *,
    reads: Reads = Reads.AFTER,
    progress: Progress = lambda finished: None,
) -> StepStates:
    """Return the policy's hidden states at the step ends of graded samples.

    The common prefix of all prompts is forwarded once, and the rest of a prompt once per problem.
    The distinct samples of a problem continue its prompt as one padded batch.

    Args:
        checkpoint: folder or hub id of the policy.
        policy: source of prompts and step ends, equal to those that the PRM will see.
        samples: graded samples by problem.
        reads: which state of a step is returned, of which layers, in which scale: see `StepStates`.
        progress: callback; receives 1 after each problem.

    Raises:
        InputError: no sample has a step.
    """
    import torch

    quiet_transformers()
    from transformers import AutoModelForCausalLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    trust = trusts_remote_code()
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype="auto", trust_remote_code=trust)
    model = model.eval().to(device)
    total = model.config.num_hidden_layers
    layers = sorted({max(1, round(depth * total)) for depth in _DEPTHS})
    if reads is Reads.BEFORE:
        layers = [total]
    top: list[Any] = []
    base = model.base_model
    hook: Any = None
    if reads is Reads.AFTER:
        # The model applies its final norm to the last entry of `hidden_states`; the hook reads the
        # state of the top layer before this norm.
        hook = base.layers[-1].register_forward_hook(
            lambda module, args, output: top.append(
                output[0] if isinstance(output, tuple) else output
            )
        )
    prompts = [policy.prompt(problem.text) for problem, _ in samples]
    shared = _common_prefix(prompts)
    states: dict[int, list[NDArray[np.float32]]] = {layer: [] for layer in layers}
    correct: list[bool] = []
    problems: list[int] = []
    last: list[bool] = []
    try:
        with torch.inference_mode():
            start = None
            if shared:
                first = torch.tensor([shared], device=base.device)
                start = base(first, use_cache=True).past_key_values
            for number, (prompt, (_, records)) in enumerate(zip(prompts, samples, strict=True)):
                responses = _distinct(policy, records, reads)
                if responses:
                    rest = prompt[len(shared) :]
                    by_layer = _forward(base, start, rest, responses, layers, top, reads)
                    repeats = [r.times for r in responses for _ in r.ends]
                    for layer in layers:
                        states[layer].append(np.repeat(by_layer[layer], repeats, axis=0))
                for response in responses:
                    for end in response.ends:
                        correct += [response.correct] * response.times
                        problems += [number] * response.times
                        last += [end == response.ends[-1]] * response.times
                progress(1)
    finally:
        if hook is not None:
            hook.remove()
    if not correct:
        raise InputError("the policy's samples have no steps; there is nothing to train on")
    return StepStates(
        {layer: np.concatenate(parts) for layer, parts in states.items()},
        np.array(correct),
        np.array(problems),
        np.array(last),
        reads,
    )


@dataclass(frozen=True, slots=True)
class _Distinct:
    """A distinct response, its step ends, and the number of samples equal to it."""

    token_ids: tuple[int, ...]
    ends: list[int]
    correct: bool
    times: int


def _distinct(policy: Policy, records: Sequence[SampleRecord], reads: Reads) -> list[_Distinct]:
    """Return the distinct responses that have steps; confident policies repeat many responses."""
    first = {record.token_ids: record for record in records}
    times = Counter(record.token_ids for record in records)
    responses = [
        _Distinct(ids, step_ends(policy.tokens, ids, reads), bool(record.correct), times[ids])
        for ids, record in first.items()
    ]
    return [response for response in responses if response.ends]


def _common_prefix(prompts: Sequence[list[int]]) -> list[int]:
    """Return the longest common prefix that leaves at least one token of each prompt."""
    shortest = min(len(prompt) for prompt in prompts) - 1
    for length in range(shortest):
        if len({prompt[length] for prompt in prompts}) > 1:
            return prompts[0][:length]
    return prompts[0][:shortest]


def step_ends(tokens: Tokens, response: Sequence[int], reads: Reads) -> list[int]:
    """Return for each step the number of the response's tokens before its state is read."""
    positions, start = [], 0
    for step in tokens.steps(response):
        if step.text.strip():
            positions.append(start + (step.scored if reads is Reads.AFTER else step.end))
        start += len(step.token_ids)
    return positions


def _forward(
    base: Any,
    start: Any,
    prompt: list[int],
    responses: Sequence[_Distinct],
    layers: Sequence[int],
    top: list[Any],
    reads: Reads,
) -> dict[int, NDArray[np.float32]]:
    """Return states at the step ends of one problem's responses, `(steps, hidden)` per layer.

    `start` is the key-value cache of the common prefix of all prompts, None if it is empty;
    `prompt` is the rest of this prompt. Its last token is forwarded with the responses, since a
    head may read the state there.
    """
    import torch

    cache = copy.deepcopy(start)
    if prompt[:-1]:
        ids = torch.tensor([prompt[:-1]], device=base.device)
        cache = base(ids, past_key_values=cache, use_cache=True).past_key_values
    past = 0
    if cache is not None:
        past = cache.get_seq_length()
        cache.batch_repeat_interleave(len(responses))
    rows_of_ids = [(prompt[-1], *response.token_ids) for response in responses]
    longest = max(map(len, rows_of_ids))
    ids = torch.zeros((len(responses), longest), dtype=torch.long, device=base.device)
    for row, token_ids in enumerate(rows_of_ids):
        ids[row, : len(token_ids)] = torch.tensor(token_ids)
    # Padding is on the right, so no real token attends to it.
    mask = torch.ones((len(responses), past + longest), dtype=torch.long, device=base.device)
    top.clear()
    output = base(ids, attention_mask=mask, past_key_values=cache, output_hidden_states=True)
    rows = torch.tensor([row for row, response in enumerate(responses) for _ in response.ends])
    columns = torch.tensor([end for response in responses for end in response.ends])
    if reads is Reads.BEFORE:
        return {layers[-1]: output.last_hidden_state[rows, columns].float().cpu().numpy()}
    by_layer = {}
    for layer in layers:
        raw = top[-1] if layer == len(output.hidden_states) - 1 else output.hidden_states[layer]
        picked = raw[rows, columns].float()
        scale = picked.pow(2).mean(-1, keepdim=True).add(_norm_eps(base.config)).rsqrt()
        by_layer[layer] = (picked * scale).cpu().numpy()
    return by_layer


def _norm_eps(config: Any) -> float:
    """Return the constant that the model's RMS norm adds to the mean square."""
    return float(getattr(config, "rms_norm_eps", 1e-5))


def train_head(steps: StepStates, *, random_state: int = 0) -> FittedHead:
    """Choose layer and regularisation on held-out problems, then train on all problems.

    Training uses every step. The statistics use the out-of-fold scores of last steps, by problem.
    They are slightly optimistic, because the same folds choose among a dozen settings.

    Raises:
        InputError: there are fewer than two problems, or the samples are all right or all wrong.
    """
    if len(np.unique(steps.problem)) < 2 or len(np.unique(steps.correct)) < 2:
        raise InputError(
            "a reward head needs right and wrong samples of at least two problems; "
            "profile more problems, or some that the policy sometimes solves"
        )
    best: tuple[float, int, float, NDArray[np.float64]] | None = None
    for layer, states in steps.states.items():
        for strength in _STRENGTHS:
            scores = _out_of_fold(states, steps, strength, random_state)
            loss = _log_loss(scores, steps.correct)
            if best is None or loss < best[0]:
                best = (loss, layer, strength, scores)
    assert best is not None
    _, layer, strength, scores = best
    scaler, head = _fit(steps.states[layer], steps.correct, strength)
    weight = head.coef_[0] / scaler.scale_
    intercept = float(head.intercept_[0] - weight @ scaler.mean_)
    statistics = reward_statistics(
        scores[steps.last],
        steps.correct[steps.last],
        steps.problem[steps.last],
        random_state=random_state,
    )
    return FittedHead(layer, weight, intercept, statistics, steps.reads)


def _fit(states: NDArray[np.float32], correct: NDArray[np.bool_], strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(states)
    head = LogisticRegression(C=strength, max_iter=500)
    return scaler, head.fit(scaler.transform(states), correct)


def _out_of_fold(
    states: NDArray[np.float32], steps: StepStates, strength: float, random_state: int
) -> NDArray[np.float64]:
    from sklearn.model_selection import GroupKFold

    scores = np.full(len(states), float(steps.correct.mean()))
    folds = GroupKFold(
        min(_FOLDS, len(np.unique(steps.problem))), shuffle=True, random_state=random_state
    )
    for train, test in folds.split(states, groups=steps.problem):
        if len(np.unique(steps.correct[train])) == 2:
            scaler, head = _fit(states[train], steps.correct[train], strength)
            scores[test] = head.predict_proba(scaler.transform(states[test]))[:, 1]
    return scores


def _log_loss(scores: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    return float(-np.mean(np.where(correct, np.log(clipped), np.log(1 - clipped))))


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
    state = state * state.pow(2).mean().add(_norm_eps(source.config)).rsqrt()
    if fitted.reads is Reads.BEFORE:
        state = normed[0, -1].float()
    served = float(model(ids).logits[0, 0])
    return abs(served - float(state @ torch.tensor(fitted.weight, dtype=torch.float32)))


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
