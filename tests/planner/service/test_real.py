"""The service with real vLLM and the laboratory's models: ledgers, deadlines, lost engines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from executor.engines.options import EngineOptions
from executor.errors import EngineError, InputError
from executor.files import data_folder
from executor.ledger import Ledger
from executor.models.templates import template_for
from executor.policies.vllm import VllmPolicy
from executor.strategy import BeamSearch, BestOfN, Greedy, Majority, Sampling, Strategy
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.probe_cost import ProbeCost
from planner.notes import NoteCode
from planner.plans.plan import Plan, PlanBasis
from planner.runtime.reporter import SilentReporter
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from planner.service.answering.answerer import FieldError, Query, QueryResult
from planner.service.factory import PlanService, create_plan_service
from profiling.problems.files import load_problems
from tests.helpers.notes import of_code
from tests.helpers.plans import plan_with
from tests.planner.service.answering.test_planned import CLASSIFIER, entry

pytestmark = pytest.mark.vllm

POLICY, PRM = "lab-0.8m", "lab-0.8m-prm"
PROBLEMS = load_problems(data_folder() / "problems" / "laboratory" / "heldout.jsonl", limit=6)
EXPECTED: dict[str, dict[Strategy, float]] = {
    "easy": {Greedy(): 0.9, Majority(8): 0.95, BeamSearch(8): 0.9},
    "medium": {Greedy(): 0.3, Majority(8): 0.4, BeamSearch(8): 0.6},
    "hard": {Greedy(): 0.01, Majority(8): 0.02, BeamSearch(8): 0.5},
    "all": {Greedy(): 0.4, Majority(8): 0.46, BeamSearch(8): 0.67},
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    known: dict[str, tuple[StrategyEstimate, ...]] = {
        level: tuple(entry(s, p) for s, p in found.items()) for level, found in EXPECTED.items()
    }
    entries = {"easy": known["easy"][1], "hard": known["hard"][2], "all": known["all"][2]}
    return plan_with(
        known, policy=POLICY, prm=PRM, sampling=Sampling(max_tokens=256),
        template=template_for(POLICY, data_folder() / "models" / POLICY), entries=entries,
        classifier=CLASSIFIER, constraint=Constraint(budget=12),
        rests_on=PlanBasis(mix={"easy": 1, "medium": 1, "hard": 1}),
        probe_cost=ProbeCost(30.0, 30.0),
    )  # fmt: skip


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"
    options = EngineOptions(block_size=32, kv_cache_gib=0.25)
    with Session(SilentReporter(), url, SessionSettings(engine=options, early_stop=True)) as opened:
        yield opened


@pytest.fixture(scope="module")
def opened(session: Session, plan: Plan) -> PlanService:
    return create_plan_service(session, plan)


def query(number: int, **options: Any) -> Query:
    plain: dict[str, Any] = {
        "id": f"query-{number}", "text": PROBLEMS[number].text, "messages": (),
        "constraint": Constraint(budget=12), "strategy": None, "explain": True,
    }  # fmt: skip
    return Query(**(plain | options))


def ask(opened: PlanService, *queries: Query) -> list[QueryResult]:
    async def run() -> list[QueryResult]:
        asked = (opened.answerer.answer(one, lambda progress: None) for one in queries)
        return list(await asyncio.gather(*asked))

    return asyncio.run(run())


def test_what_is_charged_is_what_the_engines_counted(opened: PlanService) -> None:
    forced = [query(4, strategy=BestOfN(4)), query(5, strategy=Greedy())]
    found = ask(opened, *(query(number) for number in range(4)), *forced)
    executor = asyncio.run(opened.answerer.executor())
    policy, total = executor.policy.counters(), sum((one.ledger for one in found), Ledger())
    assert total.policy_generated == policy.generated
    assert (total.prompt + total.cached, total.cached) == (policy.prompt, policy.cached)
    assert executor.prm is not None
    assert total.prm + total.prm_cached == executor.prm.counters().prompt
    assert {one.strategy for one in found[:4]} <= {Greedy(), Majority(8), BeamSearch(8)}
    assert all(one.explain["probing"]["probes"] == 4 for one in found[:4])
    assert all(one.texts[0] for one in found)
    right = sum(one.answer == p.answer for one, p in zip(found, PROBLEMS, strict=True))
    assert right >= 1
    opened.feedback.record_verdict("query-0", right=True)
    with pytest.raises(InputError, match="was not answered here"):
        opened.feedback.record_verdict("query-99", right=True)


def test_when_time_runs_out_what_the_engine_was_writing_is_given(opened: PlanService) -> None:
    limits = Constraint(budget=256, max_seconds=0.25)
    [found] = ask(opened, query(3, constraint=limits, strategy=Majority(256)))
    assert found.seconds < 2
    assert of_code(found.notes, NoteCode.TIME_RAN_OUT)
    assert found.ledger.policy_generated > 0
    assert found.texts[0]


def test_a_lost_engine_is_said_and_the_next_query_gets_a_new_one(opened: PlanService) -> None:
    before = asyncio.run(opened.answerer.executor())
    assert isinstance(before.policy, VllmPolicy)
    engine: Any = before.policy._engine

    async def lose() -> QueryResult:
        asked = asyncio.create_task(
            opened.answerer.answer(query(1, strategy=Majority(64)), lambda progress: None)
        )
        await asyncio.sleep(0.05)
        engine.host.call(lambda: engine.stepped.fail_all(RuntimeError("out of memory"))).result()
        return await asked

    with pytest.raises(EngineError, match="was lost"):
        asyncio.run(lose())
    [found] = ask(opened, query(0, strategy=Greedy()))
    assert found.texts[0]
    after = asyncio.run(opened.answerer.executor())
    assert after.policy is not before.policy and after.prm is before.prm


def test_a_model_trained_on_single_questions_is_asked_the_last_one(opened: PlanService) -> None:
    system = {"role": "system", "content": "You are a helpful assistant."}
    asked = {"role": "user", "content": PROBLEMS[0].text}
    alone, told = ask(
        opened,
        query(0, strategy=Greedy(), messages=(asked,)),
        query(0, strategy=Greedy(), messages=(system, asked, system, asked)),
    )
    assert told.texts == alone.texts
    assert [note.code for note in told.notes] == [
        NoteCode.QUESTION_ALONE, *(note.code for note in alone.notes),
    ]  # fmt: skip


def test_answers_in_json_are_kept_to_their_schema(opened: PlanService) -> None:
    """The laboratory's models can spell numbers and no braces."""
    schema = json.dumps({"type": "integer", "minimum": 1, "maximum": 99})
    [found] = ask(opened, query(0, json_schema=schema))
    assert found.strategy == Majority(8)  # as many as the plan's entry for all has
    assert found.answer is not None and 1 <= int(found.answer) <= 99
    assert json.loads(found.texts[0]) == int(found.answer)
    assert NoteCode.JSON_VOTE in [note.code for note in found.notes]
    for fault, schema in (
        ("no token of the model's vocabulary fits", '{"type": "object"}'),
        ("refused a request", '{"type": "nonsense"}'),
    ):
        with pytest.raises(FieldError, match=fault) as refused:
            ask(opened, query(0, json_schema=schema))
        assert refused.value.param == "response_format"
    assert ask(opened, query(0, strategy=Greedy()))[0].texts[0]  # the engine goes on


def test_a_begun_answer_is_continued(opened: PlanService) -> None:
    plain, begun = ask(
        opened,
        query(0, strategy=Greedy(), seed=1),
        query(0, strategy=Greedy(), seed=1, begun="30 / 2"),
    )
    assert begun.ledger.prompt + begun.ledger.cached > plain.ledger.prompt + plain.ledger.cached
    assert begun.texts[0].lstrip().startswith("=")


def test_decoding_a_prompt_of_tokens(opened: PlanService) -> None:
    executor = asyncio.run(opened.answerer.executor())
    ids = executor.policy.tokens.encode(PROBLEMS[0].text)
    assert opened.answerer.decode(ids) == PROBLEMS[0].text
    with pytest.raises(InputError, match="is not a token of"):
        opened.answerer.decode([10**9])
