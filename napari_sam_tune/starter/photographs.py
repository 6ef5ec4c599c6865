"""Real photographs as training pictures: crops around objects, or surfaces to draw defects on.

A folder of photographs with masks holds `images/`, `masks/` (one number per object) and, for groups
of images that belong together, `manifest.csv` with the columns stem and group. A tenth of the
groups of each folder, always the same ones, is never trained on: the real half of the examination
is drawn from them. A folder of surfaces holds images of sound surfaces, and no masks.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.labelled_images import LabelledImage, read_pairs, true_objects
from napari_sam_tune.core.images.opening import list_all_images, open_image
from napari_sam_tune.core.images.rgb_source import rgb_source, whole_image
from napari_sam_tune.starter.defects import MIN_PIXELS, Defect, Mask, draw_shape, render, truth
from napari_sam_tune.starter.surfaces import Field, Rng

if TYPE_CHECKING:
    from pathlib import Path

Picture = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Window = tuple[float, float, float, float]
"""(left, top, right, bottom) in px of a photograph."""
Outline = tuple[str, Field, Mask]
"""Kind of a defect, its coverage (0 to 1) and its true mask."""

HELD_OUT: Final = 10
"""One group of so many judges."""
MOST_OBJECTS: Final = 12
"""Objects of a crop that may become targets."""
_FEWEST: Final = 24
"""Longer side of the smallest crop, in px of the photograph."""
_WHOLE_CHANCE: Final = 0.3
_PASTE_CHANCE: Final = 0.3
"""Share of crops on which real masks of other photographs are drawn as defects of our making."""
_REAL_OUTLINES: Final = 0.4
"""Share of the defects drawn on surfaces whose outline is a real object's."""
_COVERED: Final = 0.4
"""Share of a px that makes it part of a mask made smaller; thin lines lose with one half."""


@dataclasses.dataclass(frozen=True)
class PhotographSet:
    """A folder's photographs, some of them never trained on."""

    folder: Path
    train: tuple[LabelledImage, ...]
    judge: tuple[LabelledImage, ...]

    def pairs(self, *, judging: bool) -> tuple[LabelledImage, ...]:
        """Those for the examination, or those that train."""
        return self.judge if judging else self.train


@functools.lru_cache(maxsize=32)
def read_set(folder: Path) -> PhotographSet:
    """Read a folder of photographs.

    Raises:
        SamTuneError: no image has a mask, or all would be held out.

    """
    manifest: Path | None = folder / "manifest.csv"
    column = None
    if manifest is not None and manifest.is_file():
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            column = "group" if "group" in next(csv.reader(file), []) else None
    else:
        manifest = None
    pairs = read_pairs(folder / "images", folder / "masks", manifest=manifest, group_column=column)
    parts: tuple[list[LabelledImage], list[LabelledImage]] = [], []
    for pair in pairs:
        held_out = zlib.crc32(f"{folder.name}/{pair.group}".encode()) % HELD_OUT == 0
        parts[held_out].append(pair)
    if not parts[0]:
        raise SamTuneError(f"{folder} has too few groups of images to train on.")
    return PhotographSet(folder, tuple(parts[0]), tuple(parts[1]))


def read_rgb(path: Path) -> Picture:
    """Read a whole photograph, a file or a `.zarr`, as (H, W, 3); raises as `open_image` does."""
    source = rgb_source(open_image(path))
    return source.rgb(whole_image(source))


@functools.lru_cache(maxsize=2048)
def _read(pair: LabelledImage) -> tuple[Picture, Labels]:
    """A photograph, grey (H, W) where it has no colour, and its objects' numbers."""
    rgb = read_rgb(pair.image)
    shape = (rgb.shape[0], rgb.shape[1])
    labels = np.zeros(shape, np.int32)
    for number, found in enumerate(true_objects(pair, shape), start=1):
        labels[found.mask] = number
    grey = bool((rgb == rgb[..., :1]).all())
    return (rgb[..., 0].copy() if grey else rgb), labels


