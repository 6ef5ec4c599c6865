"""What others put into the shared place comes into a copy of the project, checked first."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import DamagedLogError, ProjectError, ShareError
from napari_sam_tune.core.geometry.turning import UPRIGHT
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.project.annotations import Annotation
from napari_sam_tune.core.project.folder import FORMAT_VERSION
from napari_sam_tune.core.sharing.bundle import Bundle, bundle_name, number_of, unpacked_parts
from napari_sam_tune.core.sharing.fetching import fetched
from napari_sam_tune.core.storage.chained_log import ChainedLog
from napari_sam_tune.core.storage.durable import flush_folder, publish_file, saving
from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_tune.core.project.folder import ProjectFolder
    from napari_sam_tune.core.project.ledger import Ledger
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.sharing.known import Known
    from napari_sam_tune.core.sharing.place import SharedPlace
    from napari_sam_tune.core.storage.records import RecordStore


class Intake:
    """Takes bundles in, each after all that it builds on.

    Args:
        project: the copy.
        folder: its folder.
        known: what was seen there; told of what is taken in.

    """

    def __init__(self, project: Project, folder: ProjectFolder, known: Known) -> None:
        self._project, self._folder, self._known = project, folder, known

    def run(self, place: SharedPlace) -> Iterator[int]:
        """Take in whatever is there and was not yet; yields each bundle's number of masks.

        Raises:
            ShareError: the place refuses, or what is there is not as it was written or does not go
                on from what is here. What was yielded is kept.
            StorageError: the disk refused.
            ProjectError: the copy itself is damaged.

        """
        self._project.refresh()
        waiting = {writer: self._new_names(place, writer) for writer in place.folders("bundles")}
        read: dict[str, Bundle] = {}
        is_moving = True
        while is_moving:
            is_moving = False
            for writer, names in waiting.items():
                while names:
                    name = names[0]
                    if name not in read:
                        read[name] = _read_bundle(place, writer, name)
                    if not self._is_due(read[name]):
                        break  # what it builds on was put there after we looked, or comes later
                    bundle = read.pop(names.pop(0))
                    self._take(place, writer, name, bundle)
                    is_moving = True
                    yield len(bundle.records)

    def _new_names(self, place: SharedPlace, writer: str) -> list[str]:
        under = f"bundles/{writer}"
        last = self._known.last.get(writer)
        paths = place.names(under, after="" if last is None else f"{under}/{last}")
        return [path.rsplit("/", 1)[-1] for path in paths]

    def _is_due(self, bundle: Bundle) -> bool:
        last = self._known.last
        return all(last.get(writer, "") >= name for writer, name in bundle.after.items())

    def _take(self, place: SharedPlace, writer: str, name: str, bundle: Bundle) -> None:
        if bundle.project_format > FORMAT_VERSION:
            raise ShareError(
                tr(
                    "Somebody works in this project with a newer release. Update: pip install "
                    "--upgrade napari-sam-tune"
                )
            )
        new = {
            record: parts
            for record, parts in bundle.records.items()
            if not (self._folder.annotations.root / record).exists()
        }
        try:
            # all of it is looked at before anything is written
            logs = [(part.name, part.start, part.lines) for part in bundle.logs]
            check = partial(_check_record, self._project.ledger_with(logs))
            with self._folder.annotations.adopting(new, what=mark("The mask"), check=check) as put:
                for file, checksum in bundle.files.items():
                    self._take_file(place, file, checksum)
                self._folder.raise_format(bundle.project_format)
                for log, start, lines in logs:
                    ChainedLog(self._folder.path / log).extend(lines, start)
                put()
        except DamagedLogError as error:
            raise ShareError(
                tr(
                    "What is shared and what is here have gone apart: {why} Nothing of it was "
                    "taken in. Join again in another folder, and merge this one into it.",
                    why=error,
                )
            ) from error
        except ProjectError as error:
            raise place.strange(f"bundles/{writer}/{name}") from error
        self._known.add(writer, name, bundle)

    def _take_file(self, place: SharedPlace, name: str, checksum: str) -> None:
        kind, own = name.split("/")
        if kind == "pixels":
            if not (self._folder.images.root / own).exists():
                self._take_pixels(place, name, own, checksum)
            return
        final = self._folder.path / kind / own
        if final.exists():
            return
        with saving("The weights", final.parent), fetched(place, name, checksum, self._folder) as f:
            final.parent.mkdir(exist_ok=True)
            flush_folder(self._folder.path)
            publish_file(f, final)

    def _take_pixels(self, place: SharedPlace, name: str, content: str, checksum: str) -> None:
        def check(store: RecordStore) -> None:
            if content_hash(store.read(content), {content}) != content:
                raise ProjectError(f"The pixels {content} are others.")

        self._folder.images.create()
        packed = place.get(name)
        try:
            if packed is None or hashlib.sha256(packed).hexdigest() != checksum:
                raise ValueError("it is another than was put there")
            parts = unpacked_parts(packed)
            self._folder.images.adopt(content, parts, what="The image", check=check)
        except (ValueError, ProjectError) as error:
            raise place.strange(name) from error


def _check_record(ledger: Ledger, record: str, store: RecordStore) -> None:
    mask = Annotation.from_record(record, store.attributes(record), store)
    mask.check_bits(store.read(record))
    image = ledger.images.get(mask.image_id)
    mask = mask.in_image_turned(ledger.turns.get(mask.image_id, UPRIGHT))
    if image is None or image.shape != mask.shape:
        raise ProjectError(f"The mask {record} is of no image that is known.")


def _read_bundle(place: SharedPlace, writer: str, name: str) -> Bundle:
    path = f"bundles/{writer}/{name}"
    content = place.get(path)
    try:
        if content is None or bundle_name(number_of(name), content) != name:
            raise ValueError("its content is not that of its name")
        return Bundle.unpacked(content)
    except ValueError as error:
        raise place.strange(path) from error
