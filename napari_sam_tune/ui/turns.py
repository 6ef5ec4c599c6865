"""What has to be done in the viewer's thread and takes long, done in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from collections.abc import Iterator


_PAUSE_MS = 20
"""Between steps. With none Qt would give a step two turns where something else waits for one."""


class Turns(QObject):
    """Goes on with one thing, step by step; between the steps the viewer hears the person."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._steps: Iterator[None] = iter(())
        self._timer = QTimer(self)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._go_on)

    def begin(self, steps: Iterator[None]) -> None:
        """Do what comes before the first `yield` now, and the rest in turns of the event loop."""
        self._steps = steps
        self._timer.start()
        self._go_on()

    def finish(self) -> None:
        """Do at once what is left; half of it must not stay."""
        self._timer.stop()
        for _ in self._steps:
            pass

    def drop(self) -> None:
        """Do no more of it."""
        self._timer.stop()
        self._steps = iter(())

    def _go_on(self) -> None:
        try:
            next(self._steps)
        except StopIteration:
            self._timer.stop()
        except Exception:
            self.drop()
            raise
