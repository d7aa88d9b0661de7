r"""A simulated policy and a simulated PRM with known probabilities and an exact ledger.

They replace models in tests, fault drills and planning studies, since the accuracy of a strategy on
them is known in closed form. With probability `p` of a right step, `d` steps, `W` wrong answers and
`q = p**d`:

- pass@1 is `q`; each wrong answer has probability `(1 - q) / W`;
- greedy is always right if `p >= 1/2`, else always wrong;
- with a perfect PRM (`auc = 1`), best-of-N is right with `1 - (1 - q)**N`, a DVTS subtree of
  width M with `s = (1 - (1 - p)**M)**d` and DVTS with `1 - (1 - s)**(N / M)`; of N beams, the
  number of right ones is a Markov chain: of r right ones `min(r, N / M)` survive, and
  Binomial(M * survivors, p) of their children are right; N particles are all resampled from the
  right ones as long as there are any, so that all or none end up right, all with
  `(1 - (1 - p)**N)**d`;
- with a useless PRM (`auc = 1/2`), best-of-N and the best of N particles are right with `q`,
  whatever N;
- an answer that is written from others is right with `corrects` if one of them is right, else with
  `q`. So in recursive aggregation the number of right answers is a Markov chain: of N answers with
  r right ones, K are shown, and Binomial(N, h * corrects + (1 - h) * q) of the next are right, with
  `h = 1 - C(N - r, K) / C(N, K)`.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import math
import random
import re
from collections.abc import (
    AsyncIterator,
    Callable,
    Container,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

from executor.engines.base import EngineCounters
from executor.engines.capacity import Capacity
from executor.errors import EngineError
from executor.ledger import Ledger
from executor.models.stopping import Finish
from executor.models.tokens import Step, Tokens
from executor.policies.base import Draw, DrawRequest, Reads
from executor.problem import Problem
from executor.strategy import STEP_DELIMITER

EOS_ID = 0x110000
ASK_ID = 0x110001
"""Ends a prompt."""
TURN_ID = 0x110002
"""Ends an earlier turn. The ids of all special tokens lie beyond Unicode."""
SHOWN_ID = 0x110003
"""Begins an earlier answer, after the question."""

_NORMAL = NormalDist()
_SLICES = 8
_OPENINGS = ("so", "hence", "this way", "from here", "adding up", "in turn", "thus", "as before")
_VERBS = ("x is", "x becomes", "we get", "we have")
_FIRST = "Step 1:"
_STEP = re.compile(r"Step (\d+): [a-z ]+ (\d+)\.")
_ANSWER = re.compile(r"The answer is \\boxed\{(\d+)\}\.")


class CharTokenizer:
    """A tokenizer with one token per character, whose id is the code point.

    It has the methods that `executor.models.tokens` needs.
    """

    chat_template = None
    eos_token_id = EOS_ID

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        """Return the code points of `text`; there are no special tokens to add."""
        return [ord(character) for character in text]

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """Return the text; special tokens have none."""
        return "".join(chr(token) for token in token_ids if token < EOS_ID)

    def get_vocab(self) -> dict[str, int]:
        """Return the special tokens and ASCII, which stands for all of Unicode."""
        return {chr(code): code for code in range(128)} | {
            "<eos>": EOS_ID, "<ask>": ASK_ID, "<turn>": TURN_ID, "<shown>": SHOWN_ID
        }  # fmt: skip


def reference_answer(question: str) -> str:
    """Return the right answer of a simulated question."""
    return str(_right_value(question, 0))


def simulated_problems(n: int, prefix: str = "simulated") -> list[Problem]:
    """Return `n` different problems with their right answers."""
    texts = [f"{prefix} problem {index}: what is x?" for index in range(n)]
    return [Problem(f"{prefix}-{i}", text, reference_answer(text)) for i, text in enumerate(texts)]


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """The possible next paragraphs: texts, and the probability of each."""

    texts: tuple[str, ...]
    weights: tuple[float, ...]
    likely: int  # index of the text that is written at temperature 0
    last: bool  # whether the response ends with it

    def pick(self, begun: str, greedy: bool, rng: random.Random) -> str:
        """Return a text that starts with `begun`, drawn by probability or the most probable."""
        if not begun:
            return self.texts[self.likely] if greedy else rng.choices(self.texts, self.weights)[0]
        fitting = [i for i, text in enumerate(self.texts) if text.startswith(begun)]
        weights = [self.weights[i] for i in fitting]
        if not any(weights):
            raise ValueError(f"a simulated policy cannot continue {begun!r}: it did not write that")
        if not greedy:
            return self.texts[rng.choices(fitting, weights)[0]]
        most = max(fitting, key=lambda i: self.weights[i])
        return self.texts[self.likely if self.likely in fitting else most]

    def logprob(self, begun: str, written: str, *, whole: bool) -> float:
        """Return log P(the text is `written` | it starts with `begun`).

        If not `whole`, it is log P(the text starts with `written` | it starts with `begun`).
        """
        chance = self.weights[self.texts.index(written)] if whole else self._mass(written)
        return math.log(chance / self._mass(begun))

    def _mass(self, begun: str) -> float:
        pairs = zip(self.texts, self.weights, strict=True)
        return math.fsum(weight for text, weight in pairs if text.startswith(begun))


class SimulatedPolicy:
    r"""A policy that solves every problem in `depth` steps, each right with probability `p`.

    A response is `depth` paragraphs `Step k: ... VALUE.` and a last one
    `The answer is \boxed{...}.`, right if and only if all steps are. The next text depends only on
    the text before it, so a response has the same distribution whether it is drawn at once, step by
    step, or cut anywhere in between. All temperatures above 0 are equal.

    Args:
        p: probability of a right step: one number, or a mapping or function of the question.
        depth: number of steps.
        wrong_answers: number of wrong answers, all equally likely.
        name: name of the policy.
        max_context: most tokens of prompt and response together.
        blank_lines: probability of a spare blank line before a paragraph, and before the
            response's end; 0 is a tidy policy.
        block_size: tokens of a block of its prefix cache; None is no cache.
        latency: seconds per request; its tokens come evenly over that time.
        token_latency: seconds per token, in place of `latency`: shorter responses end earlier.
        corrects: probability of a right answer if it is written from answers of which one is right;
            None: they do not matter.
        faults: numbers, from 1, of the calls of `draw` that raise EngineError;
            `range(5, sys.maxsize)` is an engine that is lost at the fifth call.
    """

    reads = Reads.TURNS
    writes_json = False

    def __init__(
        self,
        p: float | Mapping[str, float] | Callable[[str], float] = 0.8,
        depth: int = 4,
        *,
        wrong_answers: int = 4,
        name: str = "simulated-policy",
        max_context: int = 8192,
        blank_lines: float = 0.0,
        block_size: int | None = None,
        latency: float = 0.0,
        token_latency: float = 0.0,
        corrects: float | None = None,
        faults: Container[int] = (),
    ) -> None:
        if depth < 1 or wrong_answers < 1 or not 0 <= blank_lines < 1:
            raise ValueError(f"depth {depth}, wrong_answers {wrong_answers} must be at least 1, "
                             f"blank_lines {blank_lines} in [0, 1)")  # fmt: skip
        self.name = name
        self.tokens = Tokens(CharTokenizer())
        self.max_context = max_context
        self.capacity = Capacity(sequences=256, tokens=256 * max_context)
        self.depth = depth
        self.wrong_answers = wrong_answers
        self.blank_lines = blank_lines
        self.latency = latency
        self.token_latency = token_latency
        self.corrects = corrects
        self.faults = faults
        self.calls = 0
        self._p = p
        self._counters = EngineCounters()
        self._cache = _PrefixCache(block_size)
        # Enough for unfinished responses; a long run must not keep finished ones.
        self._paragraph = lru_cache(maxsize=512)(self._build_paragraph)

    def step_chance(self, question: str) -> float:
        """Return the probability that a step of `question` is right."""
        if isinstance(self._p, Mapping):
            p = self._p[question]
        else:
            p = self._p(question) if callable(self._p) else self._p
        if not 0 <= p <= 1:
            raise ValueError(f"p is {p} for {question!r}; expected a number in [0, 1]")
        return p

    def pass_at_1(self, question: str) -> float:
        """Return the probability that a sample is right: `p ** depth`."""
        return self.step_chance(question) ** self.depth

    def prompt(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> list[int]:
        """See `Policy.prompt`: each turn, the question, the answers, and a token that ends it.

        What is written depends on the question, and with `corrects` on the answers.
        """
        earlier = [token for _, text in before for token in (*self.tokens.encode(text), TURN_ID)]
        shown = [token for text in answers for token in (SHOWN_ID, *self.tokens.encode(text))]
        return [*earlier, *self.tokens.encode(question), *shown, ASK_ID]

    async def draw(self, request: DrawRequest) -> list[Draw]:
        """See `Policy.draw`; the children end one after another, the shortest first."""
        self.calls += 1
        _fail_if(self.calls in self.faults, self.name, self.calls)
        prompt_ids, n, ledger = request.prompt_ids, request.n, request.ledger
        if len(prompt_ids) >= self.max_context:
            raise EngineError(f"engine {self.name} refused a request: {len(prompt_ids)} tokens")
        room = min(request.max_tokens, self.max_context - len(prompt_ids))
        greedy = request.temperature == 0
        question, p, before = self._split(prompt_ids)
        draws = [
            self._write(
                question, p, before, room, request.stop, greedy, random.Random(request.seed + child)
            )
            for child in range(n)
        ]
        if request.top_logprobs is not None:
            draws = [
                replace(
                    draw, confidences=self._confidences(question, before, draw, request.seed + i)
                )
                for i, draw in enumerate(draws)
            ]
        for _ in range(n):
            cached = self._cache.hits(prompt_ids)
            self._cache.add(prompt_ids)
            _count_prompt(self._counters, len(prompt_ids), cached)
            ledger.charge_prompt(len(prompt_ids), cached)
        written = [0] * n
        try:
            async for shares in self._progress([len(draw.token_ids) for draw in draws]):
                self._counters.generated += sum(shares) - sum(written)
                written = shares
        except asyncio.CancelledError:
            ledger.discarded += sum(written)
            if request.unfinished is not None:
                for draw, tokens in zip(draws, written, strict=True):
                    request.unfinished(draw.token_ids[:tokens])
            raise
        for draw in draws:
            self._cache.add([*prompt_ids, *draw.token_ids])
        ledger.generated += sum(written)
        self._counters.ended += n
        if request.finished is not None:
            for child in sorted(range(n), key=lambda child: len(draws[child].token_ids)):
                request.finished(child, draws[child])
        return draws

    async def _progress(self, lengths: Sequence[int]) -> AsyncIterator[list[int]]:
        """Yield how much of responses of these lengths is written, until they are whole."""
        if self.token_latency:
            for most in range(1, max(lengths) + 1):
                await asyncio.sleep(self.token_latency)
                yield [min(length, most) for length in lengths]
            return
        for part in range(1, _SLICES + 1):
            if part == 1 or self.latency:
                await asyncio.sleep(self.latency / _SLICES)
            yield [length * part // _SLICES for length in lengths]

    @property
    def lost(self) -> bool:
        """Whether a fault was injected at the last call."""
        return self.calls in self.faults

    def counters(self) -> EngineCounters:
        """Return the token counts that an engine would keep."""
        return self._counters

    def close(self) -> None:
        """Do nothing: there is no engine."""

    def _split(self, prompt_ids: Sequence[int]) -> tuple[str, float, str]:
        """Return the question, the probability of a right step, and the response so far.

        The response is without a beginning by somebody else.
        """
        end = list(prompt_ids).index(ASK_ID)
        turns, so_far = list(prompt_ids[:end]), self.tokens.decode(prompt_ids[end:])
        start = len(turns) - turns[::-1].index(TURN_ID) if TURN_ID in turns else 0
        asked, *shown = _split_at(turns[start:], SHOWN_ID)
        question = self.tokens.decode(asked)
        return question, self._chance(question, map(self.tokens.decode, shown)), _own_part(so_far)

    def _chance(self, question: str, shown: Iterable[str]) -> float:
        """Return the probability of a right step of an answer that is written from others."""
        if self.corrects is not None:
            for text in shown:
                if _ANSWER.search(text) and judge(question, text):
                    return float(self.corrects ** (1 / self.depth))
        return self.step_chance(question)

    def _write(
        self,
        question: str,
        p: float,
        before: str,
        room: int,
        stop: Sequence[str],
        greedy: bool,
        rng: random.Random,
    ) -> Draw:
        """Write paragraphs until a stop string, the end, or the token limit."""
        written, logprob = "", 0.0
        while True:
            so_far = before + written
            start = _paragraph_start(so_far)
            begun = so_far[start:]
            paragraph = self._next(question, p, so_far[:start])
            text = paragraph.pick(begun, greedy, rng)
            more, cut = _until(written, text[len(begun) :], stop, room)
            written += more
            logprob += paragraph.logprob(begun, begun + more, whole=cut is None)
            if cut is None and paragraph.last and text != STEP_DELIMITER:
                cut = Finish.EOS if len(written) < room else Finish.LENGTH
            if cut is not None:
                end = (EOS_ID,) if cut is Finish.EOS else ()
                return Draw((*self.tokens.encode(written), *end), cut, logprob)

    def _confidences(self, question: str, before: str, draw: Draw, seed: int) -> tuple[float, ...]:
        """Return confidences of a draw's tokens, which are higher if no step so far is wrong.

        They are normal with a spread of 2 nats around 15 nats, or around 14 after a wrong step.
        """
        right = judge(question, before + self.tokens.decode(draw.token_ids))
        rng = random.Random(f"confidences {seed} {before}")
        level = 15.0 if right else 14.0
        return tuple(round(abs(rng.gauss(level, 2.0)), 3) for _ in draw.token_ids)

    def _next(self, question: str, p: float, before: str) -> _Paragraph:
        """Return what may follow the whole paragraphs `before`."""
        wrong = 0
        steps = 0
        for number, value in _STEP.findall(before):
            steps += 1
            wrong += int(value) - _right_value(question, int(number))
        ended = _ANSWER.search(before) is not None
        any_wrong = judge(question, before) is False
        return self._paragraph(question, p, steps, wrong if any_wrong else None, ended)

    def _build_paragraph(
        self, question: str, p: float, steps: int, wrong: int | None, ended: bool
    ) -> _Paragraph:
        if ended:
            return _Paragraph(("",), (1.0,), 0, True)
        if steps == self.depth:
            # Offsets are uniform over 1..W, and so is their sum modulo W.
            offset = 0 if wrong is None else (wrong - 1) % self.wrong_answers + 1
            text = f"The answer is \\boxed{{{_right_value(question, 0) + offset}}}."
            return self._untidy([text], [1.0], 0, last=True)
        right = _right_value(question, steps + 1)
        share = (1 - p) / self.wrong_answers
        texts, weights = [], []
        for offset in range(self.wrong_answers + 1):
            for opening, verb in itertools.product(_OPENINGS, _VERBS):
                texts.append(f"Step {steps + 1}: {opening} {verb} {right + offset}.")
                weights.append((share if offset else p) / len(_OPENINGS) / len(_VERBS))
        likely = 0 if p >= 0.5 else len(_OPENINGS) * len(_VERBS)
        return self._untidy(texts, weights, likely, last=False)

    def _untidy(
        self, texts: list[str], weights: list[float], likely: int, *, last: bool
    ) -> _Paragraph:
        end = "" if last else STEP_DELIMITER
        tidy = [text + end for text in texts]
        b = self.blank_lines
        if not b:
            return _Paragraph(tuple(tidy), tuple(weights), likely, last)
        # After a spare blank line the paragraph follows with the same probabilities.
        spare = [*tidy, STEP_DELIMITER]
        chances = [w * (1 - b) for w in weights] + [b]
        if last:
            spare = [*tidy, *(text + STEP_DELIMITER for text in texts), STEP_DELIMITER]
            chances = [w * (1 - b) ** 2 for w in weights] + [w * (1 - b) * b for w in weights] + [b]
        return _Paragraph(tuple(spare), tuple(chances), likely, last)


class SimulatedPrm:
    """A PRM that judges, with noise, whether all steps so far are right.

    The judgement is binormal: z = noise + m * right with standard normal noise and
    m = sqrt(2) * ndtri(auc), so that a right prefix outscores a wrong one with probability `auc`;
    the reward is ndtr(z - m / 2). An `auc` of 1 is perfect (rewards 1 and 0), 0.5 is useless, less
    is misleading. The noise depends on seed, question and prefix, so a prefix has one reward.

    Args:
        auc: probability in [0, 1] that a right prefix scores higher than a wrong one.
        seed: seed of the noise.
        name: name of the PRM.
        block_size: tokens of a block of its prefix cache; None is no cache.
        latency: seconds per call.
        faults: numbers, from 1, of the calls of `score` that raise EngineError.
        trained_on: ids (`question_id`) of questions that count as seen in training.
    """

    scores_steps: Literal[True] = True
    needs: Literal["model"] = "model"

    def __init__(
        self,
        auc: float = 0.8,
        *,
        seed: int = 0,
        name: str = "simulated-prm",
        block_size: int | None = None,
        latency: float = 0.0,
        faults: Container[int] = (),
        trained_on: Iterable[str] = (),
    ) -> None:
        if not 0 <= auc <= 1:
            raise ValueError(f"auc is {auc}: must be in [0, 1]")
        self.name = name
        self.trained_on = frozenset(trained_on)
        self.unjudged = 0
        self.auc = auc
        self.seed = seed
        self.latency = latency
        self.faults = faults
        self.calls = 0
        self._counters = EngineCounters()
        self._cache = _PrefixCache(block_size)

    async def score(
        self, question: str, steps: Sequence[Step], *, start: int, ledger: Ledger
    ) -> list[float]:
        """See `StepScorer.score`; one request for each step."""
        self.calls += 1
        _fail_if(self.calls in self.faults, self.name, self.calls)
        prefix, text, rewards = [*map(ord, question), ASK_ID], "", []
        for index, step in enumerate(steps):
            text += step.text
            if index >= start:
                self._charge([*prefix, *step.token_ids[: step.scored]], ledger)
                rewards.append(self._reward(question, text))
            prefix += step.token_ids
        await asyncio.sleep(self.latency)
        return rewards

    def _reward(self, question: str, text: str) -> float:
        right = judge(question, text)
        if self.auc in (0, 1):
            return float(right == bool(self.auc))
        gap = math.sqrt(2) * _NORMAL.inv_cdf(self.auc)
        digest = hashlib.sha256(repr((self.seed, question, text.strip())).encode()).digest()
        noise = _NORMAL.inv_cdf((int.from_bytes(digest[:6], "big") + 0.5) / 2**48)
        return _NORMAL.cdf(noise + gap * (right - 0.5))

    @property
    def lost(self) -> bool:
        """Whether a fault was injected at the last call."""
        return self.calls in self.faults

    def _charge(self, token_ids: list[int], ledger: Ledger) -> None:
        cached = self._cache.hits(token_ids)
        self._cache.add(token_ids)
        _count_prompt(self._counters, len(token_ids), cached)
        ledger.charge_prm(len(token_ids), cached)

    def counters(self) -> EngineCounters:
        """Return the token counts that an engine would keep."""
        return self._counters

    def close(self) -> None:
        """Do nothing: there is no engine."""


def judge(question: str, text: str) -> bool:
    """Whether all steps and answers in `text` are right; an unfinished step does not count."""
    steps = all(int(value) == _right_value(question, int(k)) for k, value in _STEP.findall(text))
    answers = all(int(value) == _right_value(question, 0) for value in _ANSWER.findall(text))
    return steps and answers


class _PrefixCache:
    """A prefix cache: whole blocks of tokens after equal beginnings; nothing is evicted."""

    def __init__(self, block_size: int | None) -> None:
        if block_size is not None and block_size < 1:
            raise ValueError(f"block_size is {block_size}; expected at least 1")
        self._size = block_size
        self._seen: set[int] = set()

    def hits(self, token_ids: Sequence[int]) -> int:
        """Return how many tokens of a prompt are cached; the last one is always forwarded."""
        hit = 0
        for end, block in self._blocks(token_ids):
            if block not in self._seen or end == len(token_ids):
                break
            hit = end
        return hit

    def add(self, token_ids: Sequence[int]) -> None:
        """Add the whole blocks of a sequence."""
        self._seen.update(block for _, block in self._blocks(token_ids))

    def _blocks(self, token_ids: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield the end of each whole block, and a digest of all tokens up to there."""
        if self._size is not None:
            digest = 0
            for end in range(self._size, len(token_ids) + 1, self._size):
                digest = hash((digest, *token_ids[end - self._size : end]))
                yield end, digest


