"""A Ray cluster: joined or started on this machine, and what each of its workers may take."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from executor.engines.options import CORES, cores
from executor.errors import InputError

# Where there is no GPU: fewer would spread nothing.
_FEWEST = 2
# Ray takes a third of the memory otherwise; outcomes are small and pass through.
_OBJECT_STORE = 256 << 20
_KNOCK_SECONDS = 10.0
_SILENCE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's way of hiding GPUs from workers that take none will change, and it says so every time.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Which cluster, and how much of it.

    Attributes:
        address: of a cluster to join, `auto` for one that runs on this machine. None: the one that
            RAY_ADDRESS names, else a new one on this machine, for as long as it is needed.
        workers: None: one for every GPU (for as many as a model is split over); without GPUs one a
            machine, but at least two.
    """

    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--ray-workers {self.workers}: must be at least 1")


@dataclass(frozen=True, slots=True)
class Share:
    """What each worker takes of its machine."""

    cores: int
    gpus: int


class Cluster:
    """A connection to Ray; a context manager that ends it, and what it started, if it made it."""

    def __init__(self, workers: int, share: Share, *, ours: bool) -> None:
        self.workers = workers
        self.share = share
        self._ours = ours

    @classmethod
    def connect(cls, options: ClusterOptions, gpus: int) -> Cluster:
        """Join or start Ray; where this process is connected already, that is used.

        Args:
            options: which, and how many workers.
            gpus: how many a worker takes where there are any.

        Raises:
            InputError: Ray is not installed, no cluster is at the address, or it is too small.
        """
        if gpus < 1:
            raise InputError(f"--tensor-parallel-size {gpus}: must be at least 1")
        for name, value in _SILENCE.items():
            os.environ.setdefault(name, value)
        try:
            import ray
        except ImportError:
            raise InputError(
                "--ray: Ray is not installed here; install apportion with its extra ray"
            ) from None
        ours = not ray.is_initialized()
        if ours:
            _start(options)
        try:
            machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            workers, share = divide(machines, options.workers, gpus)
        except BaseException:
            if ours:
                ray.shutdown()
            raise
        return cls(workers, share, ours=ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._ours:
            import ray

            ray.shutdown()


def _start(options: ClusterOptions) -> None:
    import ray

    address = options.address or os.environ.get("RAY_ADDRESS") or "local"
    wanted: dict[str, Any] = {"address": address}
    if address == "local":
        wanted = {
            "address": "local",
            # On a single core two workers are slow, but they are what was asked for.
            "num_cpus": max(len(cores()), _FEWEST),
            "object_store_memory": _OBJECT_STORE,
            "include_dashboard": False,
        }
    else:
        knock(address)
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **wanted)
    except (ConnectionError, RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"Ray at {address}: cannot be used ({why})") from None


def knock(address: str) -> None:
    """InputError where nobody listens: Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if address == "auto" or "://" in address:
        return
    if not host or not port.isdecimal():
        raise InputError(f"--ray-address {address}: must be HOST:PORT, or auto")
    try:
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"--ray-address {address}: no cluster answers there ({error})") from None


def divide(
    machines: Sequence[Mapping[str, float]], wanted: int | None, gpus: int
) -> tuple[int, Share]:
    """How many workers there are, and what each takes: as many cores as fit them all.

    Args:
        machines: `CPU` and `GPU` of each.
        wanted: workers asked for.
        gpus: how many a worker takes where there are any.

    Raises:
        InputError: they do not fit.
    """
    cores = [int(machine.get("CPU", 0)) for machine in machines]
    places = sum(int(machine.get("GPU", 0)) // gpus for machine in machines)
    if any(machine.get("GPU", 0) for machine in machines):
        if not places or (wanted or 1) > places:
            raise InputError(
                f"--ray-workers {wanted or 1}: the cluster has GPUs for {places}, {gpus} each"
            )
        return wanted or places, Share(1, gpus)
    workers = wanted or max(_FEWEST, sum(count > 0 for count in cores))
    if workers > sum(cores):
        raise InputError(f"--ray-workers {workers}: the cluster has {sum(cores)} cores")
    each = next(
        each
        for each in range(sum(cores) // workers, 0, -1)
        if sum(count // each for count in cores) >= workers
    )
    return workers, Share(each, 0)


def keep_to(share: Share, place: int) -> None:
    """Bind this process to the cores of one of the machine's shares, before anything is imported
    that counts them; workers of one machine would wait for each other on the same ones.
    """
    available = cores()
    shares = max(1, len(available) // share.cores)
    first = place % shares * share.cores
    mine = available[first : first + share.cores]
    if hasattr(os, "sched_setaffinity"):
        # Threads that Ray has started would hand the old cores on to theirs.
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), mine)
    # A binding that was inherited is that of one engine for the whole machine.
    os.environ[CORES] = ",".join(map(str, mine))
