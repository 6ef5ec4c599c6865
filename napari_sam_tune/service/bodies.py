"""What requests and answers hold, as OpenAPI describes it, and how it becomes the core's words."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask
from pydantic import BaseModel, ConfigDict, Field

from napari_sam_tune.core.errors import PromptError
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.service import examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask, Proposal

Coordinate = Annotated[float, Field(allow_inf_nan=False)]
VERSION: Final = r"^(base|[0-9a-f]{12})$"
_BOX_PARTS: Final = 4
_POINT_PARTS: Final = 3


class PointBody(BaseModel):
    """A click."""

    model_config = ConfigDict(extra="forbid")
    x: Coordinate = Field(description="From the left, in px; 0 is the first pixel's centre.")
    y: Coordinate = Field(description="From the top, in px.")
    label: int = Field(1, ge=0, le=1, description="1: part of the object; 0: not part of it.")


class QuestionBody(BaseModel):
    """All that was said about one object."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.QUESTION]})
    points: list[PointBody] = Field([], max_length=256, description="In the order of clicking.")
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = Field(
        None, description="x0, y0, x1, y1 in px; said before the points."
    )
    candidate: int = Field(
        0, ge=0, le=2, description="Which answer to a single first point the others correct."
    )
    weights: str | None = Field(
        None, pattern=VERSION, description="“base”, or a version sent before; else those in use."
    )

    def prompt(self) -> Prompt:
        """Return it as the core's.

        Raises:
            PromptError: nothing was said, or the box has no area.

        """
        points = [(point.x, point.y) for point in self.points]
        return Prompt(points, [point.label for point in self.points], self.box)


class RunsBody(BaseModel):
    """COCO's compressed run lengths of a mask."""

    size: tuple[int, int] = Field(description="Height and width, in px.")
    counts: str


class MaskBody(BaseModel):
    """A mask in the smallest box that holds it."""

    box: tuple[int, int, int, int] = Field(
        description="x0, y0, x1, y1 in px of the image, ends excluded; all 0 where nothing is."
    )
    segmentation: RunsBody = Field(description="Of the box alone.")
    predicted_iou: float = Field(description="The model's own estimate.")


class ProposalBody(BaseModel):
    """An answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PROPOSAL]})
    image: str = Field(description="The image's id.")
    mask: MaskBody
    candidates: list[MaskBody] = Field(description="Best first; three for a single point.")
    weights: str = Field(description="Which answered.")


class CocoBody(BaseModel):
    """An answer as COCO has it: run lengths of the whole image."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.COCO]})
    image: str = Field(description="The image's id.")
    segmentation: RunsBody
    bbox: tuple[int, int, int, int] = Field(description="x, y, width, height in px.")
    area: int
    predicted_iou: float
    weights: str = Field(description="Which answered.")


class ImageBody(BaseModel):
    """An image that is kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.KEPT_IMAGE]})
    id: str = Field(description="The first 32 hex digits of the SHA-256 of the file's bytes.")
    width: int
    height: int


class WeightsBody(BaseModel):
    """The model of a server, and weights that can answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.MODEL]})
    base: str = Field(description="The base model's name.")
    base_sha256: str = Field(description="Of its file.")
    input_side: int = Field(description="Side of the square an image is shrunk to, in px.")
    device: str = Field(description="“cpu”, “cuda” or “mps”.")
    in_use: str = Field(description="What answers where a question names none.")
    versions: list[str] = Field(description="All that a question may name.")


def prompt_of(box: str | None, points: str | None, most: int) -> Prompt:
    """Read a box “x0,y0,x1,y1” and points “x,y,label;x,y,label”.

    Raises:
        PromptError: they are no such numbers, too many, or nothing at all.

    """
    corners = _numbers(box, _BOX_PARTS, "A box is x0,y0,x1,y1") if box else None
    clicks = [
        _numbers(part, _POINT_PARTS, "Points are x,y,label separated by “;”")
        for part in (points or "").split(";")
        if part.strip()
    ]
    if len(clicks) > most:
        raise PromptError(f"{len(clicks)} points are more than the {most} that are taken.")
    positions = [(x, y) for x, y, _ in clicks]
    shown = None if corners is None else (corners[0], corners[1], corners[2], corners[3])
    return Prompt(positions, [label for _, _, label in clicks], shown)  # type: ignore[misc]


def _numbers(text: str, count: int, what: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise PromptError(f"{what}, in px; {text[:60]!r} is not.")
    return numbers


def png_of(pixels: Mask | NDArray[np.uint8]) -> bytes:
    """Return an image (H, W, 3) as a PNG, or a mask (H, W) as one of 0 and 255."""
    file = io.BytesIO()
    drawn = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
    Image.fromarray(drawn).save(file, "PNG", compress_level=1)
    return file.getvalue()


def coco_of(image: str, proposal: Proposal) -> CocoBody:
    """Return a proposal as COCO has it."""
    runs = _runs(proposal.mask)
    x0, y0, x1, y1 = _box_of(proposal.mask)
    return CocoBody(
        image=image,
        segmentation=runs,
        bbox=(x0, y0, x1 - x0, y1 - y0),
        area=int(np.count_nonzero(proposal.mask)),
        predicted_iou=proposal.iou,
        weights=proposal.weights_version,
    )


def proposal_of(image: str, proposal: Proposal) -> ProposalBody:
    """Return a proposal and its candidates, each in its box."""
    return ProposalBody(
        image=image,
        mask=in_its_box(proposal.mask, proposal.iou),
        candidates=[in_its_box(mask, iou) for mask, iou in proposal.candidates],
        weights=proposal.weights_version,
    )


def in_its_box(mask: Mask, iou: float) -> MaskBody:
    """Return a mask (H, W) as it is sent: what lies in the smallest box around it."""
    x0, y0, x1, y1 = box = _box_of(mask)
    return MaskBody(box=box, segmentation=_runs(mask[y0:y1, x0:x1]), predicted_iou=iou)


def _box_of(mask: Mask) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1, ends excluded; all 0 where the mask is empty."""
    rows = np.flatnonzero(mask.any(1))
    if not rows.size:
        return 0, 0, 0, 0
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[y0:y1].any(0))
    return int(columns[0]), y0, int(columns[-1]) + 1, y1


def _runs(mask: Mask) -> RunsBody:
    if not mask.size:
        return RunsBody(size=(0, 0), counts="")
    runs: dict[str, Any] = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    height, width = runs["size"]
    return RunsBody(size=(height, width), counts=runs["counts"].decode())
