"""Writing labelme: one JSON file beside each image, with a mask shape for each object.

Mask shapes (labelme 5.3 and later) hold parts and holes exactly, which its polygons do not.
"""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from napari_sam_tune.core.exchange.remarks import REVIEW, packed
from napari_sam_tune.formats.exported_folder_out import ExportedFolder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_sam_tune.core.exchange.outgoing import ImageOut, ObjectOut
    from napari_sam_tune.formats.writer import ExportOptions


def write_labelme(
    images: Iterable[ImageOut], _: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write a JSON file for each image; labelme keeps what it does not know, such as `record`."""
    with ExportedFolder(path) as folder:
        for image in images:
            stem = folder.add(image)
            file = folder.copy_image(image, stem) if options.copy_images else image.name
            document: dict[str, Any] = {
                "version": "5.5.0",
                "flags": {},
                "shapes": [_shape(found) for found in image.objects],
                # beside the JSON file
                "imagePath": PurePosixPath(file).name if options.copy_images else file,
                "imageData": None,
                "imageHeight": image.shape[0],
                "imageWidth": image.shape[1],
            }
            text = json.dumps(document, ensure_ascii=False, indent=1)
            folder.file(f"{stem}.json").write_text(text, encoding="utf-8")
    return Counter()


def _shape(found: ObjectOut) -> dict[str, Any]:
    y0, x0, y1, x1 = found.bbox
    buffer = io.BytesIO()
    Image.fromarray(found.mask.astype(np.uint8)).save(buffer, format="PNG")
    return {
        "label": found.label,
        # the first and the last pixel
        "points": [[float(x0), float(y0)], [float(x1 - 1), float(y1 - 1)]],
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(buffer.getvalue()).decode("ascii"),
        "record": found.id,
        "score": found.score,
        REVIEW: packed(found.review),
        "provenance": None if found.provenance is None else asdict(found.provenance),
    }
