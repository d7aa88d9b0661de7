"""Rewards from what came with the policy's tokens, and what is asked if nothing came. No engine."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from executor.errors import InputError
from executor.ledger import Ledger
from executor.models.checkpoint import Checkpoint
from executor.models.tokens import Step
from executor.scorers.fused import FusedScorer, check_fused
from executor.scorers.reward_head import HeadCard, Reads, RewardHead
from executor.testing.step_scorer_conformance import StepScorerConformance

CARD = HeadCard("mine", "", {"user": "{problem}"}, intercept=0.5, layers=2, trained_on=("a",))
STEPS = [Step((5, 6, 7), "a b\n\n", 3), Step((8, 9), "c\n\n", 2), Step((10, 11, 1), "d e", 2)]


class Heads:
    """A policy whose head says the sum of the tokens before, in hundredths."""

    max_context = 100
    lost = False

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def prompt(self, question: str) -> list[int]:
        return [len(question)]

    async def read_head(self, prompt_ids: Sequence[int], ledger: Ledger) -> float:
        self.asked.append(list(prompt_ids))
        await asyncio.sleep(0)
        ledger.charge_prompt(len(prompt_ids), 2)
        ledger.generated += 1
        return sum(prompt_ids) / 100


def score(
    scorer: FusedScorer, steps: Sequence[Step], start: int = 0, ledger: Ledger | None = None
) -> list[float]:
    ledger = Ledger() if ledger is None else ledger
    return asyncio.run(scorer.score("ask", steps, start=start, ledger=ledger))


class TestFusedScorer(StepScorerConformance):
    """Of steps that the policy did not write in this run."""

    @pytest.fixture
    def scorer(self) -> FusedScorer:
        return FusedScorer("fused", CARD, Heads())

    @pytest.fixture
    def steps(self) -> Sequence[Step]:
        return STEPS


def test_steps_that_were_read_cost_nothing() -> None:
    policy, ledger = Heads(), Ledger()
    read = [replace(step, reading=logit) for step, logit in zip(STEPS, (-800, 0, 2), strict=True)]
    rewards = score(FusedScorer("fused", CARD, policy), read, ledger=ledger)
    assert rewards == pytest.approx([0, 1 / (1 + math.exp(-0.5)), 1 / (1 + math.exp(-2.5))])
    assert ledger == Ledger() and not policy.asked


def test_a_step_that_was_not_read_is_asked_for_at_the_state_that_wrote_its_end() -> None:
    policy, ledger = Heads(), Ledger()
    steps = [replace(STEPS[0], reading=1.0), *STEPS[1:]]
    scorer = FusedScorer("fused", CARD, policy)
    score(scorer, steps, ledger=ledger)
    # Without the token that completes the delimiter, and without the end token.
    assert policy.asked == [[3, 5, 6, 7, 8], [3, 5, 6, 7, 8, 9, 10, 11]]
    assert ledger == Ledger(prm=3 + 6, prm_cached=4, discarded=2)
    assert score(scorer, steps, start=2) == [pytest.approx(1 / (1 + math.exp(-0.59 - 0.5)))]


def test_a_step_beyond_the_context_is_worth_nothing_and_counted() -> None:
    policy = Heads()
    policy.max_context = 8
    scorer = FusedScorer("fused", CARD, policy)
    rewards = score(scorer, STEPS)
    assert rewards[2] == 0 and min(rewards[:2]) > 0.5
    assert scorer.unjudged == 1 and len(policy.asked) == 2


def test_another_policy_is_refused_in_one_line() -> None:
    held = Checkpoint("mine-fused", "/models/mine-fused")
    check_fused(held, Checkpoint("mine", "/models/mine-fused", ("http://here:1",)))
    with pytest.raises(InputError, match="expected --policy /models/mine-fused") as caught:
        check_fused(held, Checkpoint("mine", "/models/mine"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reads", list(Reads))
def test_a_card_keeps_what_its_head_reads(reads: Reads, tmp_path: Path) -> None:
    replace(CARD, reads=reads).save(tmp_path)
    assert HeadCard.load(tmp_path) == replace(CARD, reads=reads)


def test_a_head_of_its_own_reads_the_same_place() -> None:
    class Plain:
        chat_template = None

        def encode(self, text: str) -> list[int]:
            return [1, 2]

    class PlainTokens:
        tokenizer = Plain()

    from executor.models.templates import PromptTemplate

    tokens: Any = PlainTokens()
    ends = {
        reads: RewardHead(replace(CARD, reads=reads), PromptTemplate(), tokens)
        .layout("ask", STEPS)
        .ends
        for reads in Reads
    }
    assert ends == {Reads.AFTER: [5, 7, 9], Reads.BEFORE: [4, 6, 9]}
