"""Shared parts of all strategies: responses, and the context in which a problem is searched."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import math
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from executor.answers.grader import Grader
from executor.concurrency import inline_or_thread
from executor.domains.execution import ByBehaviour, Execution, Executions
from executor.errors import InputError
from executor.ledger import Ledger, TokenCap
from executor.models.stopping import Finish
from executor.models.tokens import Step, with_readings
from executor.policies.base import (
    AnyPolicy,
    Bill,
    ChatPolicy,
    ChatRequest,
    ContextFullError,
    Draw,
    DrawRequest,
    Finished,
    Messages,
    Policy,
    Written,
    no_tokens,
    token_policy,
)
from executor.policies.thinking import ThinkingPolicy
from executor.problem import Problem
from executor.scorers.base import AnyScorer, StepScorer, WholeResponse, scores_of_responses
from executor.strategy import Sampling, Score

T = TypeVar("T")
# Key of the tokens of a response up to the place where a step's reward is read.
Prefix = int


class State(StrEnum):
    """The state of a response."""

    LIVE = "live"  # more steps may follow
    FINISHED = "finished"  # the policy ended it
    CUT = "cut"  # a limit ended it; it has no answer


@dataclass(frozen=True, slots=True)
class Response:
    """A response, or its part so far.

    Attributes:
        steps: its steps.
        rewards: the PRM's reward of each step, or the single score of a scorer of whole responses;
            empty if it was not scored.
        state: whether it may go on, or was ended by the policy or by a limit.
        logprob: log-probability of its tokens under the policy, in nats.
        branches: `(serial, tokens)` of its draws in a tree search; responses with a common
            beginning share its draws, so that each token is charged once.
        confidences: confidence of each of its tokens (`Draw.confidences`); empty if not asked for.
        certainty: see `Draw.certainty`.
        thought: tokens of the thought that it begins with, with its marks. They are no step, and
            no part of its text.
        forced: number of its tokens that were appended and not drawn (`Draw.forced`).
        written: the response of a chat policy, which has no steps and no tokens here.
    """

    steps: tuple[Step, ...] = ()
    rewards: tuple[float, ...] = ()
    state: State = State.LIVE
    logprob: float = 0.0
    branches: tuple[tuple[int, int], ...] = ()
    confidences: tuple[float, ...] = ()
    certainty: float | None = None
    thought: tuple[int, ...] = ()
    forced: int = 0
    written: Written | None = None

    @property
    def token_ids(self) -> list[int]:
        """All its tokens, in order."""
        steps = (step.token_ids for step in self.steps)
        return list(itertools.chain(self.thought, itertools.chain.from_iterable(steps)))

    @property
    def n_tokens(self) -> int:
        """Its number of tokens; of a chat policy, those that were billed."""
        if self.written is not None:
            return self.written.n_tokens
        return len(self.thought) + sum(len(step.token_ids) for step in self.steps)

    @property
    def drawn(self) -> int:
        """Its number of tokens that the policy drew."""
        return self.n_tokens - self.forced

    @property
    def text(self) -> str:
        """Its text behind its thought, without special tokens."""
        if self.written is not None:
            return self.written.text
        return "".join(step.text for step in self.steps)


Prompt = Sequence[int] | Messages
"""What asks a question: tokens of a token policy, messages of a chat policy."""
Responded = Callable[[int, Response], None]
"""Receives the index and a whole response as soon as it has ended, on the event loop."""


class DrawWatcher(Protocol):
    """An observer of draws; `before` holds the tokens of the response before the draw."""

    def ended(self, before: Sequence[int], draw: Draw) -> None:
        """Take a draw that has ended."""
        ...

    def cut(self, before: Sequence[int], written: Sequence[int]) -> None:
        """Take the tokens of a draw that was cancelled."""
        ...

    def responded(self, response: Response) -> None:
        """Take a response of a chat policy."""
        ...


@dataclass(slots=True)
class Context:
    """The context of one problem: its models, settings, ledger and token cap."""

    problem: Problem
    policy: AnyPolicy
    prm: AnyScorer | None
    sampling: Sampling
    seed: int
    cap: TokenCap
    grader: Grader | None = None
    """Grader that counts votes during the search, if the strategy needs that."""
    early_stop: bool = False
    """Whether to skip draws that cannot change the answer; needs the grader."""
    watcher: DrawWatcher | None = None
    """Receives every draw."""
    top_logprobs: int | None = None
    """See `DrawRequest.top_logprobs`."""
    ledger: Ledger = field(default_factory=Ledger)
    bill: Bill = field(default_factory=Bill)
    """What the endpoint of a chat policy did; empty with a token policy."""
    serials: Iterator[int] = field(default_factory=itertools.count)
    _prompt: list[int] | None = None
    _messages: Messages | None = None
    _full: bool = False
    _prefixes: dict[tuple[Prefix, tuple[int, ...]], Prefix] = field(default_factory=dict)
    _rewards: dict[Prefix, float] = field(default_factory=dict)
    _asked: dict[Prefix, _Question] = field(default_factory=dict)
    _judged: dict[tuple[int, ...] | tuple[str, State], float] = field(default_factory=dict)
    _executions: Executions | None = None

    @property
    def executions(self) -> Executions | None:
        """Runs the answers of the problem; None if they do not run."""
        if self._executions is None and self.grader is not None:
            self._executions = Executions.of(self.grader, self.problem, self._charge_execution)
        return self._executions

    def _charge_execution(self) -> None:
        self.ledger.executions += 1

    @property
    def voter(self) -> Grader | None:
        """Grader that counts votes: answers that run are compared by what they do."""
        runs = self.executions
        if self.grader is None or runs is None or not runs.comparable:
            return self.grader
        return ByBehaviour(self.grader, runs)

    @property
    def tokens(self) -> Policy:
        """The policy, if it is a token policy.

        Raises:
            InputError: it is a chat policy.
        """
        return token_policy(self.policy, "a search over tokens")

    @property
    def prompt(self) -> list[int]:
        """Token ids that ask the problem, and those that its responses begin with."""
        if self._prompt is None:
            self._prompt = self.ask()
        return self._prompt

    def thought_end(self, token_ids: Sequence[int]) -> int:
        """Return the number of a response's first tokens that belong to its thought."""
        if isinstance(self.policy, ThinkingPolicy):
            return self.policy.visible_from(self.prompt, token_ids)
        return 0

    def ask(self, answers: Sequence[str] = ()) -> list[int]:
        """Return the token ids that ask the problem, and those that its responses begin with.

        Args:
            answers: texts of earlier answers that the response shall aggregate.
        """
        problem, policy = self.problem, self.tokens
        # A policy of one's own that never aggregates need not know of answers.
        more = (answers,) if answers else ()
        begun = problem.begun
        if begun and isinstance(policy, ThinkingPolicy):
            # It has begun to answer, so that it does not think any more.
            asked = policy.prompt_without_thought(problem.text, problem.before, *more)
        else:
            asked = policy.prompt(problem.text, problem.before, *more)
        return [*asked, *policy.tokens.encode(begun)] if begun else asked

    def ask_chat(self, policy: ChatPolicy, answers: Sequence[str] = ()) -> Messages:
        """Return the messages that ask the problem, or ask for an answer from earlier ones.

        Raises:
            InputError: responses shall begin with a given text.
        """
        problem = self.problem
        if problem.begun:
            raise InputError(no_tokens("an answer that begins with a given text", policy.name))
        if answers:
            return policy.ask(problem.text, problem.before, answers)
        if self._messages is None:
            self._messages = policy.ask(problem.text, problem.before)
        return self._messages

    def read(self) -> None:
        """Compute what asks the problem, which the context keeps."""
        if isinstance(self.policy, ChatPolicy):
            self.ask_chat(self.policy)
        else:
            _ = self.prompt

    @property
    def full(self) -> bool:
        """Whether the question leaves no room in the policy's context, so that nothing is drawn."""
        if isinstance(self.policy, ChatPolicy):
            return self._full
        return len(self.prompt) >= self.policy.max_context

    @property
    def unknown(self) -> frozenset[str]:
        """Names of the counts that the policy does not give (`Outcome.unknown`)."""
        if isinstance(self.policy, ChatPolicy):
            return frozenset({"logprob", *self.bill.unknown})
        return frozenset()

    async def respond(
        self,
        n: int,
        *,
        max_tokens: int,
        where: str,
        temperature: float | None = None,
        first: int = 0,
        finished: Responded | None = None,
        prompt: Prompt | None = None,
    ) -> list[Response]:
        """Return `n` whole responses; none if the token cap or the context is full.

        It is all that strategies over whole responses ask of a policy, of either kind. The
        arguments are those of `draw`; `prompt` is a result of `ask` or `ask_chat`.
        """
        if isinstance(self.policy, ChatPolicy):
            return await self._write(
                self.policy, n, max_tokens, where, temperature, first, finished, prompt
            )

        whole: dict[int, Response] = {}

        def ended(index: int, draw: Draw) -> None:
            whole[index] = self.whole(draw)
            if finished is not None:
                finished(index, whole[index])

        draws = await self.draw(
            (), n, max_tokens=max_tokens, where=where, temperature=temperature, first=first,
            finished=ended,
            prompt=prompt,  # type: ignore[arg-type]  # the result of `ask`
        )  # fmt: skip
        return [
            whole[index] if index in whole else self.whole(draw) for index, draw in enumerate(draws)
        ]

    def whole(self, draw: Draw) -> Response:
        """Return a draw that no search goes on with as a response."""
        state = State.FINISHED if draw.finish is Finish.EOS else State.CUT
        thought, visible = draw.token_ids[: draw.visible_from], draw.token_ids[draw.visible_from :]
        steps = tuple(with_readings(self.tokens.tokens.steps(visible), draw.readings))
        return Response(
            steps, state=state, logprob=draw.logprob, confidences=draw.confidences,
            certainty=draw.certainty, thought=thought, forced=draw.forced,
        )  # fmt: skip

    async def _write(
        self,
        policy: ChatPolicy,
        n: int,
        max_tokens: int,
        where: str,
        temperature: float | None,
        first: int,
        finished: Responded | None,
        prompt: Prompt | None,
    ) -> list[Response]:
        messages = self.ask_chat(policy) if prompt is None else prompt
        each = self.cap.reserve(n, max_tokens)
        if each < 1:
            return []

        def ended(index: int, written: Written) -> None:
            response = as_response(written)
            if self.watcher is not None:
                self.watcher.responded(response)
            if finished is not None:
                finished(index, response)

        request = ChatRequest(
            messages,  # type: ignore[arg-type]  # the result of `ask_chat`
            n,
            each,
            self.sampling.temperature if temperature is None else temperature,
            1.0 if temperature == 0 else self.sampling.top_p,
            derive_seed(self.seed, self.problem.id, where) + first,
            self.ledger,
            self.bill,
            ended,
        )
        used = n * each
        try:
            written = await policy.write(request)
            # An endpoint may bill more than it was asked for, or not say what it bills.
            if "n_tokens" not in self.bill.unknown:
                used = min(used, sum(one.n_tokens for one in written))
        except ContextFullError:
            used = 0
            self._full = self._full or prompt is None  # not if earlier answers fill it
            return []
        finally:
            self.cap.settle(n * each, used)
        return [as_response(one) for one in written]

    async def draw(
        self,
        so_far: Sequence[int],
        n: int,
        *,
        max_tokens: int,
        where: str,
        temperature: float | None = None,
        stop: Sequence[str] = (),
        first: int = 0,
        finished: Finished | None = None,
        prompt: Sequence[int] | None = None,
        max_visible_tokens: int | None = None,
    ) -> list[Draw]:
        """Draw `n` continuations of a response; none if the token cap or the context is full.

        Args:
            so_far: tokens of the response so far.
            n: number of draws.
            max_tokens: most tokens per draw.
            where: name of the place in the search. With the problem and the base seed it gives the
                seed of the draws, in whatever order branches run.
            temperature: temperature in place of the sampling temperature.
            stop: strings that end a draw.
            first: index of the first draw, if the draws of one place are split into several
                requests; draw `i` has the same seed in all splits.
            finished: callback of `DrawRequest`; its indices begin at 0.
            prompt: result of `ask`, if the response is not one to the problem alone.
            max_visible_tokens: see `DrawRequest`.

        Raises:
            InputError: the policy is a chat policy, which cannot continue a response.
        """
        asked = self.prompt if prompt is None else prompt
        policy = self.tokens
        room = policy.max_context - len(asked) - len(so_far)
        each = self.cap.reserve(n, min(max_tokens, room))
        if each < 1:
            return []
        request = DrawRequest(
            [*asked, *so_far],
            n=n,
            max_tokens=each,
            temperature=self.sampling.temperature if temperature is None else temperature,
            top_p=1.0 if temperature == 0 else self.sampling.top_p,
            seed=derive_seed(self.seed, self.problem.id, where) + first,
            ledger=self.ledger,
            stop=stop,
            finished=finished,
            json_schema=self.problem.json_schema,
            top_logprobs=self.top_logprobs,
            written=len(so_far),
            max_visible_tokens=max_visible_tokens,
        )
        if self.watcher is not None:
            request = _watched(request, so_far, self.watcher)
        # Cancelled or lost draws keep their reservation: the problem is over, and giving back too
        # much would break the cap.
        used = n * each
        try:
            draws = await policy.draw(request)
            used = sum(len(draw.token_ids) for draw in draws)
        finally:
            self.cap.settle(n * each, used)
        return draws

    def scored(self, steps: Sequence[Step]) -> tuple[float, ...] | None:
        """Return the rewards of a response's steps (see `score`), or None if some are unknown."""
        keys = self._keys(steps)
        if any(key not in self._rewards for key in keys):
            return None
        return tuple(self._rewards[key] for key in keys) + (0.0,) * (len(steps) - len(keys))

    async def score(self, responses: Sequence[Sequence[Step]]) -> list[tuple[float, ...]]:
        """Return the rewards of every step of every response; no step is scored twice.

        The reward of a step depends only on the text up to it. So responses with a common
        beginning share its rewards, and equal responses are scored once. Blank steps at the end
        have the reward 0.

        Args:
            responses: steps of each response.

        Raises:
            InputError: the context has no scorer of steps.
            EngineError: the scorer's engine was lost.
        """
        scorer = self._step_scorer()
        prefixes = [self._keys(steps) for steps in responses]
        # The first branch asks for all: other branches wait for its answer, and ask themselves only
        # if it was cancelled.
        while not all(key in self._rewards for keys in prefixes for key in keys):
            others = {self._asked[key] for keys in prefixes for key in keys if key in self._asked}
            questions = self._claim(responses, prefixes)
            try:
                await together(self._ask(scorer, one) for one in questions)
                for other in others:
                    await other.answered()
            finally:
                for one in questions:  # including those that were cancelled before they began
                    self._release(one)
        return [
            tuple(self._rewards[key] for key in keys) + (0.0,) * (len(steps) - len(keys))
            for steps, keys in zip(responses, prefixes, strict=True)
        ]

    async def judge(self, responses: Sequence[Response]) -> list[float]:
        """Return the score of every whole response; equal responses are scored once.

        Raises:
            ValueError: the context has no scorer of whole responses.
            InputError: the scorer fails, or a score is not a number from 0 to 1.
            EngineError: the scorer's engine was lost.
        """
        if self.prm is None or self.prm.scores_steps:
            raise ValueError("judge: the context has no scorer of whole responses")
        keys = [_judged_as(response) for response in responses]
        begun = self.problem.begun
        new: dict[tuple[int, ...] | tuple[str, State], WholeResponse] = {}
        for key, one in zip(keys, responses, strict=True):
            if key not in self._judged and key not in new:
                text, done = begun + one.text, one.state is State.FINISHED
                ran = await self._executed(text) if done else None
                new[key] = WholeResponse(
                    text, tuple(one.token_ids), one.logprob, done, one.confidences, ran,
                    one.certainty,
                )  # fmt: skip
        if new:
            asked = self.problem.with_turns
            scores = await scores_of_responses(self.prm, asked, [*new.values()], self.ledger)
            self._judged.update(zip(new, scores, strict=True))
        return [self._judged[key] for key in keys]

    async def _executed(self, text: str) -> Execution | None:
        """Return the execution of a response's answer, if the scorer needs it and it has one."""
        runs, grader = self.executions, self.grader
        if self.prm is None or self.prm.needs != "executions" or grader is None or runs is None:
            return None

        def run() -> Execution | None:
            answer = grader.extract(text)
            return None if answer is None else runs(answer)

        return await inline_or_thread(run)

    def _step_scorer(self) -> StepScorer:
        if self.prm is None:
            raise InputError("this strategy needs a scorer; give one with --scorer")
        if not self.prm.scores_steps:
            raise InputError(f"scorer {self.prm.name}: scores whole responses, not steps")
        return self.prm

    def _keys(self, steps: Sequence[Step]) -> list[Prefix]:
        """Return a key of the tokens up to the place of each step's reward.

        Keys are nodes of a tree whose edges are pieces of tokens, so that long beginnings are
        stored once. Blank steps at the end have no key.
        """
        keys: list[Prefix] = []
        written: Prefix = 0
        blank_from = max((i for i, step in enumerate(steps, 1) if step.text.strip()), default=0)
        for step in steps[:blank_from]:
            before, written = written, self._node(written, step.token_ids)
            whole = step.scored == len(step.token_ids)
            keys.append(written if whole else self._node(before, step.token_ids[: step.scored]))
        return keys

    def _node(self, parent: Prefix, piece: tuple[int, ...]) -> Prefix:
        return self._prefixes.setdefault((parent, piece), len(self._prefixes) + 1)

    def _claim(
        self, responses: Sequence[Sequence[Step]], prefixes: Sequence[Sequence[Prefix]]
    ) -> list[_Question]:
        """Return the questions that no branch has asked the PRM yet, and mark them as asked."""
        questions = []
        for steps, keys in zip(responses, prefixes, strict=True):
            start = 0
            while start < len(keys) and (
                keys[start] in self._rewards or keys[start] in self._asked
            ):
                start += 1
            if start < len(keys):
                one = _Question(steps[: len(keys)], start, keys[start:])
                for key in one.keys:
                    self._asked[key] = one
                questions.append(one)
        return questions

    async def _ask(self, scorer: StepScorer, one: _Question) -> None:
        rewards = await scorer.score(
            self.problem.text, one.steps, start=one.start, ledger=self.ledger
        )
        self._rewards.update(zip(one.keys, rewards, strict=True))
        self._release(one)

    def _release(self, one: _Question) -> None:
        if one.released:
            return
        for key in one.keys:
            if self._asked.get(key) is one:
                del self._asked[key]
        one.release()


