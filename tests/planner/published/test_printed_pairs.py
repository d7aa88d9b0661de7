"""The pairs of the paper's Tables 3 and 4 come out of data/published with the paper's sign."""

from __future__ import annotations

import pytest

from planner.published.printed_pairs import PrintedPair, printed_pairs

TABLE_3 = "arXiv:2502.06703 Table 3"
# Whether the small policy with its strategy is above the other's one answer (arXiv 2502.06703,
# abstract and Sec. 5): on MATH-500, then on AIME24.
CLAIMS = [
    ("Llama-3.2-3B-Instruct", "Llama-3.1-405B-Instruct", True, True),
    ("Qwen2.5-0.5B-Instruct", "GPT-4o", True, True),
    ("Llama-3.2-3B-Instruct", "GPT-4o", True, True),
    ("DeepSeek-R1-Distill-Qwen-1.5B", "o1-preview", True, True),
    ("DeepSeek-R1-Distill-Qwen-7B", "o1", True, True),
    ("DeepSeek-R1-Distill-Qwen-7B", "DeepSeek-R1", False, True),
]


def of_table_3(benchmark: str, small: str, large: str) -> list[PrintedPair]:
    pairs = printed_pairs(benchmark, [small, large])
    return [one for one in pairs if one.small == small and one.source == TABLE_3]


@pytest.mark.parametrize(("small", "large", "on_math", "on_aime"), CLAIMS)
def test_table_3(small: str, large: str, on_math: bool, on_aime: bool) -> None:
    [math], [aime] = of_table_3("MATH-500", small, large), of_table_3("AIME24", small, large)
    assert ((math.difference > 0), (aime.difference > 0)) == (on_math, on_aime)
    assert (math.problems, aime.problems) == (500, 30)


def test_the_1b_surpasses_the_405b_on_math_with_512_generations_and_not_else() -> None:
    pairs = of_table_3("MATH-500", "Llama-3.2-1B-Instruct", "Llama-3.1-405B-Instruct")
    assert {one.budget: one.difference > 0 for one in pairs} == {None: False, 512: True}
    [at_512] = [one for one in pairs if one.budget == 512]
    low, high = at_512.interval
    assert low < 0 < high  # 500 unpaired problems do not tell .722 from .714


@pytest.mark.parametrize(
    ("small", "large", "ratio"),
    [
        ("Llama-3.2-3B-Instruct", "Llama-3.1-405B-Instruct", 4.25 / 3.07),
        ("DeepSeek-R1-Distill-Qwen-7B", "DeepSeek-R1", 4.03 / 0.815),
    ],
)
def test_table_4(small: str, large: str, ratio: float) -> None:
    """The small policy takes fewer inference FLOPs."""
    [pair] = of_table_3("MATH-500", small, large)
    assert pair.flops is not None
    assert pair.flops[1] / pair.flops[0] == pytest.approx(ratio)
    assert pair.flops[0] < pair.flops[1]


def test_the_interval_is_of_two_independent_shares() -> None:
    pair = PrintedPair("a", "b", "MATH-500", (0.756, 0.714), 500, None, None, "")
    low, high = pair.interval
    error = ((0.756 * 0.244 + 0.714 * 0.286) / 500) ** 0.5
    assert (high - low) / 2 == pytest.approx(1.645 * error, rel=0.01)
    assert (low + high) / 2 == pytest.approx(pair.difference, abs=0.001)


def test_figures_of_two_sources_are_no_pair() -> None:
    for pair in printed_pairs("MATH-500"):
        assert pair.small != pair.large
    assert {one.source for one in printed_pairs("AIME24")} >= {TABLE_3}
    assert printed_pairs("MATH-500", ["Llama-3.2-3B-Instruct"]) == ()
