"""Training of the laboratory's PRMs: step scorers that learn from exactly checked steps.

A PRM starts from a base's weights. At every token of a solution it learns whether everything up to
this token is right. The task has one right solution, so this is whether the tokens are those of the
right solution. It also continues to learn to write the right tokens, because it can check the
numbers that it can write. It is saved as a reward head with all its layers; the executor serves it
like any other head and reads it at step ends.

A good PRM must compare the number that was written with the number that should have been. A
language model cannot: its upper layers keep little of a number it has read, because no prediction
depends on it (`bench/recall_probe.py`). Therefore a verifier is trained first, on random mistakes.
Its new layers find both numbers below them, because the lower layers also learn to recall the token
they have read.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from executor.models.checkpoint import checkpoint_digest, quiet_transformers
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens
from executor.outcome import SampleRecord
from executor.problem import Problem, question_id
from executor.scorers.reward_head import HeadCard
from profiling.laboratory.mistakes import mistaken_solutions
from profiling.laboratory.task import SOLUTION
from profiling.laboratory.tokenizer import make_tokenizer
from profiling.laboratory.train import (
    BARE_SHARE,
    BATCHES_A_CHUNK,
    IGNORED,
    TRAINING_FILE,
    Recipe,
    Report,
    Row,
    batches,
    optimise,
    save_checkpoint,
    write_json,
)

# Most tokens are easy to judge. The result decides whether a step is right, so its first token,
# which follows one of these texts, has a larger weight.
BEFORE_RESULTS = (" = ", " \\boxed{")
_RESULT_WEIGHT = 10.0
_WRITING_WEIGHT = 0.3
_RECALL_WEIGHT = 0.3


@dataclass(frozen=True, kw_only=True)
class VerifierRecipe(Recipe):
    """Recipe of a PRM that learns from random mistakes, without samples of a policy.

    Attributes:
        base: model whose weights it starts from.
        new_layers: number of layers to add on top of the base's. A base that has written `7 + 5 = `
            has the result in its last layer. No later token can attend to that layer, unless there
            are layers above it.
    """

    base: str
    new_layers: int


@dataclass(frozen=True, kw_only=True)
class PrmRecipe(Recipe):
    """Recipe of a PRM that learns from a policy's samples.

    Attributes:
        policy: policy whose samples it learns from.
        base: model whose weights it starts from.
        problems, samples: number of training problems, and of samples of each.
    """

    policy: str
    base: str
    problems: int
    samples: int
    batch: int = 64
    learning_rate: float = 6e-4


def train_verifier(
    recipe: VerifierRecipe, base: Path, target: Path, report: Report = print
) -> dict[str, Any]:
    """Train a scorer on random mistakes and save it into `target`.

    An interrupted training continues.

    Args:
        recipe: recipe of the training.
        base: checkpoint of `recipe.base`.
        target: folder of the new checkpoint.
        report: function that receives lines of progress.

    Returns:
        Figures for the model card: recipe, loss, tokens, seconds.
    """
    model = _scorer(recipe, base)
    base_layers = model.config.num_hidden_layers
    _grow(model, recipe.new_layers)
    tokenizer = make_tokenizer()
    chunks = mistaken_rows(recipe.seed, tokenizer, recipe.batch * BATCHES_A_CHUNK)
    origin = checkpoint_digest(str(base))
    return _train(recipe, model, chunks, tokenizer, target, report, origin, recall=base_layers)


def train_prm(
    recipe: PrmRecipe,
    base: Path,
    target: Path,
    graded: Sequence[tuple[Problem, Sequence[SampleRecord]]],
    template: PromptTemplate,
    tokens: Tokens,
    report: Report = print,
) -> dict[str, Any]:
    """Train a PRM and save it into `target` as a checkpoint that vLLM serves.

    An interrupted training continues.

    Args:
        recipe: recipe of the training.
        base: checkpoint of `recipe.base`.
        target: folder of the new checkpoint.
        graded: samples to learn from, by problem; the `meta` of a problem holds its solution.
        template: prompt template that the samples were drawn with.
        tokens: the policy's tokenizer.
        report: function that receives lines of progress.

    Returns:
        Figures for the model card: recipe, loss, tokens, seconds.

    Raises:
        ValueError: there are fewer samples than one batch needs.
    """
    model = _scorer(recipe, base)
    rows = sampled_rows(graded, template, tokens)
    card = HeadCard(
        policy=recipe.policy,
        tokenizer=tokens.fingerprint,
        template=template.to_dict(),
        intercept=0.0,
        layers=model.config.num_hidden_layers,
        trained_on=tuple(sorted(question_id(problem.text) for problem, _ in graded)),
    )
    chunks = _shuffled(rows, recipe)
    origin = f"{checkpoint_digest(str(base))} {_digest(rows)}"
    return _train(recipe, model, chunks, tokens.tokenizer, target, report, origin, card.save)


def _train(
    recipe: Recipe,
    model: Any,
    chunks: Iterator[list[Row]],
    tokenizer: Any,
    target: Path,
    report: Report,
    origin: str,
    describe: Callable[[Path], None] = lambda folder: None,
    recall: int | None = None,
) -> dict[str, Any]:
    """Train a scorer and save it; return the figures for its model card.

    If `recall` is a number of layers, the states after so many layers also learn to recall the
    token they have read.
    """
    import torch
    from torch.nn import functional

    before_results = torch.tensor(tokenizer.convert_tokens_to_ids(list(BEFORE_RESULTS)))
    if recall is not None:
        model.recall = torch.nn.Linear(model.config.hidden_size, model.config.vocab_size)

    def loss_of(ids: Any, labels: Any) -> Any:
        output = model.base_model(
            input_ids=ids, attention_mask=(ids != 0).long(), output_hidden_states=True
        )
        states, has_label = output[0], labels != IGNORED
        token_loss = functional.binary_cross_entropy_with_logits(
            model.score(states[has_label])[:, 0], labels[has_label].float(), reduction="none"
        )
        is_result = functional.pad(torch.isin(ids[:, :-1], before_results), (1, 0))
        weight = torch.where(is_result, _RESULT_WEIGHT, 1.0)[has_label]
        is_right = labels[:, 1:] == 1
        vocabulary = model.base_model.embed_tokens.weight  # tied
        writing_loss = functional.cross_entropy(
            states[:, :-1][is_right] @ vocabulary.T, ids[:, 1:][is_right]
        )
        loss = (token_loss * weight).sum() / weight.sum() + _WRITING_WEIGHT * writing_loss
        if recall is None:
            return loss
        lower_states = output.hidden_states[recall][ids != 0]
        recall_logits = model.recall(functional.rms_norm(lower_states, lower_states.shape[-1:]))
        return loss + _RECALL_WEIGHT * functional.cross_entropy(recall_logits, ids[ids != 0])

    data = batches(chunks, recipe.batch)
    progress = optimise(model, data, loss_of, recipe, target, report, origin)
    record = asdict(recipe) | progress.summary()
    if recall is not None:
        del model.recall

    def describe_all(folder: Path) -> None:
        write_json(folder / TRAINING_FILE, record)
        describe(folder)

    save_checkpoint(model, tokenizer, target, describe_all)
    progress.remove()
    return record


def _scorer(recipe: Recipe, base: Path) -> Any:
    """Return the base as a model that scores tokens."""
    import torch

    quiet_transformers()
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(recipe.seed)
    return AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=1, trust_remote_code=False
    )


def _grow(model: Any, new_layers: int) -> None:
    """Add freshly initialised layers on top of the model's own."""
    import torch

    config, layers = model.config, model.base_model.layers
    for place in range(len(layers), len(layers) + new_layers):
        layer = type(layers[0])(config, place)
        for weight in layer.parameters():
            if weight.dim() == 2:
                torch.nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
        layers.append(layer)
    config.num_hidden_layers = len(layers)


