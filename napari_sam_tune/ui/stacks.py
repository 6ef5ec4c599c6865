"""Layers of more than two dimensions: what their axes are, and what their planes are called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.images.axes import Axes, Axis, axes_of_labels
from napari_sam_tune.core.images.axes_of_file import axes_of_file
from napari_sam_tune.core.images.planes import PlaneOfFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image


def axes_of_layer(layer: Image) -> Axes:
    """Return a layer's axes, without colours: as its labels say, or else its file.

    Each channel is an image of its own here: an axis of channels is "something else".
    """
    shape = (layer.data[0] if layer.multiscale else layer.data).shape[: layer.ndim]
    try:
        said = axes_of_labels(layer.axis_labels, shape, layer.scale, list(map(str, layer.units)))
    except ImageError:  # two axes are called the same
        said = axes_of_labels((), shape)
    if said.question is not None and layer.source.path:
        said = _as_in_file(Path(layer.source.path), said) or said
    return each_channel(said)


def _as_in_file(path: Path, said: Axes) -> Axes | None:
    """Return axes as a file tells them, where these are its; axes one plane long may be missing."""
    try:
        there = [a for a in axes_of_file(path) if a.size > 1 and a.role != "colours"]
    except ImageError:
        return None
    here = [axis for axis in said if axis.size > 1]
    if [axis.size for axis in there] != [axis.size for axis in here]:
        return None
    found = iter(there)
    return Axes(tuple(next(found) if axis.size > 1 else axis for axis in said))


def file_of_layer(layer: Image) -> tuple[Path, Axes] | None:
    """Return the file that a layer shows the planes of, and its axes; None where it shows another.

    The axes of the layer are those of the file, but for some that are one plane long.
    """
    if not layer.source.path or layer.multiscale:
        return None
    path = Path(layer.source.path)
    try:
        axes = axes_of_file(path)
    except ImageError:
        return None
    here = [int(side) for side in layer.data.shape[: layer.ndim] if side > 1]
    there = [axis.size for axis in axes if axis.size > 1 and axis.role != "colours"]
    sides = [axis.role for axis in axes if axis.role in ("rows", "columns")]
    return (path, axes) if here == there and sides == ["rows", "columns"] else None


def plane_of_file(axes: Axes, layer: Image, plane: Sequence[int]) -> PlaneOfFile:
    """Return which plane of a file a plane of its layer is; each channel is one of its own."""
    leading = layer.data.shape[: layer.ndim - 2]
    at = iter([int(i) for i, side in zip(plane, leading, strict=True) if side > 1])
    kept = ("rows", "columns", "colours")
    return PlaneOfFile(
        tuple(
            axis.role if axis.role in kept else (next(at) if axis.size > 1 else 0) for axis in axes
        )
    )


def each_channel(axes: Axes) -> Axes:
    """Return axes where channels are planes like any other."""
    return Axes(tuple(_as_planes(axis) for axis in axes))


def _as_planes(axis: Axis) -> Axis:
    return replace(axis, role="other") if axis.role == "channels" else axis


def plane_name(layer: Image, axes: Axes, plane: Sequence[int]) -> str:
    """Return what a plane is called: "cells [z 3, t 0]"; by numbers where an axis is unknown."""
    known = all(axis.role is not None for axis in axes) and len(axes.along) == len(plane)
    said = axes.name_of(plane) if known else ""
    return f"{layer.name} [{said}]" if said else former_name(layer, plane)


def former_name(layer: Image, plane: Sequence[int]) -> str:
    """Return what a plane was called by the first releases."""
    return f"{layer.name} [{', '.join(map(str, plane))}]"
