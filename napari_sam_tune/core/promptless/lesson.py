"""What a promptless head learns from: label maps of images, and the loss on them.

The loss is cross entropy + dice (Milletari et al. 2016), on logits. A class's dice counts only in
images that have it: where nothing is to be found it would ask for nothing but fewer false pixels,
which cross entropy does with a steadier gradient; and it is never NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from napari_sam_tune.core.errors import OutOfMemory, is_out_of_memory
from napari_sam_tune.core.promptless.head import frame_of
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.geometry.frame import Frame
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.promptless.head import Trunk
    from napari_sam_tune.core.promptless.labelled import Part
    from napari_sam_tune.core.training.embedded_images import Flips


def promptless_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of each image.

    Args:
        logits: (B, K, h, w), K = 1 for one class, else one more than the classes.
        labels: (B, h, w) int64, 0 for the background and n for the n-th class.

    Returns:
        (B,).

    """
    # bf16, which autocast may have left, is too coarse for sums over a whole image
    logits = logits.float()
    if logits.shape[1] == 1:
        targets = (labels > 0)[:, None].float()
        entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return entropy.mean(dim=(1, 2, 3)) + _dice(logits.sigmoid(), targets)
    entropy = functional.cross_entropy(logits, labels, reduction="none")
    wanted = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1)[:, 1:].float()
    return entropy.mean(dim=(1, 2)) + _dice(logits.softmax(dim=1)[:, 1:], wanted)


def _dice(probability: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of 1 − dice over the classes an image has, 0 where it has none: (B,)."""
    covered = targets.sum(dim=(2, 3))
    overlap = (probability * targets).sum(dim=(2, 3))
    losses = 1 - (2 * overlap + 1) / (probability.sum(dim=(2, 3)) + covered + 1)
    there = (covered > 0).float()
    return (losses * there).sum(dim=1) / there.sum(dim=1).clamp(min=1)


@dataclass(frozen=True, eq=False)
class LabelledView:
    """An image, or a window of one, as a head is to see it: which, and how it is flipped."""

    part: Part
    flips: Flips = (False, False)


@dataclass(eq=False)
class LabelledViews:
    """The features of labelled images and what is to be drawn on them.

    Attributes:
        project: the images and masks.
        predictor: whose frame they are in.
        trunk: what encodes them.
        classes: their names, in the head's order.

    """

    project: Project
    predictor: Predictor
    trunk: Trunk
    classes: Sequence[str]
    _targets: dict[str, Tensor] = field(default_factory=dict)

    def features(self, view: LabelledView) -> Tensor:
        """Return (1, C, h, w) float32, before the neck.

        Raises:
            ImageError, ProjectError: it has to be encoded and the image cannot be read.

        """
        part, flips = view.part, view.flips
        seen = self.trunk.kept(part.name, flips)
        if seen is None:
            seen = self.trunk.embed(part.pixels(self.project), part.name, flips)
        return torch.from_numpy(np.ascontiguousarray(seen.features)).float()[None]

    def frame(self, view: LabelledView) -> Frame:
        """Return where the image lies in the encoder's input."""
        return frame_of(self.predictor, view.part.shape)

    def target(self, view: LabelledView) -> Tensor:
        """Return the label map at the size of the encoder's input, unpadded: (h, w) int64."""
        name = view.part.name
        if name not in self._targets:
            self._targets[name] = self._resized(view)
        turned = [axis for axis, flip in enumerate(view.flips) if flip]
        return self._targets[name].flip(turned).long()

    def _resized(self, view: LabelledView) -> Tensor:
        painted = torch.from_numpy(view.part.label_map(self.project, self.classes))
        framed = painted[None, None].float()
        size = self.frame(view).input
        return functional.interpolate(framed, size, mode="nearest-exact")[0, 0].to(torch.uint8)


@dataclass(eq=False)
class PromptlessLesson:
    """Turns labelled images into gradients of a head and its neck.

    Attributes:
        neck: the encoder's, or a copy.
        head: see `head.PromptlessHead`.
        views: features before the neck, and targets.
        device: where neck and head run.
        checkpoint: called before each image; it may raise.

    """

    neck: nn.Module
    head: nn.Module
    views: LabelledViews
    device: torch.device
    checkpoint: Callable[[], None] = lambda: None

    def gradients(self, batch: Sequence[LabelledView]) -> float:
        """Leave the gradients of a step's loss in the parameters, and return the loss.

        One image at a time: at full size a head's activations are most of the memory there is.

        Raises:
            OutOfMemory: the device cannot train on even one image.
            ImageError, ProjectError: an image or a mask cannot be read.

        """
        self.neck.zero_grad()
        self.head.zero_grad()
        try:
            return sum(self._one(view, 1 / len(batch)) for view in batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(
                tr(
                    "The device has too little memory to train a head on even one image at a time. "
                    "Close other programs that use it, or train on the CPU (device “cpu”)."
                )
            ) from error

    def _one(self, view: LabelledView, share: float) -> float:
        self.checkpoint()
        features = self.views.features(view).to(self.device)
        labels = self.views.target(view)[None].to(self.device)
        height, width = labels.shape[-2:]
        logits = self.head(self.neck(features))[..., :height, :width]
        loss = promptless_loss(logits, labels)[0] * share
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()
