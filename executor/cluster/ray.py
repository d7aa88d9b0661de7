"""A Ray cluster, joined or started on this machine, and the share of each worker."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from executor.engines.cores import CORES, cores
from executor.errors import InputError

# Fewest workers without GPUs: a single one would spread nothing.
_FEWEST = 2
# Bytes. By default Ray takes a third of the memory; outcomes are small.
_OBJECT_STORE = 256 << 20
_KNOCK_SECONDS = 10.0
_SILENCE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Silences a warning that Ray's way to hide GPUs from workers will change.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Which cluster to use, and how much of it.

    Attributes:
        address: address of a cluster to join; `auto` is one that runs on this machine. None is the
            one in RAY_ADDRESS, or else a new one on this machine that ends with the program.
        workers: number of workers. None is one per GPU (per group of GPUs that share a model);
            without GPUs one per machine, but at least two.
    """

    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--ray-workers {self.workers}: must be at least 1")


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a machine that one worker takes."""

    cores: int
    gpus: int


class Cluster:
    """A connection to Ray; as a context manager it ends what it started itself."""

    def __init__(self, workers: int, share: Share, *, ours: bool) -> None:
        self.workers = workers
        self.share = share
        self._ours = ours

    @classmethod
    def connect(cls, options: ClusterOptions, gpus: int) -> Cluster:
        """Join or start Ray, or use the existing connection of this process.

        Args:
            options: cluster and number of workers.
            gpus: number of GPUs per worker, if the cluster has any.

        Raises:
            InputError: Ray is not installed, no cluster answers, or it is too small.
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
            # Two workers on a single core are slow, but the user asked for them.
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
    """Check that a cluster answers; Ray itself would try for minutes.

    Raises:
        InputError: none answers, or the address is malformed.
    """
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
    """Divide a cluster among workers; each gets as many cores as fit for all.

    Args:
        machines: `CPU` and `GPU` counts of each machine.
        wanted: requested number of workers, or None.
        gpus: number of GPUs per worker, if there are any.

    Returns:
        Number of workers, and the share of each.

    Raises:
        InputError: the workers do not fit.
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


def keep_to(share: Share, place: int) -> float:
    """Bind this process to the cores of one share of its machine; return their part of all cores.

    It must come before any import that counts cores. Workers of one machine that share cores would
    wait for each other.
    """
    available = cores()
    shares = max(1, len(available) // share.cores)
    first = place % shares * share.cores
    mine = available[first : first + share.cores]
    if hasattr(os, "sched_setaffinity"):
        # Existing threads of Ray would pass the old cores on to threads that they start.
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), mine)
    # An inherited binding is that of one engine for the whole machine.
    os.environ[CORES] = ",".join(map(str, mine))
    return len(mine) / len(available)
