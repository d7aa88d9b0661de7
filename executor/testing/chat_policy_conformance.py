"""The conformance suite of chat policies."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from executor.errors import InputError
from executor.ledger import Ledger
from executor.models.stopping import Finish
from executor.policies.base import Bill, ChatPolicy, ChatRequest, Written, token_policy


class ChatPolicyConformance:
    """Tests that every implementation of `executor.policies.base.ChatPolicy` must pass.

    Override the fixture `policy`, and the others if their defaults do not fit, as those of
    `executor.testing.policy_conformance.PolicyConformance`. The endpoint must report what it bills,
    and no one else may ask anything of it during the tests.
    """

    @pytest.fixture
    def policy(self) -> ChatPolicy:
        """Override: the policy under test."""
        raise NotImplementedError("override the fixture `policy`")

    @pytest.fixture
    def question(self) -> str:
        """Text of the question that the policy is asked."""
        return "What is 3 + 4?"

    @pytest.fixture
    def length(self) -> int:
        """Most tokens of a response."""
        return 64

    @pytest.fixture
    def request_of(self, policy: ChatPolicy, question: str, length: int) -> ChatRequest:
        """Return the request that the tests vary."""
        return ChatRequest(
            policy.ask(question), n=4, max_tokens=length, temperature=0.7, top_p=1.0, seed=5,
            ledger=Ledger(), bill=Bill(),
        )  # fmt: skip

    def test_as_many_responses_come_as_were_asked_for(
        self, policy: ChatPolicy, request_of: ChatRequest
    ) -> None:
        for n in (1, 4):
            written = _write(policy, replace(request_of, n=n))
            assert len(written) == n
            assert all(one.finish in (Finish.EOS, Finish.LENGTH) for one in written)

    def test_each_response_is_reported_once_as_it_comes(
        self, policy: ChatPolicy, request_of: ChatRequest
    ) -> None:
        reported: list[tuple[int, Written]] = []
        request = replace(
            request_of, finished=lambda index, written: reported.append((index, written))
        )
        written = _write(policy, request)
        assert sorted(reported, key=lambda one: one[0]) == list(enumerate(written))

    def test_the_ledger_is_what_was_billed(
        self, policy: ChatPolicy, request_of: ChatRequest
    ) -> None:
        before = replace(policy.counters())
        written = _write(policy, request_of)
        billed, ledger = policy.counters() - before, request_of.ledger
        assert not request_of.bill.unknown
        assert ledger.generated == billed.generated == sum(one.n_tokens for one in written)
        assert (ledger.prompt + ledger.cached, ledger.cached) == (billed.prompt, billed.cached)
        assert ledger.discarded == 0

    def test_a_cancelled_request_says_that_its_cost_is_unknown(
        self, policy: ChatPolicy, request_of: ChatRequest
    ) -> None:
        async def cancel() -> None:
            task = asyncio.ensure_future(policy.write(request_of))
            await asyncio.sleep(0.02)
            assert not task.done(), "ended before it was cancelled: the endpoint is too fast"
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        assert request_of.ledger.generated == 0
        assert "discarded" in request_of.bill.unknown
        assert len(_write(policy, replace(request_of, n=1, ledger=Ledger()))) == 1

    def test_a_policy_serves_one_event_loop_after_another(
        self, policy: ChatPolicy, request_of: ChatRequest
    ) -> None:
        assert all(len(_write(policy, request_of)) == request_of.n for _ in range(3))

    def test_earlier_turns_and_answers_become_messages(
        self, policy: ChatPolicy, question: str
    ) -> None:
        alone = policy.ask(question)
        turns = policy.ask(question, (("user", "What is 1 + 1?"), ("assistant", "2")))
        answers = policy.ask(question, (), ("It is 7.", "It is 8."))
        assert [one["role"] for one in turns][-3:] == ["user", "assistant", "user"]
        assert len(answers[-1]["content"]) > len(alone[-1]["content"])
        assert "It is 8." in answers[-1]["content"]

    def test_it_is_refused_where_tokens_are_needed(self, policy: ChatPolicy) -> None:
        with pytest.raises(InputError, match="chat endpoint") as caught:
            token_policy(policy, "a search over tokens")
        assert "\n" not in str(caught.value)
        assert policy.capacity.sequences >= 1
        assert not policy.lost


def _write(policy: ChatPolicy, request: ChatRequest) -> list[Written]:
    async def drive() -> list[Written]:
        return await policy.write(request)

    return asyncio.run(drive())