def as_response(written: Written) -> Response:
    """Return what a chat policy wrote as a response; its log-probability is unknown and 0."""
    state = State.FINISHED if written.finish is Finish.EOS else State.CUT
    return Response(state=state, written=written)


def _judged_as(response: Response) -> tuple[int, ...] | tuple[str, State]:
    """Return what tells a response from others to a scorer."""
    if response.written is not None:
        return (response.text, response.state)
    return tuple(response.token_ids)


def _watched(request: DrawRequest, before: Sequence[int], watcher: DrawWatcher) -> DrawRequest:
    """Return the same request, reported to a watcher as well."""

    def finished(index: int, draw: Draw) -> None:
        watcher.ended(before, draw)
        if request.finished is not None:
            request.finished(index, draw)

    return replace(
        request, finished=finished, unfinished=lambda written: watcher.cut(before, written)
    )


@dataclass(eq=False, slots=True)
class _Question:
    """A request for the rewards of `steps[start:]`, whose keys are `keys`."""

    steps: Sequence[Step]
    start: int
    keys: Sequence[Prefix]
    released: bool = False
    _event: asyncio.Event | None = None

    async def answered(self) -> None:
        """Wait until it is answered or given up."""
        if not self.released:
            self._event = self._event or asyncio.Event()
            await self._event.wait()

    def release(self) -> None:
        """Mark it as answered or given up."""
        self.released = True
        if self._event is not None:
            self._event.set()


