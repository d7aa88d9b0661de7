"""Queries answered by a plan, on a simulated policy: routed, bounded, deadlines, lost engines."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executor.answers.grader import MathGrader
from executor.engines.base import RequestRefusedError
from executor.errors import EngineError, InputError
from executor.models.stopping import Finish
from executor.models.templates import PromptTemplate
from executor.policies.base import Draw, DrawRequest, Reads
from executor.policies.simulated import EOS_ID, SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.problem import Problem
from executor.run.admission import CONCURRENCY
from executor.run.runner import Executor
from executor.strategy import BestOfN, Dvts, Greedy, Majority, Sampling, Strategy
from executor.testing import virtual_time
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.probe_cost import ProbeCost
from planner.costs.cost import Rates
from planner.notes import Note, NoteCode
from planner.plans.plan import Plan, PlanBasis
from planner.service.answering.answerer import (
    DeadlineExceededError,
    Query,
    QueryProgress,
    QueryResult,
)
from planner.service.answering.planned import PlanAnswerer
from profiling.difficulty.estimator import RANGES, DifficultyModel, Head, Quality
from tests.helpers.hostile_grader import ENDLESS, HostileGrader
from tests.helpers.notes import of_code
from tests.helpers.plans import plan_with

PROBES = 4
PROBLEMS = simulated_problems(8)
CHANCE = {problem.text: 0.98 if i % 2 == 0 else 0.03 for i, problem in enumerate(PROBLEMS)}
EASY, HARD = PROBLEMS[0], PROBLEMS[1]
RATES = Rates(1000, 500)


NAMED = ((0.98, 0.0, 0.02), (0.0, 1.0, 0.0), (0.02, 0.0, 0.98))


def head(probes: int, feature: str, sharpness: float) -> Head:
    """Easy where a feature is above its mean, hard where below; medium never."""
    weights = [[0.0]] * RANGES
    weights[0], weights[-1] = [-sharpness], [sharpness]
    return Head(
        probes=probes, features=(feature,), mean=(0.6,), scale=(1.0,),
        weights=tuple(map(tuple, weights)), intercepts=(0.0, *[-30.0] * (RANGES - 2), 0.0),
        nominal=0.9,
        quality=Quality(0.1, 1.0, 1.0, 0.0, 0.9, 0.1, NAMED),
    )  # fmt: skip


# By the text nothing can be told; by the agreement of four samples nearly all.
CLASSIFIER = DifficultyModel((head(0, "log_numbers", 0.0), head(PROBES, "agreement", 10.0)), 40)
EXPECTED: dict[str, dict[Strategy, float]] = {
    "easy": {Greedy(): 0.95, Majority(8): 0.98, BestOfN(16): 0.98, Dvts(16): 0.97},
    "medium": {Greedy(): 0.2, Majority(8): 0.3, BestOfN(16): 0.5, Dvts(16): 0.5},
    "hard": {Greedy(): 0.01, Majority(8): 0.02, BestOfN(16): 0.1, Dvts(16): 0.4},
    "all": {Greedy(): 0.48, Majority(8): 0.5, BestOfN(16): 0.54, Dvts(16): 0.685},
}


def entry(strategy: Strategy, accuracy: float) -> StrategyEstimate:
    tokens = 100.0 * strategy.n
    prm = tokens if strategy.needs_prm else 0.0
    cost = RATES.price(tokens, 20.0, prm)
    beta = (400 * accuracy, 400 * (1 - accuracy))
    interval = max(0.0, accuracy - 0.05), min(1.0, accuracy + 0.05)
    return StrategyEstimate(strategy, accuracy, interval, beta, cost)


def plan_of(**changes: Any) -> Plan:
    known = {
        level: tuple(entry(s, p) for s, p in found.items()) for level, found in EXPECTED.items()
    }
    plain: dict[str, Any] = {
        "policy": "simulated-policy", "prm": "simulated-prm", "sampling": Sampling(max_tokens=400),
        "template": PromptTemplate(), "classifier": CLASSIFIER, "constraint": Constraint(budget=20),
        "entries": {"easy": known["easy"][1], "hard": known["hard"][3], "all": known["all"][3]},
        "rests_on": PlanBasis(mix={"easy": 20, "medium": 0, "hard": 20}),
        "rates": RATES, "probe_cost": ProbeCost(100.0, 100.0),
    }  # fmt: skip
    return plan_with(**({"alternatives": known} | plain | changes))


@pytest.fixture(scope="module")
def grader() -> Iterator[MathGrader]:
    with MathGrader() as shared:
        yield shared


@dataclasses.dataclass
class Service:
    """An answerer with what it was made of."""

    answerer: PlanAnswerer
    executors: list[Executor]
    heard: list[QueryProgress] = dataclasses.field(default_factory=list)

    def ask(
        self, problem: Problem, constraint: Constraint | None = None, **options: Any
    ) -> QueryResult:
        query = Query(
            "request", problem.text, options.pop("messages", ()),
            constraint or Constraint(budget=20), options.pop("strategy", None), **options,
        )  # fmt: skip
        return virtual_time.run(self.answerer.answer(query, self.heard.append))


def service_of(grader: MathGrader, plan: Plan | None = None, **options: Any) -> Service:
    executors: list[Executor] = []
    plan = plan or plan_of()

    def load() -> Executor:
        # A fresh engine is a sound one.
        mine = {k: v for k, v in options.items() if not (k == "faults" and executors)}
        policy = SimulatedPolicy(CHANCE, 2, wrong_answers=50, **mine)
        executors.append(
            Executor(policy, SimulatedPrm(0.95), grader, plan.sampling, early_stop=True)
        )
        return executors[-1]

    return Service(PlanAnswerer(plan, load), executors)


def check_ledger(service: Service, *answered: QueryResult) -> None:
    total = sum((one.ledger for one in answered), start=type(answered[0].ledger)())
    counted = service.executors[-1].policy.counters()
    assert total.policy_generated == counted.generated
    assert total.prompt + total.cached == counted.prompt


def test_every_query_is_routed_on_top_of_its_probes(grader: MathGrader) -> None:
    service = service_of(grader)
    easy, hard = service.ask(EASY), service.ask(HARD)
    assert (easy.difficulty, hard.difficulty) == ("easy", "hard")
    assert (easy.strategy, hard.strategy) == (Majority(8), Dvts(16))
    assert easy.answer == EASY.answer
    assert easy.ledger.probe == 0 and hard.ledger.probe > 0
    assert easy.predicted_accuracy == pytest.approx(0.98, abs=0.01)
    assert hard.predicted_accuracy == pytest.approx(0.4, abs=0.02)
    assert easy.finish == hard.finish == ("stop",)
    check_ledger(service, easy, hard)
    assert [one.stage for one in service.heard[:3]] == ["probing", "routed", "searching"]
    assert service.heard[1].strategy == "majority"
    for one in (easy, hard):
        assert 0 < one.routing < one.seconds


def test_a_query_may_have_a_constraint_of_its_own(grader: MathGrader) -> None:
    service = service_of(grader)
    assert service.ask(HARD, Constraint(budget=1)).strategy == Greedy()
    assert service.ask(HARD, Constraint(budget=8)).strategy == Majority(8)
    cheap = service.ask(EASY, Constraint(target_accuracy=0.9, confidence=0.5))
    assert cheap.strategy == Greedy()
    with pytest.raises(InputError, match="max-flops"):
        service.ask(EASY, Constraint(max_flops=1.0))


def test_a_strategy_may_be_forced(grader: MathGrader) -> None:
    service = service_of(grader)
    answered = service.ask(EASY, strategy=BestOfN(16))
    assert answered.strategy == BestOfN(16)
    assert answered.ledger.probe == 0
    assert answered.predicted_accuracy is not None
    unknown = service.ask(EASY, strategy=Majority(3))
    assert unknown.predicted_accuracy is None
    assert Note.of(NoteCode.STRATEGY_NOT_PREDICTED) in unknown.notes


def test_the_best_different_answers_come_first(grader: MathGrader) -> None:
    answered = service_of(grader).ask(HARD, strategy=Majority(8), n=3)
    found = [grader.extract(text) for text in answered.texts]
    assert len(found) == 3 and found[0] == answered.answer
    assert len(set(answered.texts)) == 3


def test_when_time_runs_out_the_vote_of_what_has_ended_is_given(grader: MathGrader) -> None:
    service = service_of(grader, latency=25.0)
    answered = service.ask(EASY, Constraint(budget=20, max_seconds=300), strategy=Majority(8))
    assert answered.answer == EASY.answer and not answered.notes[1:]
    late = service.ask(EASY, Constraint(budget=20, max_seconds=10), strategy=Majority(8))
    assert (late.finish, late.answer) == (("length",), None)
    assert late.texts[0].startswith("Step 1")
    assert Note.of(NoteCode.TIME_RAN_OUT, seconds=10, ended=0) in late.notes
    check_ledger(service, answered, late)


def test_time_waited_before_is_part_of_the_time_for_the_answer(grader: MathGrader) -> None:
    service = service_of(grader, latency=40.0)
    service.ask(EASY)  # loads the models
    limit = Constraint(budget=20, max_seconds=300)
    assert len(service.ask(EASY, limit, strategy=Majority(8)).notes) == 1  # no seconds are known
    waited = time.perf_counter() - 280
    late = service.ask(EASY, limit, strategy=Majority(8), arrived=waited)
    [cut] = of_code(late.notes, NoteCode.TIME_RAN_OUT)
    assert cut.number("seconds") == 300
    with pytest.raises(DeadlineExceededError, match="before anything was written"):
        service.ask(EASY, limit, arrived=time.perf_counter() - 310)


def test_models_that_are_not_loaded_in_time(grader: MathGrader) -> None:
    service = service_of(grader)
    loaded = service.answerer._load
    told = threading.Event()
    service.answerer._load = lambda: told.wait(60) and loaded()  # type: ignore[assignment, return-value]

    async def two() -> QueryResult:
        limit = Constraint(budget=20, max_seconds=0.05)
        one = Query("request", EASY.text, (), limit, None)
        with pytest.raises(DeadlineExceededError, match="not loaded in time"):
            await service.answerer.answer(one, service.heard.append)
        told.set()
        # Who has the time waits for the same models.
        patient = Query("request", EASY.text, (), Constraint(budget=20), None)
        return await service.answerer.answer(patient, service.heard.append)

    assert asyncio.run(two()).answer == EASY.answer
    assert len(service.executors) == 1


def test_nothing_is_told_before_the_models_are_there(grader: MathGrader) -> None:
    service = service_of(grader)
    loaded, heard = service.answerer._load, []  # type: ignore[var-annotated]

    def load() -> Executor:
        heard.extend(service.heard)
        return loaded()

    service.answerer._load = load
    service.ask(EASY)
    assert heard == [] != service.heard


def test_the_ledger_of_a_query_is_known_though_it_is_not_answered(grader: MathGrader) -> None:
    service = service_of(grader, latency=0.2)
    service.ask(EASY)
    before = service.executors[0].policy.counters().generated
    query = Query("request", EASY.text, (), Constraint(budget=20), Majority(8))

    async def cancelled() -> None:
        async with asyncio.timeout(0.1):
            await service.answerer.answer(query, service.heard.append)

    with pytest.raises(TimeoutError):
        virtual_time.run(cancelled())
    spent = service.executors[0].policy.counters().generated - before
    assert query.ledger.policy_generated == query.ledger.discarded == spent


def test_those_that_have_ended_vote_where_others_have_not(grader: MathGrader) -> None:
    # Eight could settle the vote of sixteen, and are drawn first; they do not, and time runs out.
    service = service_of(grader, latency=50.0)
    virtual_time.run(service.answerer.ready())  # loading takes none of the question's time
    answered = service.ask(HARD, Constraint(budget=20, max_seconds=90), strategy=Majority(16))
    assert answered.finish == ("stop",)
    assert Note.of(NoteCode.TIME_RAN_OUT, seconds=90, ended=8) in answered.notes
    check_ledger(service, answered)
    assert 0 < answered.ledger.generated < answered.ledger.policy_generated


@pytest.mark.long
def test_probes_that_were_scored_do_not_outvote_what_was_drawn_after_them(
    grader: MathGrader,
) -> None:
    # Four probes, then those that could settle the vote of sixteen; they do not, and time runs out.
    easy = (entry(Greedy(), 0.98), entry(Majority(16), 0.5))
    others = (entry(Greedy(), 0.02), entry(Majority(16), 0.4))
    known = {"easy": easy} | dict.fromkeys(("medium", "hard", "all"), others)
    service = service_of(grader, plan_of(alternatives=known), latency=40.0)
    first = service.ask(EASY)  # loads the models
    answered = service.ask(HARD, Constraint(budget=20, max_seconds=100))
    assert answered.strategy == Majority(16)
    assert Note.of(NoteCode.TIME_RAN_OUT, seconds=100, ended=10) in answered.notes
    check_ledger(service, first, answered)


@pytest.mark.process
def test_answers_that_take_too_long_to_compare_are_said(tmp_path: Path) -> None:
    with HostileGrader(tmp_path) as hostile:
        answered = service_of(hostile).ask(HARD, strategy=Majority(16))
        assert answered.answer in ENDLESS and answered.uncompared > 0
        [note] = of_code(answered.notes, NoteCode.ANSWERS_NOT_COMPARED)
        assert note.whole("pairs") == answered.uncompared


def test_of_a_search_cut_short_the_longest_part_is_given(grader: MathGrader) -> None:
    service = service_of(grader, latency=20.0)
    virtual_time.run(service.answerer.ready())
    answered = service.ask(EASY, Constraint(budget=20, max_seconds=50), strategy=Dvts(4))
    assert answered.finish == ("length",)
    assert answered.texts[0].startswith("Step 1") and "boxed" not in answered.texts[0]
    check_ledger(service, answered)
    assert 0 < answered.ledger.generated < answered.ledger.policy_generated


def test_a_lost_engine_is_said_and_the_next_query_gets_another(grader: MathGrader) -> None:
    service = service_of(grader, faults=range(1, sys.maxsize))
    with pytest.raises(EngineError):
        service.ask(EASY)
    assert service.ask(EASY).answer == EASY.answer
    assert len(service.executors) == 2


def test_as_many_are_answered_at_once_as_the_engines_hold(grader: MathGrader) -> None:
    service = service_of(grader)
    before = service.answerer.concurrency
    service.ask(EASY, strategy=Greedy())
    sequences = service.executors[0].policy.capacity.sequences
    # Until it is known what questions take: as many as the plan's largest strategy lets in.
    assert before == CONCURRENCY and service.answerer.concurrency == 2 * sequences
    for _ in range(200):
        service.ask(HARD, strategy=Majority(8))
    assert 2 * sequences // 8 <= service.answerer.concurrency <= 2 * sequences // 8 + 10


def test_equal_seeds_give_equal_answers_whatever_the_request_is_called(grader: MathGrader) -> None:
    def texts(**options: Any) -> tuple[str, ...]:
        return service_of(grader).ask(HARD, strategy=Majority(8), n=3, **options).texts

    assert texts(seed=7) == texts(seed=7) != texts(seed=8)


def test_a_limit_on_tokens_is_kept(grader: MathGrader) -> None:
    answered = service_of(grader).ask(EASY, strategy=Majority(8), max_tokens=20)
    assert answered.finish == ("length",)
    assert answered.ledger.policy_generated <= 8 * 20


def test_probes_cut_by_a_query_s_own_limit_say_nothing_of_difficulty(grader: MathGrader) -> None:
    service = service_of(grader)
    short = service.ask(EASY, max_tokens=5, explain=True)
    assert short.explain["probing"]["probes"] == PROBES
    assert short.explain["estimate"] == short.explain["probing"]["by_text"]
    assert Note.of(NoteCode.OTHER_TOKEN_LIMIT, max_tokens=400, asked=5) in short.notes
    # Long enough for all of them: they are what the plan's limit gives.
    long = service.ask(EASY, max_tokens=399, explain=True)
    assert (long.difficulty, long.explain["estimate"]["probes"]) == ("easy", PROBES)
    assert Note.of(NoteCode.OTHER_TOKEN_LIMIT, max_tokens=400, asked=399) in long.notes
    usual = service.ask(EASY, max_tokens=400)
    assert not of_code(usual.notes, NoteCode.OTHER_TOKEN_LIMIT)


CONVERSATION = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": EASY.text})


@pytest.mark.parametrize(
    ("reads", "codes"),
    [
        (Reads.TURNS, [NoteCode.LAST_MESSAGE_ALONE]),
        (Reads.TEXT, [NoteCode.CONVERSATION_AS_TEXT, NoteCode.LAST_MESSAGE_ALONE]),
        (Reads.QUESTION, [NoteCode.QUESTION_ALONE]),
    ],
)
def test_what_the_policy_reads_of_a_conversation_is_noted(
    grader: MathGrader, reads: Reads, codes: list[NoteCode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SimulatedPolicy, "reads", reads)
    answered = service_of(grader).ask(EASY, messages=CONVERSATION)
    assert answered.answer == EASY.answer
    assert [note.code for note in answered.notes] == codes
    assert not service_of(grader).ask(EASY, messages=CONVERSATION[1:]).notes


def test_an_answer_continues_what_it_was_begun_with(grader: MathGrader) -> None:
    service = service_of(grader)
    begun = "Let me see. "
    plain, answered = service.ask(EASY), service.ask(EASY, begun=begun)
    assert answered.answer == EASY.answer and not answered.texts[0].startswith(begun)
    drawn = answered.ledger.prompt + answered.ledger.cached
    assert drawn > plain.ledger.prompt + plain.ledger.cached
    check_ledger(service, plain, answered)
    # What stands in the beginning counts as a part of the answer.
    told = service.ask(EASY, begun="The answer is \\boxed{7}. ", max_tokens=400)
    assert told.answer == EASY.answer


def test_a_query_may_set_how_its_samples_are_drawn(grader: MathGrader) -> None:
    service = service_of(grader)
    answered = service.ask(EASY, temperature=0.3, top_p=0.9)
    assert Note.of(NoteCode.OTHER_TEMPERATURE, temperature=0.7) in answered.notes
    assert Note.of(NoteCode.OTHER_TOP_P, top_p=1.0) in answered.notes
    assert not service.ask(EASY, temperature=0.7, top_p=1.0).notes


class JsonPolicy(SimulatedPolicy):
    """A policy that spells one value in three ways, and now and then writes another."""

    writes_json = True
    TEXTS = ('{"x": 4, "y": [1]}', '{"y":[1.0],"x":4}', '{"x": 4.0, "y": [10e-1]}', '{"x": 5}', "{")

    async def draw(self, request: DrawRequest) -> list[Draw]:
        assert request.json_schema == '{"type": "object"}'
        texts = [self.TEXTS[(request.seed + child) % 5] for child in range(request.n)]
        drawn = [(*map(ord, text), EOS_ID) for text in texts]
        for ids in drawn:
            request.ledger.generated += len(ids)
            request.ledger.charge_prompt(len(request.prompt_ids), 0)
        draws = [Draw(ids, Finish.EOS, -1.0) for ids in drawn]
        for child, draw in enumerate(draws):
            if request.finished is not None:
                request.finished(child, draw)
        return draws


def json_service(grader: MathGrader, policy: SimulatedPolicy) -> Service:
    plan = plan_of()
    executor = Executor(policy, SimulatedPrm(0.95), grader, plan.sampling)
    observed: list[Any] = []
    answerer = PlanAnswerer(plan, lambda: executor, observer=lambda *seen: observed.append(seen))
    return Service(answerer, [executor])


def test_answers_in_json_vote_by_their_values(grader: MathGrader) -> None:
    service = json_service(grader, JsonPolicy(CHANCE))
    answered = service.ask(HARD, json_schema='{"type": "object"}')
    # As many as the plan's entry for all has; the search that it names cannot keep to a grammar.
    assert answered.strategy == Majority(16)
    assert answered.answer == '{"x":4,"y":[1]}' and answered.texts[0] in JsonPolicy.TEXTS[:3]
    assert answered.predicted_accuracy is None and answered.ledger.probe == 0
    assert [note.code for note in answered.notes] == [NoteCode.JSON_VOTE]
    one = service.ask(HARD, Constraint(budget=1), json_schema='{"type": "object"}')
    assert one.strategy == Greedy()
    with pytest.raises(InputError, match="dvts searches step by step, and JSON is written whole"):
        service.ask(HARD, strategy=Dvts(16), json_schema='{"type": "object"}')


def test_a_policy_that_writes_no_json_says_so(grader: MathGrader) -> None:
    with pytest.raises(InputError, match="response_format: policy simulated-policy cannot be"):
        service_of(grader).ask(EASY, json_schema='{"type": "object"}')


def test_a_schema_that_the_engine_refuses_is_the_requests_fault(grader: MathGrader) -> None:
    class Refusing(JsonPolicy):
        async def draw(self, request: DrawRequest) -> list[Draw]:
            raise RequestRefusedError("engine policy refused a request: no such type")

    service = json_service(grader, Refusing(CHANCE))
    with pytest.raises(InputError, match="the engine cannot keep to it: engine policy refused"):
        service.ask(EASY, json_schema='{"type": "object"}')
    with pytest.raises(RequestRefusedError):
        service.ask(EASY)


def test_an_explanation_is_made_where_it_is_asked_for(grader: MathGrader) -> None:
    service = service_of(grader)
    assert service.ask(EASY).explain == {}
    told = service.ask(EASY, explain=True).explain
    assert json.loads(json.dumps(told)) == told
    assert told["probing"]["probes"] == told["estimate"]["probes"] == PROBES
    assert told["probing"]["by_text"]["probes"] == 0
    others = [one["strategy"] for one in told["alternatives"]]
    assert others[0] == "best_of_n(n=16,score=last,vote=max)" and "majority(n=8)" not in others
