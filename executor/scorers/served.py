"""A PRM on `vllm serve` processes, with the same scores as in this process and another ledger.

In this process a solution is one pass (`executor.scorers.vllm`). Over HTTP, vLLM does not let the
scores of all tokens read the prefix cache, so each step is a prompt of its own, in one request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from executor.engines.base import EngineCounters
from executor.errors import EngineError
from executor.ledger import Ledger
from executor.models.checkpoint import Checkpoint
from executor.models.tokens import Step
from executor.scorers.base import Convention, Needs, Places
from executor.servers.address import first_line
from executor.servers.metrics import Tally, total
from executor.servers.pool import Pool
from executor.servers.probe import ServedModel, probe_prm, shortcomings
from executor.servers.server import Lease, Patience, refused


class ServedScorer:
    """A PRM of any convention on one or several servers; it can replace a `VllmScorer`.

    One request scores all steps of a solution, so that one server has them in its prefix cache. The
    ledger holds the servers' own counts, to the token, also after cancellations, if they run with
    `--io-processor-plugin apportion_steps` (with this project installed). Other servers do not
    report cached tokens; all tokens then count as forwarded. Requests that a lost server did not
    answer are not charged: their cost is unknown.
    """

    scores_steps: Literal[True] = True
    needs: Needs = "model"

    def __init__(
        self,
        name: str,
        convention: Convention,
        served: Sequence[ServedModel],
        patience: Patience,
    ) -> None:
        self.name = name
        self.trained_on = convention.trained_on
        self.unjudged = 0
        self._max_context = min(one.max_context for one in served)
        self._convention = convention
        self.shortcomings = shortcomings(served, "PRM")
        self._served = {one.url: one for one in served}
        self._pool = Pool(f"PRM {name}", list(self._served), patience)
        self._tallies = [Tally(one.url, patience.connect) for one in served]

    @classmethod
    def connect(
        cls, checkpoint: Checkpoint, convention: Convention, patience: Patience
    ) -> ServedScorer:
        """Connect to the PRM on `checkpoint.servers`.

        Raises:
            InputError: one of the servers does not answer, or has another model.
        """
        name, location = checkpoint.name, checkpoint.location
        served = [probe_prm(url, name, location) for url in checkpoint.servers]
        return cls(name, convention, served, patience)

    async def score(
        self, question: str, steps: Sequence[Step], *, start: int, ledger: Ledger
    ) -> list[float]:
        """See `StepScorer.score`.

        Raises:
            EngineError: a server refused, or every try failed, or no server has answered for
                `Patience.outage` seconds.
        """
        places = Places.from_convention(self._convention, question, steps, start, self._max_context)
        self.unjudged += places.beyond
        within = places.within
        rewards = await self._ask(places.token_ids, within, ledger) if within else []
        return rewards + [0.0] * places.beyond

    async def _ask(self, token_ids: Sequence[int], ends: list[int], ledger: Ledger) -> list[float]:
        prompt = token_ids[: ends[-1]]

        async def send(lease: Lease) -> _Scores:
            scores = _Scores()
            reading = scores.read(
                self._pool.client, lease, self._served[lease.server.url], prompt, ends
            )
            try:
                await self._pool.attend(lease, reading, _await_answer)
            finally:  # answers are charged even if the caller is cancelled
                for end, cached in zip(ends, scores.cached, strict=False):
                    ledger.charge_prm(end, cached)
            return scores

        return (await self._pool.request(prompt, 0, send)).rewards

    @property
    def lost(self) -> bool:
        """Always False: the pool waits for servers that are down."""
        return False

    async def fault(self) -> str | None:
        """Return why no server can answer now, or None if one can."""
        return await self._pool.fault()

    def counters(self) -> EngineCounters:
        """Return the servers' own token counts; of a lost server, those of its last answer."""
        return total(self._tallies)

    def close(self) -> None:
        """Do nothing: others own the servers, and connections end with their loop."""


async def _await_answer(reading: asyncio.Task[None]) -> None:
    # A score takes one engine step, so waiting for it is cheaper than cancelling it.
    await asyncio.wait({reading})


@dataclass(slots=True)
class _Scores:
    """A server's answer: for each step its reward and its number of cached tokens."""

    rewards: list[float] = field(default_factory=list)
    cached: list[int] = field(default_factory=list)

    async def read(
        self,
        client: httpx.AsyncClient,
        lease: Lease,
        served: ServedModel,
        token_ids: Sequence[int],
        ends: list[int],
    ) -> None:
        """Request and read the scores at `ends`."""
        if served.scores_steps:
            path, asked = "/pooling", {"data": {"token_ids": list(token_ids), "ends": ends}}
        else:
            prompts: Any = [list(token_ids[:end]) for end in ends]
            path, asked = "/classify", {"input": prompts}
        url = f"{served.url}{path}"
        answer = await client.post(url, json={"model": served.id, **asked})
        if answer.status_code != 200:
            raise refused(answer.status_code, answer.content, url)
        lease.heard(lease.left)
        try:
            data = answer.json()["data"]
            if served.scores_steps:
                self.rewards, self.cached = data["rewards"], data["cached"]
            else:
                self.rewards = [one["probs"][-1] for one in data]
                self.cached = [0] * len(ends)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise EngineError(f"{url}: its answer is not vLLM's ({first_line(error)})") from None
