"""Images as files that hold every pixel as it is."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import tifffile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def tiff_of(pixels: NDArray[np.generic]) -> bytes:
    """Return an image (H, W[, C]) as a TIFF that comes back as the same array."""
    file = io.BytesIO()
    colours = pixels.ndim == 3 and pixels.shape[2] in {3, 4}
    tifffile.imwrite(
        file,
        pixels,
        photometric="rgb" if colours else "minisblack",
        compression="zlib",
        planarconfig="contig" if pixels.ndim == 3 else None,
    )
    return file.getvalue()
