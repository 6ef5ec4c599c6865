"""Accepted masks: what is handed to a project, how it lies on disk, and what comes back.

On disk an annotation is one uint8 array, cut to the box around everything in it: bit 0 is the mask
exactly as accepted, bit 1 the model's proposal, bit 2 what was painted. Attributes hold the rest.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.errors import MaskError, ProjectError
from napari_sam_tune.core.geometry.given_masks import place_mask
from napari_sam_tune.core.geometry.placed_mask import PlacedMask, require_one_mask
from napari_sam_tune.core.geometry.turning import UPRIGHT, turned, turned_box, turned_shape
from napari_sam_tune.core.geometry.windows import shape_of
from napari_sam_tune.core.project.naming import checked_label
from napari_sam_tune.core.project.stored_annotation import Source, read_stored, turned_prompt
from napari_sam_tune.core.prompts import Effort, Prompt
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.project.naming import Naming
    from napari_sam_tune.core.project.split import Split
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.storage.records import RecordStore

_MASK, _PROPOSAL, _LOCKED = np.uint8(1), np.uint8(2), np.uint8(4)


@dataclass(frozen=True, eq=False)
class NewAnnotation:
    """A mask a person accepts, with how it came about.

    Attributes:
        image_id: the image, which the project must know.
        mask: (H, W), nonzero inside, or in its box; kept exactly: holes, parts, overlaps and all.
        label: the class.
        prompts: the whole prompt of each answered proposal and of each stroke, in order; their
            masks are not kept.
        weights_version: the weights that proposed.
        proposal_mask: the same of the proposal before the person's paint, or None.
        predicted_iou: the model's own estimate for it, or None.
        locked: the same of the pixels a person painted or erased, or None.
        effort: what it cost.
        supersedes: the annotation this is an edit of, or None.
        source: who made it.
        origin: where an imported mask came from, "format/file/object"; else None.
        split: decided by an import, where image and place leave that open; else None.
        suggested_by: what proposed it unasked, see `Suggestion.origin`; else None.
        recalled: ids of the earlier masks that the proposal owes something to, see `recall`.

    """

    image_id: str
    mask: Mask | PlacedMask
    label: str
    prompts: tuple[Prompt, ...] = ()
    weights_version: str = "base"
    proposal_mask: Mask | PlacedMask | None = None
    predicted_iou: float | None = None
    locked: Mask | PlacedMask | None = None
    effort: Effort = field(default_factory=Effort)
    supersedes: str | None = None
    source: Source = "person"
    origin: str | None = None
    split: Split | None = None
    suggested_by: str | None = None
    recalled: tuple[str, ...] = ()

    def checked(self, shape: tuple[int, int]) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Return the array and the attributes to store.

        Args:
            shape: the image's (H, W).

        Raises:
            MaskError: a mask is not of the image's shape, or the accepted one is empty; or the
                class is no text.

        """
        checked_label(self.label)
        mask = place_mask(self.mask, shape)
        if mask.bbox is None:
            raise MaskError(
                tr(
                    "The mask is empty: there is nothing to accept. Click or paint the object, or "
                    "mark the image as “no defect here”."
                )
            )
        layers = {_MASK: mask}
        for bit, layer in ((_PROPOSAL, self.proposal_mask), (_LOCKED, self.locked)):
            if layer is not None:
                layers[bit] = place_mask(layer, shape)
        boxes = [layer.bbox for layer in layers.values() if layer.bbox is not None]
        y0, x0 = np.min(boxes, axis=0)[:2].tolist()
        y1, x1 = np.max(boxes, axis=0)[2:].tolist()
        crop = y0, x0, y1, x1
        require_one_mask(crop)
        bits = np.zeros(shape_of(crop), np.uint8)
        for bit, layer in layers.items():
            bits |= np.where(layer.crop(crop), bit, np.uint8(0))
        return bits, self._attributes(shape, bits, mask.bbox, crop)

    def _attributes(
        self,
        shape: tuple[int, int],
        bits: NDArray[np.uint8],
        bbox: BoundingBox,
        crop: BoundingBox,
    ) -> dict[str, Any]:
        return {
            "image_id": self.image_id,
            "label": self.label,
            "shape": list(shape),
            "crop": list(crop),
            "bbox": list(bbox),
            "area": int(np.count_nonzero(bits & _MASK)),
            "has_proposal": self.proposal_mask is not None,
            "has_locked": self.locked is not None,
            "prompts": [prompt.to_json() for prompt in self.prompts],
            "weights_version": self.weights_version,
            "predicted_iou": None if self.predicted_iou is None else float(self.predicted_iou),
            "effort": asdict(self.effort),
            "supersedes": self.supersedes,
            "source": self.source,
            "origin": self.origin,
            "suggested_by": self.suggested_by,
            "recalled": list(self.recalled),
        }


