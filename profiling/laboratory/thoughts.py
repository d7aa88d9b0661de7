"""Thoughts that try, check and correct, and the policy that learns to write them.

A thought works out the chain of calculations. Behind each result stands a check: `yes`, or `no` and
the right result. Some results are wrong; those are read and not learnt, so that the policy makes
only mistakes of its own, and learns to correct what it reads. Half of the thoughts are cut at a
random token, so that the policy also learns to answer from what it has, and some are empty. So its
accuracy depends on how long it may think.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from executor.models.templates import TEMPLATE_FILE
from profiling.laboratory.mistakes import other_number
from profiling.laboratory.task import (
    Chain,
    DataSplit,
    bare,
    draw_chains,
    tell,
)
from profiling.laboratory.tokenizer import make_tokenizer
from profiling.laboratory.train import (
    BARE_SHARE,
    BATCHES_A_CHUNK,
    IGNORED,
    TEMPLATE,
    TRAINING_FILE,
    PolicyRecipe,
    Report,
    Row,
    batches,
    make_model,
    optimise,
    save_checkpoint,
    write_json,
)
from profiling.problems.wordproblems import STEP_DELIMITER

OPEN, CLOSE = "<think>", "</think>"
YES, NO = " yes", " no "
"""Words that check a result; the right one follows the second."""
CONTEXT = 320  # tokens; the longest problem with a rambling thought has room
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}<think>"
    "{% if enable_thinking is defined and not enable_thinking %}</think>{% endif %}"
    "{% endif %}"
)
_MISTAKEN = 0.2  # share of the steps whose result is wrong at first
_EMPTY, _CUT = 0.15, 0.5  # shares of the thoughts that are empty, and that are cut


@dataclass(frozen=True, kw_only=True)
class ReasonerRecipe(PolicyRecipe):
    """Recipe of a policy that thinks before it answers."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a thought, and whether a policy learns to write it."""

    text: str
    learnt: bool


def thought_of(rng: random.Random, chain: Chain) -> list[Piece]:
    """Return a thought on a chain: each step with a result, a check and maybe a correction."""
    pieces: list[Piece] = []
    for step in chain:
        pieces.append(Piece(f"{step.left} {step.operator} {step.right} = ", True))
        if rng.random() < _MISTAKEN:
            pieces.append(Piece(str(other_number(rng, step.result)), False))
            pieces.append(Piece(f"{NO}{step.result}", True))
        else:
            pieces.append(Piece(f"{step.result}{YES}", True))
        pieces.append(Piece(STEP_DELIMITER, True))
    return pieces


def thought_rows(seed: int, tokenizer: Any, chunk: int) -> Iterator[list[Row]]:
    """Yield endless chunks of training problems with thoughts and answers.

    Labels are the learnt pieces of thoughts, the mark that ends a whole thought, and the answer.

    Args:
        seed: base seed of all draws.
        tokenizer: the reasoner's tokenizer.
        chunk: number of problems in a chunk.
    """
    rng = random.Random(f"{seed} thoughts")
    chains = draw_chains(rng, DataSplit.TRAIN)
    while True:
        yield [_row(rng, tokenizer, *next(chains)) for _ in range(chunk)]


def _row(rng: random.Random, tokenizer: Any, level: int, chain: Chain) -> Row:
    problem = bare(chain, level) if rng.random() < BARE_SHARE else tell(rng, chain, level)
    ids = tokenizer.encode(f"{problem.problem}{STEP_DELIMITER}{OPEN}")
    labels = [IGNORED] * len(ids)
    pieces = [] if rng.random() < _EMPTY else thought_of(rng, chain)
    thought: list[int] = []
    learnt: list[int] = []
    for piece in pieces:
        tokens = tokenizer.encode(piece.text)
        thought += tokens
        learnt += tokens if piece.learnt else [IGNORED] * len(tokens)
    whole = bool(thought)
    if thought and rng.random() < _CUT:
        kept = rng.randrange(len(thought))
        thought, learnt, whole = thought[:kept], learnt[:kept], False
    close = tokenizer.convert_tokens_to_ids(CLOSE)
    answer = tokenizer.encode(f" \\boxed{{{chain[-1].result}}}")
    answer.append(tokenizer.eos_token_id)
    return (
        [*ids, *thought, close, *answer],
        [*labels, *learnt, close if whole else IGNORED, *answer],
    )


def make_reasoner_tokenizer() -> Any:
    """Return the laboratory's tokenizer with the marks of a thought and a chat template."""
    tokenizer = make_tokenizer(words=(YES, NO), marks=(OPEN, CLOSE))
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def train_reasoner(recipe: ReasonerRecipe, target: Path, report: Report = print) -> dict[str, Any]:
    """Train a policy that thinks, and save it into `target`; see `train_policy`."""
    tokenizer = make_reasoner_tokenizer()
    model = make_model(recipe, len(tokenizer), CONTEXT)
    chunks = thought_rows(recipe.seed, tokenizer, recipe.batch * BATCHES_A_CHUNK)

    def loss_of(ids: Any, labels: Any) -> Any:
        return model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss

    progress = optimise(model, batches(chunks, recipe.batch), loss_of, recipe, target, report)
    card = asdict(recipe) | progress.summary()

    def describe(folder: Path) -> None:
        write_json(folder / TRAINING_FILE, card)
        write_json(folder / TEMPLATE_FILE, TEMPLATE.to_dict())

    save_checkpoint(model, tokenizer, target, describe)
    progress.remove()
    return card
