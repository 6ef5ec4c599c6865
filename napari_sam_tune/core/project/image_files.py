"""What a project knows an image's file by: its pixels as they are read, and as they were once."""

from __future__ import annotations

from errno import ENAMETOOLONG
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.geometry.turning import turned_shape
from napari_sam_tune.core.images.files import content_hash as hash_of
from napari_sam_tune.core.images.files import spatial_shape
from napari_sam_tune.core.images.large_image import LargeImage, name_of_image
from napari_sam_tune.core.images.large_zarr import is_zarr
from napari_sam_tune.core.images.opening import open_image
from napari_sam_tune.core.images.pictures import open_picture
from napari_sam_tune.core.images.planes import open_plane
from napari_sam_tune.core.project.folder import OVERVIEWS

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from napari_sam_tune.core.images.planes import PlaneOfFile
    from napari_sam_tune.core.project.ledger import ImageRecord


def open_of(file: Path, plane: PlaneOfFile | None) -> NDArray[Any] | LargeImage:
    """Open a file, or one plane of it.

    Raises:
        ImageError: it cannot be read.

    """
    return open_image(file) if plane is None else open_plane(file, plane)


def files_with_planes(files: list[Path], lost: list[ImageRecord]) -> dict[str, Path]:
    """Find the files that planes of lost files are in now, by image id.

    Files that kept their name come first. Where one plane of a file is found, its others are
    looked for in the same place alone.
    """
    found: dict[str, Path] = {}
    together: dict[str | None, list[ImageRecord]] = {}
    for record in lost:
        together.setdefault(record.path, []).append(record)
    for records in together.values():
        name = name_of(records[0])
        for file in sorted(files, key=lambda file: file.name != name):
            if _holds(file, records[0]):
                found |= {record.id: file for record in records if _holds(file, record)}
                break
    return found


def _holds(file: Path, record: ImageRecord) -> bool:
    own = record.content_hash
    return hash_of_file(file, {own}, record.plane) == own


def files_by_content(files: list[Path], lost: list[ImageRecord]) -> dict[str, list[Path]]:
    """Find the files with the content looked for, reading no more than necessary."""
    found: dict[str, list[Path]] = {record.content_hash: [] for record in lost}
    names = {name_of(record) for record in lost}
    # Those that kept their name come first: usually no other has to be read.
    for file in sorted(files, key=lambda file: file.name not in names):
        if file.name not in names and all(found.values()):
            break
        for content in hashes_of_file(file, found) & found.keys():
            found[content].append(file)
    return found


def is_there(file: Path) -> bool:
    """Tell whether there is an image's file, or its `.zarr`.

    What lies in a folder that may not be read is not there, nor what no disk can hold.
    """
    try:
        return file.is_file() or is_zarr(file)
    except PermissionError:
        return False
    except OSError as error:
        if error.errno == ENAMETOOLONG:
            return False
        raise


def name_of(record: ImageRecord) -> str:
    """Return the name of an image's file."""
    return Path(record.path or "").name


def hash_of_file(
    file: Path, among: Collection[str | None], plane: PlaneOfFile | None = None
) -> str | None:
    """Return what a file, or a plane of it, is known by as it is read; None of what is no image."""
    try:
        return name_of_image(open_of(file, plane), among)
    except ImageError:
        return None  # not an image after all: it cannot be the one looked for


def hashes_of_file(file: Path, among: Collection[str | None]) -> set[str]:
    """Return all that a project may know a file's pixels by: as they are read, and were once."""
    try:
        image = open_image(file)
        known = name_of_image(image, among)
    except ImageError:
        image, known = None, None
    if isinstance(image, LargeImage):
        own = image.content_hash
        return {own, image.name_among([name for name in among if name != own])}
    if known is not None and file.is_dir():
        return {known}
    try:
        with open_picture(file) as picture:
            earlier = None if picture.is_plain else hash_of(picture.read_as_stored(), among)
    except ImageError:
        earlier = None
    return {content for content in (known, earlier) if content is not None}


class Look(NamedTuple):
    """What a look at the file of an image that an early release registered has shown.

    Attributes:
        turn: the log's entry, where it is as it was but is read differently now.
        is_done: there is nothing to find out by another look.

    """

    turn: dict[str, Any] | None = None
    is_done: bool = True


def look_at(record: ImageRecord, file: Path) -> Look:
    """Find out whether an image's file, if it is as it was, is read differently now."""
    own = {record.content_hash}
    try:
        with open_picture(file) as picture:
            if picture.is_plain:
                return Look()
            if hash_of(picture.read_as_stored(), own) != record.content_hash:
                return Look(is_done=False)
            pixels, orientation = picture.read(), picture.orientation
    except ImageError:
        return Look(is_done=False)
    content = hash_of(pixels, own)
    if content == record.content_hash:
        return Look()
    if spatial_shape(pixels) != turned_shape(record.shape, orientation):
        return Look()  # another page of the file than its masks were made on
    return Look(
        {
            "kind": "turn",
            "image": record.id,
            "orientation": orientation,
            "content_hash": content,
        }
    )


def keep_overview(image: NDArray[Any] | LargeImage, project: Path) -> NDArray[Any] | LargeImage:
    """Have a project keep what a large image looks like from afar; returns the image.

    Raises:
        ProjectError: there is a link in the place of what was kept.

    """
    if isinstance(image, LargeImage):
        image.keep_in(project / OVERVIEWS)
    return image


def image_known(record: ImageRecord, file: Path) -> NDArray[Any] | LargeImage | None:
    """Open a file as the project knows it; None where it holds other pixels by now.

    Of what the first releases took for an image and this one would not (a stack of three planes, a
    thumbnail before the image), the masks still need what they were made on.

    Raises:
        ImageError: it cannot be read.

    """
    refused, own = None, {record.content_hash}
    if record.plane is not None:
        image = open_plane(file, record.plane)
        return image if name_of_image(image, own) == record.content_hash else None
    try:
        image = open_image(file)
        if name_of_image(image, own) == record.content_hash:
            return image
    except ImageError as error:
        refused = error
    if record.turn is None and not file.is_dir():
        with open_picture(file) as picture:
            pixels: NDArray[Any] = picture.read_as_stored()
        if hash_of(pixels, own) == record.content_hash:
            return pixels
    if refused is not None:
        raise refused
    return None
