"""Stop rules of draws: what vLLM looks for, and what its reason for stopping means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens


class Finish(StrEnum):
    """The reason why a draw ended."""

    EOS = "eos"  # the policy ended its response
    STOP = "stop"  # the draw reached a stop string: the end of a step
    LENGTH = "length"  # the token limit cut the response, which is not finished


@dataclass(frozen=True, slots=True)
class StopAt:
    """Stops of a draw besides the end-of-sequence token: either strings or tokens.

    Attributes:
        strings: strings that end it; empty if tokens do.
        token_ids: tokens that end it.
    """

    strings: tuple[str, ...]
    token_ids: tuple[int, ...]


class Stopping:
    """The stop rules of one policy."""

    def __init__(self, tokens: Tokens, template: PromptTemplate) -> None:
        self._tokens = tokens
        self._template = template

    def at(self, stop: Sequence[str]) -> StopAt:
        """Return what vLLM must look for.

        If only single tokens can spell the stop strings, vLLM looks for those tokens and need not
        detokenise, which takes a quarter of the time of a small model.

        Args:
            stop: stop strings of the draw, besides those of the template.
        """
        strings = (*stop, *self._template.stop)
        tokens = [self._tokens.single_tokens(text) for text in strings]
        if None in tokens:
            return StopAt(strings, ())
        ids = sorted({token for found in tokens if found is not None for token in found})
        return StopAt((), tuple(ids))

    def finish(self, reason: str, met: int | str | None, stop: Sequence[str]) -> Finish:
        """Return why a draw ended, by vLLM's `finish_reason` and `stop_reason`.

        A stop string of the template (an end-of-turn marker) ends the response, like the
        end-of-sequence token and the model's further end tokens.

        Args:
            reason: vLLM's `finish_reason`.
            met: vLLM's `stop_reason`: the stop string or token; None is the end-of-sequence token.
            stop: stop strings of the draw.
        """
        if reason == "length":
            return Finish.LENGTH
        if isinstance(met, int):
            at_step = any(met in (self._tokens.single_tokens(text) or ()) for text in stop)
        else:
            at_step = met is not None and met not in self._template.stop
        return Finish.STOP if at_step else Finish.EOS
