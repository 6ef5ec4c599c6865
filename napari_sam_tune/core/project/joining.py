"""The doors through which one project's records come into another, as they are."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.project.annotations import Annotation
from napari_sam_tune.core.project.announcing import announced
from napari_sam_tune.core.project.folder import HEADS
from napari_sam_tune.core.project.journal import Journal
from napari_sam_tune.core.project.ledger import facts_of, turn_of
from napari_sam_tune.core.storage.chained_log import ChainedLog
from napari_sam_tune.core.storage.durable import flush_folder, pending_folder, publish_file, saving
from napari_sam_tune.core.storage.own_files import open_own, read_own
from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_sam_tune.core.project.annotation_table import AnnotationTable
    from napari_sam_tune.core.project.folder import ProjectFolder
    from napari_sam_tune.core.project.ledger import Ledger, WeightsInfo
    from napari_sam_tune.core.project.split import Split


class JoiningOfProject:
    """The part of `Project` that takes in what another project recorded; see `merging.Merge`."""

    path: Path
    _folder: ProjectFolder
    _journal: Journal
    _table: AnnotationTable
    _table_lock: threading.Lock

    def said(self) -> list[dict[str, Any]]:
        """Return the lines of the log, oldest first, each with its "kind" and "time" (UTC, s).

        An exchange comes as the deletion and the restoration that it is, several masks deleted or
        restored at once come one by one.
        """
        lines = []
        for line in self._journal.entries():
            match line["kind"]:
                case "exchange":
                    words = [(kind, line[kind]) for kind in ("delete", "restore")]
                case "delete_all" | "restore_all" as kind:
                    words = [(kind.removesuffix("_all"), name) for name in line["annotations"]]
                case _:
                    lines.append(line)
                    continue
            lines += [
                {"kind": kind, "time": line["time"], "annotation": name} for kind, name in words
            ]
        return lines

    def ledger_with(self, lines: Sequence[tuple[str, int, bytes]]) -> Ledger:
        """Return what would be said with lines of other copies' logs, tried on copies of the logs.

        Args:
            lines: name of a log, where in it they begin in bytes, and whole lines of it.

        Raises:
            DamagedLogError: a log would not be whole any more.
            ProjectError: a line makes no sense where it would stand.
            StorageError: the disk refused.

        """
        if not lines:
            return self._journal.read()
        with pending_folder(self._folder.pending) as build:
            with saving(mark("The log"), self.path):
                for log in self.path.glob("log*.jsonl"):
                    (build / log.name).write_bytes(read_own(log))
            for name, start, content in lines:
                ChainedLog(build / name).extend(content, start)
            tried = Journal(build, copy=self._journal.here.get("copy", ""))
            tried.require_whole()
            return tried.read()

    def repeat(self, line: Mapping[str, Any]) -> None:
        """Say what was said in another project, with the time it was said there.

        Raises:
            StorageError: the disk refused.

        """
        self._journal.append(**line)

    def take_record(
        self,
        record: Annotation,
        *,
        image_id: str,
        split: Split,
        supersedes: str | None,
        weights_version: str,
    ) -> Annotation:
        """Copy another project's annotation under its own id; one that is here stays as it is.

        Args:
            record: of the other project.
            image_id: the image as this project calls it.
            split: as this project decided.
            supersedes: the annotation of this project that it replaces, or None.
            weights_version: as this project calls it.

        Raises:
            ProjectError: the record is damaged.
            StorageError: the disk refused; nothing is half-written.

        """
        bits, attributes = record.stored()
        attributes.pop("turn", None)  # of the other project
        attributes |= {"split": split, "supersedes": supersedes, "weights_version": weights_version}
        return self.take_stored(record.id, bits, attributes, image_id=image_id)

    def take_stored(
        self, record_id: str, bits: NDArray[np.uint8], attributes: Mapping[str, Any], image_id: str
    ) -> Annotation:
        """Take in a record that was kept elsewhere; one of that id that is here stays as it is.

        Args:
            record_id: its id, safe as a file name.
            bits: as `Annotation.stored` gives them, upright.
            attributes: likewise.
            image_id: the image it is of, as this project calls it.

        Raises:
            ProjectError: what is kept of it is damaged, or it is of an image of another shape.
            StorageError: the disk refused; nothing is half-written.

        """
        self._journal.say_assumed()
        image = self._journal.read().images[image_id]
        store = self._folder.annotations
        said = {**attributes, **turn_of(image), "image_id": image_id, "image": facts_of(image)}
        record = Annotation.from_record(record_id, said, store)
        if record.shape != tuple(image.shape):
            raise ProjectError(
                tr(
                    "The mask {name} is of an image of {shape} px, not of one of {other} px.",
                    name=record_id,
                    shape=record.shape,
                    other=tuple(image.shape),
                )
            )
        record.check_bits(bits)
        if not store.write(record_id, bits, said, what="The mask"):
            record = Annotation.from_record(record_id, store.attributes(record_id), store)
        with self._table_lock:
            self._table.add(record)
        return record

    def take_weights(self, info: WeightsInfo, file: Path) -> None:
        """Copy a weights version of another project; not in use before it is promoted.

        Raises:
            StorageError: the disk refused.

        """
        entry: dict[str, Any] = {"time": info.created, "version": info.version, "info": info.info}
        placed = self._folder.weights / f"{info.version}.safetensors"
        with announced(self._folder, self._journal, placed, "The weights"):
            self._copy_in(file, self._folder.weights, "The weights")
            self._journal.append("weights", **entry)

    def take_heads(self, other: Path) -> int:
        """Copy another project's promptless heads, named by their content, and count the new ones.

        Raises:
            StorageError: the disk refused.

        """
        folder = self.path / HEADS
        files = sorted((other / HEADS).glob("*.safetensors"))
        fresh = [file for file in files if not (folder / file.name).exists()]
        for file in fresh:
            self._copy_in(file, folder, "The promptless head")
        return len(fresh)

    def _copy_in(self, file: Path, folder: Path, what: str) -> None:
        with saving(what, folder):
            folder.mkdir(exist_ok=True)
            flush_folder(self.path)
            with pending_folder(self._folder.pending) as build:
                with (
                    os.fdopen(open_own(file, os.O_RDONLY), "rb") as own,
                    (build / file.name).open("wb") as copy,
                ):
                    shutil.copyfileobj(own, copy)
                publish_file(build / file.name, folder / file.name)
