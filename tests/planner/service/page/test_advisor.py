"""What is kept of answers, until the store holds other evidence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from executor.ledger import Ledger
from executor.outcome import Outcome
from executor.problem import Problem
from executor.store.store import RunSpec, Store
from executor.strategy import Majority, to_dict
from planner.choice.constraint import Constraint
from planner.service.page import advisor
from planner.service.page.advisor import Advisor, Asked, NotHereError
from planner.usecases.evidence_bundle import EvidenceBundle, read_evidence_bundle
from tests.helpers.page_sample import NOWHERE, PLAN, POLICY, PRM

SPEC = RunSpec("measure", "own-policy", None, {"strategy": to_dict(Majority(4))})


def asked(budget: int | None = None, policy: str = POLICY, prm: str | None = PRM) -> Asked:
    return Asked(policy, prm, "all", None, Constraint(budget=budget))


def solve(url: str, numbers: range, right: bool) -> None:
    with Store.open(url) as store:
        store.start(SPEC)
        for number in numbers:
            problem = Problem(f"p{number}", f"What is {number} + 1?", str(number + 1))
            ledger = Ledger(prompt=10, generated=40)
            store.save(SPEC, Outcome(problem, "1", right, 0, (), ledger, 0.1))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The policies whose evidence was read."""
    found: list[str] = []

    def counted(url: str, policy: str, *further: object) -> EvidenceBundle:
        found.append(policy)
        return read_evidence_bundle(url, policy, *further)  # type: ignore[arg-type]

    monkeypatch.setattr(advisor, "read_evidence_bundle", counted)
    return found


@pytest.mark.long
def test_evidence_is_read_once_for_all_budgets_and_difficulties(reads: list[str]) -> None:
    made = Advisor(NOWHERE)
    answers = {made.answer(asked(n)) for n in (4, 16, 64)}
    made.recommend(asked(16))
    made.figures(asked(16))
    made.answer(Asked(POLICY, PRM, "hard", None, Constraint()))
    assert len(answers) == 3
    assert reads == [POLICY]


def test_an_answer_is_given_again_as_it_is() -> None:
    made = Advisor(NOWHERE)
    assert made.recommend(asked(4)) is made.recommend(asked(4))
    assert made.figures(asked(4)) is made.figures(asked(4))


def test_new_evidence_is_a_new_answer(tmp_path: Path, reads: list[str]) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    solve(url, range(10), right=True)
    made, own = Advisor(url), asked(policy="own-policy", prm=None)
    first = made.recommend(own)["recommendation"]
    assert first["strategy"]["name"] == "majority" and first["predicted_accuracy"] > 0.8
    assert made.choices()["policies"][0] == {
        "name": "own-policy", "source": "measured", "prms": [], "benchmarks": []
    }  # fmt: skip
    made.recommend(own)
    assert reads == ["own-policy"]
    solve(url, range(10, 40), right=False)
    second = made.recommend(own)["recommendation"]
    assert second["predicted_accuracy"] < 0.5
    assert reads == ["own-policy"] * 2


def test_folders_of_a_plans_models_stay_private() -> None:
    folders = replace(PLAN, policy="/srv/models/lab-0.8m", prm="/srv/models/lab-0.8m-prm")
    made = Advisor(NOWHERE, folders)
    assert made.choices()["default"] == {"policy": POLICY, "prm": PRM}
    assert made.difficulty("1 + 1?")["policy"] == POLICY
    with pytest.raises(NotHereError, match=r"^the plan for lab-0\.8m cannot"):
        Advisor(NOWHERE, replace(folders, classifier=None)).difficulty("1 + 1?")
