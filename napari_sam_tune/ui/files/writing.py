"""napari's writers: a Labels layer in every format that masks go out in.

The manifest names `write_coco`, `write_yolo` … here, one for each format of the registry that has a
writer, but for those that hold what only a project knows. Each object's class is the column `class`
of the layer's features, where there is one.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_warning

from napari_sam_tune.core.errors import MaskError
from napari_sam_tune.core.exchange.incoming import DEFAULT_LABEL
from napari_sam_tune.core.exchange.outgoing import labels_out
from napari_sam_tune.core.project.class_colours import free_colour
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import FORMATS, format_named
from napari_sam_tune.formats.writer import ExportOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.outgoing import ImageOut

    Writer = Callable[[str, Any, Mapping[str, Any]], list[str]]


def __getattr__(name: str) -> Writer:
    """Return the writer of a format, by the name the manifest gives it."""
    for form, known in FORMATS.items():
        is_for_layers = known.writer is not None and not known.of_stacks
        if is_for_layers and name == f"write_{writer_name(form)}":
            return partial(save_layer, form)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def writer_name(form: str) -> str:
    """Return a format's name as a Python name."""
    return form.replace("-", "_").replace(".", "_")


def save_layer(form: str, path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Write a Labels layer; a stack is written plane by plane.

    A file is replaced, for napari's own dialog has asked; a folder is not.

    Args:
        form: name of the format.
        path: file or folder.
        data: (…, H, W) integers; 0 is background.
        attributes: the layer's, as napari hands them over.

    Returns:
        What was written.

    Raises:
        SamTuneError: the layer has no two dimensions, the format cannot hold it, or the disk
            refused; nothing was written.

    """
    known = format_named(form)
    levels = data if isinstance(data, list | tuple) else [data]  # of a pyramid the first is whole
    labels = levels[0]
    if labels.ndim < 2:
        raise MaskError(tr("The layer has {count} dimension; masks have two.", count=labels.ndim))
    by_number = _classes(attributes.get("features"))
    colours: dict[str, str] = {}
    for label in [*by_number.values(), DEFAULT_LABEL]:
        colours.setdefault(label, free_colour(colours))
    report = export(
        known,
        _planes(labels, by_number, attributes),
        colours,
        Path(path),
        overwrite=bool(known.suffix),
        options=_options(attributes),
    )
    if report.losses:
        lost = "; ".join(f"{count} × {tr(what)}" for what, count in sorted(report.losses.items()))
        show_warning(
            tr(
                "{title} could not hold everything of {name}: {lost}.",
                title=tr(known.title),
                name=report.path.name,
                lost=lost,
            )
        )
    return [str(report.path)]


def _options(attributes: Mapping[str, Any]) -> ExportOptions:
    """Take the pixel size from the layer's scale; the images are no part of it."""
    scale, units = attributes.get("scale"), attributes.get("units")
    if scale is None or units is None:
        return ExportOptions(copy_images=False)
    return ExportOptions(False, float(abs(scale[-1])) or 1.0, str(units[-1]))


def _classes(features: Any) -> dict[int, str]:
    """Read number to class off a layer's features; napari numbers the rows with `index`."""
    if features is None or not {"index", "class"} <= set(features):
        return {}
    pairs = zip(features["index"], features["class"], strict=True)
    return {int(number): str(label) for number, label in pairs if isinstance(label, str) and label}


def _planes(
    labels: Any, classes: Mapping[int, str], attributes: Mapping[str, Any]
) -> Iterator[ImageOut]:
    name = str(attributes.get("name") or "labels")
    names = (attributes.get("metadata") or {}).get("images", ())
    leading = labels.shape[:-2]
    for number, index in enumerate(np.ndindex(*leading)):
        plane: NDArray[Any] = np.asarray(labels[index])
        if len(names) == np.prod(leading, dtype=int):
            called = names[number]
        else:
            called = "_".join((name, *(f"{place:04}" for place in index)))
        yield labels_out(called, plane, classes=classes)
