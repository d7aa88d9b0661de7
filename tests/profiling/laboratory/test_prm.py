"""Training the laboratory's PRMs: labels, made mistakes, and what comes out."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens, load_tokenizer
from executor.outcome import SampleRecord
from executor.problem import Problem, question_id
from executor.scorers.prm import check_prm, resolve_prm
from executor.scorers.reward_head import HeadCard, Reads
from profiling.laboratory.catalog import BASES, POLICIES, PRMS, prms_of
from profiling.laboratory.mistakes import mistaken_solutions
from profiling.laboratory.prm import (
    PrmRecipe,
    VerifierRecipe,
    mistaken_rows,
    right_tokens,
    sampled_rows,
    train_prm,
    train_verifier,
)
from profiling.laboratory.task import SOLUTION, DataSplit, generate
from profiling.laboratory.tokenizer import make_tokenizer
from profiling.laboratory.train import BARE_SHARE, IGNORED
from profiling.problems.wordproblems import STEP_DELIMITER
from profiling.scorers.step_states import step_ends
from tests.helpers.story_checker import right_steps
from tests.helpers.tiny_models import silent


def sample(tokens: Tokens, text: str) -> SampleRecord:
    ids = (*tokens.encode(text), tokens.tokenizer.eos_token_id)
    return SampleRecord(text, None, None, "finished", len(ids), 0.0, token_ids=ids)


PROBLEM = Problem("p", "3 + 4 * 2 = ?", "14", {SOLUTION: "3 + 4 = 7\n\n7 * 2 = \\boxed{14}"})


def reward(prm: Path, tokens: Tokens, said: SampleRecord) -> float:
    """The probability that all of it is right."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(prm, num_labels=1).eval()
    ids = [*tokens.encode(f"{PROBLEM.text}\n\n"), *said.token_ids]
    with torch.inference_mode():
        logits = model.score(model.base_model(torch.tensor([ids]))[0])
    return float(torch.sigmoid(logits[0, -1, 0]))


def test_tokens_are_right_until_the_first_wrong_one() -> None:
    assert right_tokens([5, 6, 7], [5, 6, 7]) == [1, 1, 1]
    assert right_tokens([5, 9, 7], [5, 6, 7]) == [1, 0, 0]
    assert right_tokens([5, 6, 7, 8], [5, 6]) == [1, 1, 0, 0]
    assert right_tokens([], [5]) == []


def test_a_label_stands_at_every_token_of_the_response() -> None:
    tokens = Tokens(make_tokenizer())
    right = sample(tokens, "3 + 4 = 7\n\n7 * 2 = \\boxed{14}")
    wrong = sample(tokens, "3 + 4 = 8\n\n8 * 2 = \\boxed{16}")
    prompt = len(tokens.encode(f"{PROBLEM.text}\n\n"))
    rows = sampled_rows([(PROBLEM, [right, wrong])], PromptTemplate(), tokens)
    for ids, labels in rows:
        assert labels[:prompt] == [IGNORED] * prompt
        assert tokens.decode(ids[:prompt]) == f"{PROBLEM.text}\n\n"
    (_, all_right), (ids, some) = rows
    assert set(all_right[prompt:]) == {1}
    first = some.index(0)
    assert tokens.decode(ids[prompt : first + 1]) == "3 + 4 = 8"
    assert set(some[prompt:first]) == {1} and set(some[first:]) == {0}


@given(seed=st.integers(0, 10**6), data=st.data())
def test_labels_where_steps_end_are_what_the_exact_checker_says(
    seed: int, data: st.DataObject
) -> None:
    asked = next(generate(seed, DataSplit.TRAIN))
    problem = Problem(asked.id, asked.problem, asked.answer, {SOLUTION: asked.solution})
    steps = asked.solution.split(STEP_DELIMITER)
    place = data.draw(st.integers(0, len(steps) - 1))
    digit = data.draw(
        st.sampled_from([found.start() for found in re.finditer(r"\d", steps[place])])
    )
    said = data.draw(st.sampled_from("0123456789"))
    steps[place] = steps[place][:digit] + said + steps[place][digit + 1 :]
    tokens = Tokens(make_tokenizer())
    text = STEP_DELIMITER.join(steps)
    [(ids, labels)] = sampled_rows([(problem, [sample(tokens, text)])], PromptTemplate(), tokens)
    start = labels.count(IGNORED)
    read = [bool(labels[start + end - 1]) for end in step_ends(tokens, ids[start:], Reads.AFTER)]
    assert read == right_steps(asked.solution, steps)


