"""Tokenizers, and steps: pieces of a response that end at token boundaries."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import compress
from pathlib import Path
from typing import Any, TypeVar

from executor.errors import InputError
from executor.models.remote_code import needs_remote_code, refusal, trusts_remote_code
from executor.strategy import STEP_DELIMITER

T = TypeVar("T")
# Longer pieces are not kept: thousands of them would fill the memory.
_CACHED = 128


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of a response that ends at the step delimiter, or at the response's end.

    Attributes:
        token_ids: its tokens, including the end tokens in the last step of a finished response.
        text: its text without special tokens.
        scored: number of its tokens before the place where a PRM reads the step's reward: up to
            the delimiter, or up to the end tokens.
        reading: what a head in the policy's output matrix said at the state that wrote the step's
            end (`executor.models.fused`); None if it was not read.
    """

    token_ids: tuple[int, ...]
    text: str
    scored: int
    reading: float | None = field(default=None, compare=False)

    @property
    def end(self) -> int:
        """Index of the token that ends its text.

        That token completes the delimiter, or is the first blank or end token after the text. In a
        step that a limit cut it is the last token.
        """
        if Tokens.ends_step(self.text):
            return self.scored - 1
        return min(self.scored, len(self.token_ids) - 1)


class _Known(dict[int, T]):
    """A mapping from tokens that computes each value at its first use."""

    def __init__(self, find: Callable[[int], T]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, token: int) -> T:
        return self.setdefault(token, self._find(token))


class Tokens:
    """A tokenizer, and the rule that cuts responses into steps.

    One rule holds for whole samples and for step-by-step search: a step ends with the token that
    completes the delimiter after text that is not blank. So a step is never empty, and a response
    that is cut afterwards has the same steps as one that was searched step by step.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._pieces = _Known(lambda token: self.decode([token]))
        self._ends_line = _Known(lambda token: "\n" in self._pieces[token])
        # Samples of one question have most of their steps in common.
        self._cached_text = lru_cache(maxsize=4096)(self.decode)
        self._single: dict[str, tuple[int, ...] | None] = {}

    def encode(self, text: str) -> list[int]:
        """Return the token ids of `text`, without added special tokens."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of `token_ids` without special tokens."""
        return str(self.tokenizer.decode(list(token_ids), skip_special_tokens=True))

    def _text(self, token_ids: tuple[int, ...]) -> str:
        return (self._cached_text if len(token_ids) <= _CACHED else self.decode)(token_ids)

    def steps(self, token_ids: Sequence[int]) -> list[Step]:
        """Cut a response into its steps; their tokens joined are `token_ids` again."""
        steps: list[Step] = []
        start = 0
        # Only the end of a line completes the delimiter.
        ends = map(self._ends_line.__getitem__, token_ids)
        for position in compress(range(1, len(token_ids) + 1), ends):
            if position - start > 1 and self._one_line_end(*token_ids[position - 2 : position]):
                continue
            # Joined pieces would not do: several tokens may spell one character.
            text = self._text(piece := tuple(token_ids[start:position]))
            if self.ends_step(text):
                steps.append(Step(piece, text, position - start))
                start = position
        rest = tuple(token_ids[start:])
        if not rest:
            return steps
        if self._text(rest).strip() or not steps:
            return [*steps, self.last_step(rest)]
        return [*steps[:-1], with_tail(steps[-1], rest)]

    def _one_line_end(self, before: int, token: int) -> bool:
        """Whether a token surely ends only one line: it holds no delimiter, and no beginning of one
        precedes it."""
        piece = self._pieces[before]
        return (
            bool(piece)  # a special token has no text: the tokens before it count
            and not self._ends_line[before]
            and STEP_DELIMITER not in self._pieces[token]
        )

    def last_step(self, token_ids: tuple[int, ...]) -> Step:
        """Return `token_ids`, which end without a delimiter, as a step."""
        scored = len(token_ids)
        while scored > 1 and not self._pieces[token_ids[scored - 1]].strip():
            scored -= 1
        return Step(token_ids, self._text(token_ids), scored)

    @staticmethod
    def ends_step(text: str) -> bool:
        """Whether a step's text so far has reached its delimiter."""
        return STEP_DELIMITER in text.lstrip()

    def single_tokens(self, text: str) -> tuple[int, ...] | None:
        """Return the tokens that contain `text`, or None if several tokens can spell it together.

        A token that ends in the beginning of `text` could be continued by another. Beyond ASCII
        several tokens may spell one character, so the answer is None. Added tokens alone spell
        their names.
        """
        if text not in self._single:
            added: dict[str, int] = getattr(self.tokenizer, "get_added_vocab", dict)()
            if text in added:
                self._single[text] = (added[text],)
            else:
                self._single[text] = self._find_single(text) if text.isascii() else None
        return self._single[text]

    def _find_single(self, text: str) -> tuple[int, ...] | None:
        starts = tuple(text[:end] for end in range(1, len(text)))
        found = []
        for token in self.tokenizer.get_vocab().values():
            piece = self._pieces[token]
            if text in piece:
                found.append(token)
            elif piece.endswith(starts):
                return None
        return tuple(sorted(found)) or None

    @cached_property
    def fingerprint(self) -> str:
        """Digest of vocabulary and merges, equal for models that share their token ids."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is not None:
            model = json.loads(backend.to_str())["model"]
            content = json.dumps({k: model.get(k) for k in ("type", "vocab", "merges")})
        else:
            content = json.dumps(sorted(self.tokenizer.get_vocab().items()))
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def with_tail(step: Step, tail: tuple[int, ...]) -> Step:
    """Append blank or end tokens to a step; they are no step of their own and are never scored."""
    return replace(step, token_ids=step.token_ids + tail)


def with_readings(steps: Iterable[Step], readings: Sequence[float]) -> list[Step]:
    """Return steps with what a fused head said of them.

    Args:
        steps: consecutive steps.
        readings: the head's logits that came with their tokens, shape `(tokens,)`; empty if the
            policy holds no head.
    """
    steps = list(steps)
    if not readings:
        return steps
    starts = itertools.accumulate((len(step.token_ids) for step in steps), initial=0)
    return [
        replace(step, reading=readings[start + step.end])
        for step, start in zip(steps, starts, strict=False)
    ]


def load_tokenizer(checkpoint: Path | str) -> Any:
    """Load the tokenizer of a checkpoint folder or hub id.

    Raises:
        InputError: there is none, or the engine is not installed.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise InputError(
            f"model {checkpoint}: running models needs the engine; "
            "install apportion with its extra cpu or gpu"
        ) from None
    try:
        return AutoTokenizer.from_pretrained(
            str(checkpoint), trust_remote_code=trusts_remote_code()
        )
    except (OSError, ValueError, KeyError) as error:
        if needs_remote_code(error):
            raise refusal(checkpoint) from None
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise InputError(f"model {checkpoint}: no tokenizer can be read there ({reason})") from None