def draw_pair(rng: Rng, sets: tuple[PhotographSet, ...], *, judging: bool) -> LabelledImage:
    """A photograph of a random set, each as often as any other: a large one is more of the same."""
    sets = tuple(s for s in sets if s.pairs(judging=judging))
    pairs = sets[int(rng.integers(len(sets)))].pairs(judging=judging)
    return pairs[int(rng.integers(len(pairs)))]


def make_photograph(
    rng: Rng, sets: tuple[PhotographSet, ...], shape: tuple[int, int], *, judging: bool = False
) -> tuple[Picture, list[Defect]]:
    """A crop of a photograph with its objects, as `images.make_image` makes pictures.

    Args:
        rng: of the crop and of how it is seen.
        sets: where photographs come from.
        shape: (height, width) of the crop, in px of the encoder's input.
        judging: of the examination: held-out groups, and pictures as they are.

    """
    while True:
        picture, labels = _read(draw_pair(rng, sets, judging=judging))
        picture, labels = _cropped(rng, picture, labels, shape)
        if judging:
            found = _objects(labels, shape, rng)
        else:
            picture, labels = _turned(rng, picture, labels)
            found = _objects(labels, shape, rng)
            if rng.random() < _PASTE_CHANCE:
                outlines = _real_outlines(rng, sets, shape)
                picture, found = _with_drawn(rng, picture, found, outlines)
            picture = _seen_anew(rng, picture)
        if found:
            return picture, found


def surface_of(rng: Rng, shape: tuple[int, int], sets: tuple[PhotographSet, ...]) -> Field:
    """A crop of a training photograph as a grey field, 0 to 1: a surface to draw defects on."""
    picture, labels = _read(draw_pair(rng, sets, judging=False))
    picture, _ = _cropped(rng, picture, labels, shape)
    return np.asarray(_grey(picture), np.float32) / np.float32(255)


def _cropped(
    rng: Rng, picture: Picture, labels: Labels, shape: tuple[int, int]
) -> tuple[Picture, Labels]:
    """A window of the shape's proportions around an object, resized; labels are kept apart."""
    height, width = labels.shape
    proportion = shape[0] / shape[1]
    largest = min(height, width * proportion), min(width, height / proportion)
    boxes = [box for box in ndimage.find_objects(labels) if box is not None]
    rows = cols = 0.0, 0.0
    size = largest
    if boxes and rng.random() >= _WHOLE_CHANCE:
        box = boxes[int(rng.integers(len(boxes)))]
        rows, cols = (box[0].start, box[0].stop), (box[1].start, box[1].stop)
        need = max(
            (rows[1] - rows[0]) * 1.15, (cols[1] - cols[0]) * 1.15 * proportion, _FEWEST * 1.0
        )
        # nobody looks closer than four px of the input for one px of the photograph
        need = min(max(need, shape[0] / 4), largest[0])
        tall = float(np.exp(rng.uniform(np.log(need), np.log(largest[0]))))
        size = tall, tall / proportion
    else:
        rows, cols = (0, height), (0, width)
    top = _place(rng, rows, size[0], height)
    left = _place(rng, cols, size[1], width)
    window = (left, top, left + size[1], top + size[0])
    return _resized(picture, window, shape), _labels_in(labels, window, shape)


def _resized(picture: Picture, window: Window, shape: tuple[int, int]) -> Picture:
    """What a window shows, at another size."""
    extent = (shape[1], shape[0])
    return np.asarray(Image.fromarray(picture).resize(extent, Image.Resampling.BILINEAR, window))


def _place(rng: Rng, span: tuple[float, float], size: float, length: int) -> float:
    """Where a window begins that holds a span if it can."""
    low, high = sorted((span[1] - size, span[0]))
    room = max(length - size, 0.0)
    low, high = (float(np.clip(end, 0.0, room)) for end in (low, high))
    return float(rng.uniform(low, high))


