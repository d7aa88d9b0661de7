"""Partial results of a search that is cancelled before its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from executor.models.stopping import Finish
from executor.policies.base import Draw
from executor.search import Context, Response, State


@dataclass(frozen=True, slots=True)
class _Written:
    """A draw, or its part when it was cancelled.

    Attributes:
        before: tokens of the response before it.
        own: its tokens.
        logprob: log-probability of its tokens, in nats.
    """

    before: tuple[int, ...]
    own: tuple[int, ...]
    logprob: float = 0.0

    @property
    def token_ids(self) -> tuple[int, ...]:
        """All tokens of the response."""
        return self.before + self.own


class PartialResults:
    """Watches the draws of a context, and keeps the responses that could be answered with."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ended: list[_Written] = []
        self._longest = _Written((), ())
        self._aside: tuple[_Written, ...] = ()
        self._responses: list[Response] = []  # of a chat policy, with what `set_aside` keeps
        self._counted_from = 0
        context.watcher = self

    def ended(self, before: Sequence[int], draw: Draw) -> None:
        """See `DrawWatcher.ended`."""
        if draw.finish is Finish.EOS:
            self._ended.append(_Written(tuple(before), tuple(draw.token_ids), draw.logprob))
        else:
            self.cut(before, draw.token_ids)

    def cut(self, before: Sequence[int], written: Sequence[int]) -> None:
        """See `DrawWatcher.cut`."""
        longest = self._longest
        if len(before) + len(written) > len(longest.before) + len(longest.own):
            self._longest = _Written(tuple(before), tuple(written))

    def responded(self, response: Response) -> None:
        """See `DrawWatcher.responded`."""
        self._responses.append(response)

    def set_aside(self) -> None:
        """Keep the charge of all draws so far as it is, even if one of them is answered with."""
        self._aside = (*self._ended, self._longest)
        self._counted_from = len(self._responses)

    def responses(self, *, scored: bool) -> list[Response]:
        """Return the ended responses, in the order they ended, or else the longest part of one.

        Args:
            scored: whether a vote will use their scores. If some responses have a score, only these
                are returned: the others would count as worthless.
        """
        if self._responses:
            return self._whole(self._responses)
        return [response for _, response in self._kept(scored)]

    def _whole(self, responses: Sequence[Response]) -> list[Response]:
        """Return the finished responses of a chat policy, or else one that a limit cut."""
        finished = [one for one in responses if one.state is State.FINISHED]
        return finished or list(responses[:1])

    def charge(self, *, scored: bool) -> None:
        """Charge the tokens in `responses` as generated, and others as discarded.

        Draws that were set aside keep their charge. Responses are charged as in the searches: each
        draw by itself, and the common beginnings of branches once.
        """
        ledger = self._context.ledger
        if self._responses:
            kept = self._whole(self._responses)
            counted = [one for one in self._responses[self._counted_from :] if one in kept]
            tokens = sum(one.n_tokens for one in counted)
            ledger.discard(max(0, ledger.generated - tokens))
            return
        nodes: dict[tuple[int, int], int] = {}
        tokens = 0
        for written, _ in self._kept(scored):
            if any(written is one for one in self._aside):
                continue
            at = 0
            for token in written.before:
                at = nodes.setdefault((at, token), len(nodes) + 1)
            tokens += len(written.own)
        written_in_all = ledger.generated + ledger.discarded
        ledger.generated = min(tokens + len(nodes), written_in_all)
        ledger.discarded = written_in_all - ledger.generated

    def _kept(self, scored: bool) -> list[tuple[_Written, Response]]:
        context = self._context

        def response(written: _Written, state: State) -> tuple[_Written, Response]:
            end = context.thought_end(written.token_ids)
            thought, visible = written.token_ids[:end], written.token_ids[end:]
            steps = tuple(context.tokens.tokens.steps(visible))
            rewards = context.scored(steps) or ()
            return written, Response(steps, rewards, state, written.logprob, thought=thought)

        ended = [response(written, State.FINISHED) for written in self._ended]
        if ended or not self._longest.token_ids:
            return [one for one in ended if scored and one[1].rewards] or ended
        return [response(self._longest, State.CUT)]
