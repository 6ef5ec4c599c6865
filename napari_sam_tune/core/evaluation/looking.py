"""Where in its image an object is asked about: all of a small one, a window of a large one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.answers.zoom import home_window
from napari_sam_tune.core.geometry.windows import shape_of
from napari_sam_tune.core.images.large_image import LARGE_PIXELS

if TYPE_CHECKING:
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.project.project import Annotation
    from napari_sam_tune.core.prompts import Mask, Prompt, Proposal

LONGEST: Final = 4096
"""Longest side of an object in an image that is read in parts, in px: measured pixel by pixel, what
surrounds a longer one would fill the memory."""


@dataclass(frozen=True, eq=False)
class Look:
    """An object in the window in which it is asked about; positions are in px of the window.

    Attributes:
        window: of the image; all of it where the model is shown that.
        truth: (h, w) bool, the object in the window.

    """

    window: Window
    truth: Mask

    @classmethod
    def at(cls, annotation: Annotation, side: int) -> Look:
        """Look at an object with a model whose input has this side, in px.

        Raises:
            ProjectError: the mask is gone or damaged.

        """
        window = home_window(annotation.bbox, annotation.shape, side)
        return cls(window, annotation.placed.crop(window))

    def ask(
        self, predictor: Predictor, prompt: Prompt, previous: Proposal | None = None
    ) -> Proposal:
        """Ask about the open image, in this window; see `Predictor.propose`.

        Args:
            predictor: the object's image is open in it.
            prompt: in px of the window.
            previous: as this method returned it.

        Returns:
            The answer, in px of the image; `drawn` has its mask.

        """
        y0, x0, _, _ = self.window
        box = prompt.box
        asked = replace(
            prompt,
            points=[(x + x0, y + y0) for x, y in prompt.points],
            box=None if box is None else (box[0] + x0, box[1] + y0, box[2] + x0, box[3] + y0),
        )
        return predictor.propose(asked, previous, window=self.window)

    def drawn(self, proposal: Proposal) -> Mask:
        """Return (h, w) bool: what an answer draws in the window."""
        return proposal.placed.crop(self.window)


def is_measurable(annotation: Annotation) -> bool:
    """Whether an object is small enough to be measured pixel by pixel; see `LONGEST`."""
    height, width = annotation.shape
    return height * width <= LARGE_PIXELS or max(shape_of(annotation.bbox)) <= LONGEST
