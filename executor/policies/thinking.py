"""A policy whose responses begin with a thought of at most so many tokens.

`ThinkingPolicy` wraps any token policy. It tells thoughts apart from visible responses, and ends a
thought that has `B` tokens: it draws until then, appends the mark that closes the thought (and a
short sentence, if the vocabulary can spell it) and draws the rest from there. So a forced end comes
after exactly `B` tokens, for every format and on every engine, and a server needs no options.
vLLM's own `thinking_token_budget` needs an engine that was started with the format's marks, and one
sequence of tokens is both what it forces and what it takes for the end of a thought: with a
sentence in it, vLLM 0.32 no longer sees that a thought has ended by itself.

Stop strings and JSON schemas hold for the visible response alone, so that a thought is never cut
into the steps of a search.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from executor.concurrency import to_the_end
from executor.engines.base import EngineCounters
from executor.errors import InputError
from executor.ledger import Ledger
from executor.models.stopping import Finish
from executor.models.templates import PromptTemplate
from executor.policies.base import Draw, DrawRequest, Policy
from executor.thinking.budget import FREE, OFF, Thinking
from executor.thinking.detection import detect_format, find_switch
from executor.thinking.formats import ThinkingFormat, find_format
from executor.thinking.marks import Marks, Thought


class Templated(Policy, Protocol):
    """A policy with a task template of its own."""

    template: PromptTemplate
    """Its task template."""


class ThinkingPolicy:
    """A policy that thinks before it answers; see the module.

    Args:
        policy: the policy that draws.
        format_: format of its thoughts.
        thinking: how long they may be.
    """

    def __init__(self, policy: Templated, format_: ThinkingFormat, thinking: Thinking) -> None:
        self._policy = policy
        self.thinking = thinking
        self.format = format_
        self.name = policy.name
        self.tokens = policy.tokens
        self.template = policy.template
        self.max_context = policy.max_context
        self.capacity = policy.capacity
        self.reads = policy.reads
        self.writes_json = policy.writes_json
        tokenizer = policy.tokens.tokenizer
        self.marks = Marks(format_, tokenizer)
        self._switch = find_switch(tokenizer)

    def prompt(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> list[int]:
        """See `Policy.prompt`; without thinking, the prompt ends behind the thought."""
        if self.thinking.tokens == 0:
            return self.prompt_without_thought(question, before, answers)
        return self._ask(question, before, answers, self.thinking)

    def prompt_without_thought(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> list[int]:
        """Return the prompt after which the policy answers at once."""
        asked = self._ask(question, before, answers, OFF)
        if self.marks.opened_by(asked):
            return [*asked, *self.marks.silent_ending]
        return [*asked, *self.marks.empty] if self._switch is None else asked

    def _ask(
        self,
        question: str,
        before: Sequence[tuple[str, str]],
        answers: Sequence[str],
        thinking: Thinking,
    ) -> list[int]:
        if self._switch is None:
            return self._policy.prompt(question, before, answers)
        variables = self._switch.variables(thinking)
        return self.template.render(self.tokens.tokenizer, question, before, answers, variables)

    async def draw(self, request: DrawRequest) -> list[Draw]:
        """See `Policy.draw`; draws say where their thoughts end."""
        beginning = len(request.prompt_ids) - request.written
        so_far = tuple(request.prompt_ids[beginning:])
        opened = self.marks.opened_by(request.prompt_ids[:beginning])
        thought = self.marks.read(so_far, opened=opened)
        if so_far and (thought is None or thought.closed):
            return await self._policy.draw(_visible_only(request))
        off = self.thinking.tokens == 0 and not opened
        bound = bool(request.stop) or request.json_schema is not None
        if off and bound:
            return await self._policy.draw(_visible_only(request))
        begun = list(so_far)
        if bound and not opened and not so_far:
            # Whether the model would open its thought is known too late to bind what follows.
            begun += self.marks.opening
        limit = None if off else self.thinking.tokens
        return await _Thinking(
            self._policy, self.marks, limit, request, opened, bound, begun, len(so_far)
        ).draw()

    def visible_from(self, prompt_ids: Sequence[int], token_ids: Sequence[int]) -> int:
        """Return the number of a response's first tokens that belong to its thought.

        Args:
            prompt_ids: its prompt.
            token_ids: its tokens so far.
        """
        thought = self.marks.read(token_ids, opened=self.marks.opened_by(prompt_ids))
        return 0 if thought is None else thought.end

    @property
    def lost(self) -> bool:
        """See `Policy.lost`."""
        return self._policy.lost

    async def fault(self) -> str | None:
        """Return why the servers of the policy cannot answer now; None if they can, or it has none.

        See `ServedPolicy.fault`.
        """
        fault = getattr(self._policy, "fault", None)
        why: str | None = None if fault is None else await fault()
        return why

    def counters(self) -> EngineCounters:
        """See `Policy.counters`."""
        return self._policy.counters()

    def close(self) -> None:
        """See `Policy.close`."""
        self._policy.close()


def _visible_only(request: DrawRequest) -> DrawRequest:
    """Return the same request for a response without a thought, or behind it."""
    most = request.max_visible_tokens
    if most is None:
        return request
    return replace(request, max_tokens=min(request.max_tokens, most))


@dataclass(slots=True)
class _Child:
    """A continuation that is being drawn.

    Attributes:
        tokens: tokens of the response, those before the request included.
        forced: number of tokens that were appended and not drawn.
        logprob, confidences: of the drawn tokens.
        inside: number of drawn tokens inside the thought.
        draws: number of draws so far.
        closed: whether its thought was ended from outside.
        reported: whether its end was reported.
    """

    tokens: list[int]
    forced: int
    logprob: float = 0.0
    confidences: tuple[float, ...] = ()
    inside: int = 0
    draws: int = 0
    closed: bool = False
    reported: bool = False


@dataclass(slots=True)
class _Thinking:
    """One request to a policy that thinks: its continuations, each in one draw or in several.

    Attributes:
        policy: the policy that draws.
        marks: the marks of thoughts.
        limit: most tokens of a thought; None: no limit.
        request: the request.
        opened: whether the prompt opened the thought.
        bound: whether stop strings or a JSON schema bind the visible response.
        begun: tokens that the response begins with: those it has written, and a mark.
        before: number of those that it has written.
    """

    policy: Policy
    marks: Marks
    limit: int | None
    request: DrawRequest
    opened: bool
    bound: bool
    begun: Sequence[int]
    before: int
    parts: Ledger = field(default_factory=Ledger)
    children: list[_Child] = field(default_factory=list)
    tasks: dict[int, asyncio.Task[Draw]] = field(default_factory=dict)

    async def draw(self) -> list[Draw]:
        """Draw all continuations, and charge them to the request's ledger."""
        request = self.request
        self.children = [
            _Child([*self.begun], len(self.begun) - self.before) for _ in range(request.n)
        ]
        for child in self.children:
            if self._is_spent(child) and not self._close(child):
                return [self._whole(child, Finish.LENGTH) for child in self.children]
        first = replace(
            self._segment(self.children[0], request.seed), n=request.n, finished=self._start,
            unfinished=self._cut_first,
        )  # fmt: skip
        try:
            for index, one in enumerate(await self.policy.draw(first)):
                self._start(index, one)
            return await asyncio.gather(*(self.tasks[index] for index in range(request.n)))
        except BaseException:
            # A second cancellation must not lose the charge of the first.
            await to_the_end(self._cancel())
            self.parts.discard(self.parts.generated)
            raise
        finally:
            self.parts.thought += sum(child.inside for child in self.children)
            request.ledger.take(self.parts)

    def _start(self, index: int, draw: Draw) -> None:
        """Go on with a continuation whose first draw has ended."""
        if index not in self.tasks:
            child = self.children[index]
            self._add(child, draw)
            self.tasks[index] = asyncio.create_task(self._go_on(index, child, draw.finish))

    async def _go_on(self, index: int, child: _Child, finish: Finish) -> Draw:
        """Draw the rest of a continuation."""
        while not self._over(child, finish):
            if self._is_spent(child) and not self._close(child):
                finish = Finish.LENGTH
                break
            seed = random.Random(f"{self.request.seed + index} {child.draws}").getrandbits(31)
            unfinished = partial(self._cut, child)
            (more,) = await self.policy.draw(
                replace(self._segment(child, seed), unfinished=unfinished)
            )
            self._add(child, more)
            finish = more.finish
        whole = self._whole(child, finish)
        child.reported = True
        if self.request.finished is not None:
            self.request.finished(index, whole)
        return whole

    def _segment(self, child: _Child, seed: int) -> DrawRequest:
        """Return the request for what follows: a thought, or the visible response behind it."""
        request, thought = self.request, self._thought(child)
        room, stop, schema = self._room(child), request.stop, request.json_schema
        if thought is None and child.draws == 0:
            # It may open a thought, which then has all its tokens left.
            if self.limit is not None:
                room = min(room, self.limit + self.marks.open_tokens)
        elif thought is not None and not thought.closed:
            if self.limit is not None:
                room = min(room, self.limit - thought.inside)
            stop, schema = ((self.marks.stop,) if self.bound else ()), None
        elif request.max_visible_tokens is not None:
            room = min(room, request.max_visible_tokens - self._visible(child))
        written = child.tokens[self.before :]
        return replace(
            request, prompt_ids=[*request.prompt_ids, *written], n=1, max_tokens=room, seed=seed,
            ledger=self.parts, stop=stop, json_schema=schema, finished=None, unfinished=None,
        )  # fmt: skip

    def _over(self, child: _Child, finish: Finish) -> bool:
        """Tell whether a continuation has ended."""
        if finish is Finish.EOS or self._room(child) < 1:
            return True
        thought = self._thought(child)
        if thought is not None and not thought.closed:
            return False
        visible = self._visible(child)
        if finish is Finish.STOP:
            return visible > 0  # what may close a thought stops a draw too
        most = self.request.max_visible_tokens
        return most is not None and visible >= most

    def _is_spent(self, child: _Child) -> bool:
        """Tell whether a thought has all the tokens that it may have, and has not ended."""
        thought = self._thought(child)
        if self.limit is None or thought is None or thought.closed:
            return False
        return thought.inside >= self.limit

    def _close(self, child: _Child) -> bool:
        """End a thought from outside; False if there is no room for an answer behind that."""
        ending = self.marks.ending
        if len(ending) >= self._room(child):
            return False
        child.tokens += ending
        child.forced += len(ending)
        child.closed = True
        return True

    def _thought(self, child: _Child) -> Thought | None:
        return self.marks.read(child.tokens, opened=self.opened)

    def _visible(self, child: _Child) -> int:
        """Return the number of tokens behind the thought."""
        thought = self._thought(child)
        return len(child.tokens) - (0 if thought is None else thought.end)

    def _room(self, child: _Child) -> int:
        """Return how many tokens the continuation may still get."""
        return self.request.max_tokens - (len(child.tokens) - self.before)

    def _add(self, child: _Child, draw: Draw) -> None:
        """Append a draw to a continuation."""
        child.logprob += draw.logprob
        child.confidences += draw.confidences
        child.draws += 1
        self._append(child, draw.token_ids)

    def _append(self, child: _Child, drawn: Sequence[int]) -> None:
        """Append drawn tokens, and count those inside the thought."""
        child.tokens += drawn
        thought = self._thought(child)
        if thought is not None and not child.closed:
            before = self.marks.read(child.tokens[: self.before], opened=self.opened)
            child.inside = thought.inside - (0 if before is None else before.inside)

    def _whole(self, child: _Child, finish: Finish) -> Draw:
        thought = self._thought(child)
        return Draw(
            tuple(child.tokens[self.before :]),
            finish,
            child.logprob,
            confidences=child.confidences,
            visible_from=0 if thought is None else max(0, thought.end - self.before),
            forced=child.forced,
        )

    def _cut(self, child: _Child, written: tuple[int, ...]) -> None:
        """Take what a continuation had when its request was cancelled."""
        self._append(child, written)
        child.reported = True
        if self.request.unfinished is not None:
            self.request.unfinished(tuple(child.tokens[self.before :]))

    def _cut_first(self, written: tuple[int, ...]) -> None:
        """Take the tokens of a first draw that was cancelled, of whichever continuation."""
        for index, child in enumerate(self.children):
            if index not in self.tasks and not child.reported:
                self._cut(child, written)
                return

    async def _cancel(self) -> None:
        """Cancel what is still drawn, and report every continuation that has begun."""
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        for child in (self.children[index] for index in self.tasks):
            if not child.reported:
                self._cut(child, ())


def thinking_policy(
    policy: Templated, thinking: Thinking | None, format_name: str | None
) -> Templated:
    """Return a policy that thinks as a run asks; the policy itself if it does not think.

    Args:
        policy: the policy.
        thinking: how long its thoughts may be; None: as long as it likes, if it thinks at all.
        format_name: name of their format; None: the one of its chat template.

    Raises:
        InputError: thinking is asked for, and the chat template does not show a format.
    """
    format_ = format_of(policy.name, policy.tokens.tokenizer, thinking, format_name)
    return policy if format_ is None else ThinkingPolicy(policy, format_, thinking or FREE)


def format_of(
    policy: str, tokenizer: Any, thinking: Thinking | None, format_name: str | None
) -> ThinkingFormat | None:
    """Return the format of a policy's thoughts; None if it has none and none is asked for.

    Raises:
        InputError: thinking is asked for, and the chat template does not show a format.
    """
    format_ = detect_format(tokenizer) if format_name is None else find_format(format_name)
    if format_ is None and thinking is not None:
        raise InputError(
            f"--thinking {thinking}: the chat template of policy {policy} mentions no thoughts; "
            "expected a model that thinks, or --thinking-format with the format of its thoughts"
        )
    return format_
