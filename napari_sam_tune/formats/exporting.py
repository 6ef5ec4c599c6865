"""Writing masks in a format: whole or not at all, never over something else, and cancellable.

A writer gets a path inside a hidden folder beside the place asked for; what it made is moved there
only when it is done, see `publishing`.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import ExportCancelled, StorageError
from napari_sam_tune.core.storage.durable import publish_file, saving
from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.formats.publishing import building, exists_already, publish_over
from napari_sam_tune.formats.writer import ExportOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from napari_sam_tune.core.exchange.outgoing import ImageOut
    from napari_sam_tune.formats.registry import Format

MARKER: Final = ".napari-sam-tune.json"
"""Lies in every exported folder: only a folder that has it is ever overwritten."""


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        path: the file or folder.
        images, objects: how many.
        losses: what the format could not hold, to how often.

    """

    path: Path
    images: int
    objects: int
    losses: Counter[str] = field(default_factory=Counter)


def export(
    known: Format,
    images: Iterable[ImageOut],
    classes: Mapping[str, str],
    out: Path,
    *,
    overwrite: bool = False,
    options: ExportOptions | None = None,
    progress: Callable[[ImageOut], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ExportReport:
    """Write images in a format.

    Args:
        known: see `registry.format_named`.
        images: see `exchange.outgoing.images_out` and `labels_out`.
        classes: name to "#rrggbb", all that the images have.
        out: the file, or the folder, see `Format.suffix`.
        overwrite: replace a file, or a folder that an export made.
        options: of the export.
        progress: called after each image.
        cancelled: asked before each image; True ends the export.

    Raises:
        ExportCancelled: `cancelled` said so.
        StorageError: something is there already, or the disk refused.
        SamTuneError: the format cannot hold something; nothing was written.

    """
    write = known.load_writer()
    counts: Counter[str] = Counter()

    def watched() -> Iterator[ImageOut]:
        for image in images:
            if cancelled():
                raise ExportCancelled(
                    tr("The export to {out} was cancelled; nothing was written.", out=out)
                )
            # read once and dropped with the image, however often the writer looks at its objects
            yield replace(image, objects=tuple(image.objects))
            counts.update(images=1, objects=len(image.objects))
            progress(image)

    with saving("The export", out), building(out) as build:
        check_free(known, out, overwrite=overwrite)
        if known.suffix:
            losses = write(watched(), classes, build / out.name, options or ExportOptions())
            publish_file(build / out.name, out)
        else:
            folder = build / "folder"
            folder.mkdir()
            (folder / MARKER).write_text(json.dumps({"format": known.name}), encoding="utf-8")
            losses = write(watched(), classes, folder, options or ExportOptions())
            check_free(known, out, overwrite=overwrite)  # somebody may have been here meanwhile
            publish_over(folder, out)
    return ExportReport(out, counts["images"], counts["objects"], Counter(losses))


def check_free(known: Format, out: Path, *, overwrite: bool) -> None:
    """Refuse a place that something else is at.

    Raises:
        StorageError: it is there already, is of the wrong kind, or was not made by an export.

    """
    is_empty_folder = out.is_dir() and next(out.iterdir(), None) is None
    if not out.exists() or (is_empty_folder and not known.suffix):
        return
    if out.is_dir() == bool(known.suffix):
        is_not = (
            mark("{format} is a file, and {out} is not: choose another name.")
            if known.suffix
            else mark("{format} is a folder, and {out} is not: choose another name.")
        )
        raise StorageError(tr(is_not, format=known.name, out=out))
    if not overwrite:
        raise exists_already(out)
    if not known.suffix and not (out / MARKER).is_file():
        raise StorageError(
            tr(
                "{out} was not made by an export, so it is not overwritten. Choose a new folder.",
                out=out,
            )
        )