def right_tokens(said: Sequence[int], solution: Sequence[int]) -> list[int]:
    """Return 1 for each token of `said` before its first difference from `solution`, then 0."""
    same = (one == other for one, other in zip(said, solution, strict=False))
    right = sum(itertools.takewhile(bool, same))
    return [1] * right + [0] * (len(said) - right)


def mistaken_rows(seed: int, tokenizer: Any, chunk: int) -> Iterator[list[Row]]:
    """Yield endless chunks of solutions with mistakes, with a label for each of their tokens.

    A label is 1 if everything in its step up to this token is right. A step is judged as a
    continuation of the text before it, right or wrong, so one solution has several mistakes to
    learn from.

    Args:
        seed: base seed of the problems and mistakes.
        tokenizer: the laboratory's tokenizer.
        chunk: number of solutions in a chunk.
    """
    source = mistaken_solutions(seed, BARE_SHARE)
    while True:
        examples = list(itertools.islice(source, chunk))
        prompts = tokenizer([f"{problem.problem}\n\n" for problem, _ in examples])["input_ids"]
        written_ids, right_ids = (
            iter(
                tokenizer([getattr(step, text) for _, steps in examples for step in steps])[
                    "input_ids"
                ]
            )
            for text in ("said", "right")
        )
        rows = []
        for prompt, (_, steps) in zip(prompts, examples, strict=True):
            ids, labels = list(prompt), [IGNORED] * len(prompt)
            for _ in steps:
                step = next(written_ids)
                ids += step
                labels += right_tokens(step, next(right_ids))
            rows.append((ids, labels))
        yield rows


def sampled_rows(
    graded: Sequence[tuple[Problem, Sequence[SampleRecord]]],
    template: PromptTemplate,
    tokens: Tokens,
) -> list[Row]:
    """Return every sample of a policy, with a label for each of its tokens.

    For the arguments see `train_prm`.
    """
    rows = []
    for problem, samples in graded:
        prompt = template.render(tokens.tokenizer, problem.text)
        solution = tokens.tokenizer(problem.meta[SOLUTION])["input_ids"]
        solution = [*solution, tokens.tokenizer.eos_token_id]
        for sample in samples:
            if sample.token_ids:
                labels = right_tokens(sample.token_ids, solution)
                rows.append(([*prompt, *sample.token_ids], [IGNORED] * len(prompt) + labels))
    return rows


def _digest(rows: Sequence[Row]) -> str:
    digest = hashlib.sha256()
    for ids, labels in rows:
        digest.update(f"{ids} {labels}".encode())
    return digest.hexdigest()[:12]


def _shuffled(rows: list[Row], recipe: PrmRecipe) -> Iterator[list[Row]]:
    """Yield all rows in chunks, again and again, each time in a new order."""
    rng = random.Random(recipe.seed)
    size = min(recipe.batch * BATCHES_A_CHUNK, len(rows) // recipe.batch * recipe.batch)
    if not size:
        raise ValueError(f"there are {len(rows)} samples; expected at least {recipe.batch}")
    while True:
        order = rng.sample(rows, len(rows))
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]
