"""Recalling masks: what was accepted on an earlier photograph of a part is proposed on the next.

A part is photographed again with another lamp, a film goes on, a stack has a next slice: the same
object comes back, and nobody should have to outline it twice. Of each image that has accepted masks
a small signature is kept. An image that is opened is looked for among them; where a surface is
found again, its masks move along, each shifted to where its own surroundings fit best. A click on
one of them is answered by the model and by what is recalled together (`recalled.together`).

Nothing is trained and nothing waits: a mask is recalled as soon as it is accepted. MultiverSeg
(Wong et al. 2024) has the same aim and learns a network for it; here the images themselves say
whether they show the same thing. What it saves is in `docs/en/explanation/trials.md`.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from napari_sam_tune.core.errors import ImageError, ProjectError
from napari_sam_tune.core.geometry.windows import grown, hull, iou, moved, shape_of
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.images.rgb_source import rgb_source
from napari_sam_tune.core.recall.contrast import SPARE, ContrastOf
from napari_sam_tune.core.recall.grey import HeldGrey, grey_source, scaled
from napari_sam_tune.core.recall.recalled import CAP, Recalled
from napari_sam_tune.core.recall.registration import shift_between
from napari_sam_tune.core.recall.signatures import Signatures
from napari_sam_tune.core.recall.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.images.rgb_source import RgbSource
    from napari_sam_tune.core.project.project import Annotation, ImageRecord, Project
    from napari_sam_tune.core.prompts import Mask, Prompt
    from napari_sam_tune.core.recall.grey import Grey

    Shift = tuple[int, int]

_log = logging.getLogger(__name__)

_NEWEST: Final = 1000
"""Images that are remembered, those with the newest masks."""
_SAME_SURFACE: Final = 0.3
"""Correlation of two whole photographs. In a sample of pairs of magnetic tiles none of different
tiles reached .2, and a quarter of those of one tile, which has several spots, .67."""
_SURROUNDINGS_BYTES: Final = 16 << 20
"""For those kept in memory, two hundred of the largest; of others the image is read again."""
_SLACK: Final = 3
"""Px of a signature by which an object may lie elsewhere than its surface says."""
_MOST_TWINS: Final = 5
"""Masks of the same object that are averaged."""
_ALIKE: Final = 0.5
"""IoU of two boxes, or masks, that mean the same object."""
_FINEST: Final = 512
"""Longer side at which distances from a border are measured, in px, at most."""
_COVERED: Final = 0.25
"""Share of such a px from which it is inside: thin lines must not fall between."""
_BORDER: Final = (0.5, 0.015)
"""Px, and share of the square root of the area, over which a recalled logit changes by 1. Labels
of one object differ by about so much."""
_MISSED: Final = 2
"""Px beside a mask at which a click still means it."""
_IN_VAIN: Final = 8
"""Masks looked for on an image, and none of them found, after which no more are where somebody
clicks: it is alike from afar alone. Of 216 objects on magnetic tiles no image had more than three
before the first that was found."""


@dataclass(frozen=True, eq=False)
class _Known:
    """An accepted mask on an image whose surface was found again on the open one.

    Attributes:
        annotation: the mask.
        surroundings: what lies around it there.
        shift: (rows, columns) px from its own image to the open one, about.
        slack: px by which that may be wrong.
        objects: the boxes around all that was accepted on its image, on the open one, about.

    """

    annotation: Annotation
    surroundings: Surroundings
    shift: Shift
    slack: int
    objects: Sequence[Window]

    @property
    def expected(self) -> Window:
        """The box around it on the open image, about."""
        return moved(self.annotation.bbox, self.shift)


@dataclass(frozen=True, eq=False)
class _Twin:
    """An accepted mask where it is found again on the open image.

    Attributes:
        annotation: its record.
        mask: (h, w) bool, inside its box.
        score: how well it fits, from −1 to 1.
        shift: (rows, columns) px from its own image to the open one.

    """

    annotation: Annotation
    mask: Mask
    score: float
    shift: Shift

    @property
    def box(self) -> Window:
        """The box around it on the open image, whose border it may cross."""
        return moved(self.annotation.bbox, self.shift)

    def covers(self, x: float, y: float) -> bool:
        """Whether a point lies in it, or hardly beside."""
        y0, x0, _, _ = self.box
        row, column = round(y) - y0, round(x) - x0
        rows = slice(max(row - _MISSED, 0), max(row + _MISSED + 1, 0))
        columns = slice(max(column - _MISSED, 0), max(column + _MISSED + 1, 0))
        return bool(self.mask[rows, columns].any())


class Recall:
    """Remembers the accepted masks of a project by what their images look like.

    To be used by the thread that owns the predictor.

    Args:
        project: whose masks are recalled; those accepted meanwhile, and by others, too.

    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._signatures = Signatures(project)
        self._around: OrderedDict[str, Surroundings] = OrderedDict()  # by annotation
        self._around_bytes = 0
        self._open: ImageRecord | None = None
        self._grey: Grey | None = None  # the open image
        self._contrast: ContrastOf | None = None  # of it
        self._unread: LargeImage | None = None  # the open image, until it is looked for
        self._known: list[_Known] = []
        self._near = _boxes([])  # around where each of them should be
        self._twins: dict[str, _Twin | None] = {}  # by annotation, once looked for
        self._averages: dict[tuple[str, ...], Recalled] = {}

    def look(self, image: ArrayLike | RgbSource, record: ImageRecord) -> None:
        """Make an image the open one, and look for its surface among those with accepted masks.

        For one that is read in parts nobody waits: it is looked for by `catch_up`.

        Args:
            image: (H, W[, C]) array as `to_rgb8` takes it, or an image that is read in windows.
            record: what the project knows of it.

        Raises:
            ImageError: not an image.

        """
        self._leave()
        self.forget()
        source = rgb_source(image)
        self._open, self._grey = record, grey_source(source)
        self._contrast = ContrastOf(self._grey, SPARE)
        if isinstance(source, LargeImage):
            self._unread = source
        else:
            self._look_for(record, self._grey)

    def catch_up(self, seconds: float = 0.2) -> bool:
        """Look for the surface of a large image, once all of it was seen; for idle moments.

        Args:
            seconds: spent on reading it, about.

        Returns:
            Whether it must be read on in the next idle moment.

        """
        if self._unread is None or self._open is None or self._grey is None:
            return False
        try:
            if not self._unread.fill(seconds):
                return True
            self._look_for(self._open, self._grey)
        except ImageError as error:
            _log.warning("Nothing is recalled on %s: %s", self._open.id, error)
        self._unread = None
        return False

    def _look_for(self, record: ImageRecord, grey: Grey) -> None:
        new = self._signatures.of(record, grey)
        masks = self._masks_elsewhere(record.id)
        records = [self._project.image(image_id) for image_id in masks]
        for other, signature in self._signatures.most_alike(new, records):
            score, shift = shift_between(signature, new)
            if score >= _SAME_SURFACE:
                self._known += self._surroundings(other, masks[other.id], shift, 1 / new.scale)
        self._near = _boxes([grown(one.expected, one.slack + _MISSED) for one in self._known])

    def forget(self) -> None:
        """Have no image open: nothing is recalled until the next `look`."""
        self._open = self._grey = self._contrast = self._unread = None
        self._known, self._twins, self._averages = [], {}, {}
        self._near = _boxes([])

    @property
    def knows_part(self) -> bool:
        """Whether there are masks on other photographs of what the open image shows."""
        return bool(self._known)

    def ask(self, prompt: Prompt) -> Recalled | None:
        """Return what is recalled of an object on the open image; None where that is nothing.

        Args:
            prompt: what was said of the object; one that brings a mask along needs no other.

        """
        if prompt.mask is not None:
            return None
        objects = _objects(self._meant(prompt))
        return self._averaged(objects[0]) if objects else None

    def all(self) -> list[Recalled]:
        """Return every object that is found again on the open image, the best match first."""
        twins = (self._twin(known) for known in self._counting(self._known))
        return [self._averaged(same) for same in _objects(t for t in twins if t is not None)]

    def _averaged(self, best: Sequence[_Twin]) -> Recalled:
        name = tuple(twin.annotation.id for twin in best)
        if name not in self._averages:
            self._averages[name] = _average(best)
        return replace(self._averages[name], label=self.class_of(name))

    def class_of(self, annotation_ids: Sequence[str]) -> str:
        """Return the class that most of some masks have now; of as many each, the first one's.

        Args:
            annotation_ids: the best match first.

        """
        counted = Counter(self._project.annotation(name).label for name in annotation_ids)
        return counted.most_common(1)[0][0]

    def _masks_elsewhere(self, image_id: str) -> dict[str, list[Annotation]]:
        """Return the masks of other images, those with the newest masks first.

        On one image no object comes twice, however regular its surface.
        """
        masks: dict[str, list[Annotation]] = {}
        for annotation in reversed(self._project.counting()):
            if annotation.image_id != image_id:
                masks.setdefault(annotation.image_id, []).append(annotation)
        return dict(islice(masks.items(), _NEWEST))

    def _leave(self) -> None:
        """Cut out what surrounds the open image's masks, to save reading it again."""
        if self._open is not None and isinstance(self._grey, HeldGrey):
            for annotation in self._project.annotations(self._open.id):
                self._around_mask(annotation, self._grey)

    def _around_mask(self, annotation: Annotation, grey: Grey) -> Surroundings | None:
        if annotation.id not in self._around:
            try:
                self._around[annotation.id] = Surroundings.of(annotation, ContrastOf(grey))
            except (ProjectError, ImageError) as error:
                _log.warning("A mask is not recalled: %s", error)
                return None
            self._around_bytes += self._around[annotation.id].nbytes
            while self._around_bytes > _SURROUNDINGS_BYTES and len(self._around) > 1:
                self._around_bytes -= self._around.popitem(last=False)[1].nbytes
        return self._around[annotation.id]

    def _surroundings(
        self,
        record: ImageRecord,
        masks: Sequence[Annotation],
        shift: tuple[float, float],
        signature_pixel: float,
    ) -> Iterator[_Known]:
        """Return each mask of an image with its surroundings; none if it cannot be read."""
        grey: Grey | None = None
        slack = int(np.ceil(_SLACK * signature_pixel))
        rough = round(shift[0]), round(shift[1])
        objects = [moved(annotation.bbox, rough) for annotation in masks]
        for annotation in masks:
            around = self._around.get(annotation.id)
            if around is None:
                grey = self._signatures.grey_of(record) if grey is None else grey
                if grey is None:
                    return
                around = self._around_mask(annotation, grey)
            if around is not None:
                yield _Known(annotation, around, rough, slack, objects)

    def _counting(self, known: Sequence[_Known]) -> list[_Known]:
        """Return those masks that still count; some may have been deleted since the image came."""
        images = dict.fromkeys(one.annotation.image_id for one in known)
        told_apart = self._project.told_apart_on(images)
        counting = {mask for masks, _ in told_apart.values() for mask in masks}
        return [one for one in known if one.annotation in counting]

    def _meant(self, prompt: Prompt) -> Iterator[_Twin]:
        """Return the masks found again where a prompt points."""
        clicks = [p for p, label in zip(prompt.points, prompt.labels, strict=True) if label]
        box = None
        if prompt.box is not None:
            x0, y0, x1, y1 = prompt.box
            box = round(y0), round(x0), round(y1) + 1, round(x1) + 1
            is_near = (self._near[:, :2] < box[2:]) & (self._near[:, 2:] > box[:2])
        elif clicks:
            place = clicks[0][::-1]
            is_near = (self._near[:, :2] <= place) & (self._near[:, 2:] > place)
        else:
            return
        near = [self._known[number] for number in np.flatnonzero(is_near.all(axis=1))]
        for known in self._counting(near):
            if known.annotation.id not in self._twins and self._is_another_surface():
                continue
            twin = self._twin(known)
            if twin is None:
                continue
            if twin.covers(*clicks[0]) if box is None else iou(twin.box, box) >= _ALIKE:
                yield twin

    def _is_another_surface(self) -> bool:
        """Whether so many masks were looked for in vain that no more need be."""
        return len(self._twins) >= _IN_VAIN and not any(self._twins.values())

    def _twin(self, known: _Known) -> _Twin | None:
        name = known.annotation.id
        if name not in self._twins:
            self._twins[name] = self._found_again(known)
        return self._twins[name]

    def _found_again(self, known: _Known) -> _Twin | None:
        """Look for an object near where it should be."""
        if self._contrast is None:
            return None
        found = known.surroundings.found_on(self._contrast, known.shift, known.slack, known.objects)
        if found is None:
            return None
        try:
            mask = known.annotation.cropped_mask
        except ProjectError as error:
            _log.warning("A mask is not recalled: %s", error)
            return None
        return _Twin(known.annotation, mask, *found)


