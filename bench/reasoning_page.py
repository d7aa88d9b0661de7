"""What do votes and brevity gain on reasoning models? The page of `data/published/reasoning.csv`.

It writes `docs/reasoning-models.md`, words and tables, from the figures of `bench/reasoning.py`.
Figure: the number of cells and their largest gain of majority@8 over one response.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from common import ROOT, finish
from reasoning_choice import RULES, UNITS, at_token_budgets, every, regret
from reasoning_figures import BENCHMARKS, FIGURES, Figures, Row

PAGE = ROOT / "docs" / "reasoning-models.md"
WORDS = {
    "pass_at_n": "pass@{}",
    "majority": "majority@{}",
    "short_1_of_k": "short-1@{}",
    "short_3_of_k": "short-3@{}",
}


def span(row: Row, name: str) -> str:
    """A figure of a row with its interval; empty if it has none."""
    if not row[name]:
        return ""
    ends = ("low", "high") if name == "value" else (f"{name}_low", f"{name}_high")
    sign = "" if name == "value" else "+"
    value, low, high = (format(float(row[column]), f"{sign}.1f") for column in (name, *ends))
    return f"{value} [{low}, {high}]"


def count(row: Row, name: str) -> str:
    """A number of tokens."""
    return f"{int(row[name]):,}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def paragraph(text: str) -> str:
    """Words of any layout as lines of a page."""
    return textwrap.fill(" ".join(text.split()), 100, break_on_hyphens=False)


def bullets(*texts: str) -> str:
    """Words of any layout as a list."""
    return "\n".join(
        textwrap.fill(
            " ".join(text.split()), 100, initial_indent="- ", subsequent_indent="  ",
            break_on_hyphens=False,
        )
        for text in texts
    )  # fmt: skip


def page(figures: Figures) -> str:
    """The page, in Markdown."""
    return "\n\n".join(_sections(figures)) + "\n"


def _sections(figures: Figures) -> Iterator[str]:
    yield "# Reasoning models: more responses, or shorter ones?"
    yield "_`python bench/reasoning_page.py` writes this page, words and tables._"
    yield paragraph(
        """You can ask `apportion recommend` about seven reasoning and chat models of 32B to 671B
        parameters on three benchmarks, for instance `--policy DeepSeek-R1 --benchmark AIME24`. The
        answer rests on others' runs: the authors of arXiv 2512.02008 drew eight responses to each
        problem and published answers and token counts. `bench/reasoning.py` replays votes among
        them. `data/published/reasoning.csv` has all figures, and the README beside it explains the
        columns. Only the policies of these runs are predicted from them, and greedy decoding is no
        candidate for these: the runs are samples."""
    )
    yield paragraph(
        """**majority@k** is the most common of k answers. **short-m@k** (arXiv 2505.17813) starts k
        responses side by side, stops when m have ended, and takes the most common answer of these;
        `measure --strategies short_m_of_k` runs it, and a profile of your own policy replays it
        ([How it works](how-it-works.md#strategies)). **pass@k** says how often any of k is right.
        Intervals are 95 %, for other problems of the kind; those of means are for other policies
        too."""
    )
    yield from _answers(figures)
    yield from _by_policy(figures)
    yield from _costs(figures)
    yield from _choices()
    yield from _by_difficulty(figures)
    yield from _lengths(figures)
    yield from _fine_print(figures)


def _answers(figures: Figures) -> Iterator[str]:
    yield "## What the runs say"

    def mean(benchmark: str, strategy: str, n: int, *, alike: bool = False) -> Row:
        rows = figures.means(benchmark, alike=alike)
        [row] = [row for row in rows if (row["strategy"], row["n"]) == (strategy, str(n))]
        return row

    def by_benchmark(strategy: str, n: int, name: str, *, alike: bool = False) -> str:
        rows = [(b, mean(b, strategy, n, alike=alike)) for b in BENCHMARKS]
        return ", ".join(f"{span(row, name)} on {benchmark}" for benchmark, row in rows)

    reached = ", ".join(
        f"{float(mean(b, 'majority', 8)['gain']) / float(mean(b, 'pass_at_n', 8)['gain']):.0%}"
        for b in BENCHMARKS
    )
    short, vote, one = (
        ", ".join(count(mean(b, strategy, n), "latency") for b in BENCHMARKS)
        for strategy, n in (("short_3_of_k", 8), ("majority", 8), ("majority", 1))
    )
    yield bullets(
        f"""**More responses pay.** With eight times the tokens, majority@8 gains
        {by_benchmark("majority", 8, "gain")}, in points over one response and as a mean over
        policies. That is {reached} of what pass@8 gains. A part of it comes from responses without
        an answer, which do not vote: all that majority@2 gains does,
        {by_benchmark("majority", 2, "gain")}.""",
        f"""**At equal tokens, short-m@k is not better than majority@k.** The accuracy of short-3@8
        less that of a vote of as many tokens is {by_benchmark("short_3_of_k", 8, "equal")}. Without
        the policies whose openings differ (below) it is
        {by_benchmark("short_3_of_k", 8, "equal", alike=True)}. None of these can be told from zero.
        short-1@8 is lower: {by_benchmark("short_1_of_k", 8, "equal")}.""",
        f"""**short-3@8 is the faster vote.** It does not wait for the longest responses: its tokens
        one after the other are {short} (in the order of the benchmarks above), those of majority@8
        {vote}, and those of one response {one}. Over one response it gains
        {by_benchmark("short_3_of_k", 8, "gain")}.""",
        """**On GPQA-Diamond a vote helps on problems that the policy mostly solves.** On medium and
        hard ones majority@3 gains nothing that can be told from zero, except for Qwen3-32B on
        medium ones. pass@3 gains much there: a right answer is among the responses, and is not the
        common one. (Of four choices, some are guessed.)""",
        """**Neither longer nor shorter thinking is better in general.** Of a right and a wrong
        answer to one problem, the right one is more often the shorter one for DeepSeek-R1 and
        QwQ-32B, and more often the longer one for Qwen3-32B; most other shares are near a half,
        with wide intervals.""",
    )


def _by_policy(figures: Figures) -> Iterator[str]:
    yield "## Gains by policy"
    rows = []
    for policy, benchmark in figures.used():
        of = {"policy": policy, "benchmark": benchmark, "difficulty": "all"}
        one = figures.one(**of, strategy="majority", n="1")
        rows.append(
            [
                policy,
                benchmark,
                one["problems"],
                span(one, "value"),
                count(one, "tokens"),
                *(
                    span(figures.one(**of, strategy=strategy, n="8"), "gain")
                    for strategy in ("majority", "short_3_of_k", "pass_at_n")
                ),
                span(figures.one(**of, strategy="short_3_of_k", n="8"), "equal"),
            ]
        )
    yield table(
        [
            "policy", "benchmark", "problems", "one response, %", "its tokens",
            "majority@8 over one, points", "short-3@8 over one, points",
            "pass@8 over one, points", "short-3@8 over a vote of as many tokens, points",
        ],
        rows,
    )  # fmt: skip
    yield "Each figure rests on eight responses to a problem."


def _costs(figures: Figures) -> Iterator[str]:
    yield "## Accuracy and tokens"
    yield paragraph(
        """Means over seven policies. _Latency_ is the number of tokens one after the other, if all
        responses grow side by side. The last column compares with a majority vote of as many tokens
        on average (a mixture of two numbers of responses)."""
    )
    rows = []
    for benchmark in BENCHMARKS:
        for row in figures.means(benchmark):
            name = WORDS[row["strategy"]].format(row["n"])
            rows.append(
                [
                    benchmark,
                    "one response" if name == "majority@1" else name,
                    span(row, "value"),
                    span(row, "gain"),
                    count(row, "tokens"),
                    count(row, "latency"),
                    span(row, "equal"),
                ]
            )
    yield table(
        [
            "benchmark", "rule", "right, %", "over one response, points", "tokens of a problem",
            "latency, tokens", "over a vote of as many tokens, points",
        ],
        rows,
    )  # fmt: skip


def _choices() -> Iterator[str]:
    yield "## Which model, and how many responses"
    yield paragraph(
        """_Chosen_ is what the figures of the other two benchmarks choose:
        `bench/reasoning_choice.py` leaves out every figure of a benchmark, predicts it, and chooses
        as `apportion recommend`
        does. _Best_ is the best in hindsight, which is in part the luckiest. N is the number of
        responses that a majority vote has. A budget is of generated tokens for a problem."""
    )
    rows = [
        [
            one["benchmark"], str(one["problems"]), f"{one['tokens']:,}", one["choice"],
            percent(one["accuracy"], one["interval"]), f"{one['its_tokens']:,.0f}", one["best"],
            percent(one["best_accuracy"], one["best_interval"]),
        ]
        for one in at_token_budgets()
    ]  # fmt: skip
    yield table(
        ["benchmark", "problems", "budget, tokens", "chosen", "its accuracy, %", "its tokens",
         "best", "its accuracy, %"],
        rows,
    )  # fmt: skip
    problems = sum(one.problems for one in every())
    yield paragraph(
        f"""Regret is the accuracy of the best in hindsight less that of the choice, as a mean over
        budgets from the cheapest choice to the dearest and over the three benchmarks ({problems}
        problems). A token of two models is not the same thing: FLOPs count the parameters that a
        token uses."""
    )
    yield table(
        ["rule", *(f"regret by {_UNITS[unit]}, points" for unit in UNITS)],
        [[rule, *(str(regret(rule, unit, every())) for unit in UNITS)] for rule in RULES],
    )


_UNITS = {"flops": "FLOPs", "tokens": "tokens"}


def percent(accuracy: float, interval: Sequence[float]) -> str:
    """An accuracy with its interval, in percent."""
    low, high = (100 * end for end in interval)
    return f"{100 * accuracy:.1f} [{low:.1f}, {high:.1f}]"


def _by_difficulty(figures: Figures) -> Iterator[str]:
    yield "## By difficulty"
    yield paragraph(
        """GPQA-Diamond has enough problems for it (AIME's figures are in the file). Five of a
        problem's responses give its difficulty for the policy and three others are voted on; the
        figures are means over all such splits, so the number of problems is an expected one."""
    )
    rows = []
    policies = [policy for policy, benchmark in figures.used() if benchmark == "GPQA-Diamond"]
    for level in ("easy", "medium", "hard"):
        for policy in policies:
            of = {"policy": policy, "benchmark": "GPQA-Diamond", "difficulty": level}
            one = figures.one(**of, strategy="majority", n="1")
            three = (
                figures.one(**of, strategy=strategy, n="3")
                for strategy in ("majority", "short_1_of_k", "pass_at_n")
            )
            gains = [span(row, "gain") for row in three]
            rows.append(
                [level, policy, one["problems"], span(one, "value"), count(one, "tokens"), *gains]
            )
    yield table(
        [
            "difficulty", "policy", "problems", "one response, %", "its tokens",
            "majority@3 over one, points", "short-1@3 over one, points", "pass@3 over one, points",
        ],
        rows,
    )  # fmt: skip


def _lengths(figures: Figures) -> Iterator[str]:
    yield "## Is the shorter answer the right one?"
    yield paragraph(
        """Of a right and a wrong answer to one problem, the share of pairs whose right one took
        fewer tokens: 50 % if length says nothing. Responses without an answer do not count, and
        only problems with both kinds do."""
    )
    rows = []
    for policy, benchmark in figures.used():
        row = figures.one(policy=policy, benchmark=benchmark, metric="right_is_shorter")
        rows.append([policy, benchmark, row["problems"], span(row, "value")])
    yield table(["policy", "benchmark", "problems", "right one is shorter, %"], rows)


def _fine_print(figures: Figures) -> Iterator[str]:
    yield "## What to know"
    differ = [
        f"{row['policy']} on {row['benchmark']}"
        for row in figures.where(difficulty="all", strategy="majority", n="1")
        if "openings_differ" in row["note"] and row["reliability"] == "replayed"
    ]
    yield bullets(
        f"""The eight responses begin with eight fixed openings, which are not alike for
        {", ".join(differ)} (Cochran's Q, p < 0.001). After two of them Qwen3-32B often does not
        think; its answers are then short and wrong, which is the worst case for short-m@k.""",
        """Many responses were cut at a token limit (8,000 for gpt-oss-120b, 10,120 and 20,480 for
        DAPO-Qwen-32B, 16,000 or 32,000 for others) and count as wrong. So accuracies are lower than
        the makers', and a part of a vote's gain is that another response was not cut.""",
        """Qwen3-235B is in the file and not on this page: about half of its responses have no
        answer, most of them because they were cut at 5,000 tokens. MATH-500 and the runs called
        beam search are in neither; the README of the figures says why.""",
        """Benchmarks of 30 problems say little: on AIME, the interval of one policy's accuracy is
        22 to 31 points wide. And of the many intervals on this page, one in twenty misses by
        chance.""",
    )


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = Figures(arguments.figures)
    arguments.out.write_text(page(figures), encoding="utf-8")
    cells = figures.used()
    votes = [row for row in figures.where(strategy="majority", n="8", difficulty="all")
             if (row["policy"], row["benchmark"]) in cells]  # fmt: skip
    best = max(votes, key=lambda row: float(row["gain"]))
    finish(
        {"cells": len(cells), "largest_gain": dict(best)},
        f"{len(cells)} cells; majority@8 gains at most {span(best, 'gain')} points "
        f"({best['policy']}, {best['benchmark']})",
        as_json=arguments.json,
    )


if __name__ == "__main__":
    main()
