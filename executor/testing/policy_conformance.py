"""The conformance suite of policies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from executor.errors import InputError
from executor.ledger import Ledger
from executor.models.confidence import LARGEST_CONFIDENCE
from executor.models.stopping import Finish
from executor.policies.base import Draw, DrawRequest, Policy
from executor.testing.watched import check_charged

T = TypeVar("T")


class PolicyConformance:
    """Tests that every implementation of `executor.policies.base.Policy` must pass.

    Override the fixture `policy`, and the others if their defaults do not fit::

        import pytest
        from executor.testing.policy_conformance import PolicyConformance
        from mine import MyPolicy

        class TestMyPolicy(PolicyConformance):
            @pytest.fixture
            def policy(self):
                policy = MyPolicy()
                yield policy
                policy.close()

    No one else may ask anything of the policy's engine during the tests: they compare ledgers with
    its counters.
    """

    @pytest.fixture
    def policy(self) -> Policy:
        """Override: the policy under test."""
        raise NotImplementedError("override the fixture `policy`")

    @pytest.fixture
    def question(self) -> str:
        """Text of the question that the policy is asked."""
        return "What is 3 + 4?"

    @pytest.fixture
    def length(self) -> int:
        """Most tokens of a short draw; fewer than the policy usually writes."""
        return 12

    @pytest.fixture
    def long_length(self) -> int:
        """Most tokens of a draw that lasts long enough to be cancelled midway."""
        return 400

    @pytest.fixture
    def request_of(self, policy: Policy, question: str, length: int) -> DrawRequest:
        """Return the request that the tests vary."""
        return DrawRequest(
            policy.prompt(question), n=4, max_tokens=length, temperature=0.7, top_p=1.0, seed=5,
            ledger=Ledger(),
        )  # fmt: skip

    def test_equal_requests_give_equal_draws(self, policy: Policy, request_of: DrawRequest) -> None:
        first, again = _run(policy.draw, request_of), _run(policy.draw, request_of)
        other = _run(policy.draw, replace(request_of, seed=6_000))
        assert _tokens(first) == _tokens(again)
        assert _tokens(first) != _tokens(other)

    def test_children_have_seeds_of_their_own_however_the_request_is_split(
        self, policy: Policy, request_of: DrawRequest
    ) -> None:
        whole = _run(policy.draw, request_of)
        assert len(whole) == request_of.n
        halves = [
            _run(policy.draw, replace(request_of, n=2, seed=request_of.seed + first))
            for first in (0, 2)
        ]
        assert _tokens(whole) == _tokens([*halves[0], *halves[1]])
        assert len(set(_tokens(whole))) > 1

    def test_each_child_is_reported_once_as_it_ends(
        self, policy: Policy, request_of: DrawRequest
    ) -> None:
        reported: list[tuple[int, Draw]] = []
        request = replace(request_of, finished=lambda child, draw: reported.append((child, draw)))
        draws = _run(policy.draw, request)
        assert sorted(reported, key=lambda one: one[0]) == list(enumerate(draws))

    def test_confidences_change_no_draw_and_are_one_a_token(
        self, policy: Policy, request_of: DrawRequest
    ) -> None:
        """A policy that can give none gives none."""
        plain = _run(policy.draw, request_of)
        asked = _run(policy.draw, replace(request_of, top_logprobs=5))
        assert _tokens(asked) == _tokens(plain)
        for without, draw in zip(plain, asked, strict=True):
            assert without.confidences == ()
            assert len(draw.confidences) in (0, len(draw.token_ids))
            assert all(0 <= one <= LARGEST_CONFIDENCE for one in draw.confidences)

    def test_no_draw_is_longer_than_allowed(self, policy: Policy, request_of: DrawRequest) -> None:
        for draw in _run(policy.draw, request_of):
            assert 0 < len(draw.token_ids) <= request_of.max_tokens
            if draw.finish is Finish.LENGTH:
                assert len(draw.token_ids) == request_of.max_tokens
            assert draw.logprob <= 0

    def test_a_stop_string_ends_the_draw_and_stays_in_it(
        self, policy: Policy, request_of: DrawRequest
    ) -> None:
        request = replace(request_of, n=1, max_tokens=2 * request_of.max_tokens)
        (whole,) = _run(policy.draw, request)
        text = policy.tokens.decode(whole.token_ids)
        stop = text[len(text) // 2 :][:3]
        (cut,) = _run(policy.draw, replace(request, stop=[stop]))
        assert cut.finish is Finish.STOP
        assert stop in policy.tokens.decode(cut.token_ids)
        assert cut.token_ids == whole.token_ids[: len(cut.token_ids)]
        assert len(cut.token_ids) < len(whole.token_ids)

    def test_the_ledger_is_what_the_engine_counted(
        self, policy: Policy, request_of: DrawRequest
    ) -> None:
        before = replace(policy.counters())
        draws = _run(policy.draw, request_of)
        ledger, none = request_of.ledger, policy.counters() - policy.counters()
        check_charged(ledger, policy.counters() - before, none)
        assert ledger.generated == sum(len(draw.token_ids) for draw in draws)
        assert ledger.discarded == 0

    def test_a_cancelled_request_is_charged_as_discarded(
        self, policy: Policy, request_of: DrawRequest, long_length: int
    ) -> None:
        before = replace(policy.counters())
        unfinished: list[tuple[int, ...]] = []
        room = policy.max_context - len(request_of.prompt_ids)
        request = replace(
            request_of, max_tokens=min(long_length, room), unfinished=unfinished.append
        )

        async def cancel_midway() -> None:
            task = asyncio.ensure_future(policy.draw(request))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):  # some engines count only what has ended
                    while policy.counters().generated == before.generated:
                        await asyncio.sleep(0.005)
            assert not task.done(), "ended before it was cancelled: raise long_length"
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancel_midway())
        # A later request waits for the engine, so nothing of the first can still be counted.
        later = replace(request_of, n=1, max_tokens=1, ledger=Ledger())
        _run(policy.draw, later)
        ledger = request.ledger
        assert ledger.generated == 0
        assert ledger.discarded > 0
        assert sum(map(len, unfinished)) <= ledger.discarded
        none = policy.counters() - policy.counters()
        check_charged(ledger + later.ledger, policy.counters() - before, none)

    def test_a_policy_serves_one_event_loop_after_another(
        self, policy: Policy, request_of: DrawRequest
    ) -> None:
        draws = [_tokens(_run(policy.draw, request_of)) for _ in range(3)]
        assert draws[0] == draws[1] == draws[2]

    def test_earlier_turns_are_taken_or_refused_in_one_line(
        self, policy: Policy, question: str
    ) -> None:
        before = (("user", "What is 1 + 1?"), ("assistant", "2"))
        refusal = ""
        try:
            length = len(policy.prompt(question, before))
        except InputError as error:
            refusal, length = str(error), 0
        assert "\n" not in refusal
        assert refusal or length > len(policy.prompt(question))

    def test_an_engine_that_answers_is_not_lost(
        self, policy: Policy, request_of: DrawRequest
    ) -> None:
        _run(policy.draw, request_of)
        assert not policy.lost
        assert policy.capacity.sequences >= 1
        assert policy.capacity.tokens >= 1


def _run(draw: Callable[[DrawRequest], Awaitable[T]], request: DrawRequest) -> T:
    async def drive() -> T:
        return await draw(request)

    return asyncio.run(drive())


def _tokens(draws: list[Draw]) -> list[tuple[int, ...]]:
    return [draw.token_ids for draw in draws]
