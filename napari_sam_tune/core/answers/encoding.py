"""Turning pixels into what the decoder looks at: the image, and windows of it, in SAM's encoder."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from napari_sam_tune.core.answers.zoom import beside
from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.geometry.frame import LARGE, Frame
from napari_sam_tune.core.geometry.windows import resized_shape, shape_of, whole
from napari_sam_tune.core.images.rgb_source import (
    RgbSource,
    glance,
    rgb_source,
    shape_of_image,
    whole_image,
)
from napari_sam_tune.core.storage.embeddings import Embedding
from napari_sam_tune.core.storage.own_pages import in_own_pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.models.network import Network

PREPROCESSING_VERSION: Final = 1
"""Raised when `to_rgb8` or the resizing changes what the encoder sees: old embeddings go stale."""
KEPT_VIEWS: Final = 4
"""Crops of the open image that stay encoded: the person goes back and forth between objects."""
KEPT_OF_LARGE: Final = 12
"""The same of a large image, of which all is seen in crops."""
_FINER: Final = 2
"""Sides of the encoder's input to which a large window is averaged before it is resized."""
_FAINTEST: Final = 4.0
"""Standard deviation of grey values, of 255, below which they are noise."""


@dataclass(frozen=True, eq=False)
class View:
    """An image, or a window of it, as the encoder saw it.

    Attributes:
        frame: where it lies in the model's grids.
        features: (1, C, rows, columns) float32.
        shades: (1, 1, h, h) of its grey values on the grid of the logits, see `shades_of`.
        stages: what the encoder's ImageNet trunk saw on the way, by stride; None where the encoder
            has none, or nobody asked.

    """

    frame: Frame
    features: Tensor
    shades: Tensor
    stages: Mapping[int, Tensor] | None = None

    @property
    def embedding(self) -> Embedding:
        """What of it is kept in the cache."""
        half = self.features[0].to("cpu", torch.float16).numpy()
        return Embedding(features=half, original_size=self.frame.shape, input_size=self.frame.input)


@dataclass(frozen=True, eq=False)
class Begun:
    """A window of which the encoder's ImageNet trunk was run, and nothing more.

    Attributes:
        window: of the image.
        pixels: (1, 3, h, w) uint8 of the encoder's input.
        stages: what the trunk saw, by stride.

    """

    window: Window
    pixels: Tensor
    stages: dict[int, Tensor]


class Encoder:
    """SAM's encoder, with the weights that are in it when it is called.

    Args:
        network: the model.

    """

    def __init__(self, network: Network) -> None:
        self._network = network

    @property
    def side(self) -> int:
        """Side of the square, padded input, in px."""
        return self._network.side

    @property
    def is_fast(self) -> bool:
        """Whether an image takes well under a second: on a GPU, or with a light encoder."""
        return self._network.device.type != "cpu" or self._network.is_light

    def frame(self, window: Window) -> Frame:
        """Return where a window of an image lies in the model's grids."""
        return Frame(window, self.side, self._network.logits_side)

    def input_pixels(self, rgb: NDArray[np.uint8]) -> Tensor:
        """Resize (H, W, 3) uint8 to the encoder's input: (1, 3, h, w) uint8, not yet padded."""
        height, width = resized_shape((rgb.shape[0], rgb.shape[1]), self.side)
        small = Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(small)).permute(2, 0, 1).contiguous()[None]

    def window_pixels(self, image: RgbSource, window: Window) -> Tensor:
        """Return what `input_pixels` makes of a window of an image."""
        is_large = max(shape_of(window)) > LARGE * self.side
        return self.input_pixels(image.rgb(window, _FINER * self.side if is_large else None))

    def encode(
        self,
        image: NDArray[np.uint8] | RgbSource,
        window: Window | None = None,
        *,
        keeps_stages: bool = False,
    ) -> View:
        """Encode an image, or a window of it.

        Args:
            image: (H, W, 3) uint8, or what gives windows as such.
            window: of it; None for all.
            keeps_stages: keep what an ImageNet trunk saw, for the pixel classifier.

        """
        source = rgb_source(image)
        seen = window or whole_image(source)
        pixels = self.window_pixels(source, seen)
        with torch.inference_mode():
            framed, stages = self._network.preprocess(pixels), None
            if keeps_stages:
                features, stages = self._network.encode_in_stages(framed)
            else:
                features = self._network.encode(framed)
        return self._with_stages(self.view(self.frame(seen), features, pixels), stages)

    def begin(self, source: RgbSource, window: Window) -> Begun | None:
        """Run an encoder's ImageNet trunk on a window, a third of the work; None without one."""
        pixels = self.window_pixels(source, window)
        with torch.inference_mode():
            stages = self._network.trunk_stages(self._network.preprocess(pixels))
        return None if stages is None else Begun(window, pixels, stages)

    def go_on(self, begun: Begun) -> View:
        """Return what `encode` makes of a window that was begun, with its stages."""
        with torch.inference_mode():
            features = self._network.encode_from(begun.stages)
        view = self.view(self.frame(begun.window), features, begun.pixels)
        return self._with_stages(view, begun.stages)

    @staticmethod
    def _with_stages(view: View, stages: Mapping[int, Tensor] | None) -> View:
        if stages is None:
            return view
        return replace(view, stages={stride: _kept(stage) for stride, stage in stages.items()})

    def restore(
        self,
        embedding: Embedding,
        image: NDArray[np.uint8] | RgbSource,
        window: Window | None = None,
    ) -> View:
        """Return what `encode` made of an image, or of a window of it, from the cache.

        Raises:
            ImageError: the embedding is of an image of another size, or of another model.

        """
        source = rgb_source(image)
        seen = window or whole_image(source)
        shape = shape_of(seen)
        wanted = self._network.embedding_shape
        if tuple(embedding.original_size) != shape or embedding.features.shape != wanted:
            raise ImageError(
                f"The embedding is of a {embedding.original_size} image with features "
                f"{embedding.features.shape}, but the image is {shape} and this model's features "
                f"are {wanted}; encode the image anew."
            )
        half = np.ascontiguousarray(embedding.features)
        features = torch.from_numpy(half).to(self._network.device).float()[None]
        return self.view(self.frame(seen), features, self.window_pixels(source, seen))

    def view(self, frame: Frame, features: Tensor, pixels: Tensor) -> View:
        """Put together what is known of a window: `features` are the network's, on its device."""
        shades = shades_of(pixels, frame).to(self._network.device)
        return View(frame, _kept(features), _kept(shades))


