"""What tokens cost: FLOPs as the literature counts them, seconds, money and energy.

Seconds are an engine's time at full load, not how long one problem waits: as measured here, or by
the roofline of a device (`planner.costs.roofline`). Money is a host's price for tokens, or seconds
by the hour; energy is seconds at the devices' full power.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from planner.costs.architecture import Shape
from planner.costs.missing import Lack, Missing
from planner.costs.prices import TokenPrice
from planner.costs.roofline import Roofline
from planner.notes import Note, NoteCode

SECONDS_PER_HOUR = 3600.0
# What `Rates.price` takes, in its order: columns of evidence and fields of `Cost`.
TOKENS = (
    "generated_tokens", "prompt_tokens", "prm_tokens", "cached_tokens", "prm_cached_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """Expected cost of one problem; None where it is not known, for tokens NaN.

    Attributes:
        generated_tokens: all tokens the policy generates, dropped ones included.
        prompt_tokens: policy prompt tokens forwarded.
        prm_tokens: tokens the PRM forwards.
        flops: floating-point operations of both models.
        seconds: engine time.
        usd: money.
        kwh: energy of the devices.
        cached_tokens, prm_cached_tokens: prompt tokens that the prefix caches spared: no FLOPs and
            no seconds, but hosts bill them.
    """

    generated_tokens: float
    prompt_tokens: float
    prm_tokens: float
    flops: float | None = None
    seconds: float | None = None
    usd: float | None = None
    kwh: float | None = None
    cached_tokens: float = 0.0
    prm_cached_tokens: float = 0.0

    @property
    def tokens(self) -> float:
        """All tokens that either model forwards."""
        return self.generated_tokens + self.prompt_tokens + self.prm_tokens

    def to_dict(self) -> dict[str, float | None]:
        """Plain numbers, for JSON."""
        return {name: getattr(self, name) for name in Cost.__dataclass_fields__}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Cost:
        """Read what `to_dict` wrote; a number of tokens that is None becomes NaN.

        Raises:
            TypeError: a field that no cost has, one that is missing, or one that is no number.
        """
        read: dict[str, Any] = {
            name: value if value is None else _number(value) for name, value in record.items()
        }
        unknown = {kind: math.nan for kind in TOKENS if kind in read and read[kind] is None}
        return cls(**(read | unknown))


def forward_flops(parameters: float, tokens: float, attention: float = 0.0) -> float:
    """FLOPs of forwarding tokens: 2 x parameters each (Kaplan et al., arXiv 2001.08361, Sec. 2.1).

    Args:
        parameters: of a model that uses all of them for every token.
        tokens: forwarded, not spared by a cache.
        attention: FLOPs of attention a token (`Shape.attention_flops`); the literature leaves
            them out, as they are few while the context is short beside the model's width.
    """
    return (2.0 * parameters + attention) * tokens


def training_flops(parameters: float, tokens: float) -> float:
    """FLOPs of training on tokens: 6 x parameters each, the backward pass counted twice (same)."""
    return 6.0 * parameters * tokens


@dataclass(frozen=True, slots=True)
class Rates:
    """What one token costs here; None where it is not known.

    Attributes:
        policy_parameters, prm_parameters: those that every token costs.
        policy_weights: all of the policy's, where a token uses only some (a mixture of experts):
            memory holds them, and decoding a batch reads them; None: `policy_parameters`.
        tokens_per_second, prm_tokens_per_second: measured: generated tokens, and tokens the PRM
            forwards, a second of their engines (`planner.costs.throughput`).
        usd_per_hour: price of the machine, or of one device of the roofline.
        watts: power of the machine, or of one device of the roofline.
        roofline: where nothing was measured, or another device is asked about.
        policy_shape, prm_shape: for attention and key-value caches.
        context: tokens of a whole sequence, to count attention in FLOPs; None: not counted.
        policy_price, prm_price: a host's prices; money is then theirs and not the hour's.
    """

    policy_parameters: int | None = None
    prm_parameters: int | None = None
    tokens_per_second: float | None = None
    usd_per_hour: float | None = None
    watts: float | None = None
    roofline: Roofline | None = None
    policy_shape: Shape | None = None
    prm_shape: Shape | None = None
    context: float | None = None
    policy_price: TokenPrice | None = None
    prm_price: TokenPrice | None = None
    policy_weights: int | None = None
    prm_tokens_per_second: float | None = None

    @property
    def held(self) -> int | None:
        """Parameters of the policy that memory holds."""
        return self.policy_weights or self.policy_parameters

    @property
    def devices(self) -> int:
        """Devices of one engine."""
        return 1 if self.roofline is None else self.roofline.devices

    def price(
        self,
        generated: float,
        prompt: float,
        prm: float,
        cached: float = 0.0,
        prm_cached: float = 0.0,
    ) -> Cost:
        """The cost of so many tokens.

        Tokens that a prefix cache spared cost no FLOPs and no seconds; hosts bill them.
        """
        return self.reprice(
            Cost(generated, prompt, prm, cached_tokens=cached, prm_cached_tokens=prm_cached)
        )

    def reprice(self, cost: Cost) -> Cost:
        """What the tokens of `cost` cost here."""
        seconds = self._seconds(cost)
        hours = None if seconds is None else seconds / SECONDS_PER_HOUR * self.devices
        kwh = None if hours is None or self.watts is None else hours * self.watts / 1000
        usd, flops = self._usd(cost, hours), self._flops(cost)
        return replace(
            cost, flops=_known(flops), seconds=_known(seconds), usd=_known(usd), kwh=_known(kwh)
        )

    def _flops(self, cost: Cost) -> float | None:
        scored = cost.prm_tokens > 0
        if self.policy_parameters is None or (scored and self.prm_parameters is None):
            return None
        attention = prm_attention = 0.0
        if self.context is not None:
            if self.policy_shape is None or (scored and self.prm_shape is None):
                return None
            attention = self.policy_shape.attention_flops(self.context)
            if self.prm_shape is not None:
                prm_attention = self.prm_shape.attention_flops(self.context)
        forwarded = cost.generated_tokens + cost.prompt_tokens
        return forward_flops(self.policy_parameters, forwarded, attention) + forward_flops(
            self.prm_parameters or 0, cost.prm_tokens, prm_attention
        )

    def _seconds(self, cost: Cost) -> float | None:
        scored = cost.prm_tokens > 0
        if self.roofline is None:
            if not self.tokens_per_second or (scored and not self.prm_tokens_per_second):
                return None
            seconds = cost.generated_tokens / self.tokens_per_second
            return seconds + cost.prm_tokens / (self.prm_tokens_per_second or math.inf)
        if self.policy_parameters is None or (scored and self.prm_parameters is None):
            return None
        policy, shape = self.policy_parameters, self.policy_shape
        seconds = cost.generated_tokens * self.roofline.decode_seconds(policy, shape, self.held)
        seconds += cost.prompt_tokens * self.roofline.prefill_seconds(policy, shape)
        if self.prm_parameters is not None:
            a_token = self.roofline.prefill_seconds(self.prm_parameters, self.prm_shape)
            seconds += cost.prm_tokens * a_token
        return seconds

    def _usd(self, cost: Cost, hours: float | None) -> float | None:
        if self.policy_price is None:
            if hours is None or self.usd_per_hour is None:
                return None
            return hours * self.usd_per_hour
        usd = self.policy_price.usd(cost.prompt_tokens, cost.cached_tokens, cost.generated_tokens)
        scored = cost.prm_tokens + cost.prm_cached_tokens > 0
        if not scored:
            return usd
        if self.prm_price is None:
            return None
        return usd + self.prm_price.usd(cost.prm_tokens, cost.prm_cached_tokens, 0.0)

    def missing(self, quantity: str, *, scored: bool) -> Missing | None:
        """What is missing to know `flops`, `seconds`, `usd` or `kwh`; None: nothing.

        Args:
            quantity: a field of `Cost`.
            scored: whether strategies that need the PRM are asked about.
        """
        if quantity == "flops":
            return self._missing_size(scored) or self._missing_shape(scored)
        if quantity == "seconds":
            if self.roofline is not None:
                return self._missing_size(scored)
            return self._missing_speed(scored)
        if quantity == "kwh":
            without = Missing(Lack.POWER) if self.watts is None else None
            return self.missing("seconds", scored=scored) or without
        if self.policy_price is not None:
            if self.prm_price is None and scored:
                return Missing(Lack.PRM_PRICE)
            return None
        if self.usd_per_hour is None:
            return Missing(Lack.PRICE)
        return self.missing("seconds", scored=scored)

    def _missing_size(self, scored: bool) -> Missing | None:
        if self.policy_parameters is None:
            return Missing(Lack.POLICY_SIZE)
        if scored and self.prm_parameters is None:
            return Missing(Lack.PRM_SIZE)
        return None

    def _missing_speed(self, scored: bool) -> Missing | None:
        if not self.tokens_per_second:
            return Missing(Lack.THROUGHPUT)
        if scored and not self.prm_tokens_per_second:
            return Missing(Lack.PRM_THROUGHPUT)
        return None

    def _missing_shape(self, scored: bool) -> Missing | None:
        if self.context is None:
            return None
        if self.policy_shape is None:
            return Missing(Lack.POLICY_SHAPE)
        if scored and self.prm_shape is None:
            return Missing(Lack.PRM_SHAPE)
        return None

    def notes(self) -> list[Note]:
        """Notes on what seconds and money rest on if they were not measured."""
        found = []
        if self.roofline is not None:
            device, assumed = self.roofline.device, self.roofline.assumptions
            found.append(
                Note.of(
                    NoteCode.SECONDS_BY_ROOFLINE, device=device.name, devices=self.roofline.devices,
                    mfu=assumed.mfu, mbu=assumed.mbu, batch=assumed.batch,
                    context=assumed.context, caches=self.policy_shape is not None,
                )
            )  # fmt: skip
            if self.usd_per_hour is not None and self.usd_per_hour == device.usd_per_hour:
                found.append(
                    Note.of(
                        NoteCode.PRICE_BY_HOUR, usd=self.usd_per_hour, source=device.price_source,
                        date=device.price_date,
                    )
                )  # fmt: skip
        elif self.tokens_per_second and self.prm_parameters and not self.prm_tokens_per_second:
            lack = Missing(Lack.PRM_THROUGHPUT)
            found.append(Note.of(NoteCode.PRM_SECONDS_UNKNOWN, missing=lack))
        found += [
            Note.of(
                NoteCode.PRICE_BY_TOKEN, model=price.name, input=price.input, output=price.output,
                source=price.source, date=price.date,
            )
            for price in (self.policy_price, self.prm_price)
            if price is not None
        ]  # fmt: skip
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a plan."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Rates:
        """Read what `to_dict` wrote.

        Raises:
            LookupError, TypeError: a field that no rates have, or a value of another kind.
        """
        read: dict[str, Callable[[Any], Any]] = {
            "roofline": Roofline.from_dict,
            "policy_shape": lambda shape: Shape(**shape),
            "prm_shape": lambda shape: Shape(**shape),
            "policy_price": lambda price: TokenPrice(**price),
            "prm_price": lambda price: TokenPrice(**price),
        }
        made: dict[str, Any] = {
            name: None if value is None else read.get(name, _number)(value)
            for name, value in record.items()
        }
        return cls(**made)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
