"""A labelled data set as a reader of some format hands it to the import: images, lazily objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np

from napari_sam_tune.core.exchange.left_out import LeftOut
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.turning import UPRIGHT, turned_mask, turned_shape
from napari_sam_tune.core.geometry.windows import shape_of
from napari_sam_tune.core.images.header import image_shape
from napari_sam_tune.core.images.opening import height_and_width, open_image
from napari_sam_tune.core.images.pictures import open_picture
from napari_sam_tune.core.images.planes import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.images.large_image import LargeImage
    from napari_sam_tune.core.images.planes import PlaneOfFile
    from napari_sam_tune.core.project.review import Review
    from napari_sam_tune.core.project.split import Split
    from napari_sam_tune.core.project.stacks import Stack
    from napari_sam_tune.core.prompts import Mask

DEFAULT_LABEL: Final = "defect"
"""The class of objects whose source names none."""

OWN_ORIGIN: Final = "napari-sam-tune/"
"""Begins the origin of an object that was a record of another project; the record's id follows."""


@dataclass(frozen=True, eq=False)
class SourceObject:
    """An object of a data set.

    Attributes:
        id: names it within its data set.
        placed: its mask, in its box; empty where the source describes no pixel of the image.
        label: its class.
        score: a model's own estimate of the mask's IoU, or None.
        record: its id, where it is a record that was exported from a project; else None.
        lasting: the id goes along with the object when other objects come and go; numbers that
            count entries do not.
        review: what was said of it in the project it was exported from; None where nothing was.
        thing: names what it is a mask of in all planes of a stack; None of a thing by itself.

    """

    id: str
    placed: PlacedMask
    label: str
    score: float | None = None
    record: str | None = None
    lasting: bool = False
    review: Review | None = None
    thing: str | None = None

    @property
    def mask(self) -> Mask:
        """The mask, (H, W) bool: as large as the image."""
        return self.placed.draw()


@dataclass(frozen=True, eq=False)
class Folded:
    """An object with its mask as bits, so that all of an image fit into memory.

    Attributes:
        source: the object; its mask is empty.
        box: (y0, x0, y1, x1) of the mask, ends excluded; None where no pixel is in it.
        bits: the mask inside the box, eight pixels a byte.

    """

    source: SourceObject
    box: BoundingBox | None
    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, source: SourceObject) -> Self:
        """Fold an object."""
        placed = source.placed
        bare = replace(source, placed=PlacedMask.empty(placed.shape))
        return cls(bare, placed.bbox, np.packbits(placed.cropped))

    def unfolded(self) -> SourceObject:
        """Return the object as it was."""
        if self.box is None:
            return self.source
        height, width = shape_of(self.box)
        inside = np.unpackbits(self.bits, count=height * width).reshape(height, width) > 0
        shape = self.source.placed.shape
        return replace(self.source, placed=PlacedMask.in_window(inside, self.box, shape))


@dataclass(frozen=True, kw_only=True)
class SourceImage(ABC):
    """An image of a data set. What it says of its objects is read when it is asked for.

    Attributes:
        path: the image file.
        name: the image's id in the project.
        labels: the classes of its objects, as far as they are known without reading masks.
        group: images of one part, lot or film share a group; None for a group of its own.
        split: what the source says it is for, or None.
        said: how the source names a file that was found elsewhere, by its name alone; else None.
        content: the image file's bytes, where the data set holds them and there is no file `path`.
        is_whole: no object of it was left out; an image that is not whole is not done.
        review: what was said of it in the project it was exported from, or None.
        remark: what was understood that the source does not say, in words, or None.
        plane: which plane of the file it is; None where it is all of it.
        stack: of which it is a plane, or None.
        turn: orientation of the pixels its labels lie on, which the import turns upright with
            them; see `which_way`.
        is_painted: its labels are pictures of programs that may or may not turn images.
        turns_itself: its labels come upright, whatever the file says.

    """

    turns_itself: ClassVar[bool] = False

    path: Path
    name: str
    labels: frozenset[str] = frozenset()
    group: str | None = None
    split: Split | None = None
    said: str | None = None
    content: bytes | None = None
    is_whole: bool = True
    review: Review | None = None
    remark: str | None = None
    plane: PlaneOfFile | None = None
    stack: Stack | None = None
    turn: int = UPRIGHT
    is_painted: bool = False

    @property
    def has_file(self) -> bool:
        """Whether `path` is an image file; else the project keeps the pixels."""
        return self.content is None

    def shape(self) -> tuple[int, int]:
        """Return (H, W), from the header of an image file; raises as `image_shape` does."""
        if self.content is None and not self.path.is_dir():
            return image_shape(self.path)
        return height_and_width(self.read())

    def read(self) -> NDArray[Any] | LargeImage:
        """Return the image's pixels, or what they are read by; raises as `open_image` does."""
        if self.content is None:
            return open_image(self.path)
        with open_picture(self.content, str(self.path)) as picture:
            return picture.read()

    def orientation(self) -> int:
        """Return how the image's tag says that it is to be turned, see `geometry.turning`."""
        if self.path.is_dir():
            return UPRIGHT  # a `.zarr` has no such tag
        source = self.path if self.content is None else self.content
        with open_picture(source, str(self.path), lazily=True) as picture:
            return picture.orientation

    def labelled_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return the (H, W) that its labels are for, of an image that is of `shape` upright."""
        return turned_shape(shape, self.turn)  # turned back, rows and columns change as well

    def upright_objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Read the objects, with masks of the image's upright `shape` (H, W); see `objects`."""
        for source in self.objects(self.labelled_shape(shape)):
            yield replace(source, placed=turned_mask(source.placed, self.turn))

    @abstractmethod
    def check(self, shape: tuple[int, int]) -> None:
        """Check whatever of the image as a whole can be checked without decoding masks.

        Args:
            shape: (H, W) that labels are for, see `labelled_shape`.

        Raises:
            SamTuneError: names the entry at fault.

        """

    def with_sound_objects(self, shape: tuple[int, int], left_out: LeftOut) -> SourceImage:
        """Return the checked image with those of its objects that can be taken.

        Args:
            shape: (H, W) that labels are for, see `labelled_shape`.
            left_out: told of the others.

        Raises:
            SamTuneError: it has objects, and not one of them can be taken.

        """
        return self

    @abstractmethod
    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Read the objects one by one, always in the same order.

        Args:
            shape: (H, W) that labels are for, see `labelled_shape`.

        Raises:
            SamTuneError: a file cannot be read, or is not what it was when it was checked.

        """


@dataclass(frozen=True)
class Dataset:
    """What a reader found.

    Attributes:
        name: format and file, the beginning of every object's origin.
        images: in the source's order.
        left_out: what the reader, and later the check, left out.
        named: the images' names are those of the project they were exported from.
        remarks: what was understood that the source does not say, in words, to how many images.

    """

    name: str
    images: Sequence[SourceImage]
    left_out: LeftOut = field(default_factory=LeftOut)
    named: bool = False
    remarks: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Location:
    """Where a data set lies and how its tables are read; which are needed depends on the format.

    Attributes:
        path: the file (or folder) of the format.
        images: folder of images, or one image.
        masks: folder of masks.
        manifest: CSV with a row per image.
        class_column: column (GeoJSON: property) that holds the class.
        group_column: column of the manifest that holds the group.
        reading: how stacks are read.

    """

    path: Path | None = None
    images: Path | None = None
    masks: Path | None = None
    manifest: Path | None = None
    class_column: str | None = None
    group_column: str | None = None
    reading: Reading = field(default_factory=Reading)