def _kept(tensor: Tensor) -> Tensor:
    """Return a tensor out of the way of those that come and go while images are encoded."""
    if tensor.device.type != "cpu":
        return tensor
    return torch.from_numpy(in_own_pages(tensor.numpy()))


class KeptViews(Protocol):
    """Where windows of an image stay encoded for longer than it is open."""

    def get(self, window: Window) -> Embedding | None:
        """Return what was kept of a window, or None."""
        ...

    def put(self, window: Window, embedding: Embedding) -> None:
        """Keep a window."""
        ...


class OpenImage:
    """The image that prompts are about, and what was encoded of it.

    A large one is encoded where somebody looks, and as a whole only for what fills much of it.

    Args:
        encoder: of windows.
        source: its pixels.
        view: all of it; None: encoded once it is asked for.
        keeps_stages: see `Encoder.encode`.
        kept: windows of a large image that were encoded before.

    Attributes:
        source: see above.
        rgb: (h, w, 3), what it looks like, see `glance`.

    """

    def __init__(
        self,
        encoder: Encoder,
        source: RgbSource,
        view: View | None = None,
        *,
        keeps_stages: bool = False,
        kept: KeptViews | None = None,
    ) -> None:
        self._encoder, self.source, self._whole = encoder, source, view
        self.rgb = glance(source)
        self._keeps_stages, self._kept = keeps_stages, kept
        self._closer: OrderedDict[Window, View] = OrderedDict()
        self._ahead: Window | None = None  # all beside it were encoded
        self._begun: Begun | None = None

    @property
    def shape(self) -> Shape:
        """(H, W) in px."""
        return shape_of_image(self.source)

    @property
    def is_large(self) -> bool:
        """Whether windows of it are looked at, and not all of it at once."""
        return is_large(self.shape, self._encoder.side)

    @property
    def view(self) -> View:
        """All of it, as the encoder sees it."""
        if self._whole is None:
            self._whole = self._encode(whole(self.shape))
        return self._whole

    def prepare_one(self) -> bool:
        """Encode a window of a large image beside the one asked about last, ahead of the person.

        Returns whether one was encoded; not where all are.
        """
        asked = next(reversed(self._closer), None)
        if asked is None or not self.is_large or self._ahead == asked:
            return False
        for window in beside(asked, self.shape, self._encoder.side):
            if window not in self._closer:
                self.view_of(window)
                self._closer.move_to_end(asked)  # it stays the one asked about last
                return True
        self._ahead = asked
        return False

    def stages_of(self, window: Window) -> Mapping[int, Tensor] | None:
        """Return what an ImageNet trunk saw of a window, if that is known; see `View.stages`."""
        return self._closer[window].stages if window in self._closer else None

    def begin(self, window: Window) -> Mapping[int, Tensor] | None:
        """Run the ImageNet trunk alone on a window of a large image; None where there is none.

        Should the window be looked at next, `view_of` goes on from there.
        """
        if not (self._keeps_stages and self.is_large):
            return None
        self._begun = self._encoder.begin(self.source, window)
        return None if self._begun is None else self._begun.stages

    def view_of(self, window: Window | None) -> View:
        """Return a window as the encoder sees it, encoding it if need be; None is all."""
        if window is None or window == whole(self.shape):
            return self.view
        if window not in self._closer:
            self._closer[window] = self._encode(window)
            while len(self._closer) > (KEPT_OF_LARGE if self.is_large else KEPT_VIEWS):
                self._closer.popitem(last=False)
        self._closer.move_to_end(window)
        return self._closer[window]

    def _encode(self, window: Window) -> View:
        kept = self._kept if self.is_large else None
        begun, self._begun = self._begun, None
        embedding = None if kept is None else kept.get(window)
        if embedding is not None:
            return self._encoder.restore(embedding, self.source, window)
        keeps_stages = self._keeps_stages and self.is_large
        if begun is not None and begun.window == window:
            view = self._encoder.go_on(begun)
        else:
            view = self._encoder.encode(self.source, window, keeps_stages=keeps_stages)
        if kept is not None:
            kept.put(window, view.embedding)
        return view


def is_large(shape: Shape, side: int) -> bool:
    """Whether an image (H, W) is looked at in windows, by a model of an input of that side."""
    return max(shape) > LARGE * side


def shades_of(pixels: Tensor, frame: Frame) -> Tensor:
    """Return grey values on the grid of the logits, in units of half their standard deviation.

    Args:
        pixels: (1, 3, h, w) uint8 of the encoder's input, not yet padded.
        frame: they fill.

    Returns:
        (1, 1, grid, grid) float32.

    """
    grey = pixels.float().mean(1, keepdim=True)
    spread = grey.std().clamp(min=_FAINTEST)
    height, width = grey.shape[-2:]
    padded = functional.pad(grey, (0, frame.side - width, 0, frame.side - height))
    return functional.avg_pool2d(padded, frame.cell) * (2 / spread)
