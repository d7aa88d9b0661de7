"""Where a draw stops: what vLLM is told, and what its answer means; the same on every engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens


class Finish(StrEnum):
    """Why a draw ended."""

    EOS = "eos"  # the policy ended its response
    STOP = "stop"  # a stop string: the end of a step
    LENGTH = "length"  # cut at the token limit: not a finished response


@dataclass(frozen=True, slots=True)
class StopAt:
    """What ends a draw besides the end-of-sequence token; `strings` is empty where tokens do."""

    strings: tuple[str, ...]
    token_ids: tuple[int, ...]


class Stopping:
    """The stop strings of a policy's draws."""

    def __init__(self, tokens: Tokens, template: PromptTemplate) -> None:
        self._tokens = tokens
        self._template = template

    def at(self, stop: Sequence[str]) -> StopAt:
        """What vLLM must look for.

        Where only single tokens can spell the stop strings, it looks for those and is spared the
        text: detokenising takes a quarter of the time of a small model.
        """
        strings = (*stop, *self._template.stop)
        tokens = [self._tokens.single_tokens(text) for text in strings]
        if None in tokens:
            return StopAt(strings, ())
        ids = sorted({token for found in tokens if found is not None for token in found})
        return StopAt((), tuple(ids))

    def finish(self, reason: str, met: int | str | None, stop: Sequence[str]) -> Finish:
        """Why a draw ended, by vLLM's `finish_reason` and `stop_reason`.

        vLLM names the stop string or stop token it met; None means the end-of-sequence token. A
        stop string of the template (an end-of-turn marker) ends the response like that token does,
        and so do further end tokens of the model's own.
        """
        if reason == "length":
            return Finish.LENGTH
        if isinstance(met, int):
            at_step = any(met in (self._tokens.single_tokens(text) or ()) for text in stop)
        else:
            at_step = met is not None and met not in self._template.stop
        return Finish.STOP if at_step else Finish.EOS
