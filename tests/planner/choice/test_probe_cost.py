"""Costs of probes: one sample of the nearest budget; nothing generated if it can be used."""

from __future__ import annotations

import pytest

from executor.strategy import BestOfN, Dvts, Greedy, Majority, Strategy
from planner.choice.estimate import StrategyEstimate
from planner.choice.probe_cost import ProbeCost, Probing
from planner.costs.cost import Rates
from tests.helpers.evidence_frames import frame_of, row

RATES = Rates(1_000, 500)
PROBING = Probing(4, ProbeCost(100.0, 50.0))


def test_a_sample_costs_what_the_nearest_budget_says() -> None:
    rows = [row(strategy, "a", 1.0) for strategy in (Majority(4), Majority(64), BestOfN(4))]
    frame = frame_of(rows)
    each = {
        (name, int(n)): part.iloc[0] / n for (name, n), part in frame.groupby(["name", "n"]).first()
        [["generated_tokens"]].iterrows()
    }  # fmt: skip
    found = ProbeCost.from_evidence(frame, 5, scored=False)
    assert found == ProbeCost(pytest.approx(each["majority", 4]), 0.0)
    scored = ProbeCost.from_evidence(frame, 5, scored=True)
    prm = frame[frame["name"] == "best_of_n"]["prm_tokens"].iloc[0] / 4
    assert scored == ProbeCost(found.generated, pytest.approx(prm))
    assert ProbeCost.from_evidence(frame[:0], 5, scored=True) == ProbeCost(0.0, 0.0)


@pytest.mark.parametrize(
    ("strategy", "generated", "prm", "generations"),
    [(Majority(8), 0.0, 200.0, 8), (BestOfN(8), 0.0, 0.0, 8), (Greedy(), 400.0, 200.0, 5),
     (Dvts(4), 400.0, 200.0, 8), (Majority(2), 400.0, 200.0, 6)],
    ids=["vote", "scored vote", "greedy", "search", "too few samples"],
)  # fmt: skip
def test_probes_add_what_the_strategy_cannot_use(
    strategy: Strategy, generated: float, prm: float, generations: int
) -> None:
    plain = StrategyEstimate(
        strategy, 0.5, (0.4, 0.6), (5.0, 5.0), RATES.price(1000.0, 20.0, 300.0)
    )
    found = PROBING.charge(plain, RATES)
    assert found.cost.generated_tokens == 1000.0 + generated
    assert found.cost.prm_tokens == 300.0 + prm
    assert found.generations == generations


def test_a_record_is_read_back() -> None:
    assert ProbeCost.from_dict(PROBING.each.to_dict()) == PROBING.each
