"""Pictures that clients have sent, named by content, the least recently asked about going first."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.images.pictures import open_picture
from napari_sam_tune.service.faults import too_large, unknown_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_sam_tune.service.limits import Limits

ID_DIGITS: Final = 32


def image_id(content: bytes) -> str:
    """Name a picture by the bytes of its file: 32 hex digits of their SHA-256."""
    return hashlib.sha256(content).hexdigest()[:ID_DIGITS]


@dataclass(eq=False)
class KeptImage:
    """A picture that was sent.

    Attributes:
        id: see `image_id`.
        rgb: (H, W, 3) uint8.

    """

    id: str
    rgb: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) in px."""
        return self.rgb.shape[0], self.rgb.shape[1]


class KeptImages:
    """All pictures kept; any thread may call.

    Args:
        limits: how many and how much is kept.

    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._images: OrderedDict[str, KeptImage] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._images)

    def get(self, name: str) -> KeptImage:
        """Return a picture.

        Raises:
            Fault: it is not kept (any more).

        """
        with self._lock:
            image = self._images.get(name)
            if image is None:
                raise unknown_image()
            self._images.move_to_end(name)
            return image

    def put(self, content: bytes) -> KeptImage:
        """Keep the picture of a file, decoding it unless it is kept already.

        Args:
            content: all bytes of a PNG, TIFF, JPEG, BMP or WebP file.

        Raises:
            ImageError: it is none, damaged, or claims more than is read.
            Fault: it has more pixels than this server takes.

        """
        name = image_id(content)
        with self._lock:
            if name in self._images:
                self._images.move_to_end(name)
                return self._images[name]
        image = KeptImage(name, read_rgb(content, self._limits.pixels))
        with self._lock:
            self._images.setdefault(name, image)
            while len(self._images) > 1 and self._is_over():
                self._images.popitem(last=False)
        return image

    def _is_over(self) -> bool:
        size = sum(image.rgb.nbytes for image in self._images.values())
        return len(self._images) > self._limits.kept_images or size > self._limits.kept_bytes


def read_rgb(content: bytes, most_pixels: int) -> NDArray[np.uint8]:
    """Decode a picture's file to (H, W, 3) uint8, after a look at how large it claims to be.

    Raises:
        ImageError: it is no picture, damaged, or claims more than is read.
        Fault: it has more pixels than allowed.

    """
    with open_picture(content) as picture:
        if prod(picture.shape[:2]) > most_pixels:
            height, width = picture.shape[:2]
            raise too_large(f"The picture has more pixels ({width} × {height})", f"{most_pixels:,}")
        return to_rgb8(picture.read())
