"""What people have said of a project's images that can be learnt from, image by image."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from napari_sam_tune.core.answers.zoom import lies_in
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.pixel_classifier.statistics import (
    MaskInCells,
    contribution_of,
    known_cells,
)
from napari_sam_tune.core.prompts import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from napari_sam_tune.core.geometry.windows import BoundingBox, Shape, Window
    from napari_sam_tune.core.pixel_classifier.features import PixelFeatures
    from napari_sam_tune.core.pixel_classifier.statistics import Contribution
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.prompts import Mask

_MOST_IN_CELLS: Final = 2000
"""Masks of the open image, some 600 bytes each; of more the oldest are read again."""


class Refused(Protocol):
    """What a person said no to."""

    @property
    def mask(self) -> Mask:
        """Bool, cut to `bbox`."""
        ...

    @property
    def bbox(self) -> BoundingBox:
        """(y0, x0, y1, x1) in image px, ends excluded."""
        ...


@dataclass(frozen=True)
class Known:
    """What was said of an image; two that are equal contribute alike.

    Attributes:
        masks: ids and classes of the accepted masks that count.
        set_aside: ids of those that do not: what lies under them is nobody's.
        is_done: nothing else on it is an object.
        rejected: what a person said no to.

    """

    masks: tuple[tuple[str, str], ...] = ()
    set_aside: tuple[str, ...] = ()
    is_done: bool = False
    rejected: tuple[Refused, ...] = ()

    @property
    def annotations(self) -> tuple[str, ...]:
        """The ids of the masks that count."""
        return tuple(name for name, _ in self.masks)

    def renamed(self, old: str, new: str) -> Known:
        """Return it with a class that is called otherwise."""
        masks = tuple((name, new if label == old else label) for name, label in self.masks)
        return replace(self, masks=masks)

    def contribution(
        self,
        project: Project,
        record: ImageRecord,
        features: PixelFeatures,
        window: Window | None = None,
        kept: MasksInCells | None = None,
    ) -> Contribution:
        """Return what it says of the image's pixels, by the classes of then.

        Args:
            project: where the masks are.
            record: of the image.
            features: of it, or of the window.
            window: what of a large image is meant; None: all of it.
            kept: masks of this image that need not be read again.

        Raises:
            ProjectError: a mask is damaged.

        """
        kept = kept or MasksInCells()
        known = [(label, kept.of(i, project, features, window)) for i, label in self.masks]
        aside = [kept.of(i, project, features, window) for i in self.set_aside]
        rejected = [(one.mask, one.bbox) for one in self.rejected]
        name = record.content_hash
        if window is not None:
            rejected = list(_within(rejected, record.shape, window))
            name = f"{name} {window}"
        cells = known_cells(
            features,
            [(label, mask) for label, mask in known if mask is not None],
            is_done=self.is_done,
            rejected=rejected,
            unknown=[mask for mask in aside if mask is not None],
        )
        return contribution_of(features, cells, name)


class MasksInCells:
    """Accepted masks of an image on its coarse grid, each read and drawn once.

    An image's masks are learnt anew at every accept on it, so that one more must not cost as much
    as all before.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, Window | None], MaskInCells | None] = OrderedDict()

    def of(
        self, annotation_id: str, project: Project, features: PixelFeatures, window: Window | None
    ) -> MaskInCells | None:
        """Return a mask; None where nothing of it is in the window.

        Raises:
            ProjectError: it is damaged.

        """
        name = annotation_id, window
        if name not in self._kept:
            annotation = project.annotation(annotation_id)
            part = annotation if window is None else _Part.of(annotation, window)
            self._kept[name] = None if part is None else MaskInCells.of(part, features)
        self._kept.move_to_end(name)
        mask = self._kept[name]
        while len(self._kept) > _MOST_IN_CELLS:
            self._kept.popitem(last=False)
        return mask

    def forget(self) -> None:
        """Keep none: another image comes."""
        self._kept.clear()


@dataclass(frozen=True, eq=False)
class _Part:
    """What of an accepted mask lies in a window, as if that were the image."""

    bbox: BoundingBox
    cropped_mask: Mask
    prompts: tuple[Prompt, ...]

    @classmethod
    def of(cls, annotation: Annotation, window: Window) -> _Part | None:
        """Return it; None where nothing does."""
        mask = annotation.placed.within(window)
        if mask.bbox is None:
            return None
        said = annotation.prompts[-1:]
        y0, x0, _, _ = window
        clicks = [
            ((x - x0, y - y0), label)
            for prompt in said
            for (x, y), label in zip(prompt.points, prompt.labels, strict=True)
            if lies_in(window, (x, y))
        ]
        prompts = (Prompt([p for p, _ in clicks], [s for _, s in clicks]),) if clicks else ()
        return cls(mask.bbox, mask.cropped, prompts)


def _within(
    masks: Iterable[tuple[Mask, BoundingBox]], shape: Shape, window: Window
) -> Iterator[tuple[Mask, BoundingBox]]:
    """Yield what of masks, each cut to its box, lies in a window, as if that were the image."""
    for mask, box in masks:
        part = PlacedMask.in_window(mask, box, shape).within(window)
        if part.bbox is not None:
            yield part.cropped, part.bbox


def known_images(
    project: Project, image_ids: Iterable[str], rejected: Mapping[str, tuple[Refused, ...]]
) -> dict[str, Known]:
    """Return what is known of images that can be learnt from, by their ids, without others.

    Args:
        project: whose images.
        image_ids: which.
        rejected: what a person said no to, by image id.

    """
    done, empty = project.done_images(), project.empty_images()
    passed_over = project.images_set_aside()
    return {
        i: Known(
            tuple((one.id, one.label) for one in counting),
            tuple(one.id for one in aside),
            i in done,
            rejected.get(i, ()),
        )
        for i, (counting, aside) in project.told_apart_on(image_ids).items()
        if (counting or i in empty or i in rejected) and i not in passed_over
    }
