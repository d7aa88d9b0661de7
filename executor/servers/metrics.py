"""Token counts and capacity of a server, read from its `/metrics`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx

from executor.access import NO_ACCESS, Access
from executor.engines.base import EngineCounters
from executor.engines.capacity import Capacity
from executor.servers.letter import Letter

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

# vLLM does not report how many sequences a server's batch holds; this is what most machines get,
# and what `apportion serve-command` asks for.
SEQUENCES = 256

_COUNTERS = {
    "vllm:prompt_tokens_total": "prompt",
    "vllm:prompt_tokens_cached_total": "cached",
    "vllm:generation_tokens_total": "generated",
    "vllm:num_preemptions_total": "preemptions",
    "vllm:request_success_total": "ended",
}
_CACHE = "vllm:cache_config_info"


def read_counters(text: str) -> EngineCounters:
    """Return the token counts in the text of `/metrics`, of all engines of the server together.

    Raises:
        ValueError: a line of these metrics is not in the Prometheus format.
    """
    counters = EngineCounters()
    for sample in _samples(text, *_COUNTERS):
        attribute = _COUNTERS[sample.name]
        setattr(counters, attribute, getattr(counters, attribute) + int(sample.value))
    return counters


def read_capacity(text: str, max_context: int) -> Capacity:
    """Return what the server holds at once; if it does not report that, as many full contexts.

    Args:
        text: text of `/metrics`.
        max_context: longest context in tokens.

    Raises:
        ValueError: a line of these metrics is not in the Prometheus format.
    """
    tokens = 0
    for sample in _samples(text, _CACHE):
        blocks = sample.labels.get("num_gpu_blocks", "")
        size = sample.labels.get("block_size", "")
        if blocks.isdigit() and size.isdigit():
            tokens += int(blocks) * int(size)
    return Capacity(SEQUENCES, tokens or SEQUENCES * max_context)


def _samples(text: str, *names: str) -> Iterator[Sample]:
    """Yield the samples of these names; a server has hundreds of others, which are not parsed."""
    from prometheus_client.parser import text_string_to_metric_families  # imports an HTTP server

    starts = tuple(f"{name}{after}" for name in names for after in "{ ")
    lines = (line for line in text.splitlines() if line.startswith(starts))
    for family in text_string_to_metric_families("\n".join(lines)):
        yield from family.samples


class Tally:
    """The counts of one server, which may restart or go away while it is counted."""

    def __init__(self, url: str, timeout: float, access: Access = NO_ACCESS) -> None:
        self._url = url
        self._access = access
        self._timeout = timeout
        self._lock = threading.Lock()  # an older answer must not be read after a newer one
        self._before = EngineCounters()
        self._last = EngineCounters()

    def read(self) -> EngineCounters:
        """Return what the server has counted so far, including its counts before a restart.

        A server that does not answer keeps the counts of its last answer. Tokens that a server
        counted between its last answer and its restart are missing.
        """
        with self._lock:
            try:
                answer = httpx.get(
                    f"{self._url}/metrics", timeout=self._timeout, auth=Letter(self._access),
                    params=dict(self._access.query),
                )  # fmt: skip
                answer.raise_for_status()
                now = read_counters(answer.text)
            except (httpx.HTTPError, ValueError):
                return self._before + self._last
            if now.prompt < self._last.prompt or now.generated < self._last.generated:
                self._before += self._last
            self._last = now
            return self._before + now


def total(tallies: list[Tally]) -> EngineCounters:
    """Return the counts of several servers together."""
    return sum((tally.read() for tally in tallies), EngineCounters())
