"""Reading Cellpose: `a_seg.npy`, or the label image `a_cp_masks.png`, of an image `a.png`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sam_tune.core.errors import MaskError, SamTuneError
from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.labelled_images import read_mask, require_shape
from napari_sam_tune.core.exchange.large_labels import open_labels
from napari_sam_tune.core.exchange.left_out import FILE, LeftOut
from napari_sam_tune.core.exchange.tiled_labels import HeldPlane
from napari_sam_tune.core.images.files import list_files, list_images
from napari_sam_tune.core.images.names import composed, own_name
from napari_sam_tune.formats.cellpose_out import SEGMENTATION
from napari_sam_tune.formats.exported_folder import Notes, image_of, read_notes
from napari_sam_tune.formats.label_images import numbered, with_note
from napari_sam_tune.formats.plain_pickle import read_pickled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.exchange.tiled_labels import Plane

_MASKS: Final = "_cp_masks"


@dataclass(frozen=True, kw_only=True)
class CellposeImage(SourceImage):
    """An image with its file of Cellpose.

    Attributes:
        file: the file.
        stem: the image's name without suffix, with its folders.
        notes: of the folder.

    """

    is_painted: bool = True

    file: Path
    stem: str
    notes: Notes

    def check(self, shape: tuple[int, int]) -> None:
        """Read the masks, and compare the sizes."""
        require_shape(self.file, self._masks().shape, shape)

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Give one object for each number."""
        plane = self._masks()
        require_shape(self.file, plane.shape, shape)
        for number, placed in numbered(plane, str(self.file)):
            yield with_note(f"{self.stem}#{number}", placed, self.notes)

    def _masks(self) -> Plane:
        if not self.file.name.endswith(SEGMENTATION):
            return open_labels(self.file, read_mask)
        document = read_pickled(self.file)
        masks = document.get("masks") if isinstance(document, dict) else None
        if not isinstance(masks, np.ndarray):
            raise MaskError(f"{self.file} has no “masks”, so it is not a file of Cellpose.")
        if masks.ndim == 3 and masks.shape[0] == 1:
            masks = masks[0]
        if masks.ndim != 2 or masks.dtype.kind not in "bui":
            raise MaskError(
                f"{self.file} has masks of the shape {masks.shape} and the type {masks.dtype}; "
                "those of one image are whole numbers (height, width)."
            )
        # files of before count from -1 for what is no object, as Cellpose itself reads them
        return HeldPlane(masks + 1 if masks.size and masks.min() == -1 else masks)


def read_cellpose(location: Location) -> Dataset:
    """Read a folder of Cellpose's files, or one of them; images lie beside, or in `images`.

    Raises:
        SamTuneError: no file can be taken; those at fault are named.

    """
    if location.path is None:
        raise SamTuneError("Give the folder of Cellpose's files.")
    folder = location.path if location.path.is_dir() else location.path.parent
    if location.path.is_dir():
        files = _files(folder)
    else:  # a picture is not its own masks
        files = {_stem(f, folder): f for f in (location.path,) if _has_masks(f)}
    if not files:
        raise SamTuneError(f"There is no file …{SEGMENTATION} or …{_MASKS}.png in {location.path}.")
    place = location.images or folder
    shown: dict[str, tuple[Path, ...]] = {}
    for image in list_images(place, recursive=True):
        if not _is_output(image):
            stem = _stem(image, place)
            shown[stem] = (*shown.get(stem, ()), image)
    notes, left_out = read_notes(folder), LeftOut()
    known = notes.paired(files, shown)

    def read(item: tuple[str, Path]) -> CellposeImage:
        stem, file = item
        path = image_of(stem, known, place, file)
        name = path.relative_to(place).as_posix()
        labelled = CellposeImage(path=path, name=name, file=file, stem=stem, notes=notes)
        return notes.named(labelled, stem)

    found = left_out.take(FILE, files.items(), read)
    return notes.dataset(f"cellpose/{own_name(folder)}", found, left_out)


def _files(folder: Path) -> dict[str, Path]:
    """Return the files by image; of two the `_seg.npy`, which may have been corrected by hand."""
    listed = (*list_images(folder, recursive=True), *list_files(folder, {".npy"}))
    return {_stem(file, folder): file for file in listed if _has_masks(file)}


def _has_masks(file: Path) -> bool:
    return file.name.endswith(SEGMENTATION) or file.stem.endswith(_MASKS)


def _stem(file: Path, folder: Path) -> str:
    """Return the name without suffix of an image, or of that which a file of masks belongs to."""
    name = composed(file.relative_to(folder).as_posix())
    if name.endswith(SEGMENTATION):
        return name.removesuffix(SEGMENTATION)
    return str(PurePosixPath(name).with_suffix("")).removesuffix(_MASKS)


def _is_output(file: Path) -> bool:
    return file.stem.endswith((_MASKS, "_cp_output", "_outlines", "_flows"))
