"""Tokenizers with the marks of thoughts, and a simulated policy that thinks."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from executor.engines.base import EngineCounters
from executor.engines.capacity import Capacity
from executor.models.stopping import Finish
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens
from executor.policies.base import Draw, DrawRequest, Reads
from executor.policies.simulated import EOS_ID, CharTokenizer
from executor.thinking.formats import find_format

OPEN, CLOSE = "<think>", "</think>"
VISIBLE = "First, 3 + 4 = 7.\n\nSo the answer is \\boxed{7}."
"""What the thinker writes behind its thought."""


class TaggedTokenizer(CharTokenizer):
    """A token per character, and one for each mark of a thought, as Qwen3's tokenizer has."""

    added: ClassVar[dict[str, int]] = {OPEN: EOS_ID + 16, CLOSE: EOS_ID + 17}
    special = False

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        """Return the tokens of a text."""
        pieces = re.split(f"({'|'.join(map(re.escape, self.added))})", text)
        return [
            token
            for piece in pieces
            for token in ([self.added[piece]] if piece in self.added else map(ord, piece))
        ]

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """Return the text; the marks have one, unless they are special."""
        names = {token: name for name, token in self.added.items()}
        hidden = self.special and skip_special_tokens
        return "".join(
            chr(token) if token < EOS_ID else "" if hidden else names.get(token, "")
            for token in token_ids
        )

    def get_added_vocab(self) -> dict[str, int]:
        """Return the marks."""
        return dict(self.added)

    def get_vocab(self) -> dict[str, int]:
        """Return the whole vocabulary."""
        return super().get_vocab() | self.added


class HarmonyTokenizer(TaggedTokenizer):
    """The same with the special tokens of gpt-oss, of which its marks begin and end with one."""

    added: ClassVar[dict[str, int]] = {
        name: EOS_ID + 32 + number
        for number, name in enumerate(("<|channel|>", "<|message|>", "<|start|>", "<|end|>"))
    }
    special = True


class Thinker:
    """A policy that writes a thought of random length and then always the same text.

    After every token its thought ends with the probability `ends`, so that it has the same
    distribution in whatever pieces it is drawn. Every fifth token of it is a blank line.

    Args:
        opens: whether the prompt opens the thought; otherwise the policy does.
        ends: probability that the thought ends after a token.
        tokenizer: its tokenizer; None: one whose marks are tokens.
        format_: format of its thoughts.
        latency: seconds of each draw.
    """

    name = "thinker"
    reads = Reads.QUESTION
    writes_json = True

    def __init__(
        self,
        *,
        opens: bool = True,
        ends: float = 0.05,
        tokenizer: Any = None,
        format_: str = "think",
        latency: float = 0.0,
    ) -> None:
        self.tokens = Tokens(tokenizer or TaggedTokenizer())
        self.template = PromptTemplate()
        self.max_context = 4096
        self.capacity = Capacity(sequences=256, tokens=1 << 20)
        self.opens, self.ends, self.latency = opens, ends, latency
        self.format = find_format(format_)
        self.requests: list[DrawRequest] = []
        self._counters = EngineCounters()

    def prompt(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> list[int]:
        """Return the question, and the opening mark."""
        return self.tokens.encode(f"{question}\n\n{self.format.open if self.opens else ''}")

    async def draw(self, request: DrawRequest) -> list[Draw]:
        """Draw as `Policy.draw` says; stop strings are looked for in all that is written."""
        self.requests.append(request)
        draws = [self._write(request, request.seed + child) for child in range(request.n)]
        for _ in draws:
            request.ledger.charge_prompt(len(request.prompt_ids), 0)
            self._counters.prompt += len(request.prompt_ids)
        made = sum(len(draw.token_ids) for draw in draws)
        try:
            await asyncio.sleep(self.latency)
        except asyncio.CancelledError:
            for draw in draws:
                half = draw.token_ids[: len(draw.token_ids) // 2]
                request.ledger.discarded += len(half)
                self._counters.generated += len(half)
                if request.unfinished is not None:
                    request.unfinished(half)
            raise
        request.ledger.generated += made
        self._counters.generated += made
        if request.finished is not None:
            for child, draw in enumerate(draws):
                request.finished(child, draw)
        return draws

    def _write(self, request: DrawRequest, seed: int) -> Draw:
        rng = random.Random(f"{seed} {len(request.prompt_ids)}")
        known = self.tokens.tokenizer.get_vocab()
        finish = Finish.LENGTH
        tokens: list[int] = []
        while len(tokens) < request.max_tokens:
            token = self._next([*request.prompt_ids, *tokens], rng)
            tokens.append(token)
            if token == EOS_ID:
                finish = Finish.EOS
                break
            # As vLLM: tokens are looked for by their ids, and texts have no special tokens.
            text = self.tokens.decode(tokens)
            if any(known.get(one) == token or text.endswith(one) for one in request.stop):
                finish = Finish.STOP
                break
        return Draw(tuple(tokens), finish, -0.5 * len(tokens), (), (1.0,) * len(tokens))

    def _next(self, token_ids: list[int], rng: random.Random) -> int:
        tokenizer = self.tokens.tokenizer
        text = tokenizer.decode(token_ids, skip_special_tokens=False)
        _, opened, thought = text.partition(self.format.open)
        if not opened:
            return _next_of(tokenizer.encode(self.format.open), token_ids, begins=True)
        inside, closed, visible = thought.partition(self.format.close)
        if not closed:
            ending = tokenizer.encode(self.format.close)
            begun = _next_of(ending, token_ids, begins=False)
            if begun or rng.random() < self.ends:
                return begun or ending[0]
            return ord("\n") if len(inside) % 5 > 2 else ord("a")
        visible = visible.lstrip("\n")
        return ord(VISIBLE[len(visible)]) if len(visible) < len(VISIBLE) else EOS_ID

    @property
    def lost(self) -> bool:
        """Never."""
        return False

    def counters(self) -> EngineCounters:
        """Return the counts of all draws."""
        return self._counters

    def close(self) -> None:
        """Do nothing."""


def _next_of(mark: list[int], token_ids: list[int], *, begins: bool) -> int:
    """Return the next token of a mark that has begun; else its first if it `begins`, or 0."""
    for length in range(len(mark) - 1, 0, -1):
        if token_ids[-length:] == mark[:length]:
            return mark[length]
    return mark[0] if begins else 0
