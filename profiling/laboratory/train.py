"""Training of the laboratory's policies: small Llamas that learn to write the task's solutions.

A training saves its state, so an interrupted one continues. Equal recipes, seed included, see the
same problems in the same order. `bench/laboratory.py` trains all policies.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from executor.files import written_whole
from executor.models.templates import TEMPLATE_FILE, PromptTemplate
from profiling.laboratory.task import DataSplit, generate
from profiling.laboratory.tokenizer import make_tokenizer
from profiling.problems.wordproblems import WordProblem

Report = Callable[[str], None]
Row = tuple[list[int], list[int]]
"""Token ids and a label for each of them."""

TRAINING_FILE = "training.json"  # figures of the training, for the model card
TEMPLATE = PromptTemplate()  # the question and a blank line: the task has no other words
CONTEXT = 192  # tokens; the longest problem and a rambling solution have room
# Share of bare expressions: they teach the same arithmetic in two thirds of the tokens.
BARE_SHARE = 0.6
IGNORED = -100  # label of tokens that are not learnt: those of the question, and padding
BATCHES_A_CHUNK = 64  # number of batches whose rows are sorted by length together
_CHECKPOINT_EVERY = 60.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of a training.

    Attributes:
        steps: number of optimiser steps.
        batch: rows per step.
        learning_rate: peak of the learning rate; see `learning_rate` for its course.
        seed: seed of new weights and of the order of the data.
    """

    steps: int
    batch: int = 48
    learning_rate: float = 2e-3
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class PolicyRecipe(Recipe):
    """Recipe of a policy, with its size; heads are 32 wide, the MLP is 8/3 of `hidden` wide.

    Attributes:
        hidden: width of the hidden states, a multiple of 32.
        layers: number of layers.
    """

    hidden: int
    layers: int


def make_model(recipe: PolicyRecipe, vocabulary: int, context: int = CONTEXT) -> Any:
    """Return a freshly initialised Llama.

    Args:
        recipe: its recipe.
        vocabulary: number of its tokens.
        context: most tokens of a problem and its response.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=recipe.hidden,
        intermediate_size=recipe.hidden * 8 // 3 // 32 * 32,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.hidden // 32,
        num_key_value_heads=recipe.hidden // 32,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config)


def train_policy(recipe: PolicyRecipe, target: Path, report: Report = print) -> dict[str, Any]:
    """Train a policy and save it into `target` as a checkpoint that vLLM serves.

    An interrupted training continues.

    Args:
        recipe: recipe of the training.
        target: folder of the new checkpoint.
        report: function that receives lines of progress.

    Returns:
        Figures for the model card: recipe, loss, tokens, seconds.
    """
    tokenizer = make_tokenizer()
    model = make_model(recipe, len(tokenizer))
    chunks = solution_rows(
        generate(recipe.seed, DataSplit.TRAIN, bare_share=BARE_SHARE),
        tokenizer,
        recipe.batch * BATCHES_A_CHUNK,
    )

    def loss_of(ids: Any, labels: Any) -> Any:
        return model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss

    data = batches(chunks, recipe.batch)
    progress = optimise(model, data, loss_of, recipe, target, report)
    card = asdict(recipe) | progress.summary()

    def describe(folder: Path) -> None:
        write_json(folder / TRAINING_FILE, card)
        write_json(folder / TEMPLATE_FILE, TEMPLATE.to_dict())

    save_checkpoint(model, tokenizer, target, describe)
    progress.remove()
    return card


def optimise(
    model: Any,
    data: Iterator[tuple[Any, Any]],
    loss_of: Callable[[Any, Any], Any],
    recipe: Recipe,
    target: Path,
    report: Report,
    origin: str = "",
) -> Resumable:
    """Take the remaining steps of the recipe with AdamW; return the state of the training.

    Args:
        model: model to train, in place.
        data: batches `(token ids, labels)`, from the first step on.
        loss_of: function from token ids and labels of a batch to its loss.
        recipe: recipe of the training.
        target: folder of the new checkpoint; the state is kept beside it until the caller removes
            it.
        report: function that receives lines of progress.
        origin: origin of the weights and the data; only a state of the same origin is continued.
    """
    import torch

    optimiser = torch.optim.AdamW(
        model.parameters(),
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=0.01,
        fused=True,
    )
    path = target.with_name(f"{target.name}.training")
    progress = Resumable(path, model, optimiser, {**asdict(recipe), "origin": origin})
    model.train()
    for ids, labels in itertools.islice(data, progress.step, recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(progress.step, recipe.steps, recipe.learning_rate)
        loss = loss_of(ids, labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        progress.done(progress.step + 1, float(loss.detach()), int((ids != 0).sum()))
        if progress.step % 100 == 0:
            report(f"{target.name}: {progress}")
    return progress


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Return the learning rate at a step, counted from 0.

    It rises linearly to `peak` over a twentieth of `steps`, then falls along a cosine to a
    twentieth of `peak`.
    """
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return peak * (step + 1) / warm_up
    part = (step - warm_up) / max(1, steps - warm_up)
    return peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * part)))


