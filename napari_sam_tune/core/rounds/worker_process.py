"""The worker process as its parent sees it: started, spoken to, ended, reaped.

The child is `python -m napari_sam_tune.core.rounds.worker`, not a `multiprocessing` child: `spawn`
runs a user's unguarded script again. It gets a random key over stdin, prints the address it listens
on, and the two then speak over an authenticated `multiprocessing.connection`. The parent keeps the
child's stdin open and writes nothing more: when the parent dies in any way, the child reads the
end of it and exits. One that is stopped reads nothing: it is in a process group of its own, which
POSIX hangs up on when its parent dies and leaves it stopped. (Not if the parent is killed in the
instant between asking it to stop and its stopping.)

The child is heard of every second. One of which nothing is heard, though nobody paused it, is stuck
(stopped from outside, or with a lock that is never let go), and is ended like one that died.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from importlib.resources import files
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil  # type: ignore[import-untyped]

from napari_sam_tune.core.rounds.messages import Heartbeat
from napari_sam_tune.core.training.job import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

LAST_WORDS_BYTES: Final = 16_000
EXIT_SECONDS: Final = 2.0


class WorkerProcess:
    """A worker, alive from construction until it ends or is ended.

    Args:
        received: called with each message, on this object's thread.
        ended: called once on that thread, when the process has ended and been reaped.

    Attributes:
        pid: of the process.
        last_words: the end of what it wrote to stderr, once it has ended.
        is_stuck: it was ended because nothing was heard of it any more.

    """

    LOOK_SECONDS: Final = 1.0
    QUIET_LOOKS: Final = 10
    """Nothing heard at so many looks in a row: it is stuck. Not measured by the clock: where the
    whole computer slept, or this process was stopped, only one look goes by."""
    STARTING_LOOKS: Final = 60
    """As `QUIET_LOOKS` until it has loaded a model for the first time: importing torch from a slow
    disk, and waking a GPU, may let no other thread run."""

    def __init__(
        self, received: Callable[[Any], None], ended: Callable[[WorkerProcess], None]
    ) -> None:
        self._received, self._on_end = received, ended
        self._lock = threading.Lock()
        self._unsent: list[object] = []
        self._connection: Connection | None = None
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _bury
        self.last_words = ""
        self.is_stuck = False
        self._quiet_looks = 0
        self._is_paused = self._is_telling = self._has_started = False
        self._buried = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "napari_sam_tune.core.rounds.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            process_group=None if os.name == "nt" else 0,
        )
        self.pid = self._process.pid
        self._handle = psutil.Process(self.pid)
        self._thread = threading.Thread(target=self._follow, name="sam-tune-worker", daemon=True)
        self._thread.start()
        threading.Thread(target=self._watch, name="sam-tune-watch", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        if self._process.poll() is not None:
            return False
        # poll() says None as well while the thread that follows it is waiting for its end
        try:
            return bool(self._handle.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False

    @property
    def epitaph(self) -> str:
        """How the process ended, and what to do, for a person."""
        if self.is_stuck:
            return (
                "The training process stopped answering, so it was ended and this training is "
                "lost; the weights in use are as they were. Fine-tune again: that starts a new "
                "process."
            )
        code = self._process.returncode
        how = f"was stopped by signal {-code}" if code and code < 0 else f"ended with code {code}"
        likely = (
            " Most likely the computer ran out of memory: close other programs, or train with a "
            "smaller batch."
            if code == -9
            else ""
        )
        return (
            f"The training process {how}, so this training is lost; the weights in use are as they "
            f"were.{likely} The next one starts a new process."
        )

    def send(self, message: object) -> None:
        """Send a message, or keep it until the worker listens; never waits for the worker."""
        with self._lock:
            if self._connection is None:
                self._unsent.append(message)
                return
            try:
                self._connection.send(message)
            except OSError:
                return  # the worker is gone: the thread that follows it says so

    def pause(self) -> None:
        """Stop it where it stands, so that its caches and processors are somebody else's.

        Nothing happens on Windows, where nobody would wake it if this process died meanwhile.
        """
        if os.name == "posix":
            self._is_paused = True
            with contextlib.suppress(psutil.Error):  # it is gone
                self._handle.suspend()

    def resume(self) -> None:
        """Let it go on; does nothing if it was not stopped."""
        if os.name == "posix":
            with contextlib.suppress(psutil.Error):
                self._handle.resume()
            self._is_paused = False

    def end(self) -> None:
        """End the process now, and wait until it is reaped and its end has been told."""
        self._process.kill()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _follow(self) -> None:
        try:
            connection = self._connect()
            while True:
                message = connection.recv()
                self._quiet_looks = 0
                if not isinstance(message, Heartbeat):
                    self._tell(message)
        except (EOFError, OSError, AuthenticationError):
            pass  # the worker is gone, or does not speak with us
        finally:
            self._bury()
            self._on_end(self)

    def _tell(self, message: Any) -> None:
        """Hand a message on; nothing is heard of the worker while somebody deals with it."""
        self._is_telling = True
        is_loading = isinstance(message, Progress) and message.phase == "loading"
        self._has_started = self._has_started or not is_loading
        try:
            self._received(message)
        finally:
            self._is_telling = False

    def _watch(self) -> None:
        """End the process when nothing was heard of it for too long."""
        while not self._buried.wait(self.LOOK_SECONDS):
            if self._is_paused or self._is_telling:
                continue
            self._quiet_looks += 1
            most = self.QUIET_LOOKS if self._has_started else self.STARTING_LOOKS
            if self._quiet_looks >= most:
                self.is_stuck = True
                self._process.kill()
                return

    def _connect(self) -> Connection:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OSError("the worker was started without pipes")
        key = secrets.token_bytes(32)
        stdin.write(key.hex().encode() + b"\n")
        stdin.flush()
        greeting = stdout.readline()
        if not greeting:
            raise EOFError
        connection: Connection = Client(json.loads(greeting), authkey=key)
        with self._lock:
            self._connection = connection
            for message in self._unsent:
                connection.send(message)
            self._unsent.clear()
        return connection

    def _bury(self) -> None:
        self._buried.set()
        try:
            self._process.wait(EXIT_SECONDS)  # its own exit code says more than ours
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - LAST_WORDS_BYTES))
        self.last_words = self._stderr.read().decode(errors="replace")
        self._stderr.close()


def _environment() -> dict[str, str]:
    """The child imports this very package, wherever it is, and nothing from the working folder."""
    here = str(Path(str(files("napari_sam_tune"))).parent)
    earlier = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # ".", or nothing between two colons, is the working folder
    path = [here, *(entry for entry in earlier if Path(entry).is_absolute())]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
