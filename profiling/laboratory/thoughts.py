"""Thoughts that try, check and correct, and the policy that learns to write them.

A thought works out the chain of calculations. The first try has random mistakes, and the next works
through the chain again; it ends once a try agrees with the one before it. Mistakes are read and not
learnt: the policy makes mistakes of its own, and learns to correct what it reads. Half of the
thoughts are cut at a random token, so that the policy also learns to answer from what it has, and
some are empty. So its accuracy depends on how long it may think.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from executor.models.templates import TEMPLATE_FILE
from profiling.laboratory.mistakes import other_number, result_of, shortened
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
AGAIN = "again"
"""Word that begins each further try."""
CONTEXT = 384  # tokens; the longest problem with several tries has room
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}<think>"
    "{% if enable_thinking is defined and not enable_thinking %}</think>{% endif %}"
    "{% endif %}"
)
_MISTAKEN = 0.2  # share of the first try's steps that have a mistake
_STILL = 0.3  # share of the mistakes that the next try repeats
_TRIES = 3
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
    """Return a thought on a chain: tries, until one agrees with the try before it."""
    pieces: list[Piece] = []
    wrong = {place for place in range(len(chain)) if rng.random() < _MISTAKEN}
    before: list[int] = []
    for number in range(_TRIES):
        if number:
            pieces.append(Piece(AGAIN + STEP_DELIMITER, True))
        values: list[int] = []
        value = chain[0].left
        for place, step in enumerate(chain):
            right = shortened(result_of(value, step.operator, step.right))
            lead = f"{value} {step.operator} {step.right} = "
            value = other_number(rng, right) if place in wrong else right
            pieces += [Piece(lead, True), Piece(str(value), place not in wrong)]
            pieces.append(Piece(STEP_DELIMITER, True))
            values.append(value)
        if values == before:
            break
        before = values
        wrong = {place for place in wrong if rng.random() < _STILL} if number == 0 else set()
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
    tokenizer = make_tokenizer(words=(AGAIN,), marks=(OPEN, CLOSE))
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
