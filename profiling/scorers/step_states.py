"""Hidden states of a policy at the step ends of its samples: what a reward head is trained on."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from executor.errors import InputError
from executor.models.checkpoint import quiet_transformers
from executor.models.remote_code import trusts_remote_code
from executor.models.tokens import Tokens
from executor.outcome import SampleRecord
from executor.policies.base import Policy
from executor.problem import Problem
from executor.run.runner import Progress
from executor.scorers.reward_head import Reads

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
        scale = picked.pow(2).mean(-1, keepdim=True).add(norm_eps(base.config)).rsqrt()
        by_layer[layer] = (picked * scale).cpu().numpy()
    return by_layer


def norm_eps(config: Any) -> float:
    """Return the constant that the model's RMS norm adds to the mean square."""
    return float(getattr(config, "rmsnorm_eps", 1e-5))
