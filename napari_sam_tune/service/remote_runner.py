"""Rounds on a server, behind the face of a local runner; the project stays where it is.

Images, records and weights are sent by content, as far as the server has not got them. A connection
that breaks is made again and the round listened to from where it was; a server that was started
anew has forgotten it, which ends it like any failure, and the next round sends what is missing.

Images that are read in windows, gigabytes of a line scan, are not sent: a round with masks on one
runs on this computer, as do those of heads.
"""

from __future__ import annotations

import contextlib
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.promptless.job import HeadJob
from napari_sam_tune.core.rounds.messages import RoundCancelled, RoundFailed
from napari_sam_tune.core.rounds.steps import failure_of
from napari_sam_tune.core.rounds.under_way import require_idle
from napari_sam_tune.core.texts.wording import join_sentences, tr
from napari_sam_tune.core.training.job import Candidate, Progress
from napari_sam_tune.service.connection import ServerGone, ServerRefused
from napari_sam_tune.service.round_bodies import message_of
from napari_sam_tune.service.sending import Sending

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import httpx

    from napari_sam_tune.core.rounds.messages import Job, Message, Terminal
    from napari_sam_tune.core.rounds.runners import Runner
    from napari_sam_tune.core.training.job import TrainingJob
    from napari_sam_tune.service.connection import Connection


class _Cancelled(Exception):
    """Raised in a round's thread to leave it."""


class RemoteRunner:
    """Runs rounds on a server; heads, and rounds on large images, run on this computer.

    Args:
        connection: to the server.
        local: runs what the server does not, and steps aside for clicks.

    """

    PATIENCE_SECONDS: Final = 120.0
    """A round whose server cannot be reached for so long is given up."""
    AGAIN_SECONDS: Final = 1.0
    """Between two tries to reach it."""

    def __init__(self, connection: Connection, local: Runner) -> None:
        self._connection, self._local = connection, local
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None  # of the last round
        self._is_under_way = False
        self._cancelled = threading.Event()
        self._begun: str | None = None  # the round under way, as the server calls it
        self._is_closed = False

    def start(self, job: Job, listen: Callable[[Message], None]) -> None:
        """Begin a round and return at once; see `Runner.start`."""
        if isinstance(job, HeadJob):
            self._local.start(job, listen)
            return
        with self._lock:
            require_idle(self._is_under_way, is_closed=self._is_closed)
            self._cancelled, self._is_under_way = threading.Event(), True
            self._thread = threading.Thread(
                target=self._carry_out, args=(job, listen), name="sam-tune round", daemon=True
            )
            self._thread.start()

    def cancel(self) -> None:
        """Stop within a step of the server, or at once where it cannot be reached."""
        self._cancelled.set()  # first, for a round that begins here meanwhile looks at it
        self._local.cancel()
        with self._lock:
            begun, self._begun = self._begun, None
        if begun is not None:
            threading.Thread(target=self._cancel_there, args=[begun], daemon=True).start()

    def wait(self, timeout: float | None = None) -> bool:
        """See `Runner.wait`."""
        began, thread = monotonic(), self._thread
        if thread is not None:
            thread.join(timeout)
            if thread.is_alive():
                return False
        left = None if timeout is None else max(0.0, timeout - (monotonic() - began))
        return self._local.wait(left)

    def close(self) -> None:
        """Cancel what is under way, and let go of everything, the connection too."""
        with self._lock:
            self._is_closed = True
        self.cancel()
        self._local.close()
        if self._thread is not threading.current_thread():
            self.wait()
        self._connection.close()

    def stepping_aside(self) -> AbstractContextManager[None]:
        """See `Runner.stepping_aside`; of what is trained on this computer."""
        return self._local.stepping_aside()

    # ------------------------------------------------------------- on its thread

    def _carry_out(self, job: TrainingJob, listen: Callable[[Message], None]) -> None:
        cancelled = self._cancelled
        end: Terminal
        try:
            end = self._run(job, listen)
        except _Cancelled:
            end = RoundCancelled()
        except (ServerGone, ServerRefused) as error:
            end = RoundFailed(
                "server",
                join_sentences(str(error), tr("The weights in use are as they were.")),
            )
        except Exception as error:
            end = failure_of(error)
        if cancelled.is_set():
            end = RoundCancelled()
        with self._lock:
            self._is_under_way, self._begun = False, None
        listen(end)

    def _run(self, job: TrainingJob, listen: Callable[[Message], None]) -> Terminal:
        listen(Progress(0, job.config.steps, None, None, None, "loading"))
        project = Project.open(job.project, create=False)
        if _has_large_images(project, job):
            return self._run_here(job, listen)
        sending = Sending(project, job, self._ask, listen)
        begun = sending.begin()
        with self._lock:
            self._begun = begun
        if self._cancelled.is_set():
            self._cancel_there(begun)
        end = self._followed(begun, listen)
        return sending.keep(begun, end) if isinstance(end, Candidate) else end

    def _run_here(self, job: TrainingJob, listen: Callable[[Message], None]) -> Terminal:
        ends: list[Terminal] = []

        def hear(message: Message) -> None:
            if isinstance(message, Progress):
                listen(message)
            else:
                ends.append(message)

        self._local.start(job, hear)
        if self._cancelled.is_set():
            self._local.cancel()
        self._local.wait()
        return ends[0]

    def _ask(self, method: str, path: str, **body: Any) -> httpx.Response:
        """Ask the server, again and again while it cannot be reached.

        Raises:
            ServerGone: it could not be reached for too long.
            ServerRefused: it will not.

        """
        given_up = monotonic() + self.PATIENCE_SECONDS
        while True:
            if self._cancelled.is_set():
                raise _Cancelled
            try:
                return self._connection.ask(method, path, **body)
            except ServerGone:
                if monotonic() > given_up:
                    raise
                self._cancelled.wait(self.AGAIN_SECONDS)

    def _followed(self, begun: str, listen: Callable[[Message], None]) -> Terminal:
        """Listen to a round until it ends."""
        heard: str | None = None
        gone_since: float | None = None
        while True:
            try:
                with self._connection.listen(f"/v1/rounds/{begun}/events", heard) as events:
                    gone_since = None
                    for number, kind, data in events:
                        heard = number
                        message = _read(kind, data)
                        if not isinstance(message, Progress):
                            return message
                        if not self._cancelled.is_set():
                            listen(message)
            except ServerGone:
                gone_since = gone_since or monotonic()
                if monotonic() - gone_since > self.PATIENCE_SECONDS:
                    raise
            if self._cancelled.wait(self.AGAIN_SECONDS):
                raise _Cancelled

    def _cancel_there(self, begun: str) -> None:
        """Tell the server; one that is gone has forgotten the round anyway."""
        with contextlib.suppress(ServerGone, ServerRefused):
            self._connection.ask("DELETE", f"/v1/rounds/{begun}")


def _has_large_images(project: Project, job: TrainingJob) -> bool:
    """Whether a mask of the round is on an image that is read in windows, and never sent."""
    asked = {*job.train_ids, *job.judge_ids}
    images = {one.image_id for one in project.counting() if one.id in asked}
    shapes = [project.image(image).shape for image in images]
    return any(height * width > large_image.LARGE_PIXELS for height, width in shapes)


def _read(kind: str, data: str) -> Message:
    try:
        message = message_of(kind, data)
    except ValueError as error:
        raise TrainingError(
            tr("The server said what this release does not understand: {error}", error=error)
        ) from error
    if message is None:
        raise TrainingError(
            tr("The server said “{kind}”, which this release does not know.", kind=kind)
        )
    return message
