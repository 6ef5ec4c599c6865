"""What a copy of a project has that the shared place has not, in bundles."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import ShareError
from napari_sam_tune.core.project.folder import FORMAT_VERSION, HEADS
from napari_sam_tune.core.sharing.bundle import FILE, LOG, RECORD, Bundle, LogPart, packed_parts
from napari_sam_tune.core.sharing.fetching import sha256_of
from napari_sam_tune.core.storage.chained_log import ChainedLog, LogEnd
from napari_sam_tune.core.storage.log_lines import chained, last_checksum
from napari_sam_tune.core.storage.own_files import read_own
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_tune.core.project.folder import ProjectFolder
    from napari_sam_tune.core.sharing.known import Known
    from napari_sam_tune.core.sharing.place import SharedPlace

_RECORDS: Final = 500
_BYTES: Final = 8 * 2**20
"""Of masks in a bundle: what is lost, and sent again, when a connection breaks."""


class News:
    """Finds what is new here.

    Args:
        folder: the copy's folder.
        known: what is there.

    """

    def __init__(self, folder: ProjectFolder, known: Known) -> None:
        self._folder, self._known = folder, known
        self._masks: set[str] = set()

    def bundles(self, place: SharedPlace, after: dict[str, str]) -> Iterator[Bundle]:
        """Give what is to be put there, one bundle after the other is there.

        What a line says may be about masks that are not there yet, never the other way round: masks
        are listed before the lines are read, and the lines go first. Files go before the lines that
        name them.

        Args:
            place: takes the files.
            after: by writer the last bundle that was taken in.

        Raises:
            ShareError: a log does not go on from what is there, or the place refuses.
            ProjectError: a record is damaged.
            StorageError: the disk refused.

        """
        masks = iter(self._new_masks())
        logs = tuple(self._new_lines())
        files = dict(self._put_files(place))
        records = self._some(masks)
        while logs or files or records:
            yield Bundle(FORMAT_VERSION, after, logs, records, files)
            logs, files, records = (), {}, self._some(masks)

    def _new_masks(self) -> list[str]:
        names = self._folder.annotations.names_if_changed()
        if names is not None:
            self._masks = {name for name in names if RECORD.fullmatch(name)}
        return sorted(self._masks - self._known.records)

    def _some(self, masks: Iterator[str]) -> dict[str, dict[str, bytes]]:
        records: dict[str, dict[str, bytes]] = {}
        size = 0
        while len(records) < _RECORDS and size < _BYTES and (name := next(masks, None)):
            records[name] = self._folder.annotations.parts(name)
            size += sum(map(len, records[name].values()))
        return records

    def _new_lines(self) -> Iterator[LogPart]:
        for path in sorted(self._folder.path.glob("log*.jsonl")):
            known = self._known.logs.get(path.name, LogEnd(0, 0))
            if not LOG.fullmatch(path.name) or path.stat().st_size == known.size:
                continue
            # held, because what the disk would not confirm is taken back
            with ChainedLog(path).locked():
                content = read_own(path)
            lines = content[known.size : content.rfind(b"\n") + 1]
            is_chained = known.checksum or last_checksum(lines)
            if len(content) < known.size or (
                is_chained and lines and chained(lines, known.checksum) is None
            ):
                raise ShareError(
                    tr(
                        "{log} is not what was put into the shared place: it was repaired, came "
                        "back from a backup, or another copy of this folder wrote there. Nothing "
                        "was put there. Join again in another folder, and merge this one into it.",
                        log=path,
                    )
                )
            if lines:
                yield LogPart(path.name, known.size, lines)

    def _put_files(self, place: SharedPlace) -> Iterator[tuple[str, str]]:
        for kind, folder in (("weights", self._folder.weights), (HEADS, self._folder.path / HEADS)):
            for file in sorted(folder.glob("*.safetensors")):
                name = f"{kind}/{file.name}"
                if FILE.fullmatch(name) and name not in self._known.files:
                    place.put(name, file)
                    yield name, sha256_of(file)
        for record in self._pixels():
            content = packed_parts(self._folder.images.parts(record.name))
            place.put(f"pixels/{record.name}", content)
            yield f"pixels/{record.name}", hashlib.sha256(content).hexdigest()

    def _pixels(self) -> Iterator[Path]:
        if self._folder.images.exists():
            for record in sorted(self._folder.images.root.iterdir()):
                name = f"pixels/{record.name}"
                if record.is_dir() and FILE.fullmatch(name) and name not in self._known.files:
                    yield record
