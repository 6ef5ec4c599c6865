"""Where a cluster is: somewhere else, or on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.errors import ClusterError

if TYPE_CHECKING:
    from contextlib import ExitStack

LOCAL: Final = "local:"
CONFIGURED: Final = "dask"
_SCHEMES: Final = ("tcp://", "tls://", "ucx://", "ws://", "wss://")
_NO_CTRL_C: Final = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
"""
"""Run by workers: Ctrl+C in the terminal is for the program that started them."""


def is_place(where: str) -> bool:
    """Whether this says where a cluster is, as `open_cluster` takes it."""
    return where == CONFIGURED or where.startswith((LOCAL, *_SCHEMES))


def address_of(where: str) -> str:
    """Return the address of a scheduler that is somewhere else."""
    import dask

    address = dask.config.get("scheduler-address", None) if where == CONFIGURED else where
    if address is None:
        raise ClusterError(
            "dask's configuration names no scheduler. Set DASK_SCHEDULER_ADDRESS, or give the "
            "address itself, such as tcp://workstation:8786."
        )
    if not str(address).startswith(_SCHEMES):
        raise ClusterError(
            f"{address!r} is no cluster: give the address of a dask scheduler, such as "
            "tcp://workstation:8786, or local:N for N processes on this machine."
        )
    return str(address)


def start_here(where: str, closing: ExitStack) -> Any:
    """Start workers on this machine, which share its cores."""
    import logging

    import dask
    from dask.system import CPU_COUNT
    from distributed import LocalCluster

    count = where.removeprefix(LOCAL)
    workers = int(count) if count.isdecimal() else 0
    if not workers:
        raise ClusterError(f"{where!r} is no number of processes; give such as local:4.")
    settings = {
        # a worker that died is given up for good if it takes longer than this to be back
        "distributed.deploy.lost-worker-timeout": "10 minutes",
        # without dask's, by which malloc gives memory back after every operation
        "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": max(1, CPU_COUNT // workers)},
        # no pages: they would tell anybody on this machine what is being done
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.worker.preload": [*dask.config.get("distributed.worker.preload"), _NO_CTRL_C],
    }
    closing.enter_context(dask.config.set(settings))
    try:
        return closing.enter_context(
            LocalCluster(
                n_workers=workers,
                threads_per_worker=max(1, CPU_COUNT // workers),
                memory_limit=None,  # as one process has none
                security=True,  # others may have accounts on this machine
                dashboard_address=None,
                # told nothing, the scheduler's web server listens everywhere
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.ERROR,
            )
        )
    except RuntimeError as error:
        raise ClusterError(f"{workers} processes could not be started: {error}") from error
