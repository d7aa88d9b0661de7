"""What the server is told: limits, keys, and what it may write down."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from executor.errors import InputError
from planner.choice.constraint import Constraint
from planner.service.http.keys import Keys


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a server.

    Attributes:
        constraint: what choices keep to where a request does not say otherwise.
        keys: who may ask; None: everybody.
        only_here: whether only requests to a name of this machine itself are answered. A page of
            another site that has its own name lead here (DNS rebinding) is then kept out, where no
            key does that.
        concurrency: most questions answered at once; None: as many as fill the engines.
        queue: questions that may wait besides.
        max_per_key: most questions of one key that may wait or run; None: as many as there are
            places that are not kept for other keys.
        max_prompts: most questions of one request.
        max_body: most bytes of a request's body.
        max_tokens: most tokens of one response that a request may ask for.
        max_budget: most generations a question that a request may ask for.
        body_seconds: how long a body may take to come.
        write_seconds: after which a client that reads nothing of what it is sent is let go.
        drain_seconds: how long what runs may go on when the server is told to end.
        heartbeat: seconds of silence after which a stream says that it is alive.
        log_prompts: whether questions and answers are written to the log.
    """

    constraint: Constraint = field(default_factory=Constraint)
    keys: Keys | None = None
    only_here: bool = False
    concurrency: int | None = None
    queue: int = 128
    max_per_key: int | None = None
    max_prompts: int = 64
    max_body: int = 1 << 20
    max_tokens: int = 8192
    max_budget: int = 256
    body_seconds: float = 30.0
    write_seconds: float = 30.0
    drain_seconds: float = 30.0
    heartbeat: float = 10.0
    log_prompts: bool = False

    @property
    def most_questions(self) -> int:
        """Most questions of one request that there can be places for, however few others come."""
        if self.concurrency is None:
            return self.max_prompts
        return min(self.max_prompts, self.concurrency + self.queue)

    def __post_init__(self) -> None:
        for name, least in (
            ("concurrency", 1), ("queue", 0), ("max_prompts", 1), ("max_body", 1),
            ("max_tokens", 1), ("max_budget", 1), ("drain_seconds", 0),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not value >= least:
                option = name.replace("_", "-")
                raise InputError(f"--{option} {value}: must be at least {least}")
        if self.max_per_key is not None and self.keys is None:
            raise InputError(f"--max-per-key {self.max_per_key}: there are no keys; see --api-keys")
        if self.max_per_key is not None and self.max_per_key < 1:
            raise InputError(f"--max-per-key {self.max_per_key}: must be at least 1")


def is_loopback(host: str) -> bool:
    """Whether a name or address is of this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
