"""Policies that think: budgets, forced ends, steps and schemas behind thoughts, the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.ledger import Ledger, TokenCap
from executor.models.stopping import Finish
from executor.outcome import grade
from executor.policies.base import Draw, DrawRequest
from executor.policies.capped import CappedPolicy
from executor.policies.simulated import CharTokenizer, SimulatedPolicy
from executor.policies.thinking import ThinkingPolicy, thinking_policy
from executor.problem import Problem
from executor.search import Context, Response, State, search
from executor.spending import MoneyCap, Tariff
from executor.strategy import Dvts, Majority, Sampling, ShortMOfK
from executor.thinking.budget import FREE, OFF, Thinking
from executor.thinking.formats import find_format
from tests.helpers.thinkers import CLOSE, OPEN, VISIBLE, HarmonyTokenizer, Thinker

PROBLEM = Problem("p", "What is 3 + 4?", "7")


def thinking(thinker: Thinker, budget: int | None) -> ThinkingPolicy:
    return ThinkingPolicy(thinker, thinker.format, Thinking(budget))


def draw(policy: ThinkingPolicy, ledger: Ledger | None = None, **changes: Any) -> list[Draw]:
    options: dict[str, Any] = {
        "n": 32, "max_tokens": 600, "temperature": 0.7, "top_p": 1.0, "seed": 5,
        "ledger": Ledger() if ledger is None else ledger,
    }  # fmt: skip
    request = DrawRequest(policy.prompt(PROBLEM.text), **(options | changes))
    return asyncio.run(policy.draw(request))


def text_of(policy: ThinkingPolicy, token_ids: Sequence[int]) -> str:
    return policy.tokens.tokenizer.decode(token_ids, skip_special_tokens=False)


def inside(policy: ThinkingPolicy, draw: Draw) -> str:
    """The thought that the policy drew itself."""
    thought = text_of(policy, draw.token_ids[: draw.visible_from]).removeprefix(OPEN)
    if draw.forced:
        ending = text_of(policy, policy.marks.ending)
        assert thought.endswith(ending.rstrip("\n")) or thought.endswith(ending)
        return thought[: thought.rindex(ending.rstrip("\n"))]
    return thought.removesuffix(CLOSE)


@pytest.mark.parametrize("tokenizer", [None, CharTokenizer()])
@pytest.mark.parametrize("opens", [True, False])
@pytest.mark.parametrize("budget", [1, 7, 20])
def test_a_forced_end_comes_after_exactly_the_budget(
    budget: int, opens: bool, tokenizer: Any
) -> None:
    thinker, ledger = Thinker(opens=opens, tokenizer=tokenizer), Ledger()
    policy = thinking(thinker, budget)
    draws = draw(policy, ledger)
    forced = [one for one in draws if one.forced]
    assert forced
    if budget > 1 and tokenizer is None:
        assert len(forced) < len(draws)
    assert all(len(inside(policy, one)) == budget for one in forced)
    assert all(len(inside(policy, one)) <= budget for one in draws if not one.forced)
    assert ledger.thought == sum(len(inside(policy, one)) for one in draws)
    for one in draws:
        assert one.finish is Finish.EOS
        assert text_of(policy, one.token_ids[one.visible_from :]).strip() == VISIBLE
        assert one.drawn == len(one.token_ids) - one.forced == len(one.confidences)


@pytest.mark.parametrize("budget", [0, 5, None])
def test_the_ledger_agrees_with_the_engine(budget: int | None) -> None:
    thinker, ledger = Thinker(), Ledger()
    draws = draw(thinking(thinker, budget), ledger)
    assert ledger.generated == thinker.counters().generated == sum(one.drawn for one in draws)
    assert ledger.prompt == thinker.counters().prompt
    assert ledger.discarded == 0
    assert (ledger.thought == 0) == (budget == 0)


def test_without_thinking_the_prompt_ends_behind_the_thought() -> None:
    for opens in (True, False):
        policy = thinking(Thinker(opens=opens), 0)
        asked = text_of(policy, policy.prompt(PROBLEM.text))
        assert asked.endswith(f"{OPEN}\n{CLOSE}\n\n")
        for one in draw(policy):
            assert (one.visible_from, one.forced) == (0, 0)
            assert text_of(policy, one.token_ids) == VISIBLE


def test_free_thinking_takes_one_request_and_changes_no_token() -> None:
    thinker = Thinker()
    policy = thinking(thinker, None)
    draws = draw(policy)
    assert len(thinker.requests) == 1
    plain = asyncio.run(thinker.draw(thinker.requests[0]))
    assert [one.token_ids for one in plain] == [one.token_ids for one in draws]
    assert all(one.visible_from for one in draws)


def test_a_thought_that_never_ends_has_no_answer() -> None:
    policy = thinking(Thinker(ends=0.0), None)
    context = context_of(policy, max_tokens=40)
    responses = asyncio.run(search(Majority(4), context))
    records = grade(responses, PROBLEM, MathGrader())
    assert [(one.state, one.answer, one.text) for one in records] == [("cut", None, "")] * 4
    assert all(one.only_thought for one in records)
    assert context.ledger.thought == context.ledger.generated == 160


def test_a_budget_without_room_for_an_answer_cuts_the_response() -> None:
    policy = thinking(Thinker(ends=0.0), 30)
    for one in draw(policy, max_tokens=32):
        assert (one.finish, one.forced, len(one.token_ids)) == (Finish.LENGTH, 0, 30)


def context_of(policy: ThinkingPolicy, **sampling: Any) -> Context:
    return Context(PROBLEM, policy, Even(), Sampling(**sampling), 3, TokenCap(100_000))


class Even:
    """A scorer of steps to which all are alike."""

    name = "even"
    scores_steps = True
    needs = None
    trained_on: frozenset[str] = frozenset()

    async def score(
        self, question: str, steps: Sequence[Any], *, start: int, ledger: Ledger
    ) -> list[float]:
        self.seen = steps
        return [0.5] * (len(steps) - start)


@pytest.mark.parametrize("harmony", [False, True])
@pytest.mark.parametrize("opens", [True, False])
@pytest.mark.parametrize("budget", [0, 12, None])
def test_a_search_takes_its_steps_behind_the_thought(
    budget: int | None, opens: bool, harmony: bool
) -> None:
    thinker = Thinker(opens=opens)
    if harmony:  # its marks are several tokens, which engines do not find in texts
        thinker = Thinker(opens=opens, tokenizer=HarmonyTokenizer(), format_="harmony")
    policy = thinking(thinker, budget)
    context = context_of(policy, max_tokens=300, max_step_tokens=30)
    responses = asyncio.run(search(Dvts(8, 4), context))
    assert len(responses) == 8
    for one in responses:
        assert one.state is State.FINISHED
        assert [step.text.lstrip() for step in one.steps] == split_steps(VISIBLE)
        assert bool(one.thought) == (budget != 0)
        assert one.text.lstrip() == VISIBLE
    ledger = context.ledger
    assert ledger.generated + ledger.discarded == thinker.counters().generated
    assert (ledger.thought > 0) == (budget != 0)


@pytest.mark.parametrize("budget", [0, 12, None])
def test_a_step_is_bounded_but_not_the_thought_before_it(budget: int | None) -> None:
    context = context_of(thinking(Thinker(), budget), max_tokens=300, max_step_tokens=5)
    responses = asyncio.run(search(Dvts(4, 4), context))
    lengths = [len(step.token_ids) for one in responses for step in one.steps]
    assert max(lengths) == 5
    if budget is None:
        assert max(len(one.thought) for one in responses) > 5


def split_steps(text: str) -> list[str]:
    first, rest = text.split("\n\n")
    return [f"{first}\n\n", rest]


def test_a_schema_binds_only_what_follows_the_thought() -> None:
    thinker = Thinker(opens=False)
    draw(thinking(thinker, 9), n=2, json_schema="{}")
    first, *later = thinker.requests
    assert first.json_schema is None and first.prompt_ids[-1] == thinker.tokens.encode(OPEN)[0]
    assert later and all(one.json_schema == "{}" for one in later)


def test_a_cancelled_request_is_charged_with_its_thoughts() -> None:
    thinker, ledger, cut = Thinker(ends=0.0, latency=0.05), Ledger(), []
    policy = thinking(thinker, 10)

    async def drive() -> None:
        request = DrawRequest(
            policy.prompt("q"), 3, 400, 0.7, 1.0, 1, ledger, unfinished=cut.append
        )
        task = asyncio.create_task(policy.draw(request))
        await asyncio.sleep(0.075)  # in the second draw, behind the forced end
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(drive())
    assert ledger.generated == 0
    assert ledger.discarded == thinker.counters().generated > 30
    assert ledger.thought == 30
    assert len(cut) == 3
    assert all(len(one) > 10 + len(policy.marks.ending) for one in cut)


def test_short_thoughts_win_in_short_m_of_k() -> None:
    context = context_of(thinking(Thinker(), None), max_tokens=400)
    responses = asyncio.run(search(ShortMOfK(8, 2), context))
    lengths = sorted(one.n_tokens for one in responses)
    assert len(lengths) >= 2 and all(isinstance(one, Response) for one in responses)


def test_a_model_without_thoughts_is_left_alone_or_refused() -> None:
    policy: Any = SimulatedPolicy()
    assert thinking_policy(policy, None, None) is policy
    with pytest.raises(InputError, match="mentions no thoughts; expected a model that thinks"):
        thinking_policy(policy, OFF, None)
    with pytest.raises(InputError, match="expected one of harmony, seed"):
        thinking_policy(policy, FREE, "r1")


def test_every_part_of_a_response_is_paid_from_a_cap() -> None:
    """A cap lies inside: the thought and what follows it are requests of their own."""
    tariff = Tariff.of(1.0, 1.0, 3.0, 3.0)
    cap = MoneyCap(10.0, tariff)
    ledger = Ledger()
    capped = CappedPolicy(Thinker(), cap)
    draws = draw(ThinkingPolicy(capped, find_format("think"), Thinking(4)), ledger)
    plain = draw(thinking(Thinker(), 4))
    assert [one.token_ids for one in draws] == [one.token_ids for one in plain]
    assert any(one.forced for one in draws)
    assert cap.spent == pytest.approx(float(tariff.bill(ledger)))
