"""An OpenAI-compatible endpoint: requests with a key, within limits, tried again if they fail."""

from __future__ import annotations

import asyncio
import itertools
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpx

from executor.access import Access
from executor.concurrency import retrieve
from executor.errors import EngineError, InputError, did_you_mean
from executor.servers.address import first_line
from executor.servers.chat_format import Answer, AnswerError, Refusal
from executor.servers.letter import Letter
from executor.servers.server import Patience, reason_of

# Statuses after which another try may succeed, besides those of 500 and more.
_AGAIN = (408, 409, 425)
# Statuses of an endpoint that has too much to do.
_BUSY = (429, 503, 529)
# What endpoints call a quota that no wait brings back.
_SPENT = ("insufficient_quota", "billing", "credit")
_JITTER = 0.25  # of a wait: those that wait for one limit must not all come back at once


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """Limits of the requests to a chat endpoint.

    Attributes:
        requests: most requests on their way at once.
        timeout: longest wait for one answer, in seconds.
        one_per_request: whether every response is asked for by itself, so that the length of each
            is known; the prompt is then billed for each.

    Raises:
        InputError: a limit is out of range.
    """

    requests: int = 16
    timeout: float = 600.0
    one_per_request: bool = False

    def __post_init__(self) -> None:
        if self.requests < 1:
            raise InputError(f"--api-requests is {self.requests}; expected at least 1")
        if not self.timeout > 0:
            raise InputError(f"--api-timeout is {self.timeout}; expected more than 0")


class EndpointRefusedError(EngineError):
    """An endpoint does not take a request, and would not take it another time."""

    def __init__(self, message: str, refusal: Refusal) -> None:
        super().__init__(message)
        self.refusal = refusal


class _FailedTryError(Exception):
    """A try failed.

    Attributes:
        wait: seconds that the endpoint asks to wait; None: it does not say.
        busy: whether it has too much to do, which is nobody's fault.
        sent: whether it may have billed the request.
    """

    def __init__(
        self, why: str, *, wait: float | None = None, busy: bool = False, sent: bool = False
    ) -> None:
        super().__init__(why)
        self.wait, self.busy, self.sent = wait, busy, sent


@dataclass(slots=True)
class Tries:
    """What became of the tries of a request that were not answered.

    Attributes:
        lost: number of tries that ended without an answer and may have been billed.
        cut: whether the request was cancelled after it had been sent.
        pay: called before the try after one that may have been billed; it may refuse that try.
    """

    lost: int = 0
    cut: bool = False
    pay: Callable[[], None] = lambda: None


