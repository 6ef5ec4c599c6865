"""Tables of the things in stacks: a row for each in each plane, and one for each in all of them."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from napari_sam_tune.core.texts.plain_text import in_spreadsheet

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.exchange.outgoing import ImageOut, ObjectOut
    from napari_sam_tune.core.images.axes import Axis
    from napari_sam_tune.core.project.stacks import Stack
    from napari_sam_tune.formats.writer import ExportOptions

TRACKS: Final = "tracks.csv"
THINGS: Final = "things.csv"
TRACK_COLUMNS: Final = (
    *("stack", "number", "thing", "class", "image", "slice", "time", "record"),
    *("area_pixels", "area", "y", "x", "unit"),
)
THING_COLUMNS: Final = (
    *("stack", "number", "thing", "class", "planes", "first_plane", "last_plane", "length"),
    *("voxels", "volume", "largest_area", "unit"),
)
_LENGTHS: Final = {
    "angstrom": 1e-10,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "meter": 1.0,
    "inch": 0.0254,
}


@dataclass(frozen=True)
class Voxel:
    """The size of a voxel in one unit of length.

    Attributes:
        height, width: of a pixel; in pixels where the unit is "pixel".
        depth: from one slice to the next; None where that is not known in this unit, or a thing
            goes on in time.
        unit: of all.

    """

    height: float
    width: float
    depth: float | None
    unit: str

    @classmethod
    def of(cls, stack: Stack, options: ExportOptions) -> Voxel:
        """Return that of a stack: by its file, or else by what was said for the export."""
        rows, columns, slices = (stack.axes.of(r) for r in ("rows", "columns", "slices"))
        unit = None if columns is None else columns.unit
        across, down = _in(columns, unit), _in(rows, unit)
        if unit is None or across is None or down is None:
            side, unit = options.pixel_size, options.unit
            return cls(side, side, _in(slices, unit), unit)
        return cls(down, across, _in(slices, unit), unit)


def _in(axis: Axis | None, unit: str | None) -> float | None:
    """Return an axis's step in a unit; None where it has none, or one that is no such length."""
    if axis is None or axis.step is None or axis.unit is None or unit is None:
        return None
    if axis.unit == unit:
        return axis.step
    if axis.unit in _LENGTHS and unit in _LENGTHS:
        return axis.step * _LENGTHS[axis.unit] / _LENGTHS[unit]
    return None


@dataclass
class _Sum:
    """What is known of a thing so far."""

    stack: Stack
    label: str
    voxel: Voxel
    voxels: int = 0
    largest: int = 0
    planes: list[int] = field(default_factory=list)


class ThingTables:
    """The two tables, and the numbers of things, while planes come one by one.

    Args:
        folder: where they are written.
        options: of the export.

    """

    def __init__(self, folder: Path, options: ExportOptions) -> None:
        self._folder, self._options = folder, options
        self._numbers: dict[tuple[str, str], int] = {}
        self._counts: Counter[str] = Counter()
        self._sums: dict[tuple[str, str], _Sum] = {}
        self._file = (folder / TRACKS).open("w", newline="", encoding="utf-8")
        self._tracks = csv.DictWriter(self._file, TRACK_COLUMNS, restval="")
        self._tracks.writeheader()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def number(self, stack: Stack, found: ObjectOut) -> int:
        """Return a thing's number in its stack, the same in all planes, from 1."""
        thing = found.thing or found.id or ""
        if (stack.name, thing) not in self._numbers:
            self._counts[stack.name] += 1
            self._numbers[stack.name, thing] = self._counts[stack.name]
        return self._numbers[stack.name, thing]

    def numbers(self) -> dict[str, dict[int, tuple[str, str]]]:
        """Return stack to number to (thing, class)."""
        listed: dict[str, dict[int, tuple[str, str]]] = {}
        for (stack, thing), number in self._numbers.items():
            label = self._sums[stack, thing].label
            listed.setdefault(stack, {})[number] = thing, label
        return listed

    def note(self, image: ImageOut, stack: Stack, found: ObjectOut) -> None:
        """Write the row of a thing in a plane."""
        number, thing = self.number(stack, found), found.thing or found.id or ""
        voxel = Voxel.of(stack, self._options)
        area = int(np.count_nonzero(found.mask))
        rows, columns = np.nonzero(found.mask)
        plane = dict(zip(stack.axes.along, stack.planes[image.name], strict=True))
        places = {role: stack.axes.place(role) for role in ("slices", "time")}
        at = {role: "" if p is None else plane[p] for role, p in places.items()}
        self._tracks.writerow(
            {
                "stack": in_spreadsheet(stack.name),
                "number": number,
                "thing": thing,
                "class": in_spreadsheet(found.label),
                "image": in_spreadsheet(image.name),
                "slice": at["slices"],
                "time": at["time"],
                "record": found.id or "",
                "area_pixels": area,
                "area": f"{area * voxel.height * voxel.width:.6g}",
                "y": f"{(found.bbox[0] + rows.mean()) * voxel.height:.6g}",
                "x": f"{(found.bbox[1] + columns.mean()) * voxel.width:.6g}",
                "unit": voxel.unit,
            }
        )
        known = self._sums.setdefault((stack.name, thing), _Sum(stack, found.label, voxel))
        known.voxels += area
        known.largest = max(known.largest, area)
        known.planes.append(stack.number_of(image.name))

    def finish(self) -> None:
        """Write the table of whole things."""
        with (self._folder / THINGS).open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, THING_COLUMNS, restval="")
            table.writeheader()
            for (stack, thing), known in self._sums.items():
                table.writerow(
                    {
                        "stack": in_spreadsheet(stack),
                        "number": self._numbers[stack, thing],
                        "thing": thing,
                        "class": in_spreadsheet(known.label),
                        "planes": len(set(known.planes)),
                        "first_plane": min(known.planes),
                        "last_plane": max(known.planes),
                        "voxels": known.voxels,
                        **_measures(known),
                    }
                )


def _measures(known: _Sum) -> dict[str, str]:
    """Return length and volume where slices have a step, and the largest area."""
    voxel, pixel = known.voxel, known.voxel.height * known.voxel.width
    said = {"largest_area": f"{known.largest * pixel:.6g}", "unit": voxel.unit}
    if voxel.depth is None or known.stack.depth_role != "slices":
        return said
    length = (max(known.planes) - min(known.planes) + 1) * voxel.depth
    volume = known.voxels * pixel * voxel.depth
    return {**said, "length": f"{length:.6g}", "volume": f"{volume:.6g}"}
