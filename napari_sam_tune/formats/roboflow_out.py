"""Writing COCO as Roboflow lays it out: `train`, `valid` and `test`, each with its images."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from napari_sam_tune.formats.coco import ROBOFLOW
from napari_sam_tune.formats.coco_out import CocoFile, with_run_lengths
from napari_sam_tune.formats.exported_folder_out import ExportedFolder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_sam_tune.core.exchange.outgoing import ImageOut
    from napari_sam_tune.core.project.split import Split
    from napari_sam_tune.formats.writer import ExportOptions

_FOLDERS: Final[dict[Split, str]] = {"train": "train", "held_out": "valid", "test": "test"}


def write_roboflow(
    images: Iterable[ImageOut], classes: Mapping[str, str], path: Path, options: ExportOptions
) -> Counter[str]:
    """Write a file of compressed run lengths for each split, beside copies of the images."""
    files: dict[str, CocoFile] = {}
    with ExportedFolder(path) as folder, ExitStack() as still_open:
        for image in images:
            part = _FOLDERS[image.split or "train"]
            stem, name = folder.add(image), image.name
            if options.copy_images:
                name = folder.copy_image(image, f"{part}/{stem}").removeprefix(f"{part}/")
            if part not in files:
                file = CocoFile(folder.file(f"{part}/{ROBOFLOW}"), classes)
                files[part] = still_open.enter_context(file)
            files[part].add(replace(image, name=name), with_run_lengths)
    return Counter()
