"""Trains the laboratory's PRMs: step scorers that learn from exactly checked steps.

A PRM starts from a policy's weights and learns, for every step of that policy's samples, whether
it and all before it are right (`task.right_steps`). It is saved as a reward head with all its
layers, which the executor serves like any other.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from executor.checkpoints import quiet_transformers
from executor.outcome import SampleRecord
from executor.prm.reward_head import HeadCard
from executor.problem import Problem, question_id
from executor.templates import PromptTemplate
from executor.tokens import Tokens
from profiling.fit_prm import step_ends
from profiling.laboratory.task import right_steps
from profiling.laboratory.train import (
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

SOLUTION = "solution"  # where a problem's file says how it is solved


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
    import torch

    quiet_transformers()
    from torch.nn.functional import binary_cross_entropy_with_logits
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(recipe.seed)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=0.01, fused=True
    )
    rows = labelled_rows(graded, template, tokens)

    def loss_of(ids: Any, labels: Any) -> Any:
        states = model.base_model(input_ids=ids, attention_mask=(ids != 0).long())[0]
        scored = labels != IGNORED
        logits = model.score(states[scored])[:, 0]
        return binary_cross_entropy_with_logits(logits, labels[scored].float())

    data = batches(_shuffled(rows, recipe), recipe.batch)
    progress = optimise(model, optimiser, data, loss_of, recipe, target, report)
    record = asdict(recipe) | progress.summary()

    def describe(folder: Path) -> None:
        write_json(folder / TRAINING_FILE, record)
        HeadCard(
            policy=recipe.policy,
            tokenizer=tokens.fingerprint,
            template=template.to_dict(),
            intercept=0.0,
            layers=model.config.num_hidden_layers,
            trained_on=tuple(sorted(question_id(problem.text) for problem, _ in graded)),
        ).save(folder)

    save_checkpoint(model, tokens.tokenizer, target, describe)
    progress.remove()
    return record


def labelled_rows(
    graded: Sequence[tuple[Problem, Sequence[SampleRecord]]],
    template: PromptTemplate,
    tokens: Tokens,
) -> list[Row]:
    """Every sample with a label, 1 or 0, at the tokens where a step's reward is read."""
    rows = []
    for problem, samples in graded:
        prompt = template.render(tokens.tokenizer, problem.text)
        for sample in samples:
            ids = [*prompt, *sample.token_ids]
            labels = [IGNORED] * len(ids)
            texts = [step.text for step in tokens.steps(sample.token_ids) if step.text.strip()]
            ends = step_ends(tokens, sample.token_ids)
            right = right_steps(problem.meta[SOLUTION], texts)
            for end, good in zip(ends, right, strict=True):
                labels[len(prompt) + end] = int(good)
            if ends:
                rows.append((ids, labels))
    return rows


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
