"""What takes longer than a frame and needs no model: done beside the viewer's thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future


class Background(QObject):
    """One thread; of the jobs of one name only the newest counts."""

    _ended = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, "sam-tune lists")
        self._newest: dict[str, Future[Any]] = {}
        self._takers: dict[
            Future[Any], tuple[str, Callable[[Any], None], Callable[[Exception], None]]
        ] = {}
        self._is_closed = False
        self._ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)

    def submit(
        self,
        name: str,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Have `work` done; what it returns or raises comes back on the viewer's thread."""
        before = self._newest.get(name)
        if before is not None and before.cancel():
            self._takers.pop(before, None)
        future = self._newest[name] = self._pool.submit(work)
        self._takers[future] = name, done, failed
        future.add_done_callback(self._tell)

    def forget(self, name: str) -> None:
        """Expect no answer of this name any more."""
        self._newest.pop(name, None)

    def close(self) -> None:
        """Expect nothing any more."""
        self._is_closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _tell(self, future: Future[Any]) -> None:
        if not (self._is_closed or future.cancelled()):
            self._ended.emit(future)

    def _on_ended(self, future: Future[Any]) -> None:
        name, done, failed = self._takers.pop(future)
        if self._is_closed or self._newest.get(name) is not future:
            return
        del self._newest[name]
        error = future.exception()
        if error is None:
            done(future.result())
        elif isinstance(error, Exception):
            failed(error)
