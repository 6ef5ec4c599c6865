"""Writing masks in a format: whole or not at all, never over something else, and cancellable.

A writer gets a path inside a hidden folder beside the place asked for; what it made is moved there
only when it is done.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import ExportCancelled, StorageError
from napari_sam_tune.core.storage.durable import publish_file, publish_folder, saving
from napari_sam_tune.formats.writer import ExportOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

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
        images: see `core.exporting.images_out` and `labels_out`.
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
    check_free(known, out, overwrite=overwrite)
    counts: Counter[str] = Counter()

    def watched() -> Iterator[ImageOut]:
        for image in images:
            if cancelled():
                raise ExportCancelled(f"The export to {out} was cancelled; nothing was written.")
            # read once and dropped with the image, however often the writer looks at its objects
            yield replace(image, objects=tuple(image.objects))
            counts.update(images=1, objects=len(image.objects))
            progress(image)

    with saving("The export", out), _building(out) as build:
        if known.suffix:
            losses = write(watched(), classes, build / out.name, options or ExportOptions())
            publish_file(build / out.name, out)
        else:
            folder = build / "folder"
            folder.mkdir()
            (folder / MARKER).write_text(json.dumps({"format": known.name}), encoding="utf-8")
            losses = write(watched(), classes, folder, options or ExportOptions())
            _publish_over(folder, out, build / "replaced")
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
        kind = "a file" if known.suffix else "a folder"
        raise StorageError(f"{known.name} is {kind}, and {out} is not: choose another name.")
    if not overwrite:
        raise StorageError(f"{out} exists already; add --overwrite, or choose another name.")
    if not known.suffix and not (out / MARKER).is_file():
        raise StorageError(
            f"{out} was not made by an export, so it is not overwritten. Choose a new folder."
        )


@contextmanager
def _building(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside `out`, and remove it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    build = Path(mkdtemp(dir=out.parent, prefix=".export-"))
    try:
        yield build
    finally:
        shutil.rmtree(build, ignore_errors=True)


def _publish_over(folder: Path, out: Path, replaced: Path) -> None:
    """Move a folder to its name; the one there is put back if that fails."""
    if out.exists():
        out.rename(replaced)
    try:
        # not flushed file by file: ten thousand of them would take minutes, and can be made again
        if not publish_folder(folder, out, durable=False):
            raise StorageError(f"{out} was made by somebody else meanwhile; choose another name.")
    except OSError:
        if replaced.exists() and not out.exists():
            replaced.rename(out)
        raise
