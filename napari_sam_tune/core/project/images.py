"""The images of a project: registering, splitting, reading, and finding them after a move."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.geometry.turning import UPRIGHT
from napari_sam_tune.core.images.files import spatial_shape
from napari_sam_tune.core.images.large_image import LargeImage, as_large, name_of_image
from napari_sam_tune.core.project import image_faults
from napari_sam_tune.core.project.announcing import announced
from napari_sam_tune.core.project.image_files import (
    hash_of_file,
    image_known,
    is_there,
    keep_overview,
    look_at,
)
from napari_sam_tune.core.project.image_places import PlacesOfImages, check_texts
from napari_sam_tune.core.project.split import split_group
from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_sam_tune.core.images.planes import PlaneOfFile
    from napari_sam_tune.core.project.folder import ProjectFolder
    from napari_sam_tune.core.project.ledger import ImageRecord
    from napari_sam_tune.core.project.split import Split


_READERS: Final = 4


class ImagesOfProject(PlacesOfImages):
    """The part of `Project` that knows its images."""

    _folder: ProjectFolder

    def register(
        self,
        image: ArrayLike | LargeImage,
        image_id: str,
        *,
        path: Path | str | None = None,
        plane: PlaneOfFile | None = None,
        group: str | None = None,
        stratum: str | None = None,
    ) -> ImageRecord:
        """Make an image that was read known to the project. See `add_image`.

        Args:
            image: (H, W), (H, W, C) or (C, H, W) array of any dtype, or a large image. One that
                is not held in memory needs a file.
            image_id: its name in the project.
            path: the file it came from. Without one, or where the file holds other pixels (a
                channel was taken of it, or a filter went over it), the array is copied into the
                project.
            plane: which plane of the file it is, of a stack.
            group: images of one part, one lot or one film; groups are never split between
                training and judging.
            stratum: the class to balance the split by.

        """
        if isinstance(image, LargeImage):
            pixels, (height, width) = image.held, image.shape[:2]
        else:
            pixels = np.asarray(image)
            height, width = spatial_shape(pixels)
        named = self.content_of(image, image_id)
        known = self._journal.read().images.get(image_id)
        if known is not None and known.earlier == named:
            return known  # as it was before it was turned; see `upright`
        if path is not None and hash_of_file(Path(path), {named}, plane) != named:
            path, plane = None, None
        record = self.add_image(
            image_id,
            shape=(height, width),
            content_hash=named,
            path=path,
            plane=plane,
            array=pixels,
            group=group,
            stratum=stratum,
        )
        return record if path is not None else self._with_own_pixels(record, pixels)

    def content_of(self, image: ArrayLike | LargeImage, image_id: str) -> str:
        """Return an image's `content_hash`, as the project has it where it knows the image."""
        known = self._journal.read().images.get(image_id)
        return name_of_image(image, () if known is None else (known.content_hash, known.earlier))

    def upright(
        self, image: NDArray[Any] | LargeImage, record: ImageRecord
    ) -> NDArray[Any] | LargeImage:
        """Return a registered image as the project knows it, where it is given as it was before.

        Raises:
            ProjectError, ImageError: as `read_image`.

        """
        if record.earlier is None or name_of_image(image, {record.earlier}) != record.earlier:
            return image
        return self.open_image(record.id)

    def _with_own_pixels(self, record: ImageRecord, pixels: NDArray[Any] | None) -> ImageRecord:
        """Keep an image's pixels where the file on record, if it is there, holds others."""
        if record.path is None or not is_there(self.path / record.path):
            return record
        if self.has_own_file(record):
            return record
        self._copy_image(record.id, record.content_hash, pixels)
        return self._journal.append("stored", image=record.id).images[record.id]

    def add_image(
        self,
        image_id: str,
        *,
        shape: tuple[int, int],
        content_hash: str,
        path: str | Path | None = None,
        plane: PlaneOfFile | None = None,
        array: ArrayLike | None = None,
        group: str | None = None,
        stratum: str | None = None,
        split: Split | None = None,
    ) -> ImageRecord:
        """Register an image and decide its split; the same image again changes nothing.

        Args:
            image_id: any text.
            shape: (H, W) in pixels.
            content_hash: `name_of_image` of the pixels as `open_image` returns them.
            path: its file; kept relative to the project.
            plane: which plane of the file it is; None where it is all of it.
            array: its pixels, copied into the project; needed where there is no file.
            group: images that must not be split between training and judging; default its own.
            stratum: a class or the like, of which about a fifth is held out.
            split: what the group is for, where that was decided outside; None decides here. What
                was decided for its group before stands.

        Raises:
            ProjectError: the id is taken by an image of other content, or neither file nor pixels
                were given, or the pixels are not those of `content_hash`, or a name is no text.
            StorageError: the disk refused.

        """
        check_texts(image_id, group, stratum)
        known = self._journal.read().images.get(image_id)
        if known is None:
            stored_path = self._relative(path) if path is not None else None
            check_texts(stored_path)
            group = image_id if group is None else group
            entry: dict[str, Any] = {
                "id": image_id,
                "shape": [int(side) for side in shape],
                "content_hash": content_hash,
                "group": group,
                "split": split or split_group(self._journal.read().groups, stratum),
                "path": stored_path,
                "stratum": stratum,
                "turn": UPRIGHT,
            }
            if plane is not None and path is not None:
                entry["plane"] = plane.to_json()
            known = (
                self._append_with_pixels(entry, array)
                if path is None
                else self._append_image(entry)
            )
        if known.content_hash != content_hash and path is not None:
            known = self._turned_by(known, Path(path))
        if known.content_hash != content_hash:
            raise image_faults.name_taken(image_id)
        return self._found_again(known, path)

    def _append_image(self, entry: dict[str, Any]) -> ImageRecord:
        """Register an image, unless somebody just did; of two the first counts."""
        ledger = self._journal.append(
            "image", unless=lambda ledger: entry["id"] in ledger.images, **entry
        )
        return ledger.images[entry["id"]]

    def _append_with_pixels(self, entry: dict[str, Any], array: ArrayLike | None) -> ImageRecord:
        """Register an image that has no file, with its pixels."""
        place = self._folder.images.root / entry["content_hash"]
        with announced(self._folder, self._journal, place, "The image"):
            self._copy_image(entry["id"], entry["content_hash"], array)
            return self._append_image(entry)

    def _copy_image(self, image_id: str, content_hash: str, array: ArrayLike | None) -> None:
        if array is None:
            raise ProjectError(
                tr(
                    "The image “{image}” has neither a file nor pixels that can be copied into the "
                    "project. Save it as TIFF or OME-Zarr, and open that.",
                    image=image_id,
                )
            )
        pixels = np.asarray(array)
        if name_of_image(pixels, {content_hash}) != content_hash:
            raise ProjectError(f"The pixels of “{image_id}” do not have the content hash given.")
        self._folder.images.create()
        attributes = {"content_hash": content_hash}
        self._folder.images.write(content_hash, pixels, attributes, what=mark("The image"))

    def turn_old_images(self) -> None:
        """Find out which images, known since before images were turned, look different now.

        Of those whose files are there, once each. Nothing is written; see `Journal.assume`.
        """
        ledger = self._journal.read()
        old = [r for r in ledger.images.values() if r.turn is None and r.path]
        old = [record for record in old if record.id not in ledger.looked_at]
        with ThreadPoolExecutor(max_workers=_READERS) as pool:
            looks = list(pool.map(lambda one: look_at(one, self.path / str(one.path)), old))
        entries = [look.turn for look in looks if look.turn is not None]
        done = [one.id for one, look in zip(old, looks, strict=True) if look.is_done]
        if done:
            entries.append({"kind": "looked_at", "images": done})
        if entries:
            self._journal.assume(entries)

    def turn_like(self, record: ImageRecord, other: ImageRecord) -> ImageRecord:
        """Turn an image that another project has found to be turned, where this one has not.

        Raises:
            StorageError: the disk refused.

        """
        if record.turn is not None or other.earlier != record.content_hash or not other.turn:
            return record
        return self._journal.append(
            "turn", image=record.id, orientation=other.turn, content_hash=other.content_hash
        ).images[record.id]

    def read_image(self, image_id: str) -> NDArray[Any]:
        """Read all of an image's pixels as they were when it was registered.

        Returns:
            (H, W) or (H, W, C), as `images.read_image` returns it.

        Raises:
            ProjectError, ImageError: as `open_image`; or it is too large to be held.

        """
        image = self.open_image(image_id)
        return image.whole() if isinstance(image, LargeImage) else image

    def open_image(self, image_id: str) -> NDArray[Any] | LargeImage:
        """Open an image as it was when it was registered.

        Returns:
            What `images.opening.open_image` returns.

        Raises:
            ProjectError: the project does not know it, or its file was moved or changed, or its
                pixels in the project are damaged.
            ImageError: the file is there but cannot be read.

        """
        record = self.image(image_id)
        if record.path is None:
            return self._own_pixels(record)
        file = self.path / record.path
        if not is_there(file):
            raise image_faults.gone(image_id, file)
        image = image_known(record, file)
        if image is None:
            raise image_faults.changed(file)
        return keep_overview(image, self.path)

    def _own_pixels(self, record: ImageRecord) -> NDArray[Any] | LargeImage:
        """Read pixels kept in the project; zarr reads a chunk that is missing as zeros."""
        try:
            pixels = self._folder.images.read(record.content_hash)
        except ProjectError as error:
            raise image_faults.unreadable(record.id, error) from error
        if name_of_image(pixels, {record.content_hash}) != record.content_hash:
            raise image_faults.damaged(record, self._folder.images.root)
        return as_large(pixels) or pixels
