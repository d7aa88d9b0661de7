"""A chat policy: a model behind any OpenAI-compatible endpoint, over `/chat/completions`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from executor.access import Access
from executor.engines.base import EngineCounters
from executor.engines.capacity import Capacity
from executor.models.checkpoint import Checkpoint
from executor.models.stopping import Finish
from executor.models.templates import PromptTemplate
from executor.policies.base import (
    Bill,
    ChatPolicy,
    ChatRequest,
    ContextFullError,
    Messages,
    Written,
)
from executor.policies.capped import most_prompt_tokens
from executor.servers.address import shows_keys
from executor.servers.chat_format import Answer, Dialect, shares
from executor.servers.endpoint import Endpoint, EndpointLimits, EndpointRefusedError, Tries
from executor.servers.server import Patience
from executor.spending import pay_for_retry

Say = Callable[[str], None]


class EndpointPolicy(ChatPolicy):
    """A chat policy at an endpoint.

    Promises of the ledger:

    - Requests that were answered: the counts are those of the answer's `usage`, each once.
    - What `usage` does not say counts as 0 and is named as unknown; cached tokens that it does not
      report count as forwarded.
    - Requests that were cancelled: nothing is known of them.
    - Requests that got no answer (a lost connection, a time-out) are counted as lost, since the
      endpoint may bill them.

    If the endpoint writes several responses to one request, their prompt is billed once. They are
    billed together, so each response has the share of the tokens that its text and thought have of
    the characters.
    """

    def __init__(
        self,
        name: str,
        template: PromptTemplate,
        endpoint: Endpoint,
        limits: EndpointLimits,
        say: Say = lambda text: None,
    ) -> None:
        self.name = name
        self.template = template
        self.capacity = Capacity(limits.requests, sys.maxsize)
        self._endpoint = endpoint
        self._say = say
        self._said: set[str] = set()
        self._dialect = Dialect(takes_n=not limits.one_per_request)
        self._counted = EngineCounters()
        self._total = Bill()

    @classmethod
    def connect(
        cls,
        checkpoint: Checkpoint,
        template: PromptTemplate,
        access: Access,
        limits: EndpointLimits,
        patience: Patience,
        say: Say = lambda text: None,
    ) -> EndpointPolicy:
        """Connect to the policy on the endpoint of `checkpoint`.

        Raises:
            InputError: nothing answers there, or the key is wrong.
        """
        (base,) = checkpoint.servers
        endpoint = Endpoint(f"policy {checkpoint.name}", base, access, limits, patience)
        endpoint.probe()
        if access.sent() and shows_keys(base):
            say(f"note: policy {checkpoint.name}: {base} gets the key unencrypted; expected https")
        return cls(checkpoint.name, template, endpoint, limits, say)

    def ask(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> Messages:
        """See `ChatPolicy.ask`: the task template as messages."""
        return self.template.messages(question, before, answers)

    async def write(self, request: ChatRequest) -> list[Written]:
        """See `ChatPolicy.write`."""
        written: dict[int, Written] = {}
        size = request.n if self._dialect.takes_n else 1
        parts = [range(at, min(at + size, request.n)) for at in range(0, request.n, size)]
        tasks = [asyncio.ensure_future(self._part(request, part, written)) for part in parts]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # What had come is charged, and no strategy will see it.
            request.ledger.discard(sum(one.n_tokens for one in written.values()))
            raise
        return [written[index] for index in range(request.n)]

    async def _part(self, request: ChatRequest, places: range, written: dict[int, Written]) -> None:
        """Write the responses of these places, in one request if the endpoint does that."""
        todo = list(places)
        while todo:
            n = len(todo) if self._dialect.takes_n else 1
            came = await self._send(request, n, todo[0])
            if len(came) < n:
                self._dialect.takes_n = False
                self._once("n", "writes one response a request, so it gets a request for each")
            for index, one in zip(todo, came, strict=False):
                written[index] = one
                if request.finished is not None:
                    request.finished(index, one)
            todo = todo[len(came) :]
            if len(todo) > 1 and not self._dialect.takes_n:
                await self._each(request, todo, written)
                return

    async def _each(
        self, request: ChatRequest, places: Sequence[int], written: dict[int, Written]
    ) -> None:
        """Write the responses of these places in a request each, side by side."""
        parts = [self._part(request, range(at, at + 1), written) for at in places]
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, request: ChatRequest, n: int, first: int) -> list[Written]:
        """Send one request, in the form that the endpoint takes, and charge its answer."""
        bill = request.bill
        limit: int | None = request.max_tokens
        while True:
            body = self._body(request, n, first, limit)
            tries = Tries(pay=partial(
                pay_for_retry, n * most_prompt_tokens(request.messages), n * request.max_tokens
            ))  # fmt: skip
            try:
                answer = await self._endpoint.complete(body, tries)
            except EndpointRefusedError as error:
                refusal = error.refusal
                if refusal.filtered:
                    return self._filtered(bill, n)
                if refusal.too_long and limit is not None:
                    limit = None  # the rest of the context, which is less than the limit
                elif refusal.too_long:
                    raise ContextFullError(str(error)) from None
                elif not self._dialect.learn(refusal, body):
                    raise
                elif not self._dialect.takes_n:
                    n = 1
            else:
                return self._charge(request, answer, n)
            finally:
                bill.lost += tries.lost
                self._total.lost += tries.lost
                if tries.cut:
                    bill.unknown |= {"prompt", "cached", "discarded"}

    def _body(
        self, request: ChatRequest, n: int, first: int, limit: int | None
    ) -> Mapping[str, Any]:
        settings = {
            "temperature": request.temperature, "top_p": request.top_p,
            "seed": request.seed + first,
        }  # fmt: skip
        return self._dialect.body(
            self.name, request.messages, n=n, max_tokens=limit, settings=settings,
            stop=self.template.stop,
        )  # fmt: skip

    def _filtered(self, bill: Bill, n: int) -> list[Written]:
        """Return responses to a question that a content filter refused: they have no answer."""
        bill.filtered += n
        self._total.filtered += n
        return [Written("", Finish.LENGTH, 0)] * n

    def _charge(self, request: ChatRequest, answer: Answer, n: int) -> list[Written]:
        """Charge an answer, and return its responses."""
        usage, bill, ledger = answer.usage, request.bill, request.ledger
        generated, choices = usage.generated or 0, answer.choices
        ledger.charge_prompt(usage.prompt or 0, usage.cached or 0)
        ledger.generated += generated
        ledger.thought += usage.thought or 0
        self._counted += EngineCounters(
            usage.prompt or 0, usage.cached or 0, generated, ended=len(choices)
        )
        self._note_unknown(answer, bill)
        filtered = sum(one.filtered for one in choices)
        empty = sum(not one.text.strip() and not one.filtered for one in choices)
        for count in (bill, self._total):
            count.calls += 1
            count.thought += usage.thought or 0
            count.filtered += filtered
            count.empty += empty
            count.shared += len(choices) if len(choices) > 1 else 0
        lengths = shares(generated, [len(one.text) + len(one.thought) for one in choices])
        thoughts = shares(usage.thought or 0, [len(one.thought) for one in choices])
        known = usage.thought is not None
        made = [
            Written(one.text, one.finish, length, one.thought, thought if known else None)
            for one, length, thought in zip(choices, lengths, thoughts, strict=True)
        ]
        # Nobody asked for more, but they are billed.
        ledger.discard(sum(one.n_tokens for one in made[n:]))
        return made[:n]

    def _note_unknown(self, answer: Answer, bill: Bill) -> None:
        usage = answer.usage
        if usage.prompt is None:
            bill.unknown |= {"prompt", "cached"}
        if usage.generated is None:
            bill.unknown |= {"generated", "n_tokens"}
        if None in (usage.prompt, usage.generated):
            self._once(
                "usage", "does not report what it bills: its tokens count as 0 and are unknown"
            )
        elif usage.cached is None:
            self._once("cached", "does not report cached tokens; whole prompts count as forwarded")

    def _once(self, subject: str, text: str) -> None:
        if subject not in self._said:
            self._said.add(subject)
            self._say(f"note: policy {self.name}: the endpoint {text}")

    def counters(self) -> EngineCounters:
        """See `ChatPolicy.counters`."""
        return self._counted

    def close(self) -> None:
        """Say what became of requests; connections end with their event loop."""
        total, self._total = self._total, Bill()
        about = {
            f"{total.filtered} responses were stopped by a content filter; they have no answer":
                total.filtered,
            f"{total.empty} responses were empty; they have no answer": total.empty,
            f"{total.lost} requests got no answer and were sent again; the endpoint may bill them":
                total.lost,
        }  # fmt: skip
        for text, count in about.items():
            if count:
                self._say(f"note: policy {self.name}: {text}")