def _labels_in(labels: Labels, window: Window, shape: tuple[int, int]) -> Labels:
    """Objects' numbers in a window, resized; each object by how much of a px it covers."""
    left, top, right, bottom = window
    y0, x0 = int(np.floor(top)), int(np.floor(left))
    part = labels[y0 : int(np.ceil(bottom)), x0 : int(np.ceil(right))]
    box = (left - x0, top - y0, right - x0, bottom - y0)
    out = np.zeros(shape, np.int32)
    best = np.full(shape, np.uint8(255 * _COVERED))
    counts = np.bincount(part.ravel())
    counts[0] = 0
    for number in np.argsort(-counts)[: 2 * MOST_OBJECTS]:
        if counts[number] < MIN_PIXELS:
            break
        own = Image.fromarray((part == number).astype(np.uint8) * 255)
        covered = np.asarray(own.resize((shape[1], shape[0]), Image.Resampling.BILINEAR, box))
        nearer = covered > best
        out[nearer], best[nearer] = number, covered[nearer]
    return out


def _objects(labels: Labels, shape: tuple[int, int], rng: Rng) -> list[Defect]:
    """Objects large enough to click on, not nearly the whole picture; the order is random."""
    counts = np.bincount(labels.ravel(), minlength=1)
    counts[0] = 0
    numbers = np.flatnonzero((counts >= 2 * MIN_PIXELS) & (counts < 0.7 * shape[0] * shape[1]))
    chosen = rng.permutation(numbers)[:MOST_OBJECTS]
    return [Defect(np.asarray(labels == number), "real") for number in chosen]


def _turned(rng: Rng, picture: Picture, labels: Labels) -> tuple[Picture, Labels]:
    """Mirrored, and where the shape allows it turned by quarters."""
    if rng.random() < 0.5:
        picture, labels = picture[::-1], labels[::-1]
    if rng.random() < 0.5:
        picture, labels = picture[:, ::-1], labels[:, ::-1]
    if labels.shape[0] == labels.shape[1] and rng.random() < 0.5:
        picture, labels = picture.swapaxes(0, 1), labels.swapaxes(0, 1)
    return picture, labels


def make_on_surface(
    rng: Rng,
    surfaces: tuple[Path, ...],
    sets: tuple[PhotographSet, ...],
    shape: tuple[int, int],
) -> tuple[Picture, list[Defect]]:
    """A crop of a photograph of a sound surface with defects drawn on it, of real or our outlines.

    Args:
        rng: of the crop, the defects and how it is seen.
        surfaces: photographs of surfaces.
        sets: where outlines of real objects come from; may be empty.
        shape: (height, width) of the crop, in px of the encoder's input.

    """
    while True:
        picture = _read_surface(surfaces[int(rng.integers(len(surfaces)))])
        height, width = picture.shape[:2]
        largest = min(height, width * shape[0] / shape[1])
        tall = float(np.exp(rng.uniform(np.log(min(shape[0] / 2, largest)), np.log(largest))))
        wide = tall * shape[1] / shape[0]
        top, left = rng.uniform(0, height - tall), rng.uniform(0, max(width - wide, 0.0))
        window = (left, top, min(left + wide, width), top + tall)
        picture = _resized(picture, window, shape)
        picture, _ = _turned(rng, picture, np.zeros(shape, np.int32))
        found: list[Defect] = []
        for _ in range(int(rng.integers(1, 4))):
            real = bool(sets) and rng.random() < _REAL_OUTLINES
            outlines = _real_outlines(rng, sets, shape) if real else _our_outlines(rng, shape)
            picture, found = _with_drawn(rng, picture, found, outlines)
        if found:
            return _seen_anew(rng, picture), found


@functools.lru_cache(maxsize=1024)
def _read_surface(path: Path) -> Picture:
    rgb = read_rgb(path)
    grey = bool((rgb == rgb[..., :1]).all())
    return rgb[..., 0].copy() if grey else rgb


