"""What a host asks for tokens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """Prices of a host, in USD per million tokens.

    Attributes:
        name: name of the model.
        input, output: price of prompt tokens and price of generated tokens.
        cached: price of prompt tokens from the host's cache; None means the price `input`.
        reasoning: price of tokens of a thought; None means the price `output`.
        date, source: date and source of the prices.
    """

    name: str
    input: float
    output: float
    cached: float | None = None
    date: str = ""
    source: str = ""
    reasoning: float | None = None

    def usd(self, prompt: float, cached: float, generated: float, reasoning: float = 0.0) -> float:
        """Return the bill in USD.

        Args:
            prompt: prompt tokens that the host forwarded.
            cached: prompt tokens from its cache.
            generated: generated tokens without those of thoughts.
            reasoning: tokens of thoughts.
        """
        spared = self.input if self.cached is None else self.cached
        thought = self.output if self.reasoning is None else self.reasoning
        tokens = prompt * self.input + cached * spared
        return (tokens + generated * self.output + reasoning * thought) / 1e6

    def most(self, prompt: float, generated: float) -> float:
        """Return the largest bill in USD, whichever tokens are cached or of a thought."""
        dearest = max(self.output, self.reasoning or 0.0)
        return (prompt * max(self.input, self.cached or 0.0) + generated * dearest) / 1e6
