"""segment-anything's generator of masks everywhere, on an embedding that is there already.

It imports torchvision, which nothing else in this program needs.
"""

from __future__ import annotations

import traceback
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.texts.wording import tr

try:
    from segment_anything import SamAutomaticMaskGenerator, SamPredictor
except (RuntimeError, OSError) as error:
    if "torchvision" not in "".join(traceback.format_exception(error)):
        raise
    raise SamTuneError(
        tr(
            "torch {torch} and torchvision {torchvision} were not built for each other, so not "
            "everything can be segmented. Reinstall both together: pip install "
            "--force-reinstall torch torchvision (add the --index-url you installed torch "
            "from, for CUDA builds). [{error}]",
            torch=metadata.version("torch"),
            torchvision=metadata.version("torchvision"),
            error=error,
        )
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_sam_tune.core.models.modeling import Sam
    from napari_sam_tune.core.storage.embeddings import Embedding


class MaskGenerator(SamAutomaticMaskGenerator):  # type: ignore[misc]
    """segment-anything's, on one embedding; it looks up between two calls of the decoder.

    Args:
        sam: that encoded.
        embedding: of the image; `generate` takes only its size from the pixels it is given.
        checkpoint: called every few points; may raise to stop.
        settings: of segment-anything's.

    """

    def __init__(
        self, sam: Sam, embedding: Embedding, checkpoint: Callable[[], None], **settings: Any
    ) -> None:
        super().__init__(sam, **settings)
        self.predictor = _Encoded(sam, embedding)
        self._checkpoint = checkpoint

    def _process_batch(self, *given: Any) -> Any:
        self._checkpoint()
        return super()._process_batch(*given)


class _Encoded(SamPredictor):  # type: ignore[misc]
    """segment-anything's predictor on an image that is encoded already."""

    def __init__(self, sam: Sam, embedding: Embedding) -> None:
        super().__init__(sam)
        self._embedding = embedding

    def set_image(self, image: NDArray[np.uint8], image_format: str = "RGB") -> None:
        """Take the embedding in place of the image; `image_format` is segment-anything's."""
        half = np.ascontiguousarray(self._embedding.features)
        self.features = torch.from_numpy(half).to(self.device).float()[None]
        self.original_size = image.shape[:2]
        self.input_size = self._embedding.input_size
        self.is_image_set = True