class Endpoint:
    """An endpoint, used from one event loop after another.

    Args:
        label: what it is, for messages: `policy NAME`.
        base: base URL, to which `/chat/completions` is added.
        access: key, headers and query parameters.
        limits: limits of its requests.
        patience: how long to wait and how often to try.
    """

    def __init__(
        self, label: str, base: str, access: Access, limits: EndpointLimits, patience: Patience
    ) -> None:
        self.label, self.base = label, base
        self._access, self._limits, self._patience = access, limits, patience
        self._models: tuple[str, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open_at = 0.0  # no request is sent before; of `time.monotonic`
        self._answered = float("-inf")

    def probe(self) -> None:
        """Ask for the list of models, which costs nothing, so that a wrong key is known at once.

        Endpoints need not have such a list; the first request tells the rest.

        Raises:
            InputError: nothing answers, or the key is wrong.
        """
        try:
            with httpx.Client(**self._options(30.0)) as client:
                answer = client.get(f"{self.base}/models")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise InputError(
                f"{self.label}: nothing answers at {self.base} ({self._hidden(reason_of(error))})"
            ) from None
        if answer.status_code == 401:
            raise InputError(self._refused(_refusal(answer)))
        try:
            entries = answer.json()["data"] if answer.status_code == 200 else []
            self._models = tuple(str(one["id"]) for one in entries)
        except (ValueError, KeyError, TypeError):
            self._models = ()

    async def complete(self, body: Mapping[str, Any], tries: Tries) -> Answer:
        """Send a request until it is answered.

        Args:
            body: the JSON of the request.
            tries: counts the tries that were not answered.

        Raises:
            EndpointRefusedError: the endpoint refuses the request.
            EngineError: every try failed, or the endpoint did not answer for too long.
            MoneySpentError: another try could exceed a cap on money (`Tries.pay`).
        """
        self._attach()
        began, failures = time.monotonic(), 0
        for number in itertools.count(1):
            try:
                answer = await self._try(body, tries)
            except _FailedTryError as error:
                failed = error
            else:
                self._answered = time.monotonic()
                return answer
            failures += not failed.busy
            tries.lost += failed.sent
            await self._pause(failed, number, failures, began)
            if failed.sent:
                tries.pay()
        raise AssertionError("the tries have no end of their own")

    async def _pause(
        self, failed: _FailedTryError, number: int, failures: int, began: float
    ) -> None:
        """Wait before another try; EngineError if there is to be none.

        Args:
            failed: the last try.
            number: number of tries so far.
            failures: those among them that failed while the endpoint was not busy.
            began: time of the first, of `time.monotonic`.
        """
        why = f"{self.base}: {failed}"
        patience, now = self._patience, time.monotonic()
        silent = now - max(began, self._answered)
        wait = failed.wait or patience.pause(number)
        if failures >= patience.attempts and self._answered > began:
            raise EngineError(f"{self.label}: a request failed {failures} times, last at {why}")
        if silent + wait > patience.outage and (failed.busy or failures > 1):
            raise EngineError(
                f"{self.label}: no answer for {silent:.0f} s, and --outage-timeout is "
                f"{patience.outage:g} s; last at {why}"
            )
        if failed.busy:
            self._open_at = max(self._open_at, now + wait)
        await asyncio.sleep(wait * (1 + random.uniform(0, _JITTER)))

    async def _try(self, body: Mapping[str, Any], tries: Tries) -> Answer:
        async with self._places:
            while (closed := self._open_at - time.monotonic()) > 0:
                await asyncio.sleep(closed * (1 + random.uniform(0, _JITTER)))
            try:
                response = await self._client.post(f"{self.base}/chat/completions", json=body)
            except asyncio.CancelledError:
                tries.cut = True
                raise
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                raise _FailedTryError(self._hidden(reason_of(error))) from None
            except httpx.TimeoutException:
                why = f"no answer within {self._limits.timeout:g} s (--api-timeout)"
                raise _FailedTryError(why, sent=True) from None
            except (httpx.HTTPError, httpx.StreamError) as error:
                raise _FailedTryError(self._hidden(reason_of(error)), sent=True) from None
        if response.status_code == 200:
            return self._read(response)
        raise self._fault(_refusal(response), response)

    def _read(self, response: httpx.Response) -> Answer:
        try:
            record = response.json()
        except ValueError:
            raise _FailedTryError("its answer is not JSON", sent=True) from None
        if isinstance(record, Mapping) and record.get("error") and not record.get("choices"):
            # Some say it with the status 200 that a request failed at a provider behind them.
            error = record["error"]
            code = error.get("code") if isinstance(error, Mapping) else None
            status = code if isinstance(code, int) and code >= 400 else 502
            raise self._fault(Refusal.of(status, record, response.text), response)
        try:
            return Answer.of(record)
        except AnswerError as error:
            raise _FailedTryError(str(error), sent=True) from None

    def _fault(self, refusal: Refusal, response: httpx.Response) -> Exception:
        status, why = refusal.status, self._said(refusal)
        spent = status == 429 and any(one in refusal.code for one in _SPENT)
        if status in _BUSY and not spent:
            return _FailedTryError(why, wait=_retry_after(response), busy=True)
        if status >= 500 or status in _AGAIN:
            return _FailedTryError(why, wait=_retry_after(response))
        return EndpointRefusedError(self._refused(refusal), refusal)

    def _refused(self, refusal: Refusal) -> str:
        """Describe a refusal in one line, with what would mend it."""
        said = f"{self.label}: {self.base} refuses the request ({self._said(refusal)})"
        if refusal.status in (401, 403):
            return f"{said}; expected another key: --api-key-env, --api-key-file or --api-header"
        if refusal.status == 404:
            name = self.label.partition(" ")[2]
            return f"{said}; check the address and --policy-model{did_you_mean(name, self._models)}"
        return said

    def _said(self, refusal: Refusal) -> str:
        return f"status {refusal.status}: {self._hidden(refusal.words)}"

    def _hidden(self, text: str) -> str:
        return first_line(self._access.hide(text))

    def _options(self, timeout: float) -> dict[str, Any]:
        """Return the arguments of an HTTP client.

        Headers are not among them: a client's `repr` would show them.
        """
        return {
            "auth": Letter(self._access),
            "verify": _trusted(),
            "params": dict(self._access.query),
            "timeout": httpx.Timeout(timeout, connect=self._patience.connect, pool=None),
        }

    def _attach(self) -> None:
        """Make the running loop the endpoint's."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        self._loop = loop
        self._places = asyncio.Semaphore(self._limits.requests)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=self._limits.requests)
        self._client = httpx.AsyncClient(**self._options(self._limits.timeout), limits=limits)
        self._keeper = loop.create_task(_close_at_the_end(self._client))
        self._keeper.add_done_callback(retrieve)


@cache
def _trusted() -> ssl.SSLContext:
    """Return the certificates that clients trust; reading them takes a tenth of a second."""
    return httpx.create_ssl_context()


async def _close_at_the_end(client: httpx.AsyncClient) -> None:
    """Close a client when its event loop ends, which cancels this task."""
    try:
        await asyncio.Event().wait()
    finally:
        await client.aclose()


def _refusal(response: httpx.Response) -> Refusal:
    try:
        record = response.json()
    except ValueError:
        record = None
    return Refusal.of(response.status_code, record, response.text)


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of `Retry-After`: a number of them, or a date; None without any."""
    value = response.headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    zoned = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (zoned - datetime.now(UTC)).total_seconds())
