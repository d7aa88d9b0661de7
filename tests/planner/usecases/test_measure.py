"""Live runs of strategies as a library makes them."""

from __future__ import annotations

import json

import pytest

from executor.errors import InputError
from executor.policies.simulated import simulated_problems
from executor.strategy import Aggregate, BestOfN, Greedy, Majority, ShortMOfK, key
from planner.evidence.gathering import gather
from planner.usecases.measure import measure
from planner.usecases.profile import profile
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


def test_answers_are_written_from_answers_and_their_first_population_is_a_vote_s(
    session: SimulatedSession,
) -> None:
    aggregate, vote = measure(
        PROBLEMS, [Aggregate(8, 1, 2), Majority(4)], policy="any", session=session
    ).runs
    assert aggregate.ledger.discarded == vote.ledger.generated
    assert aggregate.ledger.generated > 0
    assert aggregate.ledger.prompt > 2 * vote.ledger.prompt  # it reads the answers again


def test_what_a_profile_replays_is_what_a_live_run_reaches(session: SimulatedSession) -> None:
    """Over many problems; the samples are others."""
    problems = simulated_problems(60, "live")
    profile(problems, policy="any", prm="judge", max_samples=16, session=session)
    found = measure(problems, [ShortMOfK(4, 3)], policy="any", session=session).runs[0]
    frame = gather(session.store, session.grader)
    rows = frame[frame["strategy"] == key(ShortMOfK(4, 3))]
    replayed, live = (rows[rows["source"] == source] for source in ("replayed", "measured"))
    assert len(replayed) == len(live) == found.problems == 60
    apart = replayed["all_accuracy"].to_numpy() - live["accuracy"].to_numpy()
    assert abs(apart.mean()) < 4 * apart.std() / 60**0.5


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
