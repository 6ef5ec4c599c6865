# ruff: noqa: TC001, TC003  pydantic reads the annotations when records are checked
"""The attributes that a record of an accepted mask lies on disk with, checked as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from napari_sam_tune.core.geometry.turning import UPRIGHT, orientation_of, turned_point
from napari_sam_tune.core.geometry.windows import BoundingBox
from napari_sam_tune.core.project.split import Split
from napari_sam_tune.core.prompts import Effort, Prompt
from napari_sam_tune.core.texts.plain_text import is_text

Source = Literal["person", "robot", "adopted", "import"]
_LARGEST: Final = 1e15
_NO_CLOCK: Final = 1e11
"""Seconds since 1970 that no clock shows, however wrong it is."""
_LONGEST: Final = 1 << 24


@dataclass(frozen=True)
class StoredAnnotation:
    """The attributes of a record, as far as they are needed without its array."""

    image_id: str
    label: str
    weights_version: str
    predicted_iou: float | None
    effort: Effort
    created: float
    split: Split
    shape: tuple[int, int]
    bbox: BoundingBox
    crop: BoundingBox
    area: int
    supersedes: str | None
    source: Source
    has_proposal: bool
    has_locked: bool
    origin: str | None = None  # records of the first releases have none of these
    suggested_by: str | None = None
    recalled: tuple[str, ...] = ()
    turn: int = UPRIGHT
    by: str | None = None

    def check(self) -> None:
        """Refuse boxes that lie in no image, areas that no box holds, and labels that are none."""
        if not all(map(is_text, (self.label, self.image_id, self.weights_version))):
            raise ValueError("a name in it is no text")
        if not all(abs(value) < _LARGEST for value in asdict(self.effort).values()):
            raise ValueError(f"{self.effort} is no effort")
        if max(self.shape) >= _LONGEST:
            raise ValueError(f"no image has the shape {self.shape}")
        (height, width), (y0, x0, y1, x1) = self.shape, self.bbox
        top, left, bottom, right = self.crop
        if not (0 <= top <= y0 < y1 <= bottom <= height and 0 <= left <= x0 < x1 <= right <= width):
            raise ValueError(f"its box {self.bbox} is not in {self.crop} of {self.shape}")
        if not 0 < self.area <= (y1 - y0) * (x1 - x0):
            raise ValueError(f"no mask of {self.area} px fits into {self.bbox}")
        if orientation_of(self.turn) != self.turn:
            raise ValueError(f"{self.turn} is no orientation")
        if not 0 <= self.created < _NO_CLOCK:
            raise ValueError(f"{self.created} is no time")


_STORED: Final = TypeAdapter(StoredAnnotation)


def read_stored(attributes: Mapping[str, Any]) -> StoredAnnotation:
    """Check the attributes of a record.

    Raises:
        ValueError: one is missing or senseless; says which.

    """
    try:
        said = _STORED.validate_python(dict(attributes))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg']}") from error
    said.check()
    return said


def turned_prompt(prompt: Prompt, shape: tuple[int, int], orientation: int) -> Prompt:
    """Turn clicks, box and strokes of a prompt without a mask; see `turned_point`."""
    if orientation == UPRIGHT:
        return prompt
    points = tuple(turned_point(point, shape, orientation) for point in prompt.points)
    box = prompt.box
    if box is not None:
        corners = [turned_point(corner, shape, orientation) for corner in (box[:2], box[2:])]
        (xa, ya), (xb, yb) = corners
        box = min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)
    strokes = tuple(
        tuple(turned_point(point, shape, orientation) for point in path) for path in prompt.strokes
    )
    return replace(prompt, points=points, box=box, strokes=strokes)
