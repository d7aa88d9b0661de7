"""Live runs of strategies as a library makes them."""

from __future__ import annotations

import json

import pytest

from executor.errors import InputError
from executor.policies.simulated import simulated_problems
from executor.strategy import BestOfN, Greedy, Majority, key
from planner.usecases.measure import measure
from profiling.profiles.profiler import MEASURE
from tests.helpers.simulated_session import SimulatedSession

PROBLEMS = simulated_problems(4)


def test_every_strategy_leaves_a_run(session: SimulatedSession) -> None:
    strategies = [Greedy(), Majority(4), BestOfN(4)]
    found = measure(PROBLEMS, strategies, policy="any", prm="judge", session=session)
    assert [run.name for run in found.runs] == [key(one) for one in strategies]
    assert [run.engine["solved"] for run in found.runs if run.engine] == [4, 4, 4]
    runs = session.store.runs()
    assert {spec.kind for spec in runs} == {MEASURE}
    # A run names a PRM only if its strategy used it.
    assert sorted(str(spec.prm) for spec in runs) == ["None", "None", "simulated-prm"]


def test_its_document_is_the_command_s(session: SimulatedSession) -> None:
    found = measure(PROBLEMS, [Majority(4)], policy="any", session=session)
    document = found.to_dict()
    assert set(document) == {"policy", "prm", "runs"}
    assert document["policy"] == "simulated-policy" and document["prm"] is None
    assert json.loads(json.dumps(document))["runs"][0]["problems"] == 4


def test_what_is_done_is_not_done_again(session: SimulatedSession) -> None:
    first, again = (
        measure(PROBLEMS, [Majority(4)], policy="any", session=session).runs[0] for _ in range(2)
    )
    assert again.engine is not None and again.engine["solved"] == 0
    assert (again.correct, again.ledger) == (first.correct, first.ledger)


def test_a_strategy_that_needs_a_prm_gets_one(session: SimulatedSession) -> None:
    with pytest.raises(InputError, match="strategy best_of_n needs a PRM; give one with --prm"):
        measure(PROBLEMS, [BestOfN(4)], policy="any", session=session)
    assert session.store.runs() == []
