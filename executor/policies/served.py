"""A policy on `vllm serve` processes, with the same draws and ledger as in this process."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Sequence

import httpx

from executor.access import NO_ACCESS, Access
from executor.concurrency import to_the_end
from executor.engines.base import EngineCounters
from executor.engines.capacity import Capacity
from executor.ledger import Ledger
from executor.models.checkpoint import Checkpoint
from executor.models.fused import FusedRows, fused_policy, served_name
from executor.models.stopping import Stopping
from executor.models.templates import PromptTemplate, for_checkpoint
from executor.models.tokens import Tokens, load_tokenizer
from executor.policies.base import (
    Draw,
    DrawRequest,
    Unfinished,
    draw_of,
    read_head,
    reads_of,
)
from executor.servers.completion import CompletionRequest, StreamedCompletion
from executor.servers.metrics import Tally, total
from executor.servers.pool import Pool
from executor.servers.probe import ServedModel, probe_policy, shortcomings
from executor.servers.server import Lease, Patience, ServerLostError
from executor.spending import pay_for_retry

# Seconds to wait for the end of an aborted request, before each further abort: a server ignores an
# abort of a request that it has not read yet.
_ABORT_WAITS = (0.3, 1.0, 3.0)


class ServedPolicy:
    """A policy on one or several servers; it can replace a `VllmPolicy`.

    Each child of a draw is a request of its own, with its own seed. So several servers share a
    draw, a child that ended before a server was lost is not drawn again, and vLLM reports the
    cached prompt tokens of each child (for a request of several children only those of the first).

    Promises of the ledger:

    - Requests that ended: all counts are the servers' own, to the token, if the servers run with
      `--enable-prompt-tokens-details`. Otherwise whole prompts count as forwarded.
    - Cancelled requests: the same, if the servers run with `--enable-scale-out`; the policy then
      aborts a request and reads its final counts. Otherwise it closes the connection, which also
      ends the request, and charges the streamed tokens. The tokens after the last chunk (up to 16,
      and those until the server notices) are then missing, and whole prompts count as forwarded.
    - Requests of a lost server: the streamed tokens are charged as discarded.

    `apportion serve-command` prints a command line with both options.
    """

    writes_json = True

    def __init__(
        self,
        name: str,
        tokens: Tokens,
        template: PromptTemplate,
        served: Sequence[ServedModel],
        patience: Patience,
        rows: FusedRows | None = None,
        access: Access = NO_ACCESS,
    ) -> None:
        self.name = name
        self.tokens = tokens
        self.template = template
        self._rows = rows
        self.max_context = min(one.max_context for one in served)
        self.capacity = sum((one.capacity for one in served), Capacity(0, 0))
        self.reads = reads_of(tokens, template)
        self._stopping = Stopping(tokens, template)
        self.shortcomings = shortcomings(served, "policy")
        self._served = {one.url: one for one in served}
        self._pool = Pool(f"policy {name}", list(self._served), patience, access)
        self._tallies = [Tally(one.url, patience.connect, access) for one in served]
        self._to_abort: dict[str, list[str]] = {}

    @classmethod
    def connect(
        cls,
        checkpoint: Checkpoint,
        template: PromptTemplate,
        patience: Patience,
        access: Access = NO_ACCESS,
    ) -> ServedPolicy:
        """Connect to the policy on `checkpoint.servers`, which `access` lets in.

        Raises:
            InputError: one of the servers does not answer, or has another model.
        """
        name, location = served_name(checkpoint), checkpoint.location
        tokens = Tokens(load_tokenizer(location))
        template = for_checkpoint(template, location)
        fused = fused_policy(location)
        rows = None if fused is None else fused.rows
        access = access.of_tokens
        served = [
            probe_policy(url, name, location, tokens, rows, access) for url in checkpoint.servers
        ]
        return cls(checkpoint.name, tokens, template, served, patience, rows, access)

    def prompt(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> list[int]:
        """See `Policy.prompt`: the task template within the model's own chat template."""
        return self.template.render(self.tokens.tokenizer, question, before, answers)

    async def draw(self, request: DrawRequest) -> list[Draw]:
        """See `Policy.draw`.

        Raises:
            EngineError: a server refused a child, or every try of a child failed, or no server
                has answered for `Patience.outage` seconds.
        """
        at = self._stopping.at(request.stop)
        prompt, ledger = request.prompt_ids, request.ledger

        async def child(index: int) -> StreamedCompletion:
            wanted = CompletionRequest(
                prompt, request.max_tokens, request.temperature, request.top_p,
                request.seed + index, at, request.json_schema, self._rows,
                request.top_logprobs,
            )  # fmt: skip
            ended = await self._complete(wanted, ledger, request.unfinished)
            if request.finished is not None:
                request.finished(index, self._to_draw(ended, request.stop))
            return ended

        tasks = [asyncio.ensure_future(child(index)) for index in range(request.n)]
        try:
            completions = await asyncio.gather(*tasks)
        except BaseException:
            # A second cancellation must not lose the charge of the first.
            await to_the_end(_cancel(tasks))
            for task in tasks:
                if not task.cancelled() and task.exception() is None:
                    _discard(task.result(), prompt, ledger)
            raise
        for one in completions:
            ledger.charge_prompt(len(prompt), one.cached)
            ledger.generated += len(one.token_ids)
        return [self._to_draw(one, request.stop) for one in completions]

    async def _complete(
        self, wanted: CompletionRequest, ledger: Ledger, unfinished: Unfinished | None
    ) -> StreamedCompletion:
        """Draw one continuation; lost or cancelled tries are charged as discarded."""

        tries = 0

        async def send(lease: Lease) -> StreamedCompletion:
            nonlocal tries
            if tries:  # the first is paid with the draw
                pay_for_retry(len(wanted.prompt), wanted.max_tokens)
            tries += 1
            request_id = f"apportion-{uuid.uuid4().hex}"
            body = wanted.body(self._served[lease.server.url].id, request_id)
            one = StreamedCompletion()

            async def stop(reading: asyncio.Task[None]) -> None:
                await self._abort(lease, request_id, reading)

            reading = one.read(self._pool.client, lease, body)
            try:
                await self._pool.attend(lease, reading, stop)
                if one.reason == "abort":
                    raise ServerLostError(f"{lease.server.url}: the server aborted the request")
            except BaseException as error:
                _discard(one, wanted.prompt, ledger)
                if unfinished is not None and isinstance(error, asyncio.CancelledError):
                    unfinished(tuple(one.token_ids))
                raise
            return one

        return await self._pool.request(wanted.prompt, wanted.max_tokens, send)

    async def _abort(self, lease: Lease, request_id: str, reading: asyncio.Task[None]) -> None:
        """Abort a request, if the server can, and wait for its final counts.

        The caller closes a connection that is still open afterwards, which also ends the request.
        """
        url = lease.server.url
        for wait in _ABORT_WAITS if self._served[url].aborts else ():
            if reading.done():
                return
            await self._send_abort(url, f"cmpl-{request_id}-0")
            await asyncio.wait({reading}, timeout=wait)

    async def _send_abort(self, url: str, request_id: str) -> None:
        """Abort a request, together with all others of the same turn of the loop."""
        ids = self._to_abort.setdefault(url, [])
        ids.append(request_id)
        await asyncio.sleep(0)
        if self._to_abort.get(url) is not ids:
            return  # another task has sent the list
        del self._to_abort[url]
        try:
            await self._pool.client.post(
                f"{url}/inference/v1/abort_requests", json={"request_ids": ids}, timeout=5.0
            )
        except httpx.HTTPError:
            return  # the caller closes the connection

    def _to_draw(self, one: StreamedCompletion, stop: Sequence[str]) -> Draw:
        assert one.reason is not None
        finish = self._stopping.finish(one.reason, one.met, stop)
        return draw_of(tuple(one.token_ids), finish, one.logprob, one.beside, self._rows)

    async def read_head(self, prompt_ids: Sequence[int], ledger: Ledger) -> float:
        """See `executor.scorers.fused.HeadPolicy.read_head`."""
        return await read_head(self, prompt_ids, ledger)

    @property
    def lost(self) -> bool:
        """Always False: the pool waits for servers that are down."""
        return False

    async def fault(self) -> str | None:
        """Return why no server can answer now, or None if one can."""
        return await self._pool.fault()

    def counters(self) -> EngineCounters:
        """Return the servers' own token counts; of a lost server, those of its last answer.

        A server counts the requests of all its clients.
        """
        return total(self._tallies)

    def close(self) -> None:
        """Do nothing: others own the servers, and connections end with their loop."""


def _discard(one: StreamedCompletion, prompt: Sequence[int], ledger: Ledger) -> None:
    """Charge a dropped continuation; vLLM counts a prompt with its first token."""
    ledger.discarded += len(one.token_ids)
    if one.token_ids:
        ledger.charge_prompt(len(prompt), one.cached)


async def _cancel(tasks: Iterable[asyncio.Task[StreamedCompletion]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
