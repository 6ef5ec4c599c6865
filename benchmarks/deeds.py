"""How long deeds keep the viewer's event loop waiting, for `blocking.py`."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from event_loop import TICK_MS, spin
from qtpy.QtCore import QElapsedTimer, Qt, QTimer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 6  # each deed, so that p99 is of more than a few ticks
REST_S = 0.4  # after each, for what it draws
LOOK_S, LATE_MS = 0.005, 15.0


@dataclass(frozen=True)
class Tick:
    """A tick of the timer: how late, all in ms; and what was seen of the thread meanwhile."""

    late: float
    own: float
    busy: float
    seen: tuple[str, ...]


class Pulse:
    """A 10 ms timer that notes how late each tick came, and why."""

    def __init__(self) -> None:
        self._clock, self._timer = QElapsedTimer(), QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)
        self._schedule = Path("/proc/thread-self/schedstat")
        self._seen: list[str] = []
        self._main, self._on = threading.get_ident(), True
        self.ticks: list[Tick] = []
        self._before = self._now()
        self._clock.start()
        self._timer.start(TICK_MS)
        threading.Thread(target=self._look, daemon=True).start()

    def stop(self) -> None:
        """Tick no more."""
        self._on = False
        self._timer.stop()

    def _now(self) -> tuple[float, float]:
        """Return for how many ms this thread worked, and waited for a processor."""
        waited = 0.0
        if self._schedule.exists():
            waited = int(self._schedule.read_text().split()[1]) / 1e6
        return 1e3 * time.thread_time(), waited

    def _on_tick(self) -> None:
        late = max(0.0, self._clock.nsecsElapsed() / 1e6 - TICK_MS)
        self._clock.restart()
        seen, self._seen = tuple(self._seen), []
        (busy_then, waited_then), now = self._before, self._now()
        self._before = now
        own = max(0.0, late - (now[1] - waited_then))
        self.ticks.append(Tick(late, own, now[0] - busy_then, seen))

    def _look(self) -> None:
        while self._on:
            time.sleep(LOOK_S)
            if self._clock.nsecsElapsed() / 1e6 - TICK_MS > LATE_MS:
                self._seen.append(place_of(sys._current_frames()[self._main]))


def place_of(frame: Any) -> str:
    """Say what a thread is at: innermost, and where this plugin called it."""
    frames = traceback.extract_stack(frame)
    ours = [f for f in frames if "napari_sam_tune" in f.filename][-3:]
    named = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in (frames[-1], *ours[::-1])]
    return " < ".join(dict.fromkeys(named))


class Deeds:
    """Measures deeds and keeps what was measured."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, list[Tick]]] = []

    def do(
        self,
        name: str,
        act: Callable[[], object],
        until: Callable[[], bool] = lambda: True,
        times: int = TIMES,
    ) -> None:
        """Do something some times, each time until it is through and drawn."""
        ticks: list[Tick] = []
        for _ in range(times):
            pulse = Pulse()
            act()
            spin(until, slowly=False)
            rest()
            pulse.stop()
            ticks += pulse.ticks
        self.rows.append((name, ticks))
        longest = max(ticks, key=lambda tick: tick.busy)
        print(f"{name}: busy {longest.busy:.0f} ms at most", flush=True)

    def show(self, title: str) -> None:
        """Print a row for each deed."""
        console = Console(width=150)
        table = Table("deed", "ticks", "own p50", "p99", "max", "wall p99", "max", "busy max")
        table.title = f"{title}: ms late"
        for name, ticks in self.rows:
            own, wall = [t.own for t in ticks], [t.late for t in ticks]
            figures = (
                *np.percentile(own, (50, 99, 100)),
                *np.percentile(wall, (99, 100)),
                max(t.busy for t in ticks),
            )
            table.add_row(name, str(len(ticks)), *(f"{figure:.0f}" for figure in figures))
        console.print(table)
        for name, ticks in self.rows:
            longest = max(ticks, key=lambda tick: tick.own)
            for place, count in Counter(longest.seen).most_common(4):
                text = f"{name}, of {longest.own:.0f} ms: {count / len(longest.seen):.0%} {place}"
                console.print(text, markup=False, highlight=False)


def rest(seconds: float = REST_S) -> None:
    """Let the viewer be."""
    end = time.monotonic() + seconds
    spin(lambda: time.monotonic() > end, slowly=False)
