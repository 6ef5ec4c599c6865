"""What a round learns from: accepted masks, how often each is drawn, and from how close by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.answers.zoom import holds, window_around
from napari_sam_tune.core.geometry.windows import shape_of, whole
from napari_sam_tune.core.models.network import NEGATIVE, POSITIVE, TOP_LEFT
from napari_sam_tune.core.training.decoder import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.geometry.frame import Frame
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.project.project import Annotation
    from napari_sam_tune.core.prompts import Mask, Prompt
    from napari_sam_tune.core.training.embedded_images import Flips, Seen

# Longer recorded prompts are left to the simulation: they are rare and as slow as they are long.
_MOST_POINTS = 20
# From how much smaller to how much larger a drawn window is than the one people see; logarithms.
_SIZES = (-0.35, 0.4)


@dataclass(frozen=True, eq=False)
class Example:
    """An accepted mask in the decoder's terms.

    Attributes:
        annotation: the mask as accepted, with the prompts a person gave.
        frame: where what is looked at, its image or a window, lies in the decoder's grids.
        weight: how often it is drawn, relative to the others.
        flips: whether it is seen upside down, and whether mirrored.

    """

    annotation: Annotation
    frame: Frame
    weight: float = 1.0
    flips: Flips = (False, False)

    @property
    def window(self) -> Window | None:
        """The part of the image looked at, None for all of it."""
        window = self.frame.window
        return None if window == whole(self.annotation.shape) else window

    @property
    def seen(self) -> Seen:
        """What has to be encoded."""
        return self.annotation.image_id, self.window

    def from_close_by(self, rng: np.random.Generator | None = None) -> Window | None:
        """Return the window in which a person would see the object, or None: in the whole image.

        Args:
            rng: draws another window of about that place and size.

        """
        shape = self.annotation.shape
        window = window_around(self.annotation.bbox, shape, self.frame.side)
        if window is None or rng is None:
            return window
        y0, x0, y1, x1 = self.annotation.bbox
        size = max(shape_of(window)) * np.exp(rng.uniform(*_SIZES))
        length = int(min(max(size, 1.2 * max(y1 - y0, x1 - x0)), max(shape)))
        bounds = []
        for axis, (low, high) in enumerate(((y0, y1), (x0, x1))):
            room = min(length, shape[axis])
            first = rng.integers(max(high - room, 0), min(low, shape[axis] - room) + 1)
            bounds.append((int(first), int(first) + room))
        (top, bottom), (left, right) = bounds
        return top, left, bottom, right

    def closer(self, window: Window) -> Example:
        """Return the object as it is seen in a window that holds it."""
        return replace(self, frame=replace(self.frame, window=window))

    @property
    def shown(self) -> tuple[Mask, Window]:
        """The mask cut to its bounding box, and that box in image pixels, flips done."""
        cropped = self.annotation.cropped_mask
        y0, x0, y1, x1 = self.annotation.bbox
        top, left, bottom, right = self.frame.window
        if self.flips[0]:
            cropped, y0, y1 = cropped[::-1], top + bottom - y1, top + bottom - y0
        if self.flips[1]:
            cropped, x0, x1 = cropped[:, ::-1], left + right - x1, left + right - x0
        return cropped, (y0, x0, y1, x1)

    @cached_property
    def target(self) -> NDArray[np.float16]:
        """What the decoder should draw, (rows, columns) from 0 to 1; see `Frame.target`."""
        return self.frame.target(*self.shown).astype(np.float16)

    @cached_property
    def real_prompts(self) -> tuple[Tokens, ...]:
        """The prompts the person really gave, in order.

        Corrections of a mask that was there already are left out: without that mask, which is not
        kept, "not here" alone would have to mean the whole object.
        """
        if self.annotation.supersedes is not None:
            return ()
        kept = (
            p
            for p in self.annotation.prompts
            if not p.strokes
            and len(p.points) <= _MOST_POINTS
            and (p.box is not None or any(p.labels))
            and (self.window is None or holds(self.window, p))
        )
        return tuple(self._flipped(tokens_of(prompt, self.frame)) for prompt in kept)

    @property
    def box(self) -> NDArray[np.float32]:
        """The corners of the tight box around the mask, (2, 2), in input pixels."""
        y0, x0, y1, x1 = self.annotation.bbox
        # along the outer edges of the outermost pixels, so that one pixel has an area
        corners = self.frame.to_input([[x0 - 0.5, y0 - 0.5], [x1 - 0.5, y1 - 0.5]])
        return np.sort(self._mirrored(corners), axis=0)

    def _flipped(self, tokens: Tokens) -> Tokens:
        """The same prompt on the flipped image; a box keeps its top left corner first."""
        coords = self._mirrored(tokens.coords)
        if tokens.kinds[0] == TOP_LEFT:
            coords[:2] = np.sort(coords[:2], axis=0)
        return Tokens(coords, tokens.kinds)

    def _mirrored(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Positions (..., 2) in input pixels, on the flipped image."""
        _, _, bottom, right = self.frame.window
        last = self.frame.to_input((right - 1, bottom - 1))
        mirrored: NDArray[np.float32] = np.where(self.flips[::-1], last - xy, xy)
        return mirrored