@functools.lru_cache(maxsize=8)
def read_surfaces(folder: Path) -> tuple[Path, ...]:
    """The photographs of a folder of surfaces.

    Raises:
        SamTuneError: there are none.

    """
    found = tuple(list_all_images(folder))
    if not found:
        raise SamTuneError(f"{folder} holds no image of a surface.")
    return found


def _real_outlines(
    rng: Rng, sets: tuple[PhotographSet, ...], shape: tuple[int, int]
) -> list[Outline]:
    """Masks of up to three objects of one photograph that trains, to be drawn as defects."""
    _, labels = _cropped(rng, *_read(draw_pair(rng, sets, judging=False)), shape)
    _, labels = _turned(rng, np.zeros(shape, np.uint8), labels)
    kinds = [str(rng.choice(["patch", "pit", "crack"])) for _ in range(3)]
    found = _objects(labels, shape, rng)[:3]
    return [
        (kind, defect.mask.astype(np.float32), defect.mask)
        for kind, defect in zip(kinds, found, strict=False)
    ]


def _our_outlines(rng: Rng, shape: tuple[int, int]) -> list[Outline]:
    """One defect of our making, if it is neither too small nor nearly the whole picture."""
    kind, outline = draw_shape(rng, shape)
    mask = truth(rng, outline.coverage, kind)
    usable = 2 * MIN_PIXELS <= mask.sum() < 0.6 * mask.size
    return [(kind, outline.coverage, mask)] if usable else []


def _with_drawn(
    rng: Rng, picture: Picture, found: list[Defect], outlines: list[Outline]
) -> tuple[Picture, list[Defect]]:
    """Outlines drawn as defects where there is room."""
    field = np.asarray(_grey(picture), np.float32) / np.float32(255)
    taken = np.zeros(field.shape, np.bool_)
    for defect in found:
        taken |= defect.mask
    drawn = []
    before = field
    grain = float((field - ndimage.gaussian_filter(field, 3)).std()) + 0.01
    for kind, coverage, mask in outlines:
        if (mask & ndimage.binary_dilation(taken, iterations=2)).any():
            continue
        field = render(rng, field, coverage, kind, grain)
        taken |= mask
        drawn.append(Defect(mask, kind))
    if not drawn:
        return picture, found
    added = (field - before) * 255
    colour = added[..., None] if picture.ndim == 3 else added
    return np.clip(picture + colour + 0.5, 0, 255).astype(np.uint8), drawn + found


def _seen_anew(rng: Rng, picture: Picture) -> Picture:
    """Another exposure, contrast, sharpness, noise; inverted or grey now and then."""
    seen = picture.astype(np.float32) / np.float32(255)
    if seen.ndim == 3 and rng.random() < 0.4:
        seen = seen.mean(axis=2)
    if rng.random() < 0.2:
        seen = 1 - seen
    if rng.random() < 0.6:
        seen = np.clip(seen, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.35)))
    if rng.random() < 0.6:
        middle = float(seen.mean())
        seen = middle + (seen - middle) * np.float32(rng.uniform(0.45, 1.4))
        seen = seen + np.float32(rng.normal(0, 0.08))
    if seen.ndim == 3 and rng.random() < 0.5:
        seen = seen * (1 + rng.normal(0, 0.08, 3).astype(np.float32))
    if rng.random() < 0.2:
        deviation = rng.uniform(0.4, 1.5)
        axes = (deviation, deviation, 0) if seen.ndim == 3 else deviation
        seen = ndimage.gaussian_filter(seen, axes, truncate=2.5)
    if rng.random() < 0.4:
        spread = np.float32(np.exp(rng.uniform(np.log(0.003), np.log(0.05))))
        noise = rng.standard_normal(seen.shape[:2], dtype=np.float32) * spread
        seen = seen + (noise[..., None] if seen.ndim == 3 else noise)
    return np.asarray(np.clip(seen * 255 + 0.5, 0, 255), np.uint8)


def _grey(picture: Picture) -> npt.NDArray[np.floating]:
    return picture.mean(axis=2) if picture.ndim == 3 else picture.astype(np.float32)
