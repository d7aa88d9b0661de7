"""What all strategies share: partial responses, and the context a problem is searched in."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import math
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from executor.answers.grader import Grader
from executor.errors import InputError
from executor.ledger import Ledger, TokenCap
from executor.models.tokens import Step
from executor.policies.base import Draw, DrawRequest, Finished, Policy
from executor.problem import Problem
from executor.scorers.base import StepScorer
from executor.strategy import Sampling, Score

T = TypeVar("T")
# Stands for the tokens of a response up to the place where a step's reward is read.
Prefix = int


class State(StrEnum):
    """Where a response stands."""

    LIVE = "live"  # more steps may follow
    FINISHED = "finished"  # the policy ended it
    CUT = "cut"  # it ran into a limit; it has no answer


@dataclass(frozen=True, slots=True)
class Response:
    """A response, or the part of one that has been written so far.

    Attributes:
        steps: its steps.
        rewards: the PRM's reward of each step; empty where nothing was scored.
        state: whether it may go on, was finished by the policy, or was cut by a limit.
        logprob: log-probability of its tokens under the policy, in nats.
        branches: `(serial, tokens)` of the draws it is made of in a tree search; responses with a
            common past share their first ones, so that each token is charged once.
    """

    steps: tuple[Step, ...] = ()
    rewards: tuple[float, ...] = ()
    state: State = State.LIVE
    logprob: float = 0.0
    branches: tuple[tuple[int, int], ...] = ()

    @property
    def token_ids(self) -> list[int]:
        """All its tokens in order."""
        return list(itertools.chain.from_iterable(step.token_ids for step in self.steps))

    @property
    def n_tokens(self) -> int:
        """How many tokens it has."""
        return sum(len(step.token_ids) for step in self.steps)

    @property
    def text(self) -> str:
        """Its text, special tokens left out."""
        return "".join(step.text for step in self.steps)


class DrawWatcher(Protocol):
    """Whoever is told of what is drawn, with the tokens of the response that stood before it."""

    def ended(self, before: Sequence[int], draw: Draw) -> None:
        """A draw has ended."""
        ...

    def cut(self, before: Sequence[int], written: Sequence[int]) -> None:
        """A draw was cancelled when so much was written."""
        ...


@dataclass(slots=True)
class Context:
    """One problem being solved: its models, its settings, its ledger and its token cap."""

    problem: Problem
    policy: Policy
    prm: StepScorer | None
    sampling: Sampling
    seed: int
    cap: TokenCap
    grader: Grader | None = None
    """Counts votes on the way, for what needs it."""
    early_stop: bool = False
    """Whether what cannot change the answer any more is left undrawn; needs the grader."""
    watcher: DrawWatcher | None = None
    """Receives every draw."""
    ledger: Ledger = field(default_factory=Ledger)
    serials: Iterator[int] = field(default_factory=itertools.count)
    _prompt: list[int] | None = None
    _prefixes: dict[tuple[Prefix, tuple[int, ...]], Prefix] = field(default_factory=dict)
    _rewards: dict[Prefix, float] = field(default_factory=dict)
    _asked: dict[Prefix, _Question] = field(default_factory=dict)

    @property
    def prompt(self) -> list[int]:
        """The token ids that ask the problem."""
        if self._prompt is None:
            self._prompt = self.policy.prompt(self.problem.text, self.problem.before)
        return self._prompt

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
    ) -> list[Draw]:
        """`n` continuations of a response; none where the token cap or the context is full.

        Args:
            so_far: the response's tokens until here.
            n: draws.
            max_tokens: most tokens a draw.
            where: names the place in the search; with the problem and the seed it makes the
                draws' seed, whatever order branches run in.
            temperature: overrides the sampling temperature.
            stop: strings that end a draw.
            first: index of the first one, where the draws of one place are asked for bit by bit;
                draw `i` has the same seed however they are.
            finished: see `Policy.draw`; its indices begin at 0.
        """
        room = self.policy.max_context - len(self.prompt) - len(so_far)
        each = self.cap.reserve(n, min(max_tokens, room))
        if each < 1:
            return []
        request = DrawRequest(
            [*self.prompt, *so_far],
            n=n,
            max_tokens=each,
            temperature=self.sampling.temperature if temperature is None else temperature,
            top_p=1.0 if temperature == 0 else self.sampling.top_p,
            seed=derive_seed(self.seed, self.problem.id, where) + first,
            ledger=self.ledger,
            stop=stop,
            finished=finished,
        )
        if self.watcher is not None:
            request = _watched(request, so_far, self.watcher)
        # Cancelled or lost draws keep their reservation: the problem is over, and a cap that gave
        # back too much would not be one.
        used = n * each
        try:
            draws = await self.policy.draw(request)
            used = sum(len(draw.token_ids) for draw in draws)
        finally:
            self.cap.settle(n * each, used)
        return draws

    def scored(self, steps: Sequence[Step]) -> tuple[float, ...] | None:
        """The rewards of a response's steps, as `score` has them; None where some are missing."""
        keys = self._keys(steps)
        if any(key not in self._rewards for key in keys):
            return None
        return tuple(self._rewards[key] for key in keys) + (0.0,) * (len(steps) - len(keys))

    async def score(self, responses: Sequence[Sequence[Step]]) -> list[tuple[float, ...]]:
        """Rewards of every step of every response; what was scored before is not scored again.

        A step's reward depends on what is written up to it, so responses that begin alike share
        the rewards of their beginning, and equal ones are scored once. A last step in which
        nothing is written is worth 0.
        """
        if self.prm is None:
            raise InputError("this strategy needs a PRM; give one with --prm")
        prefixes = [self._keys(steps) for steps in responses]
        # Whoever asks first, asks for all: other branches of the search wait for its answer, and
        # ask for themselves only where it was cancelled.
        while not all(key in self._rewards for keys in prefixes for key in keys):
            others = {self._asked[key] for keys in prefixes for key in keys if key in self._asked}
            questions = self._claim(responses, prefixes)
            try:
                await together(self._ask(one) for one in questions)
                for other in others:
                    await other.answered()
            finally:
                for one in questions:  # those too that were cancelled before they began
                    self._release(one)
        return [
            tuple(self._rewards[key] for key in keys) + (0.0,) * (len(steps) - len(keys))
            for steps, keys in zip(responses, prefixes, strict=True)
        ]

    def _keys(self, steps: Sequence[Step]) -> list[Prefix]:
        """A key for what is written up to the place of each step's reward.

        Keys are nodes of a tree whose edges are pieces of tokens, so that long beginnings are kept
        once. Blank steps at the end have none.
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
        """What nobody has asked the PRM yet; it counts as asked from here on."""
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

    async def _ask(self, one: _Question) -> None:
        assert self.prm is not None
        rewards = await self.prm.score(
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
    """Steps the PRM is asked for: `steps[start:]`, known by `keys`."""

    steps: Sequence[Step]
    start: int
    keys: Sequence[Prefix]
    released: bool = False
    _event: asyncio.Event | None = None

    async def answered(self) -> None:
        """Wait until it was answered, or given up."""
        if not self.released:
            self._event = self._event or asyncio.Event()
            await self._event.wait()

    def release(self) -> None:
        """It was answered, or given up."""
        self.released = True
        if self._event is not None:
            self._event.set()


async def together(branches: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of branches run at once; where one fails, the others are cancelled first."""
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
    """A 31-bit seed for one place of one problem, the same on every machine.

    What equal seeds promise, and `tests/executor/run/test_determinism.py` tests:

    - The requests a search sends follow from the seed and from what the engines answered, whatever
      else runs and in whatever order answers come. Only where a token cap is nearly spent do
      branches share what is left in the order they come.
    - One problem at a time, on engines just started: the same tokens and ledger, and rewards up to
      rounding.
    - Problems beside each other share batches, which are made up as requests come, and the last
      bits of what vLLM computes depend on the batch. Rewards differ by rounding, and so may a draw
      that hangs on it, with all that follows: there is no promise. vLLM's batch-invariant mode
      (`VLLM_BATCH_INVARIANT`) is made for GPUs; on a CPU no step works under it.
    - A prefix cache filled before changes the ledger (what is cached is not forwarded), and samples
      no more than by rounding.
    """
    digest = hashlib.sha256(repr((seed, *keys)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def aggregate(rewards: Sequence[float], score: Score) -> float:
    """Step rewards as one number; a response without steps is worth 0."""
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
