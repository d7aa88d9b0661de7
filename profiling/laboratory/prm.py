"""Trains the laboratory's PRMs: step scorers that learn from exactly checked steps.

A PRM starts from a base's weights and learns, at every token of a solution, whether all up to it is
right; as the task has one right solution, that is whether the tokens are those of it. Of right
tokens it also goes on learning to write them: what it can write it can check. It is saved as a
reward head with all its layers, which the executor serves like any other, read at the steps' ends.

What a good PRM here needs is to compare the number that was written with the one that should have
been. A language model cannot: of a number it has read, its upper layers keep little, because
nothing it predicts depends on it (`bench/recall_probe.py`). So a verifier comes first, trained on
made mistakes, whose new layers find both numbers below them: the lower layers are also trained to
recall the token they have read.
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

# Most tokens are easy to judge; a result, whose first token follows one of these, is what a step is
# about.
BEFORE_RESULTS = (" = ", " \\boxed{")
_RESULT_WEIGHT = 10.0
_WRITING_WEIGHT = 0.3
_RECALL_WEIGHT = 0.3


@dataclass(frozen=True, kw_only=True)
class VerifierRecipe(Recipe):
    """A PRM that no policy's samples went into: it learns from made mistakes.

    Attributes:
        base: whose weights it starts from.
        new_layers: on top of the base's. A base that has written `7 + 5 = ` knows the result in its
            last layer, where no later token can look at it; layers above can.
    """

    base: str
    new_layers: int


@dataclass(frozen=True, kw_only=True)
class PrmRecipe(Recipe):
    """Where a PRM starts and what it learns from besides.

    Attributes:
        policy: whose samples it learns from.
        base: whose weights it starts from.
        problems, samples: training problems, and samples of each.
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
    """Train, or go on training, a scorer on made mistakes, and save it into `target`.

    Returns:
        What the model card says of the training: recipe, loss, tokens, seconds.
    """
    model = _scorer(recipe, base)
    below = model.config.num_hidden_layers
    _grow(model, recipe.new_layers)
    tokenizer = make_tokenizer()
    chunks = mistaken_rows(recipe.seed, tokenizer, recipe.batch * BATCHES_A_CHUNK)
    origin = checkpoint_digest(str(base))
    return _train(recipe, model, chunks, tokenizer, target, report, origin, recall=below)


def train_prm(
    recipe: PrmRecipe,
    base: Path,
    target: Path,
    graded: Sequence[tuple[Problem, Sequence[SampleRecord]]],
    template: PromptTemplate,
    tokens: Tokens,
    report: Report = print,
) -> dict[str, Any]:
    """Train, or go on training, and save a checkpoint that vLLM serves as a PRM into `target`.

    Args:
        recipe: how.
        base: checkpoint of `recipe.base`.
        target: where to.
        graded: the samples to learn from, by problem; problems know their solution.
        template: how the policy was asked.
        tokens: the policy's tokenizer.
        report: told of progress.

    Returns:
        What the model card says of the training: recipe, loss, tokens, seconds.
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
    """Train and save; `recall` is the number of layers after which the read token is recalled."""
    import torch
    from torch.nn import functional

    before_results = torch.tensor(tokenizer.convert_tokens_to_ids(list(BEFORE_RESULTS)))
    if recall is not None:
        model.recall = torch.nn.Linear(model.config.hidden_size, model.config.vocab_size)

    def loss_of(ids: Any, labels: Any) -> Any:
        found = model.base_model(
            input_ids=ids, attention_mask=(ids != 0).long(), output_hidden_states=True
        )
        states, scored = found[0], labels != IGNORED
        judged = functional.binary_cross_entropy_with_logits(
            model.score(states[scored])[:, 0], labels[scored].float(), reduction="none"
        )
        result = functional.pad(torch.isin(ids[:, :-1], before_results), (1, 0))
        weight = torch.where(result, _RESULT_WEIGHT, 1.0)[scored]
        right = labels[:, 1:] == 1
        vocabulary = model.base_model.embed_tokens.weight  # tied
        written = functional.cross_entropy(states[:, :-1][right] @ vocabulary.T, ids[:, 1:][right])
        loss = (judged * weight).sum() / weight.sum() + _WRITING_WEIGHT * written
        if recall is None:
            return loss
        below = found.hidden_states[recall][ids != 0]
        recalled = model.recall(functional.rms_norm(below, below.shape[-1:]))
        return loss + _RECALL_WEIGHT * functional.cross_entropy(recalled, ids[ids != 0])

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
    """The base as a scorer of tokens."""
    import torch

    quiet_transformers()
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(recipe.seed)
    return AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=1, trust_remote_code=False
    )


def _grow(model: Any, new_layers: int) -> None:
    """Put freshly initialised layers on top of the model's own."""
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
    """For each token of what was said, 1 as long as it is the solution's so far, then 0."""
    same = (one == other for one, other in zip(said, solution, strict=False))
    right = sum(itertools.takewhile(bool, same))
    return [1] * right + [0] * (len(said) - right)


def mistaken_rows(seed: int, tokenizer: Any, chunk: int) -> Iterator[list[Row]]:
    """Endless chunks of solutions with made mistakes; a label says if a token fits its step.

    A step is judged after what was said before it, right or wrong: so one solution holds several
    mistakes to learn from.
    """
    source = mistaken_solutions(seed, BARE_SHARE)
    while True:
        told = list(itertools.islice(source, chunk))
        prompts = tokenizer([f"{problem.problem}\n\n" for problem, _ in told])["input_ids"]
        said, right = (
            iter(
                tokenizer([getattr(step, text) for _, steps in told for step in steps])["input_ids"]
            )
            for text in ("said", "right")
        )
        rows = []
        for prompt, (_, steps) in zip(prompts, told, strict=True):
            ids, labels = list(prompt), [IGNORED] * len(prompt)
            for _ in steps:
                step = next(said)
                ids += step
                labels += right_tokens(step, next(right))
            rows.append((ids, labels))
        yield rows


def sampled_rows(
    graded: Sequence[tuple[Problem, Sequence[SampleRecord]]],
    template: PromptTemplate,
    tokens: Tokens,
) -> list[Row]:
    """Every sample of a policy, labelled by token."""
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
    """The rows again and again, each time in another order, in chunks."""
    rng = random.Random(recipe.seed)
    size = min(recipe.batch * BATCHES_A_CHUNK, len(rows) // recipe.batch * recipe.batch)
    if not size:
        raise ValueError(f"{len(rows)} samples make no batch of {recipe.batch}")
    while True:
        order = rng.sample(rows, len(rows))
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]
