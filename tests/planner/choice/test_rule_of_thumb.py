"""The authors' rule of thumb, case by case, and against the guidance it was read from."""

from __future__ import annotations

import csv

import pytest

from executor.errors import InputError
from executor.strategy import BeamSearch, BestOfN, Dvts
from planner.catalog import load_catalog
from planner.choice.rule_of_thumb import Account, rule_of_thumb
from tests.helpers.shared import SHARED

GUIDANCE = SHARED / "data" / "published" / "guidance.csv"


@pytest.mark.parametrize("account", Account)
@pytest.mark.parametrize(
    ("parameters", "difficulty", "strategy"),
    [
        (1e9, "medium", BeamSearch), (1e9, "hard", BeamSearch), (7e9, "easy", Dvts),
        (14e9, "medium", Dvts), (32e9, "hard", BeamSearch), (72e9, "easy", BestOfN),
        (72e9, "hard", BestOfN),
    ],
)  # fmt: skip
def test_both_accounts_agree(
    account: Account, parameters: float, difficulty: str, strategy: type
) -> None:
    assert rule_of_thumb(parameters, difficulty, 16, account) == strategy(16)


@pytest.mark.parametrize(
    ("policy", "strategy"),
    [
        ("Llama-3.2-3B-Instruct", BeamSearch), ("Qwen2.5-7B-Instruct", Dvts),
        ("Qwen2.5-32B-Instruct", Dvts), ("Qwen2.5-72B-Instruct", BestOfN),
    ],
)  # fmt: skip
def test_sizes_are_nominal(policy: str, strategy: type) -> None:
    parameters = load_catalog().parameters(policy)
    assert parameters is not None
    assert rule_of_thumb(parameters, "medium", 16) == strategy(16)


def test_they_differ_on_easy_problems_of_small_policies_and_the_reply_is_used() -> None:
    assert rule_of_thumb(3e9, "easy", 16) == BeamSearch(16)
    assert rule_of_thumb(3e9, "easy", 16, Account.PAPER) == BestOfN(16)


def test_a_budget_that_a_search_cannot_have_is_refused() -> None:
    with pytest.raises(InputError, match="multiple of the width"):
        rule_of_thumb(1e9, "hard", 1)


@pytest.mark.skipif(not GUIDANCE.exists(), reason=f"{GUIDANCE} is not here")
def test_the_rule_is_what_the_guidance_says() -> None:
    with GUIDANCE.open() as file:
        rows = [row for row in csv.DictReader(file) if row["benchmark"] == "MATH-500"]
    sizes = {"<7B": [1e9, 6.9e9], "7B-32B": [7e9, 32e9], ">32B": [33e9], "72B": [72e9]}
    names = {"beam": "beam_search", "DVTS": "dvts", "best-of-N": "best_of_n"}
    checked = set()
    for row in rows:
        reply, paper = "issue #4" in row["source"], "Sec. 4.3" in row["source"]
        if row["policy_size"] not in sizes or not (reply or paper):
            continue
        account = Account.REPLY if reply else Account.PAPER
        levels = ["easy", "medium", "hard"] if row["difficulty"] == "all" else (
            row["difficulty"].split(";")
        )  # fmt: skip
        for size in sizes[row["policy_size"]]:
            for level in levels:
                found = rule_of_thumb(size, level, 16, account)
                assert found.name == names[row["best_strategy"]], (row, size, level)
                checked.add((account, level, found.name))
    assert len(checked) >= 10