def _count_prompt(counters: EngineCounters, prompt: int, cached: int) -> None:
    counters.prompt += prompt
    counters.cached += cached


def _fail_if(fault: bool, name: str, call: int) -> None:
    if fault:
        raise EngineError(f"engine {name} was lost: fault injected at call {call}")


@lru_cache(maxsize=65536)
def _right_value(question: str, step: int) -> int:
    """Return the right value, of three digits, of a step (from 1) or of the answer (0)."""
    digest = hashlib.sha256(repr((question, step)).encode()).digest()
    return 100 + int.from_bytes(digest[:4], "big") % 800


def _split_at(token_ids: Sequence[int], separator: int) -> list[list[int]]:
    """Return the pieces between separators; there is one more than separators."""
    pieces: list[list[int]] = [[]]
    for token in token_ids:
        if token == separator:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return pieces


def _own_part(so_far: str) -> str:
    """Return the part of a response that a simulated policy wrote, after another's beginning."""
    if _FIRST.startswith(so_far.lstrip("\n")[: len(_FIRST)]):
        return so_far
    first = so_far.find(_FIRST)
    return "" if first < 0 else so_far[first:]


def _paragraph_start(text: str) -> int:
    """Return where the unfinished paragraph begins."""
    delimiter = text.rfind(STEP_DELIMITER)
    return 0 if delimiter < 0 else delimiter + len(STEP_DELIMITER)


def _until(written: str, more: str, stop: Sequence[str], room: int) -> tuple[str, Finish | None]:
    """Cut `more` after the first stop string that it completes, or at the token limit."""
    whole = written + more
    ends = [at + len(s) for s in stop if (at := whole.find(s)) >= 0]
    if ends and min(ends) <= room:
        return whole[len(written) : min(ends)], Finish.STOP
    if len(whole) > room:
        return whole[len(written) : room], Finish.LENGTH
    return more, None
