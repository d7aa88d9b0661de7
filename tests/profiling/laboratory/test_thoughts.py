"""Thoughts of the laboratory: what the reasoner reads and what it learns to write."""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path

import pytest

from executor.thinking.detection import detect_format, find_switch
from executor.thinking.marks import Marks
from profiling.laboratory.task import DataSplit, draw_chains
from profiling.laboratory.thoughts import (
    CLOSE,
    CONTEXT,
    NO,
    ReasonerRecipe,
    make_reasoner_tokenizer,
    thought_of,
    thought_rows,
    train_reasoner,
)
from profiling.laboratory.train import IGNORED

TINY = ReasonerRecipe(hidden=32, layers=1, steps=2, batch=4)
STEP = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)(?: yes| no (\d+))")


def test_a_thought_is_the_chain_with_its_wrong_results_corrected() -> None:
    rng = random.Random(1)
    corrected = 0
    for _, chain in itertools.islice(draw_chains(rng, DataSplit.TRAIN), 200):
        pieces = thought_of(rng, chain)
        steps = STEP.findall("".join(piece.text for piece in pieces))
        assert [step[:3] for step in steps] == [
            (str(one.left), one.operator, str(one.right)) for one in chain
        ]
        for said, step in zip(steps, chain, strict=True):
            assert (said[4] or said[3]) == str(step.result)
            assert said[3] != said[4]
            corrected += bool(said[4])
        # What is wrong is read, and not learnt.
        assert sum(not piece.learnt for piece in pieces) == sum(bool(step[4]) for step in steps)
    assert corrected > 100


def test_rows_fit_and_learn_no_mistake_and_no_forced_end() -> None:
    tokenizer = make_reasoner_tokenizer()
    close = tokenizer.convert_tokens_to_ids(CLOSE)
    rows = next(thought_rows(0, tokenizer, 300))
    assert max(len(ids) for ids, _ in rows) < CONTEXT
    assert not any(tokenizer.unk_token_id in ids for ids, _ in rows)
    learnt_ends = 0
    for ids, labels in rows:
        assert all(label in (token, IGNORED) for token, label in zip(ids, labels, strict=True))
        place = ids.index(close)
        learnt_ends += labels[place] == close
        # The answer is always learnt, whether the thought is whole, cut or empty.
        assert labels[place + 1 :] == ids[place + 1 :]
        wrong = [at - 1 for at, token in enumerate(ids) if tokenizer.decode([token]) == NO]
        assert all(labels[at] == IGNORED for at in wrong)
    assert 80 < learnt_ends < 180


def test_its_chat_template_shows_a_format_and_a_switch() -> None:
    tokenizer = make_reasoner_tokenizer()
    format_, switch = detect_format(tokenizer), find_switch(tokenizer)
    assert format_ is not None and format_.name == "think"
    assert switch is not None and switch.name == "enable_thinking"
    # Its words have no sentence for the end of a thought.
    assert tokenizer.decode(Marks(format_, tokenizer).ending) == CLOSE


@pytest.mark.long
def test_training_is_reproducible(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    for name in ("one", "other"):
        train_reasoner(TINY, tmp_path / name, lambda line: None)
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "other"))
    assert one.keys() == other.keys()
    assert all(bool((one[key] == other[key]).all()) for key in one)
