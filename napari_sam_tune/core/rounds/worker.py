"""The process at the other end of `ProcessRunner`: trains, and exits when its parent is gone.

Run as `python -m napari_sam_tune.core.rounds.worker`; see `worker_process` for how the two meet.
Messages in are (word, job or None) with the words run and cancel; messages out are a runner's, and
a `Heartbeat` every second for as long as this process can run at all.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import queue
import signal
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.rounds.messages import Heartbeat
from napari_sam_tune.core.rounds.steps import steps_of

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from napari_sam_tune.core.models.checkpoints import LoadedModel
    from napari_sam_tune.core.rounds.messages import Job, Message

NICENESS: Final = 10
OOM_SCORE: Final = "500"
"""Linux takes the process with the highest score first; 0 is usual, so the viewer survives."""
ADOPTION_SECONDS: Final = 1.0
"""Between two looks at who the parent is."""
BEAT_SECONDS: Final = 1.0
"""Between two heartbeats; each is some tens of bytes."""


class Worker:
    """Runs the jobs that arrive over a connection, one after the other, in the main thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._speaking = threading.Lock()
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._model = _BaseModel()

    def work(self) -> None:
        """Serve until the parent goes, which ends the process."""
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()
        # What is imported stays: the collector would look through a million new objects again and
        # again and find nothing, for a fifth of the time.
        gc.disable()
        import torch

        from napari_sam_tune.core.training import fit  # noqa: F401 - ahead of the first round

        # The first optimiser of a process imports seconds' worth of torch.
        torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
        gc.freeze()
        gc.enable()
        # all of them where this process is stopped while a click is answered
        budget = _cores() if os.name == "posix" else max(1, _cores() - 1)
        while True:
            job = self._jobs.get()
            torch.set_num_threads(budget)
            self._run(job)

    def _run(self, job: Job) -> None:
        for message in steps_of(
            job,
            self._cancelled.is_set,
            base_model=self._model.of,
        ):
            self._say(message)

    def _say(self, message: Message | Heartbeat) -> None:
        with self._speaking:
            self._connection.send(message)

    def _beat(self) -> None:
        """Be heard while the main thread computes: torch lets other threads run meanwhile."""
        with contextlib.suppress(OSError):  # the parent is gone; `_listen` ends this process
            while True:
                self._say(Heartbeat())
                time.sleep(BEAT_SECONDS)

    def _listen(self) -> None:
        try:
            while True:
                word, job = self._connection.recv()
                self._obey(word, job)
        except (EOFError, OSError):
            os._exit(0)

    def _obey(self, word: str, job: Any) -> None:
        if word == "run":
            self._cancelled.clear()
            self._jobs.put(job)
        elif word == "cancel":
            self._cancelled.set()


class _BaseModel:
    """Keeps the latest base model loaded between rounds, which give it back as it was."""

    def __init__(self) -> None:
        self._model: LoadedModel | None = None

    def of(self, job: Job) -> LoadedModel:
        """Return the job's base model, on the CPU."""
        from napari_sam_tune.core.models.checkpoints import load_base

        if self._model is None or self._model.ref != job.base:
            self._model = None  # the old one makes room before the new one is loaded
            self._model = load_base(job.base)
        return self._model


def _cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _yield_to_others() -> None:
    """Take a lower priority than the viewer's, and be the one to go when memory runs out."""
    if os.name == "nt":
        import psutil  # type: ignore[import-untyped]

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        return
    os.nice(NICENESS)
    score = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError):  # not Linux, or a container that forbids it
        score.write_text(OOM_SCORE)


def _exit_with_parent() -> None:
    """End this process when the parent closes the pipe, on purpose or by dying."""
    sys.stdin.buffer.read()  # it never writes again
    os._exit(0)


def _exit_when_adopted(parent: int) -> None:
    """End this process when it has another parent, even if a fork of the old one holds the pipe."""
    while os.getppid() == parent:
        time.sleep(ADOPTION_SECONDS)
    os._exit(0)


def _meet_parent() -> Connection:
    """Listen where only this user can reach, say where, and wait for the parent."""
    key = bytes.fromhex(sys.stdin.buffer.readline().decode())
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    # not left to Listener, which removes its folder at an orderly exit only
    with tempfile.TemporaryDirectory(prefix="sam-tune-") as folder:
        address = None if os.name == "nt" else str(Path(folder) / "worker")
        with Listener(address, authkey=key) as listener:
            sys.stdout.write(json.dumps(listener.address) + "\n")
            sys.stdout.flush()
            connection = listener.accept()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads stdout from here on
    return connection


def main() -> None:
    """Meet the parent, then serve it until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the parent's to answer
    faulthandler.enable()
    threading.Thread(target=_exit_when_adopted, args=[os.getppid()], daemon=True).start()
    _yield_to_others()
    Worker(_meet_parent()).work()


if __name__ == "__main__":
    main()
