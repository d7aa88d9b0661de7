"""Settings of a session: how models are loaded and how the policy samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from executor.access import NO_ACCESS, Access
from executor.cluster.ray import ClusterOptions
from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.problem import MATHS
from executor.servers.endpoint import EndpointLimits
from executor.servers.server import Patience
from executor.strategy import Sampling
from executor.thinking.budget import check_room
from planner.costs.pricing import Pricing

PREFIX_BLOCK = 32
"""Tokens of a prefix-cache block: a step is a few dozen tokens long, and engines reuse only whole
blocks."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Settings of every use case that runs models.

    Attributes:
        sampling: how the policy samples.
        seed: base seed of all sampling.
        concurrency: most problems in flight; None: as many as fill the engines.
        engine: sizes of the policy's engine; the PRM's engine has the same.
        template: name or file of a prompt template; None: the policy's own.
        token_cap: most tokens generated for one problem; None: its budget of full responses.
        early_stop: whether draws that cannot change the answer are left out; see `Executor`.
        cluster: Ray cluster whose workers run the models, each with at most `concurrency`
            problems; None: this process runs them.
        domain: what an answer is (`executor.domains`); that of the problems.
        unsafe_execution: whether programs of models may run if this system allows no isolation.
        patience: how long to wait for servers, in seconds.
        top_logprobs: number of likeliest tokens over which the confidence of each token is taken,
            which samples then hold; None: as many as the scorer needs, or none.
        access: what lets requests into the policy's endpoint or servers.
        endpoint: limits of the requests to a chat policy's endpoint.
        max_usd: hard cap on what the policy's requests cost; None: no cap.
        pricing: prices of tokens that the cap counts by.

    Raises:
        InputError: `concurrency` or `token_cap` is below 1, a response has no room for an answer
            behind its thought, `max_usd` is not above 0, or it is given for a cluster, whose
            workers do not share it.
    """

    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    concurrency: int | None = None
    engine: EngineOptions = field(default_factory=lambda: EngineOptions(block_size=PREFIX_BLOCK))
    template: str | None = None
    token_cap: int | None = None
    early_stop: bool = False
    cluster: ClusterOptions | None = None
    domain: str = MATHS
    unsafe_execution: bool = False
    patience: Patience = field(default_factory=Patience)
    top_logprobs: int | None = None
    access: Access = NO_ACCESS
    endpoint: EndpointLimits = field(default_factory=EndpointLimits)
    max_usd: float | None = None
    pricing: Pricing = field(default_factory=Pricing)

    def __post_init__(self) -> None:
        if self.max_usd is not None and not 0 < self.max_usd < math.inf:
            raise InputError(f"--max-usd is {self.max_usd:g}; expected a number above 0")
        if self.max_usd is not None and self.cluster is not None:
            raise InputError("--max-usd: workers of --ray share no cap; leave one of the two out")
        for option in ("concurrency", "token_cap"):
            value = getattr(self, option)
            if value is not None and value < 1:
                name = option.replace("_", "-")
                raise InputError(f"--{name} is {value}; expected at least 1")
        check_room(self.sampling.thinking, self.sampling.max_tokens)
