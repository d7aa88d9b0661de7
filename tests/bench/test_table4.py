"""Table 4: what is said to reproduce its figures does, and the page in the tree is the script's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

# arXiv 2502.06703, Table 4.
PRINTED = {
    "Llama-3.2-3B-Instruct": (1.62e23, 3.07e17),
    "Llama-3.1-405B-Instruct": (3.65e25, 4.25e17),
    "DeepSeek-R1-Distill-Qwen-7B": (7.56e23, 8.15e17),
    "DeepSeek-R1": (5.96e25, 4.03e18),
}


@pytest.fixture
def table4(script: Callable[[str], ModuleType]) -> ModuleType:
    """The script, as a module."""
    return script("table4")


@pytest.mark.parametrize("policy", PRINTED)
def test_the_makers_tokens_and_the_stated_ones_give_what_is_printed(
    table4: ModuleType, policy: str
) -> None:
    """To the three figures that are printed."""
    trained, answered = PRINTED[policy]
    assert table4.pretraining(policy) == pytest.approx(trained, rel=5e-3)
    assert table4.inference(policy) == pytest.approx(answered, rel=5e-3)


def test_the_readings_by_hand(table4: ModuleType) -> None:
    found = table4.readings()
    base = 2 * 3e9 * 256 * 400 * 500
    assert found[0].flops == base == pytest.approx(3.07e17, rel=1e-3)
    by_words = {one.words: one.flops / base for one in found}
    assert by_words["a 7B PRM too, that reads every token once"] == pytest.approx(10 / 3)
    assert by_words["a 72B PRM too, once"] == pytest.approx(25)
    assert by_words["64 generations"] == 0.25
    # What cannot be told from the first: a quarter of the generations, and a PRM.
    assert by_words["64 generations of 480 tokens, and a 7B PRM once"] == pytest.approx(1)
    assert by_words["attention too, over 600 tokens"] == pytest.approx(1 + 28 * 3072 * 600 / 3e9)


def test_a_step_that_is_read_again_costs_its_whole_prefix(table4: ModuleType) -> None:
    """Scores of k equal steps read 1 + 2 + ... + k of them."""
    [once] = [r for r in table4.readings() if "reads every token once" in r.words]
    [again] = [r for r in table4.readings() if "again at each step" in r.words]
    k = table4.LENGTH / table4.STEP
    assert again.prm / once.prm == pytest.approx((k * (k + 1) / 2) / k)


def test_a_page_is_made_of_what_is_printed(table4: ModuleType, tmp_path: Path) -> None:
    facts = tmp_path / "facts.csv"
    rows = ["study,item,policy,value"]
    for policy, (trained, answered) in PRINTED.items():
        rows += [f"liu2025,pretraining_flops,{policy},{trained}"]
        rows += [f"liu2025,inference_flops,{policy},{answered}"]
    facts.write_text("\n".join([*rows, "liu2025,max_tokens,,8192"]) + "\n")
    page = table4.page(table4.read_printed(facts))
    assert "| 256 generations of 400 tokens, policy only, 2 x 3e9 a token | 3.07e+17 |" in page
    assert "| DeepSeek-R1 | 4.03e+18 | 6,006 |" in page
    with pytest.raises(SystemExit, match="no such file"):
        table4.read_printed(tmp_path / "none.csv")


def test_the_page_in_the_tree_is_what_the_script_makes(table4: ModuleType) -> None:
    if not table4.FACTS.is_file():
        pytest.skip(f"{table4.FACTS} is not there")
    assert table4.PAGE.read_text() == table4.page(table4.read_printed(table4.FACTS))