@given(seed=st.integers(0, 10**6))
def test_a_step_is_judged_by_what_was_said_before_it(seed: int) -> None:
    tokens = Tokens(make_tokenizer())
    rows = next(mistaken_rows(seed, tokens.tokenizer, 8))
    told = itertools.islice(mistaken_solutions(seed, BARE_SHARE), 8)
    for (ids, labels), (problem, steps) in zip(rows, told, strict=True):
        start = labels.count(IGNORED)
        assert tokens.decode(ids[:start]) == f"{problem.problem}\n\n"
        assert tokens.decode(ids[start:]) == "".join(step.said for step in steps)
        read = [
            bool(labels[start + end - 1]) for end in step_ends(tokens, ids[start:], Reads.AFTER)
        ]
        assert read == [step.said == step.right for step in steps]


def test_made_mistakes_are_of_all_kinds_and_what_follows_goes_on_from_them() -> None:
    told = list(itertools.islice(mistaken_solutions(0, 0.0), 800))
    steps = [step for _, said in told for step in said]
    wrong = [step for step in steps if step.said != step.right]
    assert 0.38 < len(wrong) / len(steps) < 0.47
    in_result = [
        step for step in wrong if step.said.partition("=")[0] == step.right.partition("=")[0]
    ]
    assert 0.7 < len(in_result) / len(wrong) < 0.9
    for problem, said in told:
        right = [step.right for step in said]
        assert right[0].strip() == problem.solution.split("\n\n")[0]
        for before, step in itertools.pairwise(said):
            assert step.right.startswith(f"{before.said.split('=')[1].strip()} ")
        if all(step.said == step.right for step in said):
            assert "".join(right) == problem.solution


@pytest.mark.long
def test_a_prm_learns_and_is_a_reward_head_of_its_policy(trained: Path, tmp_path: Path) -> None:
    tokens = Tokens(load_tokenizer(trained))
    samples = [
        sample(tokens, "3 + 4 = 7\n\n7 * 2 = \\boxed{14}"),
        sample(tokens, "3 + 4 = 8\n\n8 * 2 = \\boxed{16}"),
    ]
    recipe = PrmRecipe(
        policy="tiny", base="tiny", problems=1, samples=8, steps=80, batch=4, learning_rate=5e-3
    )
    train_prm(
        recipe, trained, tmp_path / "prm", [(PROBLEM, samples * 4)], PromptTemplate(), tokens,
        silent,
    )  # fmt: skip
    assert reward(tmp_path / "prm", tokens, samples[0]) > 0.9
    assert reward(tmp_path / "prm", tokens, samples[1]) < 0.1
    check_prm(resolve_prm(str(tmp_path / "prm")), tokens)
    head = HeadCard.load(tmp_path / "prm")
    assert (head.policy, head.layers, head.intercept) == ("tiny", 1, 0.0)
    assert head.trained_on == (question_id(PROBLEM.text),)


def test_too_few_samples_are_said(trained: Path, tmp_path: Path) -> None:
    tokens = Tokens(load_tokenizer(trained))
    with pytest.raises(ValueError, match="there are 1 samples; expected at least 64"):
        train_prm(
            PrmRecipe(policy="tiny", base="tiny", problems=1, samples=1, steps=1),
            trained, tmp_path / "prm", [(PROBLEM, [sample(tokens, "3")])], PromptTemplate(), tokens,
        )  # fmt: skip


def test_a_verifier_grows_layers_and_is_a_base_like_any_other(
    trained: Path, tmp_path: Path
) -> None:
    from safetensors import safe_open
    from transformers import AutoModelForSequenceClassification

    recipe = VerifierRecipe(base="tiny", new_layers=2, steps=3, batch=8)
    card = train_verifier(recipe, trained, tmp_path / "new", silent)
    assert card["steps"] == 3 and card["new_layers"] == 2
    grown = AutoModelForSequenceClassification.from_pretrained(tmp_path / "new", num_labels=1)
    assert grown.config.num_hidden_layers == len(grown.base_model.layers) == 3
    with safe_open(tmp_path / "new" / "model.safetensors", "pt") as saved:
        named = set(saved.keys())
    assert not any("recall" in name for name in named)  # only training needs it
    assert {name for name in named if ".layers." not in name} == {
        "model.embed_tokens.weight", "model.norm.weight", "score.weight"
    }  # fmt: skip


def test_every_policy_has_its_prms_and_two_of_another() -> None:
    for policy in POLICIES:
        named = prms_of(policy)
        assert PRMS[named["strong"]].policy == policy
        assert PRMS[named["weak"]].policy == policy
        for kind in ("off-policy", "transferred"):
            assert PRMS[named[kind]].policy != policy
        assert PRMS[named["transferred"]].base == PRMS[named["strong"]].base
        assert {recipe.base for recipe in PRMS.values()} <= {*POLICIES, *BASES}
