"""The one thread that owns the model; the viewer's thread only leaves messages for it.

Reading, encoding, proposing and swapping weights are tasks in one queue, so the model needs no
lock. Of each kind at most one task waits: a newer one replaces it. Answers come back on the thread
this object lives in (the viewer's), through a queued Qt signal, and only if no newer task of the
same kind was submitted meanwhile.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal

from napari_sam_tune.core.storage.heap_holes import IDLE_SECONDS, HeapHoles

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)


class Kind(IntEnum):
    """What a task is about; smaller numbers go first."""

    LOAD = 0
    SWAP = 1
    MIX = 2
    READ = 3
    ENCODE = 4
    PROPOSE = 5
    CLOSER = 6
    CONTRAST = 7
    LEARN = 8
    PREVIEW = 9
    SUGGEST = 10
    CARRY = 11
    SETTLE = 12
    AHEAD = 13
    SURVEY = 14
    DOUBT = 15


_URGENT = (Kind.MIX, Kind.READ, Kind.ENCODE, Kind.PROPOSE, Kind.CLOSER)


class Interrupted(Exception):
    """Something urgent came; what was interrupted may be asked for again."""


@dataclass(frozen=True, eq=False)
class Task:
    """One message to the inference thread.

    Attributes:
        kind: what it is about, and so how urgent it is.
        work: runs on the inference thread.
        done: gets what `work` returned, on the viewer's thread.
        failed: gets what `work` raised, on the viewer's thread.

    """

    kind: Kind
    work: Callable[[], Any]
    done: Callable[[Any], None]
    failed: Callable[[Exception], None]


class Inference(QObject):
    """The queue and its thread.

    Attributes:
        idle: emitted when the queue ran empty.

    """

    idle = Signal()
    _ended = Signal(object, object, bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: dict[Kind, Task] = {}
        self._newest: dict[Kind, Task] = {}
        self._changed = threading.Condition()
        self._closing, self._holes = False, HeapHoles()
        self._ended.connect(self._on_thread_ended, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._run, name="sam-tune inference", daemon=True)
        self._thread.start()

    def submit(
        self,
        kind: Kind,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Queue `work`, in place of a waiting task of the same kind."""
        task = Task(kind, work, done, failed)
        with self._changed:
            self._waiting[kind] = self._newest[kind] = task
            self._changed.notify()

    def forget(self, *kinds: Kind) -> None:
        """Drop waiting tasks of these kinds and the answers of running ones."""
        with self._changed:
            for kind in kinds:
                self._waiting.pop(kind, None)
                self._newest.pop(kind, None)

    def busy(self, *kinds: Kind) -> bool:
        """Whether a task of one of these kinds waits, runs, or has an answer on its way."""
        with self._changed:
            return any(kind in self._newest for kind in kinds)

    def give_way(self) -> None:
        """Let a long task end where a person waits for something.

        Raises:
            Interrupted: somebody does.

        """
        if self.busy(*_URGENT):
            raise Interrupted

    def close(self, timeout: float = 10.0) -> bool:
        """Stop after the task that runs now; returns whether the thread has ended in time."""
        with self._changed:
            self._closing = True
            self._waiting.clear()
            self._newest.clear()
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (task := self._next()) is not None:
            try:
                outcome, succeeded = task.work(), True
            except Exception as error:
                # Nothing is hidden: the error is handed to the task's own `failed`.
                _log.debug("%s failed", task.kind.name, exc_info=True)
                outcome, succeeded = error, False
            with self._changed:
                if self._closing:
                    return
            self._ended.emit(task, outcome, succeeded)

    def _next(self) -> Task | None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closing or self._waiting, IDLE_SECONDS):
                    return None if self._closing else self._waiting.pop(min(self._waiting))
            self._holes.give_back()  # without the lock: the viewer's thread does not wait for it

    def _on_thread_ended(self, task: Task, outcome: Any, succeeded: bool) -> None:
        with self._changed:
            if self._closing or self._newest.get(task.kind) is not task:
                return
            del self._newest[task.kind]
            is_idle = not self._newest
        (task.done if succeeded else task.failed)(outcome)
        if is_idle:
            self.idle.emit()
