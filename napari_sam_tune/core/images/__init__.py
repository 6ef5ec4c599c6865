"""Reading image files, their headers, and what surface they show."""

from napari_sam_tune.core.images.files import read_image, to_rgb8

__all__ = ["read_image", "to_rgb8"]