async def together(branches: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run branches concurrently and return their results; if one fails, cancel the others."""
    given = list(branches)
    if len(given) <= 1:
        return [await branch for branch in given]
    tasks = [asyncio.ensure_future(branch) for branch in given]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def derive_seed(seed: int, *keys: str) -> int:
    """Return a 31-bit seed for one place of one problem, the same on every machine.

    Equal seeds promise the following, which `tests/executor/run/test_determinism.py` tests:

    - The requests of a search depend only on the seed and on the engines' answers, whatever else
      runs and in whatever order answers come. The exception is a token cap that is nearly spent:
      branches share the rest in the order they come.
    - One problem at a time, on fresh engines, gives the same tokens and ledger, and the same
      rewards up to rounding. Of short-m@k it gives the same vote if no two responses are equally
      long; how far the cancelled ones have come depends on time.
    - Concurrent problems share batches, and the last bits of vLLM's results depend on the batch. So
      rewards differ by rounding, a draw that depends on the last bits may differ, and so may all
      that follows: there is no promise. vLLM's batch-invariant mode (`VLLM_BATCH_INVARIANT`) is
      made for GPUs; on a CPU no step works with it.
    - A prefix cache with earlier contents changes the ledger (cached tokens are not forwarded), and
      changes samples at most by rounding.
    """
    digest = hashlib.sha256(repr((seed, *keys)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def aggregate(rewards: Sequence[float], score: Score) -> float:
    """Return step rewards as one number; 0 for a response without steps."""
    if not rewards:
        return 0.0
    match score:
        case Score.MIN:
            return min(rewards)
        case Score.LAST:
            return rewards[-1]
        case Score.MEAN:
            return math.fsum(rewards) / len(rewards)
        case Score.PROD:
            return math.prod(rewards)
