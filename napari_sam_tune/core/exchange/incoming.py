"""A labelled data set as a reader of some format hands it to the import: images, lazily objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from napari_sam_tune.core.project.split import Split
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
        mask: (H, W) bool; all False where the source describes no pixel of the image.
        label: its class.
        score: a model's own estimate of the mask's IoU, or None.
        record: its id, where it is a record that was exported from a project; else None.
        lasting: the id goes along with the object when other objects come and go; numbers that
            count entries do not.

    """

    id: str
    mask: Mask
    label: str
    score: float | None = None
    record: str | None = None
    lasting: bool = False


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

    """

    path: Path
    name: str
    labels: frozenset[str] = frozenset()
    group: str | None = None
    split: Split | None = None
    said: str | None = None

    @abstractmethod
    def check(self, shape: tuple[int, int]) -> None:
        """Check whatever can be checked without decoding masks.

        Args:
            shape: (H, W) of the image file.

        Raises:
            SamTuneError: names the entry at fault.

        """

    @abstractmethod
    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Read the objects one by one, always in the same order.

        Args:
            shape: (H, W) of the image file.

        Raises:
            SamTuneError: a file cannot be read, or is not what it was when it was checked.

        """


@dataclass(frozen=True)
class Dataset:
    """What a reader found.

    Attributes:
        name: format and file, the beginning of every object's origin.
        images: in the source's order.
        left_out: why the reader left images out, to how many.
        named: the images' names are those of the project they were exported from.

    """

    name: str
    images: Sequence[SourceImage]
    left_out: Mapping[str, int] = field(default_factory=dict)
    named: bool = False


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

    """

    path: Path | None = None
    images: Path | None = None
    masks: Path | None = None
    manifest: Path | None = None
    class_column: str | None = None
    group_column: str | None = None
