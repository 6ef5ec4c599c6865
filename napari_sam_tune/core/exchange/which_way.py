"""Which way up labels lie: as a photograph is shown, or as the camera stored its pixels.

Programs that label photographs show them as EXIF says, and their corners mean what was shown. Masks
as pictures come from scripts too, of which some turn a photograph (OpenCV) and others do not
(Pillow, scikit-image, Fiji). The sizes tell which, wherever only one of the two fits. Where both do
(upside down, mirrored, square), those masks of the data set that fit one way only tell for all; and
if there are none, outlines do: they lie where the picture has edges.

On six sets of real photographs with masks, outlines of one image, turned by 180°, lay on steps less
than half as steep in 7 of 10 images; on steps more than twice as steep in 1 of 150. Taken together
the images of each set told the right way, five of six by more than twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.left_out import IMAGE, LeftOut
from napari_sam_tune.core.geometry.turning import UPRIGHT, turned
from napari_sam_tune.core.images.rgb_source import rgb_source, shape_of_image, whole_image
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage

SHOWN: Final = "shown"
STORED: Final = "stored"
_CLEAR: Final = 2.0
_MOST_LOOKED_AT: Final = 20
_BLUR: Final = 1.0  # px, against noise


@dataclass(frozen=True)
class Way:
    """An image whose labels fit if its `turn` is right, and what was left out of them then."""

    image: SourceImage
    left_out: LeftOut


@dataclass(frozen=True)
class Fitted:
    """An image with the ways in which its labels fit: one, or two that nothing tells apart."""

    orientation: int
    ways: tuple[Way, ...]

    @property
    def name(self) -> str:
        """The image's file, to name it in errors."""
        return self.ways[0].image.path.name


def check_drawn_on(said: str | None) -> None:
    """Refuse an answer that is none.

    Raises:
        SamTuneError: it is neither `SHOWN`, nor `STORED`, nor None.

    """
    if said not in (None, SHOWN, STORED):
        raise SamTuneError(
            f"Masks were drawn on the pixels as they are “{SHOWN}” or as they are “{STORED}”; "
            f"“{said}” is neither."
        )


def fitted(image: SourceImage, drawn_on: str | None) -> Fitted:
    """Check an image's labels in every way they may lie.

    Args:
        image: see `SourceImage.check` and `with_sound_objects`.
        drawn_on: what a person said, `SHOWN` or `STORED`; None where nobody did.

    Raises:
        SamTuneError: they fit in no way.

    """
    orientation = UPRIGHT if image.turns_itself else image.orientation()
    asked = {SHOWN: (UPRIGHT,), STORED: (orientation,), None: (UPRIGHT, orientation)}[drawn_on]
    ways, faults = [], []
    for turn in dict.fromkeys(asked):
        try:
            ways.append(_checked(replace(image, turn=turn)))
        except SamTuneError as error:
            faults.append(error)
    if not ways:
        raise faults[0]
    fewest = min(way.left_out.total for way in ways)
    fit = [way for way in ways if way.left_out.total == fewest]
    return Fitted(orientation, tuple(fit if image.is_painted else fit[:1]))


def _checked(image: SourceImage) -> Way:
    shape, left_out = image.labelled_shape(image.shape()), LeftOut()
    image.check(shape)
    return Way(image.with_sound_objects(shape, left_out), left_out)


def decided(dataset: Dataset, every: Sequence[Fitted]) -> list[Way]:
    """Return each image in the one way its labels lie; `dataset` is told of what was found out.

    Images that nothing tells of are left out.
    """
    unsure = [found for found in every if len(found.ways) > 1]
    on_stored = _told_by_sizes(every) if unsure else None
    if unsure and on_stored is None:
        on_stored = _told_by_outlines(unsure)

    def take(found: Fitted) -> Way:
        if len(found.ways) == 1:
            return found.ways[0]
        if on_stored is None:
            raise SamTuneError(
                tr(
                    "{name} is turned or mirrored by its tag (EXIF), and its masks fit both what "
                    "is shown and the pixels as they are stored. Say what they were drawn on: "
                    "--drawn-on shown, or --drawn-on stored.",
                    name=found.name,
                )
            )
        return found.ways[on_stored]

    taken = dataset.left_out.take(IMAGE, every, take, lambda found: found.name)
    turned_along = sum(way.image.turn != UPRIGHT for way in taken)
    found_out = len(unsure) if on_stored is not None else 0
    dataset.remarks.update(way.image.remark for way in taken if way.image.remark is not None)
    dataset.remarks[_TURNED] += turned_along
    dataset.remarks[_LEFT_UPRIGHT] += found_out if not on_stored else 0
    return taken


_TURNED: Final = (
    "photograph whose masks were drawn on the pixels as they are stored, and were turned upright "
    "with it (if that is wrong: --drawn-on shown)"
)
_LEFT_UPRIGHT: Final = (
    "photograph whose masks, though they fit both ways, were drawn on what is shown, upright (if "
    "that is wrong: --drawn-on stored)"
)


def _told_by_sizes(every: Iterable[Fitted]) -> bool | None:
    """Say where masks lie that fit one way only; None where there are none, or of both kinds."""
    told = {
        found.ways[0].image.turn != UPRIGHT
        for found in every
        if found.orientation != UPRIGHT and len(found.ways) == 1
    }
    return told.pop() if len(told) == 1 else None


def _told_by_outlines(unsure: Sequence[Fitted]) -> bool | None:
    """Say whether outlines follow the pictures as they are stored; None where that is not clear."""
    shown = stored = 0.0
    has_objects = False
    for found in islice(unsure, _MOST_LOOKED_AT):
        image = found.ways[0].image
        try:
            pixels = rgb_source(image.read())
            shape = shape_of_image(pixels)
            numbers = np.zeros(shape, np.int32)
            for number, source in enumerate(image.objects(shape), start=1):
                if source.placed.bbox is not None:
                    y0, x0, y1, x1 = source.placed.bbox
                    numbers[y0:y1, x0:x1][source.placed.cropped] = number
            rgb = pixels.rgb(whole_image(pixels))  # all of it: what is turned is in memory
        except SamTuneError:
            continue  # said when it is imported
        has_objects |= bool(numbers.any())
        grey = ndimage.gaussian_filter(rgb.mean(axis=-1, dtype=np.float32), _BLUR)
        shown += _steepness(grey, numbers)
        stored += _steepness(grey, turned(numbers, found.orientation))
    if not has_objects:
        return False  # what is empty lies either way
    steep, flat = max(shown, stored), min(shown, stored)
    return stored > shown if steep > _CLEAR * flat else None


def _steepness(grey: NDArray[np.float32], numbers: NDArray[Any]) -> float:
    """Return the mean step of brightness from one pixel to the next across outlines."""
    total = count = 0.0
    for axis in (0, 1):
        across = np.diff(numbers, axis=axis) != 0
        total += float(np.abs(np.diff(grey, axis=axis))[across].sum())
        count += int(np.count_nonzero(across))
    return total / count if count else 0.0
