"""What a search has come to when it is ended before its end."""

from __future__ import annotations

from collections.abc import Sequence

from executor.ledger import Ledger
from executor.policy import Draw, Finish
from executor.search import Context, Response, State


class SoFar:
    """Watches the draws of a context, and keeps what could be answered with at any time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ended: list[tuple[tuple[int, ...], Draw]] = []
        self._longest: tuple[int, ...] = ()
        context.watch = self

    def ended(self, before: Sequence[int], draw: Draw) -> None:
        """See `Watch.ended`."""
        if draw.finish is Finish.EOS:
            self._ended.append((tuple(before), draw))
        else:
            self.cut(before, draw.token_ids)

    def cut(self, before: Sequence[int], written: Sequence[int]) -> None:
        """See `Watch.cut`."""
        if len(before) + len(written) > len(self._longest):
            self._longest = (*before, *written)

    def responses(self) -> list[Response]:
        """The responses that have ended, in the order they did; else the longest part of one.

        Where some of those that have ended were scored, only these: an unscored one would count as
        worthless.
        """
        context = self._context
        ended = []
        for before, draw in self._ended:
            steps = tuple(context.policy.tokens.steps([*before, *draw.token_ids]))
            rewards = context.scored(steps) or ()
            ended.append(Response(steps, rewards, State.FINISHED, draw.logprob))
        scored = [response for response in ended if response.rewards]
        if ended or not self._longest:
            return scored or ended
        steps = tuple(context.policy.tokens.steps(self._longest))
        return [Response(steps, context.scored(steps) or (), State.CUT)]


def charge_as_kept(ledger: Ledger, responses: Sequence[Response]) -> None:
    """Charge what is in responses as generated, and all else but probes as discarded.

    What a cancelled request had written was charged as discarded; what responses begin alike with
    was written once.
    """
    nodes: dict[tuple[int, int], int] = {}
    for response in responses:
        at = 0
        for token in response.token_ids:
            at = nodes.setdefault((at, token), len(nodes) + 1)
    written = ledger.generated + ledger.discarded
    ledger.generated = min(len(nodes), written)
    ledger.discarded = written - ledger.generated
