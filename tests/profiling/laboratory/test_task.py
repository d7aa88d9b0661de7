"""The laboratory's task: chains that can be checked, splits that never meet, files made again."""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.answers.grader import MathGrader
from executor.models.tokens import Tokens
from profiling.laboratory.task import (
    LEVELS,
    SOLUTION,
    Chain,
    DataSplit,
    bare,
    distinct,
    draw_chain,
    generate,
    main,
    read_problems,
    split_of,
    tell,
)
from profiling.laboratory.tokenizer import UNKNOWN, make_tokenizer
from profiling.problems.files import load_problems
from profiling.problems.wordproblems import WordProblem
from tests.helpers.story_checker import right_steps

FILES = Path(__file__).parents[3] / "data" / "problems" / "laboratory"
seeds = st.integers(0, 2**32)
levels = st.sampled_from(sorted(LEVELS))


def chain_of(seed: int, level: int) -> Chain:
    return draw_chain(random.Random(seed), LEVELS[level])


@given(seeds, levels)
def test_a_chain_stays_within_its_level(seed: int, level: int) -> None:
    limits = LEVELS[level]
    chain = chain_of(seed, level)
    assert len(chain) == limits.operations
    for step in chain:
        assert 1 <= step.result <= limits.largest
        assert 1 <= step.right <= (limits.addend if step.operator in "+-" else limits.factor)
        if step.operator == "/":
            assert step.left % step.right == 0
    for step, following in itertools.pairwise(chain):
        assert following.left == step.result


@given(seeds, levels, st.sampled_from([tell, lambda rng, chain, level: bare(chain, level)]))
def test_the_solution_can_be_worked_out_from_the_question_alone(
    seed: int, level: int, ask: object
) -> None:
    assert callable(ask)
    problem: WordProblem = ask(random.Random(seed), chain_of(seed, level), level)
    signs = {"buys": "+", "finds": "+", "loses": "-", "sells": "-", "gets": "*", "keeps": "/"}
    if problem.kind == "bare":
        value, *rest = re.findall(r"\d+|[-+*/]", problem.problem)
        events = list(zip(rest[::2], rest[1::2], strict=True))
    else:
        first, *told, _ = problem.problem.replace("?", ".").split(". ")
        value = re.findall(r"\d+", first)[0]
        events = [(signs[one.replace("Now ", "").split()[1]], re.findall(r"\d+", one)[0])
                  for one in told]  # fmt: skip
    for sign, number in events:
        value = str(eval(f"{value} {'//' if sign == '/' else sign} {number}"))
    assert problem.answer == value
    assert MathGrader().extract(problem.solution) == value
    paragraphs = problem.solution.split("\n\n")
    assert right_steps(problem.solution, paragraphs) == [True] * len(events)


def test_a_wrong_step_makes_all_after_it_wrong() -> None:
    solution = "3 + 4 = 7\n\n7 * 2 = 14\n\n14 - 5 = \\boxed{9}"
    assert right_steps(solution, ["3 + 4 = 7\n\n", "7 * 2 = 15\n\n", "14 - 5 = \\boxed{9}"]) == [
        True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "steps",
    [
        ["3 + 4 = 8\n\n"],  # another result
        ["3 - 4 = 7\n\n"],  # another operation
        ["4 + 3 = 7\n\n"],  # another order
        ["3 + 4 = \\boxed{7}"],  # the answer, too early
        ["3 + 4 = 7 apples\n\n"],
        ["\n\n"],
        [""],
    ],
)
def test_a_step_must_be_the_next_calculation(steps: list[str]) -> None:
    assert right_steps("3 + 4 = 7\n\n7 * 2 = \\boxed{14}", steps) == [False]


def test_steps_after_the_answer_and_an_unmarked_answer_are_wrong() -> None:
    solution = "3 + 4 = \\boxed{7}"
    assert right_steps(solution, ["3 + 4 = \\boxed{7}\n\n", "7 + 1 = 8"]) == [True, False]
    assert right_steps(solution, ["3 + 4 = 7"]) == [False]


