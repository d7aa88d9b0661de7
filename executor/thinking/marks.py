"""The marks of a thought as tokens of one tokenizer, and thoughts found by them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from executor.thinking.formats import SENTENCE, ThinkingFormat

_TAIL = 64  # tokens at the end of a prompt in which the mark that opens a thought is looked for


@dataclass(frozen=True, slots=True)
class Thought:
    """The thought that a response begins with.

    Attributes:
        inside: number of its tokens between the marks.
        end: number of the response's tokens up to the thought's end, with its marks; what follows
            is the visible response.
        closed: whether it ended; if not, the response has no visible part.
    """

    inside: int
    end: int
    closed: bool


class Marks:
    """The marks of a format in a tokenizer.

    Args:
        format_: the format.
        tokenizer: a transformers tokenizer.
    """

    def __init__(self, format_: ThinkingFormat, tokenizer: Any) -> None:
        self.format = format_
        self._tokenizer = tokenizer
        added: dict[str, int] = getattr(tokenizer, "get_added_vocab", dict)()
        self._added = {token: name for name, token in added.items()}
        self._open = self._exact(format_.open)
        self._close = self._exact(format_.close)
        self.opening: tuple[int, ...] = self._open or tuple(self._encode(format_.open))
        """Tokens of the opening mark."""
        self.open_tokens = len(self.opening)
        """Number of tokens of the opening mark."""

    def read(self, token_ids: Sequence[int], *, opened: bool) -> Thought | None:
        """Return the thought that a response begins with; None if it begins with none.

        Args:
            token_ids: tokens of the response so far.
            opened: whether the prompt opened the thought.
        """
        begin = 0 if opened else self._end_of(self.format.open, self._open, token_ids)
        if begin is None or (not opened and not self._leads(token_ids[:begin])):
            return None
        inside = token_ids[begin:]
        end = self._end_of(self.format.close, self._close, inside)
        if end is None:
            return Thought(len(inside), len(token_ids), False)
        mark = len(self._close) if self._close is not None else self._length_of_close(inside[:end])
        return Thought(end - mark, begin + end, True)

    def opened_by(self, prompt_ids: Sequence[int]) -> bool:
        """Tell whether a prompt ends inside a thought that it opened.

        Only blank text may follow the mark: a question may quote it.
        """
        tail = self._decode(prompt_ids[-_TAIL:])
        _, mark, rest = tail.rpartition(self.format.open)
        return bool(mark) and not rest.strip()

    @cached_property
    def stop(self) -> str:
        """A stop string at which a thought may have ended: the last token of the closing mark.

        An engine finds a token by its id; it does not look for special tokens in texts.
        """
        if self._close is None:
            return self.format.close
        return self._added[self._close[-1]]

    @cached_property
    def ending(self) -> tuple[int, ...]:
        """Tokens that end a thought from outside: a short sentence and the mark.

        A vocabulary that cannot spell the sentence gets the mark alone.
        """
        return self._spelt(f"{SENTENCE}{self.format.ending.lstrip()}", self.format.ending)

    @cached_property
    def silent_ending(self) -> tuple[int, ...]:
        """Tokens that end a thought that has no content."""
        return self._spelt(self.format.ending)

    @cached_property
    def empty(self) -> tuple[int, ...]:
        """Tokens of a thought without content."""
        return self._spelt(self.format.empty, f"{self.format.open}{self.format.close}")

    def _spelt(self, *texts: str) -> tuple[int, ...]:
        """Return the first of the texts that the vocabulary can spell; at last the closing mark."""
        unknown = getattr(self._tokenizer, "unk_token_id", None)
        for text in texts:
            token_ids = self._encode(text)
            if unknown is None or unknown not in token_ids:
                return tuple(token_ids)
        return tuple(self._close or self._encode(self.format.close))

    def _exact(self, mark: str) -> tuple[int, ...] | None:
        """Return the only tokens that spell a mark; None if its text can be cut in several ways.

        Added tokens at both ends keep the tokenizer from joining the mark with its surroundings.
        """
        token_ids = self._encode(mark)
        first, last = self._added.get(token_ids[0]), self._added.get(token_ids[-1])
        if first is None or last is None:
            return None
        return tuple(token_ids) if mark.startswith(first) and mark.endswith(last) else None

    def _end_of(
        self, mark: str, exact: tuple[int, ...] | None, token_ids: Sequence[int]
    ) -> int | None:
        """Return the number of tokens up to the end of the first mark; None without one."""
        if exact is not None:
            return _after(exact, token_ids)
        if mark not in self._decode(token_ids):
            return None
        ends = range(1, len(token_ids) + 1)
        return 1 + bisect_left(ends, True, key=lambda end: mark in self._decode(token_ids[:end]))

    def _length_of_close(self, token_ids: Sequence[int]) -> int:
        """Return the number of tokens of the closing mark that ends these tokens, spelt as text."""
        mark, whole = self.format.close, self._decode(token_ids)
        before = whole[: whole.find(mark)]
        length = 1
        while length < len(token_ids) and len(self._decode(token_ids[:-length])) > len(before):
            length += 1
        return length

    def _leads(self, token_ids: Sequence[int]) -> bool:
        """Tell whether nothing but blank text stands before the mark that ends these tokens."""
        return self._decode(token_ids).lstrip().startswith(self.format.open)

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def _decode(self, token_ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(token_ids), skip_special_tokens=False))


def _after(mark: tuple[int, ...], token_ids: Sequence[int]) -> int | None:
    """Return the place behind the first occurrence of a mark; None if there is none."""
    place, length = -1, len(mark)
    while True:
        try:
            place = token_ids.index(mark[0], place + 1)
        except ValueError:
            return None
        if tuple(token_ids[place : place + length]) == mark:
            return place + length
