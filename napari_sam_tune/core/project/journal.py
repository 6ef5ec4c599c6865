"""The logs of a project, one for each machine that wrote to it, and what they add up to.

Entries of different machines are put in order by their times, those of one machine stay in the
order in which they were written. So that what was said in the knowledge of something comes after
it, whatever the clocks say, an entry's time is later than that of all entries read before it
(hybrid logical clocks, Kulkarni et al. 2014).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from napari_sam_tune.core.errors import DamagedLogError, ProjectError
from napari_sam_tune.core.project.ledger import SINCE_3, Ledger
from napari_sam_tune.core.project.looking import Looking
from napari_sam_tune.core.storage.chained_log import ChainedLog
from napari_sam_tune.core.storage.holding import machine
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST: Final = "log.jsonl"
"""The log of the machine that made the project, or of the releases before there were several."""
LOGS: Final = "log-*.jsonl"
"""Those of other machines."""
_STEP: Final = 1e-6
_LATEST: Final = 1e11
"""Seconds since 1970: beyond the year 5000 it is no clock that is wrong."""


class Said(NamedTuple):
    """An entry and its place in the order of all.

    Attributes:
        when: its time, or that of the entry before it in the same log if that is later.
        log: the name of the log.
        number: of the entry in its log.
        entry: what was said.

    """

    when: float
    log: str
    number: int
    entry: dict[str, Any]


class Journal:
    """Reads and appends; may be used from several threads.

    Args:
        folder: the project's folder.
        about_to_write: called with a format of projects before an entry is written that programs
            of earlier formats would not find, or would not understand.
        copy: which copy of a shared project it is, see `share_link`; it has a log of its own.
        looking: how often threads look for what other programs said; None: whenever they read.

    """

    def __init__(
        self,
        folder: Path,
        about_to_write: Callable[[int], None] = lambda _: None,
        copy: str = "",
        looking: Looking | None = None,
    ) -> None:
        self._folder, self._looking = folder, looking or Looking()
        self._about_to_write = about_to_write
        self._copy = copy
        self._lock = threading.Lock()
        self._damage: DamagedLogError | None = None
        self._assumed: list[dict[str, Any]] = []
        self._start_anew()

    def _start_anew(self) -> None:
        self._logs: dict[str, ChainedLog] = {}
        self._counts: dict[str, int] = {}
        self._whens: dict[str, float] = {}
        self._ledger = Ledger(copy=self._copy)
        self._shown: Ledger | None = None
        self._last: tuple[float, str, int] = (0.0, "", 0)

    # ---------------------------------------------------------------- reading

    def read(self) -> Ledger:
        """Return everything said so far, by this program or another; cheap if nothing is new.

        What another program said in a turn in which this thread has looked comes in the next one.

        What is returned never changes: a reader may go through it while another thread appends.

        Raises:
            ProjectError: a log is gone, was replaced, is damaged, or cannot be understood.

        """
        with self._lock:
            if self._looking.has_looked("log") and self._shown is not None:
                return self._shown
            return self._read()

    def _read(self) -> Ledger:
        if self._damage is not None:
            raise self._damage
        try:
            fresh = self._read_new()
            if fresh and fresh[0][:3] < self._last:
                # another machine's entries came late: what was said before is said again
                self._start_anew()
                fresh = self._read_new()
            if fresh:
                self._ledger = self._ledger.with_entries(said.entry for said in fresh)
                self._last, self._shown = fresh[-1][:3], None
        except ProjectError as error:
            # the next reader is to be told as well, and what is left is not to pass for the whole
            self._damage = error if isinstance(error, DamagedLogError) else None
            self._start_anew()
            raise
        if self._shown is None:
            # what was assumed may have been said by another program meanwhile
            self._assumed = [e for e in self._assumed if not self._ledger.knows(e)]
            self._shown = self._ledger.with_entries(self._assumed)
        return self._shown

    def assume(self, entries: list[dict[str, Any]]) -> None:
        """Go on as if these entries about the turning of images were there.

        The next entry takes them along.

        So whoever only looks at a project changes nothing in it.
        """
        with self._lock:
            self._assumed, self._shown = entries, None
            self._read()

    def say_assumed(self) -> None:
        """Write down what is assumed, if anything is; before something is made that builds on it.

        Raises:
            StorageError: the disk refused.

        """
        with self._lock:
            if self._assumed:
                own = self._own()
                with own.locked():
                    self._begin(own)

    def _begin(self, own: ChainedLog) -> None:
        """Write what comes before any entry of this program; the log is locked."""
        if own.end.size == 0:
            self._about_to_write(2)
            own.append(self._header())
            self._read()
        for entry in list(self._assumed):
            own.append({"time": self._next_moment(), **entry})
            self._read()

    def _next_moment(self) -> float:
        return max(time.time(), self._last[0] + _STEP)

    def _read_new(self) -> list[Said]:
        """Return the new entries of all logs, in order."""
        found: list[Said] = []
        for log in self._present():
            name = log.path.name
            for entry in log.read_new():
                moment: Any = entry.get("time")
                if type(moment) not in {int, float} or not 0 <= moment < _LATEST:
                    raise ProjectError(
                        tr(
                            "{path} holds an entry that cannot be understood, without a time "
                            "of this age: {entry}. Was it edited by hand?",
                            path=log.path,
                            entry=str(entry)[:200],
                        )
                    )
                when = max(float(moment), self._whens.get(name, 0.0))
                number = self._counts.get(name, 0) + 1
                self._whens[name], self._counts[name] = when, number
                found.append(Said(when, name, number, entry))
        return sorted(found)

    def _present(self) -> list[ChainedLog]:
        names = {FIRST, *(path.name for path in self._folder.glob(LOGS)), *self._logs}
        return [self._log(name) for name in sorted(names)]

    def _log(self, name: str) -> ChainedLog:
        if name not in self._logs:
            self._logs[name] = ChainedLog(self._folder / name)
        return self._logs[name]

    def require_whole(self) -> None:
        """Refuse logs that have lost their ends; to be called when a project is opened.

        Raises:
            DamagedLogError: says which, and what to do.

        """
        with self._lock:
            once = {log.path.name: log.noted_size() for log in self._present()}
            ledger = self._read()
            for name, size in once.items():
                self._log(name).require_whole(size)
            for name, size in ledger.old_logs.items():
                if self._log(name).end.size < size:
                    raise DamagedLogError(
                        tr(
                            "{path} has {size} bytes and once had {once}: its end is missing. "
                            "Restore it from a backup, or see what can be saved: "
                            "napari-sam-tune check {folder}",
                            path=self._folder / name,
                            size=self._log(name).end.size,
                            once=size,
                            folder=self._folder,
                        )
                    )

    @property
    def latest(self) -> float:
        """When the latest entry read so far was said, UTC, in seconds."""
        return self._last[0]

    def entries(self) -> list[dict[str, Any]]:
        """Return all that was said, in order."""
        again = Journal(self._folder)
        return [said.entry for said in again._read_new()]

    # ---------------------------------------------------------------- writing

    def append(
        self,
        kind: str,
        *,
        unless: Callable[[Ledger], bool] = lambda _: False,
        after: float = 0.0,
        **entry: Any,
    ) -> Ledger:
        """Say one thing, durably, and return everything said by then.

        Args:
            kind: of the entry.
            unless: given all that was said just before, with no other program of this machine
                writing meanwhile; nothing is said where it returns true.
            after: its time is later than this one, in seconds since 1970.
            entry: the entry's values; a "time" in place of now is when it was said elsewhere.

        Raises:
            StorageError: the disk refused.
            ProjectError: as `read`, or the entry makes no sense.

        """
        with self._lock:
            own = self._own()
            with own.locked():
                ledger = self._read()
                if unless(ledger):
                    return ledger
                self._begin(own)
                moment = max(self._next_moment(), after + _STEP)
                said = {"kind": kind, "time": moment, **entry}
                ledger.with_entries([said])  # what nobody will understand must not be written
                if kind in SINCE_3:
                    self._about_to_write(3)
                own.append(said)
                return self._read()

    @property
    def here(self) -> dict[str, Any]:
        """What an entry says that is true in this copy of the project alone, such as a path."""
        return {"copy": self._copy} if self._copy else {}

    @property
    def own_name(self) -> str:
        """Name of the log that this machine writes to."""
        with self._lock:
            return self._own().path.name

    def _own(self) -> ChainedLog:
        """Return this machine's log: the first one, where it made the project, else one more."""
        self._read()
        if self._copy:
            return self._log(f"log-{machine()}-{self._copy}.jsonl")
        first = self._log(FIRST)
        is_ours = first.has_checksums and self._ledger.writers.get(FIRST) == machine()
        if first.end.size == 0 or is_ours:
            return first
        return self._log(f"log-{machine()}.jsonl")

    def _header(self) -> dict[str, Any]:
        old = {log.path.name: log.end.size for log in self._present() if not log.has_checksums}
        own = self._own().path.name
        return {
            "kind": "log",
            "time": self._next_moment(),
            "name": own,
            "machine": machine(),
            "old": old,
        }


def is_time(moment: object) -> bool:
    """Whether it is seconds since 1970 as a clock may show them, right or wrong."""
    return type(moment) in {int, float} and 0 <= float(moment) < _LATEST  # type: ignore[arg-type]
