"""What a measurement takes: costs, samples, live runs, and commands that are understood."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from executor.strategy import (
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ShortMOfK,
    Strategy,
)
from planner.choice.estimate import StrategyEstimate
from planner.choice.measurement_commands import bought, commands, pooled, whole_cost
from planner.cli import main as cli
from planner.cli.commands.common import strategies, whole_numbers
from planner.costs.cost import Cost


def cell(strategy: Strategy, tokens: float, sources: str = "replayed") -> StrategyEstimate:
    cost = Cost(tokens, 1.0, 0.0, flops=2 * tokens)
    return StrategyEstimate(strategy, 0.5, (0.4, 0.6), (5.0, 5.0), cost, 10, sources)


POOL = [cell(Majority(4), 40.0), cell(Majority(64), 640.0), cell(BestOfN(16), 160.0)]
LIVE = [
    cell(strategy, tokens, "measured")
    for strategy, tokens in (
        (Greedy(), 10.0), (BeamSearch(4), 50.0), (BeamSearch(16), 200.0), (Dvts(4, width=2), 45.0),
    )
]  # fmt: skip


def test_a_pool_is_paid_for_once_and_every_live_run() -> None:
    found = whole_cost([*POOL, *LIVE], 7)
    assert found["generated_tokens"] == 7 * (640 + 10 + 50 + 200 + 45)
    assert found["flops"] == 2 * 7 * (640 + 10 + 50 + 200 + 45)
    assert found["usd"] is None
    assert whole_cost(LIVE, 2)["generated_tokens"] == 610
    unknown = replace(POOL[0], cost=Cost(float("nan"), 1.0, 0.0))
    for cells in ([unknown, *POOL], [*POOL, unknown, *LIVE]):
        assert whole_cost(cells, 2)["generated_tokens"] is None


def test_only_what_was_replayed_comes_from_a_pool() -> None:
    assert all(map(pooled, POOL)) and not any(map(pooled, LIVE))
    assert not pooled(cell(Majority(4), 40.0, "measured"))
    assert pooled(cell(Majority(4), 40.0, "measured+replayed"))


def test_what_is_bought_is_one_profile_and_live_runs() -> None:
    live = tuple(cell.strategy.name for cell in LIVE)
    assert len(live) == 4 and set(live) == {"greedy", "beam_search", "dvts"}
    assert bought([*POOL, *LIVE]) == (64, live)
    assert bought(LIVE[:1]) == (0, ("greedy",))


def test_the_first_to_finish_come_from_a_pool_and_aggregations_are_run_live() -> None:
    cells = [
        cell(ShortMOfK(16), 100.0),
        cell(ShortMOfK(8, 2), 60.0, "measured"),
        cell(Aggregate(8, 1, 2), 80.0, "measured"),
    ]
    assert bought(cells) == (16, ("short_m_of_k", "aggregate"))
    lines = [shlex.split(line)[1:] for line in commands(cells, 5, "mine", None, "all")]
    profiled, *live = map(cli.build_parser().parse_args, lines)
    assert (profiled.module, profiled.max_samples) == ("profile", 16)
    made = [strategies(each, each.strategies, whole_numbers("--budgets", each.budgets))
            for each in live]  # fmt: skip
    assert made == [[ShortMOfK(8, 2)], [Aggregate(8, 1, 2)]]


@pytest.mark.parametrize("prm", [None, "my-prm"])
def test_the_commands_that_buy_it_are_ones_that_are_understood(prm: str | None) -> None:
    cells = [*POOL, *LIVE] if prm else [POOL[1], LIVE[0]]
    lines = commands(cells, 50, "my policy", prm, "hard")
    parsed = []
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "apportion"
        parsed.append(cli.build_parser().parse_args(arguments))
    assert {(p.policy, tuple(p.limit), str(p.problems[0])) for p in parsed} == {
        ("my policy", (50,), "hard.jsonl")
    }
    profiled, *live = parsed
    assert (profiled.module, profiled.max_samples, profiled.prm) == ("profile", 64, prm)
    ran = [(p.module, p.strategies, p.budgets, p.width, p.prm) for p in live]
    assert ran[0] == ("measure", "greedy", "1", None, None)
    if prm:
        assert ran[1:] == [
            ("measure", "beam_search", "4,16", 4, prm), ("measure", "dvts", "4", 2, prm),
        ]  # fmt: skip
        assert lines[-1].endswith("--width 2 --score last --vote weighted")