def _boxes(windows: Sequence[Window]) -> NDArray[np.int64]:
    """Return boxes as an (n, 4) array."""
    return np.array(windows, np.int64).reshape(-1, 4)


def _objects(twins: Iterable[_Twin]) -> list[list[_Twin]]:
    """Put masks of the same object together, the best match first, not more than count."""
    objects: list[list[_Twin]] = []
    for twin in sorted(twins, key=lambda twin: -twin.score):
        same = next((o for o in objects if iou(twin.box, o[0].box) >= _ALIKE), None)
        if same is None:
            objects.append([twin])
        elif len(same) < _MOST_TWINS:
            same.append(twin)
    return objects


def _average(twins: Sequence[_Twin]) -> Recalled:
    """Average the signed distances from the borders of masks of the same object."""
    weights = np.array([twin.score for twin in twins]) / sum(twin.score for twin in twins)
    pixels = float(sum(w * t.annotation.area for w, t in zip(weights, twins, strict=True)))
    softness = _BORDER[0] + _BORDER[1] * pixels**0.5
    window = grown(hull([twin.box for twin in twins]), int(np.ceil(CAP * softness)) + 1)
    scale = min(1.0, _FINEST / max(shape_of(window)))
    distance: NDArray[np.float64] | float = 0.0
    for weight, twin in zip(weights, twins, strict=True):
        y0, x0, y1, x1 = twin.box
        drawn = np.zeros(shape_of(window), np.float32)
        drawn[y0 - window[0] : y1 - window[0], x0 - window[1] : x1 - window[1]] = twin.mask
        inside = scaled(drawn, scale) >= _COVERED
        inner, outer = (ndimage.distance_transform_edt(part) for part in (inside, ~inside))
        distance += weight / scale * (inner - outer)
    field = np.clip(distance / softness, -CAP, CAP).astype(np.float32)
    best = twins[0]
    names = tuple(twin.annotation.id for twin in twins)
    return Recalled(names, window, field, best.score, best.annotation.label)
