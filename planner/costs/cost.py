"""The cost of tokens: FLOPs as the literature counts them, seconds, money and energy.

Seconds are engine time at full load, not the latency of one problem; they are measured, or follow
from the roofline of a device (`planner.costs.roofline`). Money is a host's price for tokens, or the
hourly price of the engine time. Energy is the engine time at the full power of the devices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from executor.models.architecture import Shape
from planner.costs.missing import Lack, Missing
from planner.costs.roofline import Roofline
from planner.costs.token_price import TokenPrice
from planner.notes import Note, NoteCode

SECONDS_PER_HOUR = 3600.0
# Columns of evidence and fields of `Cost`, in the order of the arguments of `Rates.price`.
TOKENS = (
    "generated_tokens", "prompt_tokens", "prm_tokens", "cached_tokens", "prm_cached_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """Expected cost of one problem; an unknown cost is None, an unknown token count NaN.

    Attributes:
        generated_tokens: tokens that the policy generates, including discarded ones.
        prompt_tokens: prompt tokens that the policy forwards.
        prm_tokens: tokens that the PRM forwards.
        flops: floating-point operations of both models.
        seconds: engine time.
        usd: money in USD.
        kwh: energy of the devices in kWh.
        cached_tokens, prm_cached_tokens: prompt tokens from the prefix caches; they take no FLOPs
            and no seconds, but hosts bill them.
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
        """Return plain numbers for JSON."""
        return {name: getattr(self, name) for name in Cost.__dataclass_fields__}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Cost:
        """Read a record of `to_dict`; a token count of None becomes NaN.

        Raises:
            TypeError: a field is unknown, missing, or not a number.
        """
        read: dict[str, Any] = {
            name: value if value is None else _number(value) for name, value in record.items()
        }
        unknown = {kind: math.nan for kind in TOKENS if kind in read and read[kind] is None}
        return cls(**(read | unknown))


def forward_flops(parameters: float, tokens: float, attention: float = 0.0) -> float:
    """Return the FLOPs of forwarding tokens: 2 x parameters per token.

    The formula is that of Kaplan et al., arXiv 2001.08361, Sec. 2.1.

    Args:
        parameters: number of parameters that every token uses.
        tokens: number of forwarded tokens, without those from a cache.
        attention: FLOPs of attention per token (`Shape.attention_flops`). The literature leaves
            them out, because they are few if the context is short relative to the model's width.
    """
    return (2.0 * parameters + attention) * tokens


def training_flops(parameters: float, tokens: float) -> float:
    """Return the FLOPs of training on tokens: 6 x parameters per token.

    The backward pass counts twice as much as the forward pass (Kaplan et al., see `forward_flops`).
    """
    return 6.0 * parameters * tokens


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates that turn tokens into costs; None if a rate is not known.

    Attributes:
        policy_parameters, prm_parameters: number of parameters that every token uses.
        policy_weights: number of all parameters of the policy, if a token uses only some (a mixture
            of experts): memory holds all, and decoding a batch reads all. None means
            `policy_parameters`.
        prm_weights: number of parameters that memory holds for the PRM: 0 if it lies in the policy
            or is the policy. None means `prm_parameters`.
        tokens_per_second, prm_tokens_per_second: measured tokens per engine second: those that the
            policy generates and those that the PRM forwards (`planner.costs.throughput`).
        usd_per_hour: price of the machine, or of one device of the roofline.
        watts: power of the machine, or of one device of the roofline.
        roofline: source of seconds instead of the measured throughput; None means measured.
        policy_shape, prm_shape: shapes of the models, for attention and key-value caches.
        context: tokens of a whole sequence, for the FLOPs of attention; None leaves attention out.
        policy_price, prm_price: a host's prices by the token; they replace the price by the hour.
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
    prm_weights: int | None = None

    @property
    def held(self) -> int | None:
        """Number of parameters of the policy that memory holds."""
        return self.policy_weights or self.policy_parameters

    @property
    def prm_held(self) -> int | None:
        """Number of parameters that memory holds for the PRM beside the policy."""
        return self.prm_parameters if self.prm_weights is None else self.prm_weights

    @property
    def devices(self) -> int:
        """Number of devices of one engine."""
        return 1 if self.roofline is None else self.roofline.devices

    def price(
        self,
        generated: float,
        prompt: float,
        prm: float,
        cached: float = 0.0,
        prm_cached: float = 0.0,
    ) -> Cost:
        """Return the cost of token counts.

        Tokens from a prefix cache take no FLOPs and no seconds, but hosts bill them.

        Args:
            generated: tokens that the policy generates.
            prompt: prompt tokens that the policy forwards.
            prm: tokens that the PRM forwards.
            cached, prm_cached: prompt tokens from the prefix caches.
        """
        return self.reprice(
            Cost(generated, prompt, prm, cached_tokens=cached, prm_cached_tokens=prm_cached)
        )

    def reprice(self, cost: Cost) -> Cost:
        """Return the cost of the tokens of `cost` under these rates."""
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
        """Return the first rate that a cost lacks; None if the cost can be computed.

        Args:
            quantity: `flops`, `seconds`, `usd` or `kwh`.
            scored: whether the cost includes strategies that need the PRM.
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
        """Return notes on the sources of seconds and money that were not measured."""
        notes = []
        if self.roofline is not None:
            device, assumed = self.roofline.device, self.roofline.assumptions
            notes.append(
                Note.of(
                    NoteCode.SECONDS_BY_ROOFLINE, device=device.name, devices=self.roofline.devices,
                    mfu=assumed.mfu, mbu=assumed.mbu, batch=assumed.batch,
                    context=assumed.context, caches=self.policy_shape is not None,
                )
            )  # fmt: skip
            if self.usd_per_hour is not None and self.usd_per_hour == device.usd_per_hour:
                notes.append(
                    Note.of(
                        NoteCode.PRICE_BY_HOUR, usd=self.usd_per_hour, source=device.price_source,
                        date=device.price_date,
                    )
                )  # fmt: skip
        elif self.tokens_per_second and self.prm_parameters and not self.prm_tokens_per_second:
            lack = Missing(Lack.PRM_THROUGHPUT)
            notes.append(Note.of(NoteCode.PRM_SECONDS_UNKNOWN, missing=lack))
        notes += [
            Note.of(
                NoteCode.PRICE_BY_TOKEN, model=price.name, input=price.input, output=price.output,
                source=price.source, date=price.date,
            )
            for price in (self.policy_price, self.prm_price)
            if price is not None
        ]  # fmt: skip
        return notes

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a plan file."""
        record = asdict(self)
        if self.prm_weights is None:  # plans from before it was known have no such field
            del record["prm_weights"]
        for name in ("policy_price", "prm_price"):
            price = record[name]
            if price is not None and price["reasoning"] is None:
                del price["reasoning"]
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Rates:
        """Read a record of `to_dict`.

        Raises:
            LookupError, TypeError: a field is unknown, or a value has the wrong type.
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
