"""The ledger of a run: every token that the policy and the PRM forwarded, and the token cap."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Ledger:
    """Counts of one problem under one strategy; all are tokens, except `spared` and `executions`.

    All counts are addends, except `thought`, which is a part of others.

    `generated + discarded + probe` equals vLLM's own count of generated tokens, and
    `prompt + cached` its count of prompt tokens: all counts come from the engine's answers. The
    prompts of what a reward head in its policy asks (`executor.scorers.fused`) count as the PRM's.

    Attributes:
        prompt: policy prompt tokens that were forwarded (not found in the prefix cache).
        cached: policy prompt tokens that the prefix cache spared.
        generated: tokens of responses that were kept.
        discarded: tokens that were generated and dropped: pruned beams, cancelled requests, answers
            that others were written from.
        prm: tokens the PRM forwarded.
        prm_cached: PRM tokens that its prefix cache spared.
        probe: tokens that were generated only to estimate difficulty.
        spared: responses that were not finished because the vote was settled (or, in an adaptive
            vote, sure enough; or held by the first to finish) without them. Not tokens: their
            length is unknown.
        executions: programs that were run on what everybody may see, for votes or scores; each
            counts once. Runs that only grade are not counted.
        thought: those of the generated, discarded and probe tokens that were drawn inside thoughts,
            without the marks. Of a request that was lost with its server, none are counted.
    """

    prompt: int = 0
    cached: int = 0
    generated: int = 0
    discarded: int = 0
    prm: int = 0
    prm_cached: int = 0
    probe: int = 0
    spared: int = 0
    executions: int = 0
    thought: int = 0

    def charge_prompt(self, prompt_tokens: int, cached_tokens: int) -> None:
        """Charge the prompt of one request, of which `cached_tokens` were in the cache."""
        self.prompt += prompt_tokens - cached_tokens
        self.cached += cached_tokens

    def charge_prm(self, prompt_tokens: int, cached_tokens: int) -> None:
        """Charge the prompt of one PRM request in the same way."""
        self.prm += prompt_tokens - cached_tokens
        self.prm_cached += cached_tokens

    def discard(self, tokens: int) -> None:
        """Move tokens from generated to discarded, since their branch was dropped.

        Raises:
            ValueError: fewer tokens were generated.
        """
        if tokens > self.generated:
            raise ValueError(f"cannot discard {tokens} of {self.generated} generated tokens")
        self.generated -= tokens
        self.discarded += tokens

    def take(self, other: Ledger) -> None:
        """Add the counts of another ledger to this one."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def policy_generated(self) -> int:
        """All tokens the policy generated, kept or not."""
        return self.generated + self.discarded + self.probe

    def __add__(self, other: Ledger) -> Ledger:
        return Ledger(*(getattr(self, name) + getattr(other, name) for name in _COUNTS))

    def to_dict(self) -> dict[str, int]:
        """Return the counts by name, as they are stored and printed."""
        return {name: getattr(self, name) for name in _COUNTS}


_COUNTS = tuple(f.name for f in fields(Ledger))
_TOKENS = tuple(name for name in _COUNTS if name not in ("spared", "executions"))
# Names of the counts in tables; executions have no column, since only some domains have any.
COLUMNS = {name: f"{name}_tokens" for name in _TOKENS} | {"spared": "spared_responses"}
# Those that add up: tokens inside thoughts are a part of others.
TOKEN_COLUMNS = tuple(COLUMNS[name] for name in _TOKENS if name != "thought")


class TokenCap:
    """A hard cap on the tokens that one problem may generate, safe for concurrent branches.

    A branch reserves its worst case before it generates, and gives back the tokens it did not use.
    So generated and reserved tokens together never exceed `limit`.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held = 0

    @property
    def left(self) -> int:
        """Number of tokens that are neither spent nor reserved."""
        return self.limit - self._held

    def reserve(self, n: int, max_tokens: int) -> int:
        """Reserve room for `n` draws of at most `max_tokens`.

        Returns:
            Most tokens that each may generate; 0 if none are left.
        """
        each = max(0, min(max_tokens, self.left // n))
        self._held += n * each
        return each

    def settle(self, reserved: int, used: int) -> None:
        """Give back the unused tokens of a reservation of `reserved` tokens in total.

        Raises:
            ValueError: more tokens were used than reserved.
        """
        if used > reserved:
            raise ValueError(f"{used} tokens were generated on a reservation of {reserved}")
        self._held -= reserved - used
