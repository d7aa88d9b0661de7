"""The options of a command for devices and prices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from executor.errors import InputError
from executor.scorers.registry import is_of_policy
from planner.costs.cost import Rates
from planner.costs.litellm import is_litellm
from planner.costs.prices import PriceBook
from planner.costs.roofline import Roofline
from planner.costs.token_price import TokenPrice


class DoesNotFitError(InputError):
    """The models do not fit in the memory of the devices."""


@dataclass(frozen=True, slots=True)
class Pricing:
    """Options for devices and prices; None if an option is not given.

    Attributes:
        device: name of a device, whose roofline, price and power replace those of the machine.
        devices: number of devices of one engine.
        prices: the user's own prices; see `PriceBook.load`.
        batch: whether tokens cost what they do in batch requests.
        names: names by which the prices know models, by the models' names.
        usd_per_hour, watts: price and power of the machine, or of one device.
        context: tokens of a whole sequence; if given, FLOPs include attention.
    """

    device: str | None = None
    devices: int | None = None
    prices: Path | None = None
    batch: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    usd_per_hour: float | None = None
    watts: float | None = None
    context: float | None = None

    def __post_init__(self) -> None:
        if self.devices is not None and self.device is None:
            raise InputError(
                f"--devices is {self.devices} without a device; expected --device NAME too"
            )
        if self.devices is not None and self.devices < 1:
            raise InputError(f"--devices is {self.devices}; expected at least 1")
        for name in ("usd_per_hour", "watts", "context"):
            value = getattr(self, name)
            least = 0 if name == "usd_per_hour" else math.ulp(0.0)
            if value is not None and not least <= value < math.inf:
                raise InputError(
                    f"--{name.replace('_', '-')} is {value:g}; expected a number "
                    f"{'of at least' if least == 0 else 'above'} 0"
                )

    def apply(self, rates: Rates, policy: str, prm: str | None) -> Rates:
        """Return `rates` with the values of the options.

        Money is by the hour if the options give a device or a price by the hour. If they do not, it
        is by the token if the prices have this policy.

        Raises:
            DoesNotFitError: the models do not fit in the memory of the device.
            InputError: the device is unknown, or the prices file is wrong.
        """
        book = self.book()
        if self.device is not None:
            rates = self._on_device(rates, book)
        if self.usd_per_hour is not None:
            rates = replace(rates, usd_per_hour=self.usd_per_hour)
        if self.watts is not None:
            rates = replace(rates, watts=self.watts)
        if self.context is not None:
            rates = self._with_context(rates, self.context)
        if self.device is not None or self.usd_per_hour is not None:
            return replace(rates, policy_price=None, prm_price=None)
        if rates.usd_per_hour is not None and self.prices is None:
            return rates
        billed = book.tokens.get(self.names.get(policy, policy))
        if billed is None:
            return rates
        scorer = policy if prm is not None and is_of_policy(prm) else prm
        return replace(
            rates,
            policy_price=billed,
            prm_price=None if scorer is None else book.tokens.get(self.names.get(scorer, scorer)),
        )

    def book(self) -> PriceBook:
        """Return the prices.

        Raises:
            InputError: the file of prices is wrong.
        """
        return PriceBook.load(self.prices, batch=self.batch)

    def token_price(self, model: str) -> TokenPrice:
        """Return what a model's tokens cost.

        Raises:
            InputError: the prices have none; the message has names like the model's.
        """
        return self.book().price_of(self.names.get(model, model))

    def check_priced(self, policy: str) -> None:
        """Refuse a LiteLLM file that lacks the policy: who names one wants its prices.

        Raises:
            InputError: the prices have none of the policy.
        """
        by_hour = self.device is not None or self.usd_per_hour is not None
        if self.prices is not None and is_litellm(self.prices) and not by_hour:
            self.token_price(policy)

    def _on_device(self, rates: Rates, book: PriceBook) -> Rates:
        assert self.device is not None
        device = book.device(self.device)
        assumed = book.assumptions
        if self.context is not None:
            assumed = replace(assumed, context=self.context)
        roofline = Roofline(device, self.devices or 1, assumed)
        needed = sum(
            roofline.memory_gb(parameters, shape)
            for parameters, shape in (
                (rates.held, rates.policy_shape),
                (rates.prm_held, rates.prm_shape),
            )
            if parameters
        )
        if needed > device.memory_gb * roofline.devices:
            raise DoesNotFitError(
                f"--device {device.name}: policy and PRM need {needed:.0f} GB of memory; "
                f"expected at most {device.memory_gb * roofline.devices:g} GB; "
                f"give --devices {math.ceil(needed / device.memory_gb)}, or a smaller batch or "
                "bytes_per_parameter in a file with --prices"
            )
        return replace(
            rates, roofline=roofline, usd_per_hour=device.usd_per_hour, watts=device.watts
        )

    @staticmethod
    def _with_context(rates: Rates, context: float) -> Rates:
        roofline = rates.roofline
        if roofline is not None:
            assumed = replace(roofline.assumptions, context=context)
            roofline = replace(roofline, assumptions=assumed)
        return replace(rates, roofline=roofline, context=context)
