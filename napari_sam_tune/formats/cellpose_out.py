"""Writing Cellpose: `a_seg.npy` beside the image `a.png`, as Cellpose's window opens it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from skimage.segmentation import find_boundaries

from napari_sam_tune.core.evaluation.pictures import rgb
from napari_sam_tune.formats.exported_folder_out import ExportedFolder
from napari_sam_tune.formats.label_images_out import numbers_of, paint, wide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_sam_tune.core.exchange.outgoing import ImageOut
    from napari_sam_tune.formats.writer import ExportOptions

SEGMENTATION: Final = "_seg.npy"


def write_cellpose(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write a file for each image; classes and ids stand in `records.csv`."""
    losses: Counter[str] = Counter()
    with ExportedFolder(path) as folder:
        for image in images:
            stem, name = folder.add(image), image.name
            if options.copy_images:
                name = folder.copy_image(image, stem)
            masks = paint(image, wide(image), losses)
            edges = find_boundaries(masks, mode="inner")  # type: ignore[no-untyped-call]
            outlines = np.where(edges, masks, 0)
            document: dict[str, Any] = {
                "filename": name.rsplit("/", 1)[-1],  # looked for beside the file
                "masks": masks,
                "outlines": outlines.astype(masks.dtype),
                "colors": np.array([rgb(classes[o.label]) for o in image.objects], np.uint8),
                "ismanual": np.ones(len(image.objects), dtype=bool),
                "chan_choose": [0, 0],
                "flows": [[], [], [], [], [[]]],
                "diameter": np.nan,
            }
            np.save(folder.file(f"{stem}{SEGMENTATION}"), np.array(document, dtype=object))
            for number, found in zip(numbers_of(image), image.objects, strict=True):
                folder.note(f"{stem}#{number}", found)
    return +losses