def tokens_of(prompt: Prompt, frame: Frame) -> Tokens:
    """Turn a prompt in image pixels into tokens in a frame."""
    points = frame.to_input(np.reshape(prompt.points, (-1, 2)))
    labels = np.array([POSITIVE if label else NEGATIVE for label in prompt.labels], np.int64)
    if prompt.box is not None:
        box = Tokens.of_box(frame.to_input(np.reshape(prompt.box, (2, 2))))
        return box.with_clicks(points, labels)
    return Tokens.of_point(points[0], int(labels[0])).with_clicks(points[1:], labels[1:])


def weigh(annotations: Sequence[Annotation], config: TrainConfig) -> list[float]:
    """Return how often each annotation is drawn, relative to the others: recent ones oftener.

    All accepted masks are replayed, so that the newest do not push the older ones out of the
    weights; the newest are what the person is looking at now.
    """
    newest = sorted(annotations, key=lambda annotation: annotation.id)[-config.recent :]
    recent = {annotation.id for annotation in newest}
    return [config.recent_weight if a.id in recent else 1.0 for a in annotations]


def draw_schedule(
    examples: Sequence[Example], config: TrainConfig, rng: np.random.Generator, *, encodes: bool
) -> list[list[list[Example]]]:
    """Draw what every step learns from: a step is a few calls, a call a few objects of one view.

    The whole schedule is drawn ahead, so that what has to be encoded is known before training.
    Where `encodes` is true images are encoded in training anyway, and no window comes twice.
    """
    by_view: dict[Seen, list[Example]] = {}
    for example in examples:
        by_view.setdefault(example.seen, []).append(example)
    images = list(by_view.values())
    weights = np.array([sum(e.weight for e in image) for image in images])
    shares = weights / weights.sum()
    schedule = []
    for _ in range(config.steps):
        step = _draw_step(images, shares, config, rng)
        schedule.append([_looking_closer(call, config, rng, encodes) for call in step])
    return schedule


def _looking_closer(
    call: list[Example], config: TrainConfig, rng: np.random.Generator, encodes: bool
) -> list[Example]:
    """Move some calls into a window around their first object, with those that fit in there."""
    closely = rng.random() < config.zoom_share
    window = call[0].from_close_by(rng if encodes else None) if closely else None
    if window is None:
        return call
    y0, x0, y1, x1 = window
    boxes = [example.annotation.bbox for example in call]
    fit = [y0 <= box[0] and x0 <= box[1] and box[2] <= y1 and box[3] <= x1 for box in boxes]
    return [(e if fits else call[0]).closer(window) for e, fits in zip(call, fit, strict=True)]


def _draw_step(
    images: Sequence[Sequence[Example]],
    shares: NDArray[np.float64],
    config: TrainConfig,
    rng: np.random.Generator,
) -> list[list[Example]]:
    calls: list[list[Example]] = []
    wanted = config.batch_size
    while wanted > 0:
        image = images[rng.choice(len(images), p=shares)]
        count = min(config.prompts_per_image, wanted)
        calls.append(_draw_objects(image, count, rng))
        wanted -= count
    return calls


def _draw_objects(image: Sequence[Example], count: int, rng: np.random.Generator) -> list[Example]:
    """Draw `count` objects of an image; one comes twice only after each has come once."""
    drawn: list[Example] = []
    while len(drawn) < count:
        weights = np.array([example.weight for example in image])
        taken = min(count - len(drawn), len(image))
        order = rng.choice(len(image), taken, replace=False, p=weights / weights.sum())
        drawn += [image[i] for i in order]
    return drawn
