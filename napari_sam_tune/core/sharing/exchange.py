"""Exchanging what is new between a copy of a project and the shared place.

First what others put there is taken in, then what is new here is put there. Both go on where they
were stopped: an object is there as a whole or not at all, and what was taken in already is known by
its name. Image files go last and for a while only, so that they keep no mask waiting, and after
them embeddings.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import ShareError, ShareInUse
from napari_sam_tune.core.project.folder import FORMAT_VERSION, ProjectFolder
from napari_sam_tune.core.sharing.bundle import Bundle, bundle_name, number_of
from napari_sam_tune.core.sharing.embeddings import SharedEmbeddings
from napari_sam_tune.core.sharing.image_files import ImageFiles
from napari_sam_tune.core.sharing.intake import Intake
from napari_sam_tune.core.sharing.known import Known
from napari_sam_tune.core.sharing.news import News
from napari_sam_tune.core.sharing.place import SharedPlace
from napari_sam_tune.core.storage.holding import hold, machine
from napari_sam_tune.core.storage.plain_json import parse_object
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_tune.core.project.project import Project

MARKER: Final = "shared.json"
"""Says in the shared place what it is."""
FORMAT: Final = "napari-sam-tune shared project"
_VERSION: Final = 1


@dataclass(frozen=True)
class Exchanged:
    """What an exchange did.

    Attributes:
        masks_in, masks_out: masks taken in and put there.
        images_in, images_out: image files fetched and sent.
        embeddings_in, embeddings_out: embeddings likewise.
        is_all: nothing is left to do; image files and embeddings may be.

    """

    masks_in: int = 0
    masks_out: int = 0
    images_in: int = 0
    images_out: int = 0
    embeddings_in: int = 0
    embeddings_out: int = 0
    is_all: bool = True

    def with_more(self, other: Exchanged) -> Exchanged:
        """Return what this exchange and one after it did."""
        return Exchanged(
            self.masks_in + other.masks_in,
            self.masks_out + other.masks_out,
            self.images_in + other.images_in,
            self.images_out + other.images_out,
            self.embeddings_in + other.embeddings_in,
            self.embeddings_out + other.embeddings_out,
            other.is_all,
        )


class Exchange:
    """Exchanges one copy of a project; for one thread at a time.

    Args:
        project: the copy, open.

    Raises:
        ShareError: the project is not shared, or another computer exchanges this copy.
        ProjectError: what says where it is shared is damaged.

    """

    def __init__(self, project: Project) -> None:
        self._folder = ProjectFolder(project.path)
        link = self._folder.share_link()
        if link is None:
            raise ShareError(
                tr(
                    "{path} is not shared. Name a place for it: napari-sam-tune share PROJECT "
                    "s3://bucket/key",
                    path=project.path,
                )
            )
        if link.machine != machine():
            raise ShareError(
                tr(
                    "Another computer exchanges {path}. If it does not do so any more, run: "
                    "napari-sam-tune share PROJECT --here",
                    path=project.path,
                )
            )
        self.link = link
        self._known = Known(self._folder.known)
        self._intake = Intake(project, self._folder, self._known)
        self._news = News(self._folder, self._known)
        self._images = ImageFiles(project, self._folder, self._known)
        self._embeddings = SharedEmbeddings(project, self._known, link.embeddings)
        self._opened: SharedPlace | None = None

    def run(self, *, seconds: float = 2.0) -> Exchanged:
        """Take in what is new there, put there what is new here.

        Args:
            seconds: for how long image files are sent, and fetched, and embeddings likewise; one
                of each at least.

        Raises:
            ShareInUse: another program is at it.
            ShareUnreachable: the place does not answer; a retry may work.
            ShareError: it refuses, or what is there does not go together with this copy.
            StorageError: the disk refused.
            ProjectError: a record here is damaged.

        """
        with self._held():
            place = self._place()
            masks_in = sum(self._intake.run(place))
            masks_out = 0
            for bundle in self._news.bundles(place, after=dict(self._known.last)):
                self._put(place, bundle)
                masks_out += len(bundle.records)
            done = Exchanged(masks_in, masks_out)
            if self.link.images:
                done = done.with_more(self._exchange_images(place, seconds))
            if self.link.embeddings and done.is_all:
                done = done.with_more(self._exchange_embeddings(place, seconds))
            return done

    def _exchange_images(self, place: SharedPlace, seconds: float) -> Exchanged:
        sent = self._images.send(place, time.monotonic() + seconds)
        if sent:
            self._put(place, Bundle(FORMAT_VERSION, dict(self._known.last), images=sent))
        fetched = self._images.fetch(place, time.monotonic() + seconds)
        # where the fetched ones are is news, too
        is_all = self._images.is_all and not fetched
        return Exchanged(images_in=fetched, images_out=len(sent), is_all=is_all)

    def _exchange_embeddings(self, place: SharedPlace, seconds: float) -> Exchanged:
        sent = self._embeddings.send(place, time.monotonic() + seconds)
        if sent:
            self._put(place, Bundle(FORMAT_VERSION, dict(self._known.last), embeddings=sent))
        fetched = self._embeddings.fetch(place, time.monotonic() + seconds)
        is_all = self._embeddings.is_all
        return Exchanged(embeddings_in=fetched, embeddings_out=len(sent), is_all=is_all)

    def _put(self, place: SharedPlace, bundle: Bundle) -> None:
        """Put a bundle there under the next number of this copy's.

        Its name holds its content: where one of that name is there already, it is this one, whose
        confirmation was lost.
        """
        writer = self.link.writer
        last = self._known.last.get(writer)
        content = bundle.packed()
        name = bundle_name(1 if last is None else number_of(last) + 1, content)
        place.put(f"bundles/{writer}/{name}", content, only_new=True)
        self._known.add(writer, name, bundle)

    def _place(self) -> SharedPlace:
        if self._opened is None:
            link = self.link
            place = SharedPlace(link.url, endpoint=link.endpoint, region=link.region)
            if self._share_of(place) != link.share:
                raise ShareError(
                    tr(
                        "Another project is in {url} now. This copy is as it was; share it "
                        "somewhere else.",
                        url=link.url,
                    )
                )
            self._opened = place
        self._opened.require_mounted(MARKER)
        return self._opened

    def _share_of(self, place: SharedPlace) -> str:
        found = place.get(MARKER)
        if found is not None:
            return share_id(place, found)
        if self._known.last or self.link.copy:
            raise ShareError(
                tr(
                    "There is no shared project in {url} any more: was it deleted, or is the drive "
                    "not mounted? This copy is as it was. To put all of it there again, restore "
                    "{marker} there and delete {known}.",
                    url=self.link.url,
                    marker=MARKER,
                    known=self._folder.known,
                )
            )
        marker = {"format": FORMAT, "version": _VERSION, "share": self.link.share}
        if place.put(MARKER, json.dumps(marker).encode(), only_new=True):
            return self.link.share
        return share_id(place, place.get(MARKER) or b"")

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Let one program of this computer exchange at a time."""
        self._folder.known.mkdir(exist_ok=True)
        try:
            held = hold(self._folder.known)
        except BlockingIOError:
            raise ShareInUse(
                tr("Another program of this computer is exchanging this project just now.")
            ) from None
        try:
            yield
        finally:
            if held is not None:
                os.close(held)


def share_id(place: SharedPlace, marker: bytes) -> str:
    """Return the id in a marker.

    Raises:
        ShareError: it is none of ours.

    """
    try:
        said = parse_object(marker)
        if said["format"] == FORMAT and said["version"] == _VERSION:
            return str(said["share"])
    except (ValueError, LookupError):
        pass
    raise place.strange(MARKER)
