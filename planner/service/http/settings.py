"""Settings of the server: limits, keys, and what it may log."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from executor.errors import InputError
from planner.choice.constraint import Constraint
from planner.service.http.keys import ApiKeys


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Settings of a server.

    Attributes:
        constraint: limits on the choice of a strategy if a request does not set its own.
        keys: accepted API keys; None: everybody may ask.
        local_only: whether only requests whose Host header names this machine are answered. So a
            page of another site whose name is made to lead here (DNS rebinding) is refused if there
            are no keys to refuse it.
        concurrency: most questions answered at once; None: as many as the engines can work on.
        queue: most questions that may wait.
        max_per_key: most questions of one key that may wait or run; None: all places that are not
            kept for other keys.
        max_prompts: most questions of one request.
        max_body: most bytes of the body of a request.
        max_tokens: most tokens of one response that a request may ask for.
        max_budget: most generations a question that a request may ask for.
        greedy_at_zero: whether temperature 0 asks for one greedy response; else the plan is
            followed, since many clients send 0 without being told to.
        max_head: most bytes of the head of a request.
        max_connections: most connections that one address may hold; at this bound, those that say
            nothing make room for new ones.
        head_seconds: most seconds until the head of a request is complete.
        body_seconds: most seconds that a body may take to arrive.
        write_seconds: seconds without reading after which a client's connection is closed.
        drain_seconds: most seconds that running requests may take when the server shuts down.
        heartbeat: seconds of silence after which a stream sends a comment.
        log_prompts: whether questions and answers are written to the log.
    """

    constraint: Constraint = field(default_factory=Constraint)
    keys: ApiKeys | None = None
    local_only: bool = False
    concurrency: int | None = None
    queue: int = 128
    max_per_key: int | None = None
    max_prompts: int = 64
    max_body: int = 1 << 20
    max_tokens: int = 8192
    max_budget: int = 256
    greedy_at_zero: bool = False
    max_head: int = 1 << 16
    max_connections: int = 1024
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    write_seconds: float = 30.0
    drain_seconds: float = 30.0
    heartbeat: float = 10.0
    log_prompts: bool = False

    @property
    def max_questions(self) -> int:
        """Most questions of one request that find room if no other request is there."""
        if self.concurrency is None:
            return self.max_prompts
        return min(self.max_prompts, self.concurrency + self.queue)

    def __post_init__(self) -> None:
        for name, least in (
            ("concurrency", 1), ("queue", 0), ("max_prompts", 1), ("max_body", 1),
            ("max_connections", 1), ("max_tokens", 1), ("max_budget", 1), ("drain_seconds", 0),
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
    """Return whether a host name or address is one of this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
