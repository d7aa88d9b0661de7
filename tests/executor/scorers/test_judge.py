"""Judges: what they ask, what a verdict is worth, and who pays; with vLLM on random weights."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.ledger import Ledger
from executor.models.bundled import models_folder
from executor.models.checkpoint import Checkpoint
from executor.models.stopping import Finish
from executor.models.templates import PromptTemplate
from executor.policies.base import Draw, DrawRequest, Reads
from executor.policies.simulated import SimulatedPolicy
from executor.policies.vllm import VllmPolicy
from executor.scorers import registry
from executor.scorers.base import ResponseScorer
from executor.scorers.judge import JUDGES, SelfJudge, SelfVerifier
from executor.scorers.loading import check_scorer
from executor.testing.response_scorer_conformance import ResponseScorerConformance, whole


class Verdicts(SimulatedPolicy):
    """A policy that answers every request with the given verdicts; real engines are tested below.

    Attributes:
        asked: requests so far.
    """

    writes_json = True

    def __init__(self, *verdicts: Any, finish: Finish = Finish.EOS) -> None:
        super().__init__()
        self.tokens.tokenizer.chat_template = None
        self.asked: list[DrawRequest] = []
        self._verdicts = [json.dumps(one) for one in verdicts]
        self._finish = finish

    async def draw(self, request: DrawRequest) -> list[Draw]:
        self.asked.append(request)
        request.ledger.charge_prompt(len(request.prompt_ids), 0)
        texts = (self._verdicts * request.n)[: request.n]
        request.ledger.generated += sum(map(len, texts))
        return [Draw(tuple(map(ord, text)), self._finish, 0.0) for text in texts]


def score(judge: Any, *responses: Any, question: str = "3 + 4?") -> tuple[list[float], Ledger]:
    ledger = Ledger()
    return asyncio.run(judge.score_responses(question, responses, ledger=ledger)), ledger


def test_a_grade_of_ten_is_one() -> None:
    for grade in (0, 7, 10):
        scores, _ = score(SelfJudge(Verdicts({"grade": grade})), whole("It is 7."))
        assert scores == [grade / 10]


def test_the_share_of_yes_is_the_score() -> None:
    policy = Verdicts(*({"right": "yes"},) * 3, {"right": "no"})
    assert score(SelfVerifier(policy), whole("It is 7."))[0] == [0.75]
    assert [one.n for one in policy.asked] == [8]


def test_it_reads_the_question_and_the_response_as_they_are() -> None:
    policy = Verdicts({"grade": 5})
    score(SelfJudge(policy), whole("It is {question}."), question="What is {response}?")
    text = policy.tokens.decode(policy.asked[0].prompt_ids)
    assert "What is {response}?" in text and "It is {question}." in text
    assert policy.asked[0].temperature == 0
    schema = json.loads(str(policy.asked[0].json_schema))
    assert schema["properties"]["grade"]["enum"] == list(range(11))


def test_its_tokens_are_scorer_tokens() -> None:
    policy = Verdicts({"grade": 5})
    judge = SelfJudge(policy)
    _, ledger = score(judge, whole("It is 7."), whole("It is 8."))
    written = 2 * len(json.dumps({"grade": 5}))
    read = sum(len(one.prompt_ids) for one in policy.asked)
    assert ledger == Ledger(prm=read + written)
    assert judge.counters().prompt == read and judge.counters().generated == written


def test_nobody_is_asked_about_a_response_that_was_cut() -> None:
    policy = Verdicts({"grade": 10})
    assert score(SelfJudge(policy), whole("It is", finished=False))[0] == [0.0]
    assert not policy.asked


def test_what_cannot_be_judged_is_counted_and_worth_nothing() -> None:
    cut = SelfVerifier(Verdicts({"right": "yes"}, finish=Finish.LENGTH))
    assert score(cut, whole("It is 7."))[0] == [0.0]
    assert cut.unjudged == 8
    policy = Verdicts({"grade": 10})
    policy.max_context = 100
    full = SelfJudge(policy)
    assert score(full, whole("7" * 200))[0] == [0.0]
    assert full.unjudged == 1 and not policy.asked


@pytest.mark.parametrize(
    "verdict", [{"grade": 50}, {"grade": -1}, {"grade": True}, {"grade": "7"}, {"score": 5}, 7, []]
)
def test_what_is_no_grade_is_counted_and_never_guessed(verdict: Any) -> None:
    """A server that does not know of grammars may write anything."""
    judge = SelfJudge(Verdicts(verdict))
    assert score(judge, whole("It is 7."))[0] == [0.0]
    assert judge.unjudged == 1


@pytest.mark.parametrize("kind", JUDGES.values(), ids=JUDGES)
def test_a_policy_that_cannot_judge_is_refused_in_one_line(kind: Any) -> None:
    with pytest.raises(InputError, match="cannot keep to a JSON schema"):
        kind(SimulatedPolicy())
    alone = Verdicts()
    alone.reads = Reads.QUESTION
    with pytest.raises(InputError, match="was trained on single questions and cannot judge"):
        kind(alone)


def test_such_a_policy_is_refused_before_anything_is_loaded() -> None:
    found = registry.find("self-judge")
    policy = Checkpoint("lab-0.4m", str(models_folder() / "lab-0.4m"))
    assert found is not None
    with pytest.raises(
        InputError, match=r"scorer self-judge: policy lab-0.4m was trained on single"
    ):
        check_scorer(found, policy)


@pytest.fixture(scope="module")
def policy(tiny_llama: Path) -> Iterator[VllmPolicy]:
    """Random weights: what they say means nothing, but it is a verdict."""
    options = EngineOptions(kv_cache_gib=0.25, max_model_len=512)
    served = VllmPolicy.load("tiny", tiny_llama, PromptTemplate(), options)
    yield served
    served.close()


@pytest.mark.vllm
@pytest.mark.parametrize("name", JUDGES)
class TestJudges(ResponseScorerConformance):
    @pytest.fixture
    def scorer(self, name: str, policy: VllmPolicy) -> ResponseScorer:
        found = registry.find(name)
        assert found is not None
        return registry.make(found, policy)

    @pytest.fixture
    def responses(self, policy: VllmPolicy) -> Any:
        texts = ("3 + 4 is 7.", "\\boxed{8}", "First, three. Then")
        made = [whole(text) for text in texts]
        return [replace(one, token_ids=tuple(policy.tokens.encode(one.text))) for one in made]

    @pytest.fixture
    def tolerance(self) -> float:
        """Batches change the last bits, and with them a verdict of random weights."""
        return 0.3
