"""Tells whether a project is whole, and saves what can be saved of one that is not.

Masks lie in records of their own, which no damage to a log touches; each record names its image,
so that a lost log can be made again from them, but for classes' colours, marks, deletions and
which weights were in use.
"""

from __future__ import annotations

import json
import shutil
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.errors import CheckpointError, DamagedLogError, ProjectError
from napari_sam_tune.core.project.annotations import Annotation
from napari_sam_tune.core.project.announcing import announced_files
from napari_sam_tune.core.project.folder import AT_FIRST, FORMAT_VERSION, ProjectFolder
from napari_sam_tune.core.project.image_files import is_there
from napari_sam_tune.core.project.journal import FIRST, LOGS, Journal, is_time
from napari_sam_tune.core.project.ledger import SINCE_3, Ledger
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.storage.chained_log import ChainedLog
from napari_sam_tune.core.storage.durable import saving
from napari_sam_tune.core.storage.holding import machine
from napari_sam_tune.core.storage.log_lines import salvage
from napari_sam_tune.core.storage.own_files import read_own, refuse_link
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DAMAGED: Final = "damaged"
"""Folder of a project that what was damaged is moved to."""
_NAMED: Final = 5
_HOUR: Final = 3600.0


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        what: a sentence for the person.
        remedy: what `repair` does about it; None where it can do nothing.

    """

    what: str
    remedy: str | None = None


class ProjectCheck:
    """Looks through a project without changing it, and repairs what can be.

    Args:
        path: the project's folder. No program should have it open while it is repaired: what one
            of this machine says meanwhile is kept, but it has to open the project again.

    Raises:
        ProjectError: it is not a project, or was made by a newer release.

    """

    def __init__(self, path: str | Path) -> None:
        self._folder = ProjectFolder(path)
        if not self._folder.marker.is_file() and not self._folder.annotations.exists():
            raise ProjectError(
                tr("There is no project in {folder}. Check the path.", folder=self._folder.path)
            )
        if self._folder.marker.is_file():
            self._folder.check_format()
        self._folder.refuse_links()
        refuse_link(self._folder.path / _DAMAGED)
        self._damaged_logs: dict[str, list[dict[str, Any]]] = {}
        self._damaged_records: list[str] = []
        self._lost_images: dict[str, dict[str, Any]] = {}
        self._needed_format = AT_FIRST  # by what is in the logs
        self._stale: list[Path] = []
        self._unlisted: list[Path] = []

    def run(self) -> Iterator[Finding]:
        """Look at the marker, the logs, every mask, the weights, and what dead writers left."""
        if not self._folder.marker.is_file():
            yield Finding("project.json is missing.", "It is written anew.")
        yield from self._check_logs()
        ledger = self._what_is_left()
        yield from self._check_records(ledger)
        if not self._damaged_logs and self._folder.marker.is_file():
            yield from self._check_weights(ledger)
            yield from self._check_images(ledger)
        yield from self._check_leftovers()

    # ----------------------------------------------------------------- looking

    def _check_logs(self) -> Iterator[Finding]:
        self._damaged_logs = {}
        names = {FIRST, *(path.name for path in self._folder.path.glob(LOGS))}
        for name in sorted(names):
            log = ChainedLog(self._folder.path / name)
            if not log.path.exists():
                self._damaged_logs[name] = []
                yield Finding(f"{name} is missing.", _REWRITTEN)
                continue
            once = log.noted_size()
            try:
                log.read_new()
                log.require_whole(once)
            except DamagedLogError as error:
                entries, lost = salvage(log.path)
                self._damaged_logs[name] = entries
                yield Finding(
                    f"{error} {len(entries)} of its lines can be read, {lost} cannot.", _REWRITTEN
                )
                continue
            is_longer = log.path.stat().st_size > log.end.size  # somebody may be writing to it
            if is_longer and not read_own(log.path).endswith(b"\n"):
                yield Finding(
                    f"{name} ends in a line cut short, which a program left that was stopped while "
                    "it wrote; it had told nobody that this was saved. The next one that writes "
                    "removes it."
                )
        if not self._damaged_logs:
            try:
                Journal(self._folder.path).require_whole()
            except ProjectError as error:
                self._damaged_logs = self._senseless(sorted(names))
                yield Finding(str(error), _REWRITTEN)

    def _senseless(self, names: list[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the logs with entries nobody understands, without these; else the first log."""
        logs = {name: salvage(self._folder.path / name)[0] for name in names}
        _, dropped = _fold([entry for entries in logs.values() for entry in entries])
        kept = {name: [e for e in entries if e not in dropped] for name, entries in logs.items()}
        changed = {name: found for name, found in kept.items() if len(found) < len(logs[name])}
        return changed or {FIRST: logs[FIRST]}

    def _what_is_left(self) -> Ledger:
        """Return what the logs add up to, as far as they can be read."""
        entries = [entry for found in self._damaged_logs.values() for entry in found]
        for path in [self._folder.log, *self._folder.path.glob(LOGS)]:
            if path.name not in self._damaged_logs:
                entries += ChainedLog(path).read_new()
        link = self._folder.share_link()
        if link is not None:
            self._needed_format = FORMAT_VERSION
        elif any(str(entry.get("kind")) in SINCE_3 for entry in entries):
            self._needed_format = 3
        return _fold(entries, "" if link is None else link.copy)[0]

    def _check_records(self, ledger: Ledger) -> Iterator[Finding]:
        store = self._folder.annotations
        masks_of: dict[str, int] = {}
        for name in sorted(store.names()):
            try:
                stored = store.attributes(name)
                annotation = Annotation.from_record(name, stored, store)
                annotation.cropped_mask  # noqa: B018  # reads and checks it
            except ProjectError as error:
                if isinstance(error.__cause__, PermissionError):
                    yield Finding(str(error))  # as good as it was, for whoever may read it
                    continue
                self._damaged_records.append(name)
                yield Finding(str(error), f"It is moved to {_DAMAGED}/.")
                continue
            if annotation.image_id in ledger.images:
                continue
            masks_of[annotation.image_id] = masks_of.get(annotation.image_id, 0) + 1
            facts = stored.get("image")
            if isinstance(facts, dict):
                shape = list(annotation.shape)
                self._lost_images[annotation.image_id] = {**facts, "shape": shape}
        known = [image_id for image_id in masks_of if image_id in self._lost_images]
        if known:
            yield Finding(
                f"{sum(masks_of[i] for i in known)} mask(s) are of images that no log knows: "
                f"{_some(known)}.",
                "The images are registered again, as the masks describe them.",
            )
        unknown = [image_id for image_id in masks_of if image_id not in self._lost_images]
        if unknown:
            yield Finding(
                f"{sum(masks_of[i] for i in unknown)} mask(s) are of images that no log knows, and "
                f"were made by a release that did not describe them: {_some(unknown)}. Open these "
                "images once in the project under these names, or restore log.jsonl from a backup."
            )

    def _check_weights(self, ledger: Ledger) -> Iterator[Finding]:
        project = Project(self._folder)
        overruled = project.overruled()
        if overruled:
            yield Finding(
                f"{len(overruled)} object(s) were corrected twice at once; the later form counts, "
                f"the other is kept: {_some([a.id for a in overruled])}."
            )
        folder = self._folder.weights
        known = {f"{version}.safetensors" for version in ledger.weights}
        self._unlisted = [path for path in folder.glob("*") if path.name not in known]
        if self._unlisted:
            yield Finding(
                f"{len(self._unlisted)} file(s) in weights/ belong to no version, which a program "
                f"left that was stopped: {_some([path.name for path in self._unlisted])}.",
                f"They are moved to {_DAMAGED}/.",
            )
        for version in ledger.weights:
            try:
                project.load_weights(version)
            except (ProjectError, CheckpointError) as error:
                yield Finding(str(error))

    def _check_images(self, ledger: Ledger) -> Iterator[Finding]:
        project = Project(self._folder)
        for image in ledger.images.values():
            if image.path is None:
                try:
                    project.read_image(image.id)
                except ProjectError as error:
                    yield Finding(str(error))
        missing = [
            image.id
            for image in ledger.images.values()
            if image.path is not None and not is_there(self._folder.path / image.path)
        ]
        if missing:
            yield Finding(
                f"{len(missing)} image(s) are not where they were: {_some(missing)}. Show the "
                "project their folder (relink)."
            )

    def _check_leftovers(self) -> Iterator[Finding]:
        pending = self._folder.pending
        left: list[Path] = []
        with suppress(OSError):  # there is none, or it cannot be looked into
            left += pending.iterdir()
        self._stale = [path for path in left if path.lstat().st_mtime < time.time() - _HOUR]
        if self._stale:
            yield Finding(
                f"{len(self._stale)} unfinished write(s) of programs that were stopped.",
                "They are removed.",
            )

    # --------------------------------------------------------------- repairing

    def repair(self) -> None:
        """Do what the findings of `run` say can be done; what was damaged is moved, not deleted.

        Raises:
            StorageError: the disk refused.

        """
        damaged = self._folder.path / _DAMAGED
        with saving("The repaired project", self._folder.path):
            if self._damaged_logs or self._damaged_records or self._unlisted:
                damaged.mkdir(exist_ok=True)
            if not self._folder.marker.is_file():
                # no newer than need be: a release that can still read the project shall
                self._folder.write_marker(created=time.time(), version=self._needed_format)
            self._remake_logs(damaged)
            for name in self._damaged_records:
                shutil.move(self._folder.annotations.root / name, damaged / name)
            for path in self._still_unlisted():
                shutil.move(path, damaged / path.name)
            for path in self._stale:
                shutil.rmtree(path, ignore_errors=True)
        journal = Journal(self._folder.path, about_to_write=self._folder.raise_format)
        if self._damaged_logs:
            sizes = {n: (self._folder.path / n).stat().st_size for n in self._damaged_logs}
            journal.append("log", name=journal.own_name, machine=machine(), old=sizes)
        for image_id, facts in self._lost_images.items():
            journal.append("image", unless=partial(_knows, image_id), id=image_id, **facts)

    def _remake_logs(self, damaged: Path) -> None:
        """Write damaged logs anew, with what was said since `run`; nobody says more meanwhile."""
        with ExitStack() as held:
            logs = {name: ChainedLog(self._folder.path / name) for name in self._damaged_logs}
            for log in logs.values():
                if log.path.exists():
                    held.enter_context(log.locked())
            for _ in self._check_logs():
                pass
            found, stamp = self._damaged_logs, time.strftime("%Y%m%dT%H%M%S")
            self._damaged_logs = {name: found[name] for name in logs if name in found}
            for name, entries in self._damaged_logs.items():
                logs[name].rewrite(entries, saving_as=damaged / f"{stamp}-{name}")

    def _still_unlisted(self) -> list[Path]:
        """Return the files in `weights/` that no log names, nor is about to."""
        coming = announced_files(self._folder)  # before the logs: what comes is named, then no more
        known = self._what_is_left().weights
        return [
            path
            for path in self._unlisted
            if path not in coming and path.name.removesuffix(".safetensors") not in known
        ]


_REWRITTEN: Final = f"What can be read of it is written anew; the damaged file goes to {_DAMAGED}/."


def _fold(entries: list[dict[str, Any]], copy: str = "") -> tuple[Ledger, list[dict[str, Any]]]:
    """Return what entries add up to, and those that nobody understands."""
    timed = [entry for entry in entries if is_time(entry.get("time"))]
    dropped = [entry for entry in entries if not is_time(entry.get("time"))]
    timed.sort(key=lambda entry: float(entry["time"]))
    try:
        return Ledger(copy=copy).with_entries(timed), dropped
    except ProjectError:
        ledger = Ledger(copy=copy)
    for entry in timed:  # slowly, for once
        try:
            ledger = ledger.with_entries([entry])
        except ProjectError:
            dropped.append(entry)
    return ledger, dropped


def _knows(image_id: str, ledger: Ledger) -> bool:
    return image_id in ledger.images


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(json.dumps(name, ensure_ascii=False) for name in names[:_NAMED]) + more
