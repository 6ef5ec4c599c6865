"""The axes of a file, read from what it says of itself, without its pixels.

TIFF: OME-XML, ImageJ's description, or the axes that tifffile wrote; OME-Zarr: `multiscales`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.images.axes import (
    Axes,
    Axis,
    Role,
    axes_of_labels,
    axes_of_letters,
    length,
    role_named,
    unit_named,
)
from napari_sam_tune.core.images.pictures import open_picture
from napari_sam_tune.core.images.tiff_picture import TiffPicture
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Mapping

    Steps = Mapping[Role, tuple[float | None, str | None]]

_TYPES: Final[Mapping[str, Role]] = {"time": "time", "channel": "channels"}
_OLDEST: Final = ("t", "c", "z", "y", "x")
"""Axes of OME-Zarr 0.1 and 0.2, which says nothing of them."""


def axes_of_file(path: str | Path) -> Axes:
    """Return the axes of an image file; those it does not name are without a role.

    Args:
        path: a TIFF, an OME-Zarr folder, or a picture of any other kind.

    Raises:
        ImageError: it is missing, damaged, or none of these; or its axes are those of no image.

    """
    path = Path(path)
    if path.is_dir():
        return axes_of_zarr(path)
    with open_picture(path, lazily=True) as picture:
        if isinstance(picture, TiffPicture):
            return axes_of_series(picture.series)
        height, width, *colours = picture.shape
    sides = [Axis("Y", height, "rows"), Axis("X", width, "columns")]
    return Axes((*sides, *(Axis("S", n, "colours") for n in colours)))


def axes_of_series(series: Any) -> Axes:
    """Return the axes of a series of tifffile's, with their steps where the file gives them.

    Raises:
        ImageError: two have one role.

    """
    axes, tiff = axes_of_letters(str(series.axes), series.shape), series.parent
    steps: Steps = {}
    if tiff.is_ome:
        steps = _steps_of_ome(str(tiff.ome_metadata), tiff.series.index(series))
    elif tiff.is_imagej:
        steps = _steps_of_imagej(dict(tiff.imagej_metadata or {}), series.keyframe)
    return Axes(tuple(_measured(axis, steps) for axis in axes))


def _measured(axis: Axis, steps: Steps) -> Axis:
    step, unit = (None, None) if axis.role is None else steps.get(axis.role, (None, None))
    return axis if step is None or unit is None else replace(axis, step=step, unit=unit)


def _steps_of_ome(xml: str, number: int) -> Steps:
    """Return the steps that OME-XML gives; sizes are in micrometres where it names no unit."""
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314 - expat of Python ≥ 3.11 bounds entities
    except ElementTree.ParseError:
        return {}
    found = [one for one in root.iter() if one.tag.rpartition("}")[2] == "Pixels"]
    said = found[number].attrib if number < len(found) else {}
    steps: dict[Role, tuple[float | None, str | None]] = {}
    sides: tuple[tuple[Role, str], ...] = (("columns", "X"), ("rows", "Y"), ("slices", "Z"))
    for role, letter in sides:
        unit = unit_named(said.get(f"PhysicalSize{letter}Unit", "micrometer"))
        steps[role] = length(said.get(f"PhysicalSize{letter}")), unit
    unit = unit_named(said.get("TimeIncrementUnit", "second"))
    return {**steps, "time": (length(said.get("TimeIncrement")), unit)}


def _steps_of_imagej(said: Mapping[str, Any], page: Any) -> Steps:
    """Return the steps that ImageJ gives: the resolution is in pixels a unit."""
    unit = unit_named(said.get("unit"))
    across, down = (length(number) for number in page.resolution)
    return {
        "columns": (None if across is None else 1 / across, unit),
        "rows": (None if down is None else 1 / down, unit),
        "slices": (length(said.get("spacing")), unit),
        "time": (length(said.get("finterval")), unit_named(said.get("tunit", "second"))),
    }


def axes_of_zarr(folder: Path) -> Axes:
    """Return the axes of an OME-Zarr image, of its first multiscale, or of a bare zarr array.

    Raises:
        ImageError: it is none, or is damaged.

    """
    scale, array = _multiscale(folder)
    if scale is None:
        return _axes_of_array(array)
    try:
        return _axes_of_multiscale(scale, array.shape)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ImageError):
            raise
        raise _damaged(folder, error) from error


def _axes_of_array(array: Any) -> Axes:
    """Return the axes of a zarr array by the names it may have; the last are taken as they lie."""
    names = getattr(array.metadata, "dimension_names", None) or ()
    *before, last = array.shape
    if len(array.shape) > 2 and last in (3, 4) and not names:
        axes = axes_of_labels((), before)
        return Axes((*axes, Axis("", last, "colours")))
    return axes_of_labels([name or "" for name in names], array.shape)


def _multiscale(folder: Path) -> tuple[Mapping[str, Any] | None, Any]:
    """Return what an OME-Zarr says of its first multiscale, and its largest array."""
    import zarr

    try:
        group = zarr.open(folder, mode="r")
        if isinstance(group, zarr.Array):
            return None, group
        attributes: Any = dict(group.attrs)
        scale = attributes.get("ome", attributes)["multiscales"][0]
        return scale, group[scale["datasets"][0]["path"]]
    except Exception as error:  # zarr raises whatever comes to mind on damaged folders
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> ImageError:
    return ImageError(
        tr("{folder} is no OME-Zarr image, or is damaged ({error}).", folder=folder, error=error)
    )


def _axes_of_multiscale(scale: Mapping[str, Any], shape: tuple[int, ...]) -> Axes:
    listed = scale.get("axes", _OLDEST if len(shape) == len(_OLDEST) else ())
    listed = [{"name": one} if isinstance(one, str) else dict(one) for one in listed]
    if len(listed) != len(shape):
        raise ImageError(tr("Of {n} axes the file names {m}.", n=len(shape), m=len(listed)))
    steps = [1.0] * len(shape)
    for said in (scale, scale["datasets"][0]):
        for change in said.get("coordinateTransformations", ()):
            factors = change.get("scale", ())
            if len(factors) == len(steps):
                steps = [a * float(b) for a, b in zip(steps, factors, strict=True)]
    axes = []
    for said, size, step in zip(listed, shape, steps, strict=True):
        name, unit = str(said["name"]), unit_named(said.get("unit"))
        role = _TYPES.get(str(said.get("type"))) or role_named(name)
        axes.append(Axis(name, int(size), role, length(step) if unit else None, unit))
    return Axes(tuple(axes))