@dataclass(frozen=True)
class Annotation:
    """An accepted mask as the project holds it. Two are equal if their ids are.

    Masks are read from disk each time they are asked for, about 1 ms.

    Attributes:
        id: sorts by time.
        image_id: the image it belongs to.
        label: the class it has now; its record keeps the one it was accepted with.
        weights_version: the weights that proposed it.
        predicted_iou: the model's own estimate for its proposal, or None.
        effort: what it cost the person.
        created: UTC, seconds since 1970.
        split: "train", "held_out" or "test", decided when it was accepted.
        shape: the image's (H, W).
        bbox: (y0, x0, y1, x1) of the mask in pixels, ends excluded.
        area: pixels in the mask.
        supersedes: the annotation it is an edit of, or None.
        source: who made it.
        origin, suggested_by: see `NewAnnotation`.
        recalled: ids of the earlier masks that its proposal owed something to.
        by: who accepted it, by the name at their machine; None of older records.

    """

    id: str
    image_id: str = field(compare=False)
    label: str = field(compare=False)
    weights_version: str = field(compare=False)
    predicted_iou: float | None = field(compare=False)
    effort: Effort = field(compare=False)
    created: float = field(compare=False)
    split: Split = field(compare=False)
    shape: tuple[int, int] = field(compare=False)
    bbox: BoundingBox = field(compare=False)
    area: int = field(compare=False)
    supersedes: str | None = field(compare=False)
    source: Source = field(compare=False)
    origin: str | None = field(compare=False)
    suggested_by: str | None = field(compare=False)
    recalled: tuple[str, ...] = field(compare=False)
    by: str | None = field(compare=False)
    _crop: BoundingBox = field(compare=False, repr=False)
    _has_proposal: bool = field(compare=False, repr=False)
    _has_locked: bool = field(compare=False, repr=False)
    _records: RecordStore = field(compare=False, repr=False)
    _made_at: int = field(compare=False, repr=False)  # the image's `turn` when it was accepted
    _turn: int = field(default=UPRIGHT, compare=False, repr=False)  # of what lies on disk
    _accepted_as: str | None = field(default=None, compare=False, repr=False)  # if renamed since

    @classmethod
    def from_record(
        cls, annotation_id: str, stored: Mapping[str, Any], records: RecordStore
    ) -> Annotation:
        """Rebuild an annotation from its attributes.

        Raises:
            ProjectError: an attribute is missing or senseless.

        """
        try:
            said = read_stored(stored)
        except ValueError as error:
            raise ProjectError(
                tr(
                    "The annotation {id} in {folder} cannot be understood ({error}).",
                    id=annotation_id,
                    folder=records.root,
                    error=error,
                )
            ) from error
        return cls(
            id=annotation_id,
            image_id=said.image_id,
            label=said.label,
            weights_version=said.weights_version,
            predicted_iou=said.predicted_iou,
            effort=said.effort,
            created=said.created,
            split=said.split,
            shape=said.shape,
            bbox=said.bbox,
            area=said.area,
            supersedes=said.supersedes,
            source=said.source,
            origin=said.origin,
            suggested_by=said.suggested_by,
            recalled=said.recalled,
            by=said.by,
            _crop=said.crop,
            _has_proposal=said.has_proposal,
            _has_locked=said.has_locked,
            _records=records,
            _made_at=said.turn,
        )

    def in_image_turned(self, turn: int) -> Annotation:
        """Return it as it lies in its image, which was turned by `turn` since it is known."""
        to_do = turn if self._made_at == UPRIGHT else UPRIGHT
        if to_do == self._turn:
            return self
        return replace(
            self,
            shape=turned_shape(self.shape, to_do),
            bbox=turned_box(self.bbox, self.shape, to_do),
            _crop=turned_box(self._crop, self.shape, to_do),
            _turn=to_do,
        )

    def called(self, naming: Naming) -> Annotation:
        """Return it with the class it has since the lines of a log that `naming` holds."""
        stored = self.accepted_as
        label = naming.label_of(self.id, stored, self.created)
        return self if label == self.label else replace(self, label=label, _accepted_as=stored)

    @property
    def accepted_as(self) -> str:
        """The class it was accepted with."""
        return self._accepted_as or self.label

    @cached_property
    def prompts(self) -> tuple[Prompt, ...]:
        """The whole prompt of each answered proposal and each stroke, in order, without masks.

        Raises:
            ProjectError: its file is gone or damaged.

        """
        stored = self._records.attributes(self.id)
        try:
            said = (
                p
                for p in stored["prompts"]
                if p["points"] or p["box"] is not None or p.get("strokes")
            )
            shape = turned_shape(self.shape, self._turn)
            return tuple(turned_prompt(Prompt.from_json(p), shape, self._turn) for p in said)
        except (LookupError, TypeError, ValueError) as error:
            raise ProjectError(
                tr(
                    "The prompts of the annotation {id} in {folder} cannot be understood "
                    "({error}). Restore the record from a backup.",
                    id=self.id,
                    folder=self._records.root,
                    error=error,
                )
            ) from error

    @property
    def is_as_accepted(self) -> bool:
        """Whether a copy of it is its record: upright, and of the class it was accepted as."""
        is_upright = self._made_at == self._turn == UPRIGHT
        return is_upright and self.label == self.accepted_as

    def stored(self) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Return the array and the attributes for a copy: turned upright, of the class of now.

        Raises:
            ProjectError: its files are gone or damaged.

        """
        attributes = self._records.attributes(self.id) | {"label": self.label}
        if self._turn != UPRIGHT:
            attributes |= {
                "shape": list(self.shape),
                "bbox": list(self.bbox),
                "crop": list(self._crop),
                "prompts": [prompt.to_json() for prompt in self.prompts],
                "turn": self._turn,
            }
        return self._checked_bits(), attributes

    @property
    def mask(self) -> Mask:
        """The mask exactly as accepted, (H, W) bool.

        Raises:
            ProjectError: its file is gone or damaged.

        """
        return self._full(self._checked_bits(), _MASK)

    @property
    def placed(self) -> PlacedMask:
        """The mask exactly as accepted, in its box.

        Raises:
            ProjectError: its file is gone or damaged.

        """
        return PlacedMask.in_window(self.cropped_mask, self.bbox, self.shape)

    @property
    def cropped_mask(self) -> Mask:
        """The mask inside `bbox`, bool: all of it, without the empty surroundings."""
        y0, x0, y1, x1 = self.bbox
        top, left, _, _ = self._crop
        bits = self._checked_bits()[y0 - top : y1 - top, x0 - left : x1 - left]
        return np.asarray(bits & _MASK, dtype=bool)

    @property
    def proposal_mask(self) -> Mask | None:
        """The model's proposal before paint, (H, W) bool, or None where there was none."""
        return self._full(self._checked_bits(), _PROPOSAL) if self._has_proposal else None

    @property
    def locked(self) -> Mask | None:
        """The pixels a person painted or erased, (H, W) bool, or None where none were."""
        return self._full(self._checked_bits(), _LOCKED) if self._has_locked else None

    def _full(self, bits: NDArray[np.uint8], bit: np.uint8) -> Mask:
        full = np.zeros(self.shape, bool)
        y0, x0, y1, x1 = self._crop
        full[y0:y1, x0:x1] = (bits & bit) != 0
        return full

    def _checked_bits(self) -> NDArray[np.uint8]:
        bits: NDArray[np.uint8] = turned(self._records.read(self.id), self._turn)
        self.check_bits(bits)
        return bits

    def check_bits(self, bits: NDArray[np.uint8]) -> None:
        """Raise ProjectError where an array is not the mask's; zarr reads a lost chunk as zeros."""
        y0, x0, y1, x1 = self._crop
        if bits.shape != (y1 - y0, x1 - x0) or np.count_nonzero(bits & _MASK) != self.area:
            raise ProjectError(
                tr(
                    "The mask of {id} in {folder} is damaged. Restore it from a backup, or delete "
                    "the annotation.",
                    id=self.id,
                    folder=self._records.root,
                )
            )