@given(seeds, levels)
def test_the_same_chain_is_in_one_split_however_it_is_told(seed: int, level: int) -> None:
    chain = chain_of(seed, level)
    assert split_of(chain) is split_of(chain_of(seed, level))
    for split in DataSplit:
        problems = itertools.islice(generate(seed, split, bare_share=0.5), 8)
        for problem in problems:
            numbers = [tuple(re.findall(r"\d+|[-+*/]", p)[:3]) for p in _paragraphs(problem)]
            assert numbers
            assert split_of(_chain(problem)) is split


def _paragraphs(problem: WordProblem) -> list[str]:
    return problem.solution.split("\n\n")


def _chain(problem: WordProblem) -> Chain:
    from profiling.laboratory.task import Calculation

    parts = [re.findall(r"\d+|[-+*/]", paragraph) for paragraph in _paragraphs(problem)]
    return tuple(Calculation(int(left), sign, int(right)) for left, sign, right, *_ in parts)


def test_levels_take_turns_and_unknown_ones_are_refused() -> None:
    drawn = [p.level for p in itertools.islice(generate(3, DataSplit.TRAIN, [2, 5]), 6)]
    assert drawn == [2, 5, 2, 5, 2, 5]
    with pytest.raises(ValueError, match="levels"):
        next(generate(3, DataSplit.TRAIN, [9]))


def test_the_files_are_made_again_byte_for_byte(tmp_path: Path) -> None:
    main(["--out", str(tmp_path)])
    for split in DataSplit:
        name = f"{split}.jsonl"
        assert (tmp_path / name).read_bytes() == (FILES / name).read_bytes(), name


def test_the_files_are_disjoint_and_even_over_the_levels() -> None:
    chains: set[str] = set()
    for split in DataSplit:
        problems = read_problems(FILES / f"{split}.jsonl")
        solutions = {problem.meta[SOLUTION] for problem in problems}
        assert len(solutions) == len(problems) == 400
        assert not solutions & chains
        chains |= solutions
        for level in LEVELS:
            assert sum(p.meta["level"] == str(level) for p in problems) == 50


def test_the_files_read_like_any_problem_file() -> None:
    own, loaded = read_problems(FILES / "profile.jsonl"), load_problems(FILES / "profile.jsonl")
    assert [(p.id, p.text, p.answer) for p in own] == [(p.id, p.text, p.answer) for p in loaded]


@given(seeds, levels)
def test_text_and_tokens_are_one_to_one(seed: int, level: int) -> None:
    tokens = _tokens()
    problem = tell(random.Random(seed), chain_of(seed, level), level)
    for text in (problem.problem, problem.solution, bare(chain_of(seed, level), level).problem):
        ids = tokens.encode(text)
        assert tokens.decode(ids) == text
        assert tokens.tokenizer.unk_token_id not in ids
    cut = tokens.steps([*tokens.encode(problem.solution), tokens.tokenizer.eos_token_id])
    assert [step.text.strip() for step in cut] == _paragraphs(problem)


_cached: list[Tokens] = []


def _tokens() -> Tokens:
    if not _cached:
        _cached.append(Tokens(make_tokenizer()))
    return _cached[0]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("7", ["7"]),
        ("48 + 41", ["48", " + ", "41"]),
        ("305", ["3", "05"]),
        ("Leo has 1265 pencils.", ["Leo", " has ", "12", "65", " pencils", "."]),
        ("6 * 45 = \\boxed{270}", ["6", " * ", "45", " =", " \\boxed{", "2", "70", "}"]),
        ("3\n\n4", ["3", "\n\n", "4"]),
        ("Zebra", [UNKNOWN]),
    ],
)
def test_numbers_are_pairs_of_digits_from_the_right(text: str, pieces: list[str]) -> None:
    assert _tokens().tokenizer.convert_ids_to_tokens(_tokens().encode(text)) == pieces


def test_distinct_problems_do_not_depend_on_how_many_are_asked_for() -> None:
    assert distinct(24, 5, DataSplit.HELDOUT)[:10] == distinct(10, 5, DataSplit.HELDOUT)


def test_a_level_that_runs_out_of_chains_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiling.laboratory.task._TRIES", 500)
    with pytest.raises(ValueError, match=r"level 1 has only \d+ problems in heldout"):
        distinct(1000, 5, DataSplit.HELDOUT)
