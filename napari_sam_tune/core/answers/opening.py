"""The image that is open in a model, and how others are opened."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_sam_tune.core.answers.encoding import Encoder, OpenImage, is_large
from napari_sam_tune.core.answers.weights_in_use import WeightsInUse
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.images.rgb_source import RgbSource, glance, rgb_source, shape_of_image
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import ArrayLike

    from napari_sam_tune.core.answers.encoding import KeptViews, View
    from napari_sam_tune.core.geometry.windows import Shape, Window
    from napari_sam_tune.core.models.checkpoints import LoadedModel
    from napari_sam_tune.core.storage.embeddings import Embedding


class Opening:
    """The part of `Predictor` that opens images.

    Args:
        model: what `load_model` returned.

    Attributes:
        network: the model, as it is asked and called.
        weights: those in use, and how others are loaded.
        encoder: turns pixels into what the decoder looks at; another one may take its place.

    """

    def __init__(self, model: LoadedModel) -> None:
        self.network = model.network
        self.weights = WeightsInUse(model)
        self.encoder = Encoder(self.network)
        self._opened: OpenImage | None = None

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.network.device

    @property
    def input_side(self) -> int:
        """Side of the square, padded encoder input, in px."""
        return self.encoder.side

    @property
    def encodes_fast(self) -> bool:
        """Whether an image takes well under a second; see `Encoder.is_fast`."""
        return self.encoder.is_fast

    # ---------------------------------------------------------- the open image

    @property
    def has_image(self) -> bool:
        """Whether an image is open; a swap of the encoder closes it."""
        return self.weights.image is not None

    @property
    def image_shape(self) -> Shape:
        """(H, W) of the open image.

        Raises:
            SamTuneError: no image is open.

        """
        return self._open.shape

    @property
    def view(self) -> View:
        """The open image as the encoder saw it; its embedding is for the cache.

        Raises:
            SamTuneError: no image is open.

        """
        return self._open.view

    @property
    def _open(self) -> OpenImage:
        if self._opened is None or not self.has_image:
            raise SamTuneError(tr("No image is open: open one first."))
        return self._opened

    def encode(self, image: ArrayLike | RgbSource, window: Window | None = None) -> View:
        """Encode all of an image, or a window of it, for the cache; the open image stays open.

        Args:
            image: (H, W[, C]) array as `to_rgb8` takes it, or an image that is read in windows.
            window: of it; None for all.

        Raises:
            ImageError: not an image.

        """
        return self._encoded(rgb_source(image), window)

    def set_image(
        self,
        image: ArrayLike | RgbSource,
        embedding: Embedding | None = None,
        kept: KeptViews | None = None,
    ) -> None:
        """Open an image; the next prompts are about it.

        A large one, of more than four sides of the encoder's input, is encoded where it is asked
        about, in windows.

        Args:
            image: (H, W[, C]) array as `to_rgb8` takes it, or an image that is read in windows.
            embedding: of the same image under its `weights.encoder_key_for`, from the cache; the
                encoder is not run then.
            kept: windows of a large image that were encoded before, under the same key.

        Raises:
            ImageError: not an image, or the embedding is of one of another size.

        """
        source = rgb_source(image)
        rgb = glance(source)
        weights = self.weights.for_image(rgb)
        # should it not open, the image before stays open
        if embedding is not None:
            view = self.encoder.restore(embedding, source)
        elif is_large(shape_of_image(source), self.input_side):
            view = None
        else:
            view = self._encoded(source)
        self.weights.use(weights, rgb)
        keeps_stages = self.weights.has_imagenet_trunk
        self._opened = OpenImage(self.encoder, source, view, keeps_stages=keeps_stages, kept=kept)

    @property
    def opened(self) -> OpenImage:
        """The open image, to come back to with `reopen` after others.

        Raises:
            SamTuneError: no image is open.

        """
        return self._open

    def reopen(self, opened: OpenImage) -> None:
        """Open an image again as it was left; nothing is encoded.

        Args:
            opened: what `opened` gave while `weights.encoder_key_for` of it was what it is now.

        """
        self.weights.use(self.weights.for_image(opened.rgb), opened.rgb)
        self._opened = opened

    def _encoded(self, source: RgbSource, window: Window | None = None) -> View:
        """Encode an image, or a window of it, with the weights that are for the image."""
        with self.weights.lent(self.weights.for_image(glance(source))):
            keeps_stages = self.weights.has_imagenet_trunk
            return self.encoder.encode(source, window, keeps_stages=keeps_stages)

    @contextmanager
    def aside(
        self, image: ArrayLike | RgbSource, embedding: Embedding | None = None
    ) -> Iterator[None]:
        """Have another image open for a while; the one before comes back as it was.

        Args:
            image: as in `set_image`.
            embedding: as in `set_image`.

        Raises:
            ImageError: as `set_image`.

        """
        before = self._opened
        with self.weights.kept():
            try:
                self.set_image(image, embedding)
                yield
            finally:
                self._opened = before
