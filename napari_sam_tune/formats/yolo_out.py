"""Writing YOLO segmentation as Ultralytics reads it: a line of polygon corners for each object.

Corners are the centres of the outermost pixels: OpenCV, which draws the masks for training, then
draws exactly the pixels that are inside, but for holes.
"""

from __future__ import annotations

import zlib
from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np
import yaml
from scipy.spatial import cKDTree

from napari_sam_tune.core.texts.wording import mark
from napari_sam_tune.formats.exported_folder_out import ExportedFolder
from napari_sam_tune.formats.outlines import boundaries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.outgoing import ImageOut, ObjectOut
    from napari_sam_tune.core.project.split import Split
    from napari_sam_tune.formats.writer import ExportOptions

FOLDERS: Final[dict[Split, str]] = {"train": "train", "held_out": "val", "test": "test"}


def write_yolo(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write `data.yaml`, `images/…` and `labels/…`, divided as the project's split divides them."""
    losses: Counter[str] = Counter()
    numbers = {name: number for number, name in enumerate(classes)}
    splits = set()
    with ExportedFolder(path) as folder:
        for image in images:
            part = FOLDERS[image.split or "train"]
            splits.add(part)
            stem = folder.add(image)
            if options.copy_images:
                folder.copy_image(image, f"images/{part}/{stem}")
            with folder.file(f"labels/{part}/{stem}.txt").open("w", encoding="utf-8") as file:
                for found in image.objects:
                    line = _line(found, image.shape, numbers[found.label], losses)
                    file.write(line + "\n")
                    folder.note(entry(stem, line), found)
    _write_yaml(path, classes, [part for part in FOLDERS.values() if part in splits])
    return losses


def _write_yaml(path: Path, classes: Mapping[str, str], parts: Sequence[str]) -> None:
    first = parts[0] if parts else "train"
    # Ultralytics trains only where there is a train and a val
    places = {"train": first, "val": first, **{part: part for part in parts}}
    document: dict[str, object] = {part: f"images/{place}" for part, place in places.items()}
    document["names"] = dict(enumerate(classes))
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    (path / "data.yaml").write_text(text, encoding="utf-8")


def entry(stem: str, line: str) -> str:
    """Name a line by what it says: lines may be moved, and one that was changed is another."""
    return f"{stem}#{zlib.crc32(line.encode()):08x}"


def _line(found: ObjectOut, shape: tuple[int, int], number: int, losses: Counter[str]) -> str:
    y0, x0, _, _ = found.bbox
    parts, has_holes = boundaries(found.mask)
    if len(parts) > 1:
        losses[mark("object whose parts are joined by a line of one pixel")] += 1
    if has_holes:
        losses[mark("object whose holes are filled")] += 1
    corners = np.add(_joined(parts), (x0 + 0.5, y0 + 0.5)) / (shape[1], shape[0])
    if len(corners) < 3:
        corners = np.resize(corners, (3, 2))  # a polygon has three corners at least
    return " ".join((str(number), *(f"{value:.7f}" for value in corners.ravel())))


def _joined(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Join parts into one polygon where they are nearest, there and back, as Ultralytics does."""
    whole = parts[0]
    for part in parts[1:]:
        distances, nearest = (np.asarray(found) for found in cKDTree(part).query(whole))
        at = int(np.argmin(distances))
        turned = np.roll(part, -int(nearest[at]), axis=0)
        whole = np.concatenate((whole[: at + 1], turned, turned[:1], whole[at:]))
    return whole
