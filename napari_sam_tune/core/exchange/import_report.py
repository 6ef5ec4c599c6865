"""What an import did, image by image and in all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_sam_tune.core.exchange.left_out import IMAGE, LeftOut

if TYPE_CHECKING:
    from napari_sam_tune.core.project.ledger import ImageRecord
    from napari_sam_tune.core.project.split import Split


@dataclass(frozen=True)
class ImportedImage:
    """One image of the data set is done.

    Attributes:
        record: the image as the project knows it now; None where it was left out.
        added: new records by (class, split).
        there: objects that the project has already.
        left_out: why objects were left out, to how many.
        empty: the source says that it has no object: it is marked "no defect here".
        restored: objects that had been deleted here, and are in the source.
        updated: objects that took the form they have in the source by now.
        gone: objects of the data set that it does not have any more; they stay.
        fault: why the image was left out, or None.

    """

    record: ImageRecord | None
    added: Counter[tuple[str, Split]] = field(default_factory=Counter)
    there: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    empty: bool = False
    restored: int = 0
    updated: int = 0
    gone: int = 0
    fault: str | None = None


@dataclass
class ImportReport:
    """What an import adds up to.

    Attributes:
        images: by split.
        objects: new records by (class, split).
        there, restored, updated, gone: see `ImportedImage`.
        empty: images without any object.
        left_out: images and objects that were left out.

    """

    images: Counter[Split] = field(default_factory=Counter)
    objects: Counter[tuple[str, Split]] = field(default_factory=Counter)
    there: int = 0
    restored: int = 0
    updated: int = 0
    gone: int = 0
    empty: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)

    def objects_of(self, label: str | None = None) -> Counter[Split]:
        """Return the new records by split; of all classes, or of one."""
        counts: Counter[Split] = Counter()
        for (of_class, split), count in self.objects.items():
            counts[split] += count if label in (None, of_class) else 0
        return counts

    def take(self, image: ImportedImage) -> None:
        """Count an image in."""
        if image.record is None:
            self.left_out.add(IMAGE, image.fault)
            return
        self.images[image.record.split] += 1
        self.objects += image.added
        self.there += image.there
        self.restored += image.restored
        self.updated += image.updated
        self.gone += image.gone
        self.empty += image.empty
        self.left_out.count_in(image.left_out)
