"""A session: models are looked up once, what it could not judge is said, throughput is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from executor.policies.simulated import simulated_problems
from executor.strategy import Majority
from planner.runtime import model_ref
from planner.runtime.model_ref import ModelRef
from planner.runtime.reporter import SilentReporter
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from planner.usecases.measure import measure
from tests.helpers.model_refs import policy_ref, prm_ref
from tests.helpers.simulated_session import SimulatedSession


class Heard(SilentReporter):
    """Keeps the remarks."""

    def __init__(self) -> None:
        self.remarks: list[str] = []

    def say(self, text: str) -> None:
        self.remarks.append(text)


def counting(
    monkeypatch: pytest.MonkeyPatch, name: str, find: Callable[[str], ModelRef]
) -> list[str]:
    """Put a look-up in the place of another; the names that are looked up."""
    asked: list[str] = []

    def look_up(given: str, *_: object) -> ModelRef:
        asked.append(given)
        return find(given)

    monkeypatch.setattr(model_ref, name, look_up)
    return asked


def test_a_name_is_looked_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policies = counting(monkeypatch, "find_policy", policy_ref)
    prms = counting(monkeypatch, "find_prm", prm_ref)
    known = [policy_ref("known")]
    url = f"sqlite:///{tmp_path}/store.db"
    with Session(SilentReporter(), url, SessionSettings(), known) as session:
        for _ in range(2):
            session.find_policy("known")
            session.find_policy("new")
            session.find_plan_prm("judge")
    assert (policies, prms) == (["new"], ["judge"])


def test_steps_beyond_the_context_of_a_prm_are_said_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = Heard()
    with Session(reporter, f"sqlite:///{tmp_path}/store.db", SessionSettings()) as session:
        monkeypatch.setattr(session._loaded, "close", lambda: {"judge": 4, "strict": 0})
    assert reporter.remarks == [
        "note: 4 steps ended beyond the context of PRM judge and are worth 0; --max-tokens keeps "
        "responses shorter"
    ]


def test_what_engines_did_before_a_work_is_not_counted_as_its_own(
    session: SimulatedSession,
) -> None:
    [first] = measure(simulated_problems(3), [Majority(2)], policy="any", session=session).runs
    [spec] = session.store.runs()
    assert first.ledger.generated > 0

    async def solve() -> int:
        return 2

    done = session.timed("work", 2, spec, lambda progress: solve())
    assert (done.solved, done.policy.generated, done.prm) == (2, 0, None)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[SimulatedSession]:
    with SimulatedSession(
        SilentReporter(), f"sqlite:///{tmp_path}/store.db", SessionSettings()
    ) as opened:
        yield opened
