"""A tokenizer for tests of how texts are spelt by tokens."""

from __future__ import annotations

from collections.abc import Sequence


class Vocabulary:
    """A tokenizer of the pieces given, a token each."""

    def __init__(self, *pieces: str) -> None:
        self.pieces = pieces

    def get_vocab(self) -> dict[str, int]:
        return {piece: number for number, piece in enumerate(self.pieces)}

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        return "".join(self.pieces[i] for i in ids)
