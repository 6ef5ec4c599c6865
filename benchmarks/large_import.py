"""Masks brought into a project of one large image: peak memory and processor time of `import`.

An image of --side px, 20 objects of 20 to 3,000 px: as COCO (polygons and run lengths), as a tiled
label TIFF, and as a label image in a `.zarr` beside the image, each in a process of its own, beside
the same objects in a small image. Asked: .5 GB more than the small one.

    python benchmarks/large_import.py [--side 30000] [--code FOLDER] [coco labels zarr masks]

`--code` runs the import of another checkout. Little disk is needed: the image is a file with holes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import zarr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

OBJECTS, SMALLEST, LARGEST = 20, 20, 3_000
TILE = 512
Disc = tuple[int, int, int]
"""(y, x) of the middle and the radius, px."""


def discs(side: int) -> list[Disc]:
    """Return discs that do not touch, in a grid of 5 × 4."""
    largest = min(LARGEST, side // 6)
    radii = np.geomspace(SMALLEST, largest, OBJECTS).round().astype(int) // 2
    places = [
        (side * (2 * n + 1) // 10, side * (2 * m + 1) // 8) for n in range(5) for m in range(4)
    ]
    return [(y, x, int(r)) for (y, x), r in zip(places, radii, strict=True)]


def inside(disc: Disc, y0: int, x0: int, side: int) -> NDArray[np.bool_]:
    """Return what a disc covers of a square window."""
    y, x, radius = disc
    rows, columns = np.arange(y0, y0 + side)[:, None] - y, np.arange(x0, x0 + side)[None] - x
    return np.asarray(rows**2 + columns**2 <= radius**2)


def coco(folder: Path, side: int) -> list[str]:
    """Write polygons and run lengths in turns; returns what `import` is given."""
    rows: list[dict[str, Any]] = []
    for number, (y, x, radius) in enumerate(discs(side), start=1):
        angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
        corners = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)
        said: Any = [corners.ravel().round(2).tolist()]
        if number % 2:
            columns = range(x - radius, x + radius + 1)
            half = [int((radius**2 - (one - x) ** 2) ** 0.5) for one in columns]
            begins = [one * side + y - h for one, h in zip(columns, half, strict=True)]
            edges = np.array([(b, b + 2 * h + 1) for b, h in zip(begins, half, strict=True)])
            counts = np.diff(edges.ravel(), prepend=0, append=side**2).tolist()
            said = {"size": [side, side], "counts": counts}
        rows.append({"id": number, "image_id": 1, "category_id": 1, "segmentation": said})
    document = {
        "images": [{"id": 1, "file_name": "scan.tif", "height": side, "width": side}],
        "categories": [{"id": 1, "name": "dent"}],
        "annotations": rows,
    }
    file = folder / "coco.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return ["coco", "--from", str(file)]


def _tiles(side: int) -> Iterator[NDArray[np.uint16]]:
    for y in range(0, side, TILE):
        for x in range(0, side, TILE):
            tile = np.zeros((TILE, TILE), np.uint16)
            for number, disc in enumerate(discs(side), start=1):
                if abs(disc[0] - y) < TILE + disc[2] and abs(disc[1] - x) < TILE + disc[2]:
                    tile[inside(disc, y, x, TILE)] = number
            yield tile


def _label_tiff(path: Path, side: int) -> None:
    form = {"shape": (side, side), "dtype": "uint16", "tile": (TILE, TILE), "compression": "zlib"}
    tifffile.imwrite(path, _tiles(side), **form, photometric="minisblack", bigtiff=True)


def labels(folder: Path, side: int) -> list[str]:
    """Write a tiled label TIFF beside the image, one number an object."""
    (folder / "labels").mkdir()
    _label_tiff(folder / "labels" / "scan.tif", side)
    return ["labels", "--from", str(folder / "labels")]


def masks(folder: Path, side: int) -> list[str]:
    """Write the same as a folder of masks."""
    (folder / "masks").mkdir()
    _label_tiff(folder / "masks" / "scan.tif", side)
    return ["folder", "--masks", str(folder / "masks")]


def ome_zarr(folder: Path, side: int) -> list[str]:
    """Write a label image of OME-Zarr, whose image is the file beside it."""
    group = zarr.create_group(folder / "zarr" / "scan.zarr" / "labels" / "found", zarr_format=3)
    axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    scale = [{"type": "scale", "scale": [1, 1]}]
    level = {"path": "0", "coordinateTransformations": scale}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}
    array = group.create_array("0", shape=(side, side), chunks=(TILE, TILE), dtype="uint16")
    tiles = _tiles(side)
    for y in range(0, side, TILE):
        for x in range(0, side, TILE):
            tile = next(tiles)
            array[y : y + TILE, x : x + TILE] = tile[: side - y, : side - x]
    above = zarr.open_group(folder / "zarr" / "scan.zarr" / "labels", mode="a", zarr_format=3)
    above.attrs["ome"] = {"version": "0.5", "labels": ["found"]}
    zarr.open_group(folder / "zarr" / "scan.zarr", mode="a", zarr_format=3)
    return ["ome-zarr", "--from", str(folder / "zarr")]


KINDS = {"coco": coco, "labels": labels, "zarr": ome_zarr, "masks": masks}


def run(kind: str, side: int, code: str) -> tuple[float, float, str]:
    """Import in a process of its own; returns its peak in MiB, its seconds, and what it said."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        image = folder / "images" / "scan.tif"
        form = {"shape": (side, side), "dtype": "uint8", "photometric": "minisblack"}
        tifffile.memmap(image, **form, bigtiff=True).flush()
        said = KINDS[kind](folder, side)
        command = [sys.executable, "-m", "napari_sam_tune", "import", str(folder / "out")]
        command += ["--images", str(image.parent), "--format", *said]
        environment = os.environ | {"PYTHONPATH": code}
        with (folder / "said").open("w", encoding="utf-8") as said_here:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=said_here, stderr=subprocess.STDOUT
            )
            _, _, used = os.wait4(process.pid, 0)
        text = (folder / "said").read_text(encoding="utf-8").strip().splitlines()
        return used.ru_maxrss / 1024, used.ru_utime + used.ru_stime, " | ".join(text[-3:])[-300:]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], default=list(KINDS))
    parser.add_argument("--side", type=int, default=30_000)
    parser.add_argument("--code", default=str(Path(__file__).resolve().parent.parent))
    options = parser.parse_args()
    print("what | side | peak MiB | processor s | said")
    for kind in options.kinds or KINDS:
        for side in (2_000, options.side):
            peak, seconds, text = run(kind, side, options.code)
            print(f"{kind} | {side} | {peak:,.0f} | {seconds:.1f} | {text}", flush=True)


if __name__ == "__main__":
    main()