def save_checkpoint(
    model: Any, tokenizer: Any, target: Path, describe: Callable[[Path], None]
) -> None:
    """Save model, tokenizer and the files of `describe`; `target` is complete or absent."""
    with written_whole(target) as scratch:
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        describe(scratch)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record as indented JSON, because people read it too."""
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


class Resumable:
    """State of a training, on disk, and its running figures.

    A state on disk with the same `description` is loaded into model and optimiser.
    """

    def __init__(self, path: Path, model: Any, optimiser: Any, description: dict[str, Any]) -> None:
        import torch

        self._path, self._model, self._optimiser = path, model, optimiser
        self._description = json.dumps(description, sort_keys=True)
        self.step, self._tokens, self._seconds, self._loss = 0, 0, 0.0, float("nan")
        if path.is_file():
            state = torch.load(path, weights_only=True)
            if state["description"] == self._description:
                model.load_state_dict(state["model"])
                optimiser.load_state_dict(state["optimiser"])
                self.step, self._tokens = state["step"], state["tokens"]
                self._seconds, self._loss = state["seconds"], state["loss"]
        self._clock = self._saved = time.monotonic()

    def done(self, step: int, loss: float, tokens: int) -> None:
        """Count a finished step; save the state if the last save is a minute old."""
        now = time.monotonic()
        self.step, self._tokens = step, self._tokens + tokens
        self._seconds += now - self._clock
        self._clock = now
        self._loss = loss if math.isnan(self._loss) else 0.98 * self._loss + 0.02 * loss
        if now - self._saved > _CHECKPOINT_EVERY:
            self._save()
            self._saved = now

    def summary(self) -> dict[str, Any]:
        """Return the figures for the model card: loss, tokens, seconds."""
        return {
            "loss": round(self._loss, 4),
            "tokens": self._tokens,
            "seconds": round(self._seconds),
        }

    def __str__(self) -> str:
        speed = self._tokens / max(self._seconds, 1e-9)
        return f"step {self.step}, loss {self._loss:.4f}, {speed:.0f} tokens/s"

    def remove(self) -> None:
        """Remove the state from the disk, once the training is over."""
        self._path.unlink(missing_ok=True)

    def _save(self) -> None:
        import torch

        self._path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._path.with_name(f"{self._path.name}.part")
        torch.save(
            {
                "description": self._description,
                "model": self._model.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "step": self.step,
                "tokens": self._tokens,
                "seconds": self._seconds,
                "loss": self._loss,
            },
            scratch,
        )
        scratch.rename(self._path)


def solution_rows(source: Iterator[WordProblem], tokenizer: Any, chunk: int) -> Iterator[list[Row]]:
    """Yield endless chunks of questions with their solutions; the solution's tokens are the labels.

    Args:
        source: endless problems.
        tokenizer: the laboratory's tokenizer.
        chunk: number of problems in a chunk.
    """
    while True:
        problems = list(itertools.islice(source, chunk))
        prompts = tokenizer([f"{p.problem}\n\n" for p in problems])["input_ids"]
        solutions = tokenizer([p.solution for p in problems])["input_ids"]
        rows = []
        for prompt, solution in zip(prompts, solutions, strict=True):
            ids = [*prompt, *solution, tokenizer.eos_token_id]
            rows.append((ids, [IGNORED] * len(prompt) + ids[len(prompt) :]))
        yield rows


def batches(chunks: Iterator[list[Row]], size: int) -> Iterator[tuple[Any, Any]]:
    """Yield batches `(token ids, labels)`, both of shape `(size, longest row)`.

    Rows are padded on the right. Rows of similar length share a batch, which saves padding; the
    batches of a chunk are shuffled.
    """
    import torch

    rng = torch.Generator().manual_seed(0)
    for chunk in chunks:
        rows = sorted(chunk, key=lambda row: len(row[0]))
        for number in torch.randperm(len(rows) // size, generator=rng).tolist():
            batch = rows[number * size : (number + 1) * size]
            longest = max(len(ids) for ids, _ in batch)
            ids = torch.full((size, longest), 0)
            labels = torch.full((size, longest), IGNORED)
            for row, (tokens, targets) in enumerate(batch):
                ids[row, : len(tokens)] = torch.tensor(tokens)
                labels[row, : len(tokens)] = torch.tensor(targets)
            yield ids, labels
