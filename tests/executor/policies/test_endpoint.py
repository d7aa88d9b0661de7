"""A chat policy on an endpoint that limits, fails and bills as it is told to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from executor.access import Access, Secret
from executor.engines.base import EngineCounters
from executor.errors import EngineError, InputError, MoneySpentError
from executor.ledger import Ledger
from executor.models.checkpoint import Checkpoint
from executor.models.stopping import Finish
from executor.models.templates import PromptTemplate
from executor.policies.base import Bill, ChatPolicy, ChatRequest, ContextFullError, Written
from executor.policies.capped import CappedChatPolicy, most_prompt_tokens
from executor.policies.endpoint import EndpointPolicy
from executor.policies.simulated import simulated_problems
from executor.servers.endpoint import EndpointLimits, EndpointRefusedError
from executor.servers.server import Patience
from executor.spending import MoneyCap, Tariff
from executor.testing.chat_policy_conformance import ChatPolicyConformance
from tests.helpers.chat_endpoint import KEY, MODEL, ChatEndpoint, chat_endpoint

pytestmark = pytest.mark.socket

ACCESS = Access(Secret(KEY))
LIMITS = EndpointLimits(timeout=20)
HASTY = Patience(connect=30, outage=30, attempts=4, back_off=0.02, back_off_most=0.1)
QUESTION = simulated_problems(1)[0].text


@pytest.fixture
def server() -> Iterator[ChatEndpoint]:
    with chat_endpoint() as running:
        yield running


def policy_on(
    server: ChatEndpoint,
    *,
    access: Access = ACCESS,
    limits: EndpointLimits = LIMITS,
    patience: Patience = HASTY,
    model: str = MODEL,
    base: str | None = None,
    remarks: list[str] | None = None,
) -> EndpointPolicy:
    at = base or server.url
    return EndpointPolicy.connect(
        Checkpoint(model, f"chat:{model}@{at}", (at,)), PromptTemplate(), access, limits, patience,
        (remarks if remarks is not None else []).append,
    )  # fmt: skip


def ask(policy: ChatPolicy, n: int = 4, **changes: Any) -> tuple[list[Written], Ledger, Bill]:
    ledger, bill = Ledger(), Bill()
    options = {"max_tokens": 200, "temperature": 0.7, "top_p": 1.0, "seed": 5} | changes
    request = ChatRequest(policy.ask(QUESTION), n, ledger=ledger, bill=bill, **options)
    return asyncio.run(policy.write(request)), ledger, bill


def check_billed(ledger: Ledger, server: ChatEndpoint) -> None:
    """Whether the ledger has exactly what the endpoint billed."""
    billed = server.billed
    assert ledger.policy_generated == billed["generated"]
    assert ledger.prompt + ledger.cached == billed["prompt"]
    assert ledger.cached == billed["cached"]


class TestEndpointPolicy(ChatPolicyConformance):
    @pytest.fixture
    def policy(self, server: ChatEndpoint) -> ChatPolicy:
        server.delay = 0.05
        return policy_on(server)

    @pytest.fixture
    def question(self) -> str:
        return QUESTION


class TestEndpointPolicyOnePerRequest(TestEndpointPolicy):
    @pytest.fixture
    def policy(self, server: ChatEndpoint) -> ChatPolicy:
        server.delay = 0.05
        return policy_on(server, limits=EndpointLimits(one_per_request=True))


def test_several_responses_come_in_one_request_and_the_prompt_is_billed_once(
    server: ChatEndpoint,
) -> None:
    written, ledger, bill = ask(policy_on(server))
    assert (len(server.bodies), server.bodies[0]["n"]) == (1, 4)
    assert (bill.calls, bill.shared) == (1, 4)
    assert sum(one.n_tokens for one in written) == ledger.generated
    check_billed(ledger, server)


def test_an_endpoint_that_ignores_n_gets_a_request_for_each_response(server: ChatEndpoint) -> None:
    server.honours_n = False
    remarks: list[str] = []
    policy = policy_on(server, remarks=remarks)
    written, ledger, bill = ask(policy)
    assert (len(written), bill.calls, bill.shared) == (4, 4, 0)
    check_billed(ledger, server)
    before = len(server.bodies)
    ask(policy)
    assert len(server.bodies) - before == 4  # it is not tried again
    assert sum("one response a request" in one for one in remarks) == 1


def test_an_endpoint_that_refuses_n_gets_a_request_for_each_response(server: ChatEndpoint) -> None:
    server.dialect = {"n": "n is not supported"}
    written, ledger, bill = ask(policy_on(server))
    assert (len(written), bill.calls) == (4, 4)
    check_billed(ledger, server)


def test_what_an_endpoint_refuses_is_left_out_if_that_changes_nothing(server: ChatEndpoint) -> None:
    server.dialect = {
        "max_tokens": "'max_tokens' is not supported, use 'max_completion_tokens' instead",
        "seed": "unknown parameter: 'seed'",
        "top_p": "unsupported parameter: 'top_p'",
    }
    policy = policy_on(server)
    assert len(ask(policy)[0]) == 4
    body = server.bodies[-1]
    assert body["max_completion_tokens"] == 200
    assert not {"max_tokens", "seed", "top_p"} & body.keys()
    server.dialect["temperature"] = "only the default temperature is supported"
    with pytest.raises(EndpointRefusedError, match="only the default temperature"):
        ask(policy)
    assert len(ask(policy, temperature=1.0)[0]) == 4


@pytest.mark.parametrize("fault", ["429", "busy", "500", "503", "drop", "garbage", "hidden"])
def test_a_request_that_fails_is_sent_again_and_billed_once(
    server: ChatEndpoint, fault: str
) -> None:
    server.faults.extend([fault, fault])
    remarks: list[str] = []
    policy = policy_on(server, remarks=remarks)
    written, ledger, bill = ask(policy)
    assert (len(written), bill.calls, len(server.bodies)) == (4, 1, 3)
    assert bill.lost == (2 if fault in ("drop", "garbage") else 0)
    check_billed(ledger, server)
    policy.close()
    assert any("2 requests got no answer" in one for one in remarks) == (bill.lost > 0)


def test_a_rate_limit_stops_all_requests_for_as_long_as_it_asks(server: ChatEndpoint) -> None:
    policy = policy_on(server, limits=EndpointLimits(one_per_request=True, requests=1))
    server.faults.append("429")
    began = time.monotonic()
    ask(policy, n=3)
    assert time.monotonic() - began >= 0.05
    assert server.most_under_way == 1


def test_no_more_requests_are_on_their_way_than_allowed(server: ChatEndpoint) -> None:
    server.delay = 0.02
    ask(policy_on(server, limits=EndpointLimits(one_per_request=True, requests=3)), n=9)
    assert server.most_under_way == 3


def test_a_slow_answer_is_given_up_and_asked_for_again(server: ChatEndpoint) -> None:
    server.faults.append("slow")
    written, _, bill = ask(policy_on(server, limits=EndpointLimits(timeout=0.15)))
    assert (len(written), bill.lost) == (4, 1)


def test_an_endpoint_that_never_answers_is_given_up(server: ChatEndpoint) -> None:
    server.faults.extend(["500"] * 1000)
    patience = Patience(connect=5, outage=0.3, attempts=3, back_off=0.02, back_off_most=0.05)
    with pytest.raises(EngineError, match=r"no answer for .* told to say 500") as caught:
        ask(policy_on(server, patience=patience))
    assert "\n" not in str(caught.value)


def test_a_limit_longer_than_the_outage_is_not_waited_for(server: ChatEndpoint) -> None:
    server.faults.append("429")
    patience = Patience(connect=5, outage=0.01)
    with pytest.raises(EngineError, match=r"--outage-timeout is 0\.01 s"):
        ask(policy_on(server, patience=patience))


def test_a_spent_quota_is_not_waited_for(server: ChatEndpoint) -> None:
    server.faults.append("quota")
    with pytest.raises(EngineError, match="spent your quota"):
        ask(policy_on(server))
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("fault", "texts"), [("filter", ["so"]), ("refused", [""]), ("length", None), ("empty", [""])]
)
def test_a_response_without_an_answer_is_charged_and_not_asked_for_again(
    server: ChatEndpoint, fault: str, texts: list[str] | None
) -> None:
    server.faults.append(fault)
    remarks: list[str] = []
    policy = policy_on(server, remarks=remarks)
    written, ledger, bill = ask(policy, n=1)
    assert len(server.bodies) == 1
    assert texts is None or [one.text for one in written] == texts
    assert written[0].finish is (Finish.EOS if fault == "empty" else Finish.LENGTH)
    assert (bill.filtered, bill.empty) == (fault in ("filter", "refused"), fault == "empty")
    check_billed(ledger, server)
    policy.close()
    assert len(remarks) == (0 if fault == "length" else 1)


def test_missing_usage_is_unknown_and_said_once(server: ChatEndpoint) -> None:
    server.usage = False
    remarks: list[str] = []
    policy = policy_on(server, remarks=remarks)
    for _ in range(2):
        written, ledger, bill = ask(policy)
        assert (ledger, bill.calls) == (Ledger(), 1)
        assert bill.unknown == {"prompt", "cached", "generated", "n_tokens"}
        assert [one.n_tokens for one in written] == [0] * 4
    assert len(remarks) == 1
    assert "does not report what it bills" in remarks[0]


def test_thoughts_are_kept_apart_and_billed(server: ChatEndpoint) -> None:
    server.thinks = True
    written, ledger, bill = ask(policy_on(server), n=1)
    (one,) = written
    assert one.thought.startswith("hm")
    assert "hm" not in one.text
    assert one.thought_tokens == bill.thought == len(one.thought)
    assert ledger.generated == one.n_tokens > len(one.thought) == ledger.thought


def test_a_response_gets_the_rest_of_the_context(server: ChatEndpoint) -> None:
    server.context = len(QUESTION) + 150
    policy = policy_on(server)
    assert len(ask(policy, max_tokens=200)[0]) == 4
    assert "max_tokens" not in server.bodies[-1]
    server.context = len(QUESTION)
    with pytest.raises(ContextFullError):
        ask(policy)


@pytest.mark.parametrize("key", [None, Secret("sk-wrong-0123456789")])
def test_a_wrong_key_is_one_line_without_it(server: ChatEndpoint, key: Secret | None) -> None:
    with pytest.raises(InputError, match=r"status 401.*expected another key") as caught:
        policy_on(server, access=Access(key))
    assert "\n" not in str(caught.value)
    assert "0123456789" not in str(caught.value)


def test_a_key_that_is_withdrawn_and_an_unknown_model_are_one_line(server: ChatEndpoint) -> None:
    policy = policy_on(server)
    server.faults.append("401")
    with pytest.raises(EngineError, match="expected another key"):
        ask(policy)
    with pytest.raises(EngineError, match=r"404.*--policy-model; did you mean somebody/chat-model"):
        ask(policy_on(server, model="somebody/chat-modell"))
    assert policy.counters() == EngineCounters()


def test_the_form_of_azure(server: ChatEndpoint) -> None:
    server.header, server.query = "api-key", {"api-version": "2024-10-21"}
    access = Access.load(
        {"AZURE_OPENAI_API_KEY": KEY, "OPENAI_API_KEY": "sk-of-somebody-else"},
        headers=["api-key=AZURE_OPENAI_API_KEY"],
        query=["api-version=2024-10-21"],
    )
    assert access.key is None
    base = server.url.replace("/v1", "/openai/deployments/mine")
    assert len(ask(policy_on(server, access=access, base=base))[0]) == 4


def test_nothing_answers(server: ChatEndpoint) -> None:
    with pytest.raises(InputError, match=r"nothing answers at http://127\.0\.0\.1:9/v1"):
        policy_on(server, base="http://127.0.0.1:9/v1")


# Under a cap in USD

TARIFF = Tariff.of(1.0, 0.5, 3.0, 3.0)


def usd(server: ChatEndpoint) -> float:
    """What the endpoint billed, whether it said so or not."""
    told, untold = server.billed, server.untold
    cached = told["cached"] + untold["cached"]
    prompt = told["prompt"] + untold["prompt"] - cached
    generated = told["generated"] + untold["generated"]
    return float(TARIFF.bill(Ledger(prompt=prompt, cached=cached, generated=generated)))


@pytest.mark.parametrize("faults", [[], ["429", "500", "drop", "silent", "busy", "empty"] * 4])
def test_a_cap_is_never_exceeded(server: ChatEndpoint, faults: list[str]) -> None:
    """64 requests at once; what the endpoint bills and never told counts too."""
    server.faults.extend(faults)
    probe = policy_on(server)
    cap = MoneyCap(12 * float(TARIFF.most(2, most_prompt_tokens(probe.ask(QUESTION)), 60)), TARIFF)
    inner = policy_on(server, limits=EndpointLimits(requests=64, timeout=20))
    policy = CappedChatPolicy(inner, cap)

    async def one(number: int) -> int:
        request = ChatRequest(policy.ask(QUESTION), 2, 60, 0.7, 1.0, number, Ledger(), Bill())
        try:
            return len(await policy.write(request))
        except MoneySpentError:
            return 0

    async def many() -> list[int]:
        return await asyncio.gather(*map(one, range(64)))

    written = asyncio.run(many())
    assert cap.is_reached and 0 < sum(written) < 128
    assert usd(server) <= cap.spent + cap.lost + 1e-12 <= cap.limit + 1e-12
    if not faults:
        assert usd(server) == pytest.approx(cap.spent)


def test_a_question_that_is_too_long_costs_nothing(server: ChatEndpoint) -> None:
    server.context = len(QUESTION)
    cap = MoneyCap(10.0, TARIFF)
    with pytest.raises(ContextFullError):
        ask(CappedChatPolicy(policy_on(server), cap))
    assert (cap.spent, cap.lost) == (0.0, 0.0)
