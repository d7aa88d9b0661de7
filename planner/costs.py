"""What tokens cost: FLOPs as the literature counts them, seconds as measured, money by the hour."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Expected cost of one problem; None where it is not known, for tokens NaN.

    Attributes:
        generated_tokens: all tokens the policy generates, dropped ones included.
        prompt_tokens: policy prompt tokens forwarded.
        prm_tokens: tokens the PRM forwards.
        flops: floating-point operations of both models.
        seconds: engine time, at the throughput measured.
        usd: money, at the price given.
    """

    generated_tokens: float
    prompt_tokens: float
    prm_tokens: float
    flops: float | None = None
    seconds: float | None = None
    usd: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Plain numbers, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rates:
    """What one token costs here; None where it is not known.

    Attributes:
        policy_parameters, prm_parameters: model sizes.
        tokens_per_second: generated tokens of all problems over wall seconds, PRM work included.
        usd_per_hour: price of the machine.
    """

    policy_parameters: int | None = None
    prm_parameters: int | None = None
    tokens_per_second: float | None = None
    usd_per_hour: float | None = None

    def price(self, generated: float, prompt: float, prm: float) -> Cost:
        """The cost of so many tokens.

        FLOPs are 2 x parameters for every token forwarded; tokens the prefix cache spared are not
        (Kaplan et al., arXiv 2001.08361, Sec. 2.1; the attention term is left out). Tokens that
        nobody counted (NaN) leave what needs them unknown.
        """
        flops = None
        if self.policy_parameters is not None and (prm == 0 or self.prm_parameters is not None):
            flops = 2.0 * self.policy_parameters * (generated + prompt)
            flops += 2.0 * (self.prm_parameters or 0) * prm
        seconds = generated / self.tokens_per_second if self.tokens_per_second else None
        usd = None
        if seconds is not None and self.usd_per_hour is not None:
            usd = seconds / SECONDS_PER_HOUR * self.usd_per_hour
        return Cost(generated, prompt, prm, _known(flops), _known(seconds), _known(usd))


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
