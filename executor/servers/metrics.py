"""A server's own token counts, from its `/metrics`."""

from __future__ import annotations

import re

import httpx

from executor.engines.base import EngineCounters
from executor.engines.capacity import Capacity

# vLLM does not say how many sequences a server's batch holds; this is what most machines get, and
# what `apportion serve-command` asks for.
SEQUENCES = 256

_SAMPLE = re.compile(r"^(vllm:\w+)\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_COUNTERS = {
    "vllm:prompt_tokens_total": "prompt",
    "vllm:prompt_tokens_cached_total": "cached",
    "vllm:generation_tokens_total": "generated",
    "vllm:num_preemptions_total": "preemptions",
}


def read_counters(text: str) -> EngineCounters:
    """The token counts in the text of `/metrics`, all engines of the server together."""
    counters = EngineCounters()
    for name, _, value in _SAMPLE.findall(text):
        if name in _COUNTERS:
            attribute = _COUNTERS[name]
            setattr(counters, attribute, getattr(counters, attribute) + int(float(value)))
    return counters


def read_capacity(text: str, max_context: int) -> Capacity:
    """What the server holds at once; as many contexts as sequences where it does not say."""
    tokens = 0
    for name, labels, _ in _SAMPLE.findall(text):
        if name == "vllm:cache_config_info":
            known = dict(_LABEL.findall(labels))
            blocks, size = known.get("num_gpu_blocks", ""), known.get("block_size", "")
            if blocks.isdigit() and size.isdigit():
                tokens += int(blocks) * int(size)
    return Capacity(SEQUENCES, tokens or SEQUENCES * max_context)


class Tally:
    """The counts of one server that may be started again, or be gone, while it is counted."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._before = EngineCounters()
        self._last = EngineCounters()

    def read(self) -> EngineCounters:
        """What all lives of the server have counted so far, as far as it was asked in time.

        A server that does not answer keeps the counts it had when it was asked last.
        """
        try:
            answer = httpx.get(f"{self._url}/metrics", timeout=self._timeout)
            answer.raise_for_status()
        except httpx.HTTPError:
            return _sum(self._before, self._last)
        now = read_counters(answer.text)
        if now.prompt < self._last.prompt or now.generated < self._last.generated:
            self._before = _sum(self._before, self._last)
        self._last = now
        return _sum(self._before, now)


def total(tallies: list[Tally]) -> EngineCounters:
    """The counts of several servers together."""
    counters = EngineCounters()
    for tally in tallies:
        counters = _sum(counters, tally.read())
    return counters


def _sum(one: EngineCounters, other: EngineCounters) -> EngineCounters:
    return EngineCounters(
        one.prompt + other.prompt,
        one.cached + other.cached,
        one.generated + other.generated,
        one.preemptions + other.preemptions,
    )
