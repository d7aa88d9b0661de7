"""How long a response may think: a setting of a run."""

from __future__ import annotations

from dataclasses import dataclass

from executor.errors import InputError

_FREE = "free"


@dataclass(frozen=True, slots=True)
class Thinking:
    """How long a response may think.

    Attributes:
        tokens: most tokens of a thought; 0: no thought; None: as many as the model likes.
    """

    tokens: int | None

    @property
    def value(self) -> int | str:
        """The value as it is stored and printed: a number of tokens or `free`."""
        return _FREE if self.tokens is None else self.tokens

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def read(cls, given: str | int) -> Thinking:
        """Read a value: a number of tokens or `free`.

        Raises:
            InputError: it is neither.
        """
        text = str(given).strip().lower()
        if text == _FREE:
            return cls(None)
        if text.isascii() and text.isdigit():
            return cls(int(text))
        raise InputError(
            f"--thinking {given}: expected 0 (no thought), a number of tokens, or free"
        )


FREE = Thinking(None)
OFF = Thinking(0)


def check_room(thinking: Thinking | None, max_tokens: int) -> None:
    """Check that a response has room for an answer behind its thought.

    Args:
        thinking: how long the thought may be; None: not known.
        max_tokens: most tokens of the response.

    Raises:
        InputError: it has none.
    """
    if thinking is not None and thinking.tokens is not None and thinking.tokens >= max_tokens:
        raise InputError(
            f"--thinking {thinking}: a response of --max-tokens {max_tokens} has no room for an "
            "answer behind such a thought; expected fewer tokens of thought, or more in all"
        )
