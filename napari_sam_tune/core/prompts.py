"""What a person says about an object, and what the model answers.

This is the only module that knows both coordinate orders: SAM's and the public API's (x, y), and
napari's and numpy's (row, column). `xy_from_rowcol` and `rowcol_from_xy` are the two doors.
"""

from __future__ import annotations

import reprlib
from dataclasses import astuple, dataclass, field, replace
from operator import add, sub
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.errors import PromptError
from napari_sam_tune.core.geometry.given_masks import as_mask, require_same_shape
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.geometry.windows import Window

    Mask = NDArray[np.bool_]

Point = tuple[float, float]
Box = tuple[float, float, float, float]
Stroke = tuple[Point, ...]


def xy_from_rowcol(rowcol: Sequence[float]) -> Point:
    """Turn a napari position (row, column) into SAM's (x, y)."""
    row, column = rowcol
    return float(column), float(row)


def rowcol_from_xy(xy: Sequence[float]) -> Point:
    """Turn SAM's (x, y) into napari's (row, column)."""
    x, y = xy
    return float(y), float(x)


@dataclass(frozen=True)
class Prompt:
    """Everything a person has said about one object so far; always the whole prompt.

    Attributes:
        points: (x, y) positions in image pixels; (0, 0) is the centre of the top-left pixel.
        labels: one per point, 1 for "part of the object", 0 for "not part of it".
        box: (x0, y0, x1, y1) in pixels, or None. Corners may come in any order.
        mask: a first guess to start from, (H, W) bool or in its box; or None. Not part of equality.
        strokes: paths of (x, y) drawn before the points, along lines or around objects. No model
            takes them: what they found goes in as `mask`; see `Session.draw`.

    Raises:
        PromptError: nothing was said, numbers are none or not finite, a label is neither 0 nor 1,
            points and labels differ in number, the box has no area, or a stroke has no length.
        MaskError: the mask is no array of height × width numbers.
    """

    points: Sequence[Point] = ()
    labels: Sequence[int] = ()
    box: Box | None = None
    mask: Mask | PlacedMask | None = field(default=None, compare=False, repr=False)
    strokes: Sequence[Stroke] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        points, labels = _checked_points(self.points, self.labels)
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "box", _checked_box(self.box))
        if self.mask is not None and not isinstance(self.mask, PlacedMask):
            object.__setattr__(self, "mask", as_mask(self.mask))
        object.__setattr__(self, "strokes", _checked_strokes(self.strokes))
        if not self.asks and not self.strokes:
            raise PromptError(tr("The prompt is empty: click a point, draw a box or give a mask."))

    @property
    def asks(self) -> bool:
        """Whether there is something in it that a model answers: more than strokes."""
        return bool(self.points) or self.box is not None or self.mask is not None

    def clipped(self, shape: tuple[int, int]) -> Prompt:
        """Return the prompt as it applies to an image of `shape` (H, W).

        A box is cut to the image. Points may lie up to the outer edge of the border pixels.

        Raises:
            PromptError: a point or the whole box lies outside the image, or all are strokes.
            MaskError: the mask is not of the image's shape.
        """
        height, width = shape
        if not self.asks:
            raise PromptError(
                "No model answers a stroke: draw it with Session.draw, then correct by clicks."
            )
        for x, y in self.points:
            if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
                raise PromptError(
                    tr(
                        "The point x={x:g}, y={y:g} lies outside the image, which is {width} wide "
                        "and {height} high. Points are (x, y), not (row, column).",
                        x=x,
                        y=y,
                        width=width,
                        height=height,
                    )
                )
        if self.mask is not None:
            require_same_shape(self.mask.shape, shape)
        if self.box is None:
            return self
        x0, y0, x1, y1 = self.box
        x0, x1 = max(x0, -0.5), min(x1, width - 0.5)
        y0, y1 = max(y0, -0.5), min(y1, height - 0.5)
        if x0 >= x1 or y0 >= y1:
            raise PromptError(
                tr(
                    "The box {box} lies outside the image, which is {width} wide and {height} "
                    "high. A box is (x0, y0, x1, y1).",
                    box=_format(self.box),
                    width=width,
                    height=height,
                )
            )
        return replace(self, box=(x0, y0, x1, y1))

    def add_point(self, x: float, y: float, label: int) -> Prompt:
        """Return this prompt with one more point."""
        return replace(self, points=(*self.points, (x, y)), labels=(*self.labels, label))

    def without_mask(self) -> Prompt | None:
        """Return points, box and strokes alone, or None where there are none."""
        if not self.points and self.box is None and not self.strokes:
            return None
        return replace(self, mask=None)

    def to_json(self) -> dict[str, Any]:
        """Return all but the mask as plain JSON values; strokes only where there are any."""
        strokes = [[list(point) for point in path] for path in self.strokes]
        return {
            "points": [list(p) for p in self.points],
            "labels": list(self.labels),
            "box": None if self.box is None else list(self.box),
            "mask": self.mask is not None,
            **({"strokes": strokes} if strokes else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Prompt:
        """Rebuild what `to_json` wrote."""
        return cls(
            points=data["points"],
            labels=data["labels"],
            box=data["box"],
            strokes=data.get("strokes", ()),
        )


def _checked_points(
    points: Iterable[Sequence[float]], labels: Iterable[int]
) -> tuple[tuple[Point, ...], tuple[int, ...]]:
    checked = _pairs(points)
    signs = _finite(labels, "A point's label is 1 (inside the object) or 0 (outside it)")
    if len(signs) != len(checked):
        raise PromptError(
            f"{len(checked)} points came with {len(signs)} labels; give one label (1 or 0) a point."
        )
    if any(sign not in (0, 1) for sign in signs):
        raise PromptError("A point's label is 1 (inside the object) or 0 (outside it).")
    return tuple(checked), tuple(map(int, signs))


def _pairs(points: Iterable[Sequence[float]]) -> list[Point]:
    checked = []
    for point in _several(points, "Points are pairs (x, y)"):
        numbers = _finite(point, "A point is a pair (x, y)")
        if len(numbers) != 2:
            raise PromptError(f"A point is a pair (x, y); {point!r} is not.")
        checked.append((numbers[0], numbers[1]))
    return checked


def _checked_strokes(strokes: Iterable[Iterable[Sequence[float]]]) -> tuple[Stroke, ...]:
    checked = tuple(
        tuple(_pairs(path)) for path in _several(strokes, "Strokes are paths of points")
    )
    if any(len(set(path)) < 2 for path in checked):
        raise PromptError(tr("A stroke is drawn along a crack: press, draw, and let go."))
    return checked


def _several(values: object, what: str) -> list[Any]:
    try:
        if isinstance(values, str | bytes):
            raise TypeError("text is a sequence of characters")
        return list(values)  # type: ignore[call-overload, no-any-return]
    except TypeError as error:
        raise PromptError(f"{what}; {reprlib.repr(values)} is not.") from error


def _finite(values: object, what: str) -> list[float]:
    """Return finite numbers, or say what they should have been."""
    try:
        several = _several(values, what)
        if any(isinstance(value, complex | np.complexfloating) for value in several):
            raise TypeError("of a complex number, half would be left")
        numbers = [float(value) for value in several]
    except (TypeError, ValueError, OverflowError) as error:
        raise PromptError(f"{what}; {reprlib.repr(values)} is not.") from error
    if not np.isfinite(numbers).all():
        raise PromptError(f"{what}; {reprlib.repr(values)} is not finite.")
    return numbers


def _checked_box(box: Sequence[float] | None) -> Box | None:
    if box is None:
        return None
    numbers = _finite(box, "A box is (x0, y0, x1, y1)")
    if len(numbers) != 4:
        raise PromptError(f"A box is (x0, y0, x1, y1); {box!r} is not.")
    xa, ya, xb, yb = numbers
    x0, x1, y0, y1 = min(xa, xb), max(xa, xb), min(ya, yb), max(ya, yb)
    if x0 == x1 or y0 == y1:
        raise PromptError(
            tr(
                "The box {box} has no area: draw it larger, or click a point.",
                box=_format((xa, ya, xb, yb)),
            )
        )
    return x0, y0, x1, y1


def _format(box: Sequence[float]) -> str:
    return "(" + ", ".join(f"{v:g}" for v in box) + ")"


@dataclass(frozen=True)
class ClassGuess:
    """The class an object most likely has, by what was accepted.

    Attributes:
        label: its name.
        lead: of its mean score in the mask over that of the next class.
        is_clear: guesses that led by as much were right before.
        is_recalled: it is the class of earlier masks of the same object, and no guess by looks.

    """

    label: str
    lead: float
    is_clear: bool = False
    is_recalled: bool = False


@dataclass(frozen=True, eq=False)
class Proposal:
    """The model's answer to a prompt.

    Attributes:
        placed: the mask proposed, in its box; see `mask`.
        iou: the model's own estimate of that mask's IoU.
        placed_candidates: (mask, iou) pairs, best first; SAM's three for a single point, else one.
        prompt: the prompt that was answered.
        logits: (K, h, w) float32 low-resolution logits, one per candidate, in their order. They
            may be fed back as the mask input of the next prompt. Empty where undo led back so far
            that only masks were kept.
        chosen: which candidate the mask is.
        weights_version: the weights that answered.
        window: the part (y0, x0, y1, x1) of the image the logits are of, in px, ends excluded;
            None for the whole image. Nothing is drawn outside it.
        recalled: ids of the earlier masks that the first candidate owes something to.
        own_logits: (K, h, w) float16, what the model itself said, before priors and refiners.
        from_mask: the object was begun with a mask, so that all its parts are meant.
        class_guess: the class that a new object most likely has, as far as that was asked.
        moved_from: the mask that clicks correct and do not draw anew; None of all other answers.
        moved_since: how many clicks had been made when it was like that.
    """

    placed: PlacedMask
    iou: float
    placed_candidates: tuple[tuple[PlacedMask, float], ...]
    prompt: Prompt
    logits: NDArray[np.float32] = field(repr=False)
    weights_version: str
    chosen: int = 0
    window: Window | None = None
    recalled: tuple[str, ...] = ()
    own_logits: NDArray[np.float16] | None = field(default=None, repr=False)
    from_mask: bool = False
    class_guess: ClassGuess | None = None
    moved_from: PlacedMask | None = field(default=None, repr=False)
    moved_since: int = 0

    @property
    def mask(self) -> Mask:
        """The mask proposed, (H, W) bool; drawn each time, and as large as the image."""
        return self.placed.draw()

    @property
    def candidates(self) -> tuple[tuple[Mask, float], ...]:
        """`placed_candidates` with masks (H, W) bool, drawn each time."""
        return tuple((mask.draw(), iou) for mask, iou in self.placed_candidates)

    @property
    def is_recalled(self) -> bool:
        """Whether the mask owes something to earlier masks."""
        return bool(self.recalled) and self.chosen == 0

    def choose(self, index: int) -> Proposal:
        """Return the proposal with another candidate on top; `index` wraps around."""
        index %= len(self.placed_candidates)
        mask, iou = self.placed_candidates[index]
        return replace(self, placed=mask, iou=iou, chosen=index)


@dataclass(frozen=True, eq=False)
class ProposalRequest:
    """A question on its way to the model; whoever owns the predictor answers it.

    Attributes:
        image_id: the image it is about.
        generation: of the object asked about; an answer is stale once that has gone on.
        prompt: the whole prompt, with the painted mask in place.
        previous: the proposal whose logits go along, or None.
        seen: the part of the image on the person's screen, where that is known.
        is_nearly_right: what is shown is to be corrected, not drawn anew; see `AnswerChain.ask`.

    """

    image_id: str
    generation: int
    prompt: Prompt
    previous: Proposal | None
    seen: Window | None = None
    is_nearly_right: bool = False


@dataclass(frozen=True)
class Effort:
    """What one accepted mask cost the person.

    Attributes:
        clicks: points clicked, both signs.
        boxes: boxes drawn.
        strokes: strokes of brush or eraser, along lines and around objects.
        painted_pixels: pixels changed by hand.
        seconds: time from the first prompt to accepting.
    """

    clicks: int = 0
    boxes: int = 0
    strokes: int = 0
    painted_pixels: int = 0
    seconds: float = 0.0

    def __add__(self, other: Effort) -> Effort:
        return Effort(*map(add, astuple(self), astuple(other)))

    def __sub__(self, other: Effort) -> Effort:
        return Effort(*map(sub, astuple(self), astuple(other)))

    @property
    def actions(self) -> int:
        """Clicks, boxes and strokes together."""
        return self.clicks + self.boxes + self.strokes
