"""What a run is charged: every token the policy and the PRM forwarded, and the hard token cap."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Ledger:
    """Token counts of one problem under one strategy; all but the last are tokens.

    For one engine, `generated + discarded + probe` equals vLLM's own count of generated tokens and
    `prompt + cached` its count of prompt tokens, since the engine's answers are the only source.

    Attributes:
        prompt: policy prompt tokens that were forwarded (not found in the prefix cache).
        cached: policy prompt tokens that the prefix cache spared.
        generated: tokens of responses that were kept to the end.
        discarded: tokens generated and then dropped: pruned beams, cancelled requests.
        prm: tokens the PRM forwarded.
        prm_cached: PRM tokens that its prefix cache spared.
        probe: tokens generated only to estimate difficulty.
        spared: responses (not tokens: nobody knows how long they would have been) that were not
            written to their end, because the answer was settled (or, for an adaptive vote, sure
            enough) without them.
    """

    prompt: int = 0
    cached: int = 0
    generated: int = 0
    discarded: int = 0
    prm: int = 0
    prm_cached: int = 0
    probe: int = 0
    spared: int = 0

    def charge_prompt(self, prompt_tokens: int, cached_tokens: int) -> None:
        """Charge one engine request: its prompt length, of which `cached_tokens` were cached."""
        self.prompt += prompt_tokens - cached_tokens
        self.cached += cached_tokens

    def charge_prm(self, prompt_tokens: int, cached_tokens: int) -> None:
        """Charge one PRM request in the same way."""
        self.prm += prompt_tokens - cached_tokens
        self.prm_cached += cached_tokens

    def discard(self, tokens: int) -> None:
        """Move tokens that were charged as generated to discarded: their branch was dropped."""
        if tokens > self.generated:
            raise ValueError(f"cannot discard {tokens} of {self.generated} generated tokens")
        self.generated -= tokens
        self.discarded += tokens

    @property
    def policy_generated(self) -> int:
        """All tokens the policy generated, kept or not."""
        return self.generated + self.discarded + self.probe

    def __add__(self, other: Ledger) -> Ledger:
        return Ledger(*(getattr(self, name) + getattr(other, name) for name in _COUNTS))

    def to_dict(self) -> dict[str, int]:
        """The counts by name, as stored and printed."""
        return {name: getattr(self, name) for name in _COUNTS}


_COUNTS = tuple(f.name for f in fields(Ledger))
_TOKENS = tuple(name for name in _COUNTS if name != "spared")
# What the counts are called in tables.
COLUMNS = {name: f"{name}_tokens" for name in _TOKENS} | {"spared": "spared_responses"}
TOKEN_COLUMNS = tuple(COLUMNS[name] for name in _TOKENS)


class TokenCap:
    """A hard cap on the tokens one problem may generate, safe for concurrent branches.

    A branch reserves its worst case before it generates and gives back what it did not use, so
    the sum of what was generated and what is still reserved never exceeds `limit`.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held = 0

    @property
    def left(self) -> int:
        """Tokens that are neither spent nor reserved."""
        return self.limit - self._held

    def reserve(self, n: int, max_tokens: int) -> int:
        """Reserve room for `n` draws; returns the tokens each may generate, 0 if none are left."""
        each = max(0, min(max_tokens, self.left // n))
        self._held += n * each
        return each

    def settle(self, reserved: int, used: int) -> None:
        """Give back what a reservation of `reserved` tokens in all did not use."""
        if used > reserved:
            raise ValueError(f"{used} tokens were generated on a reservation of {reserved}")
        self._held -= reserved - used
