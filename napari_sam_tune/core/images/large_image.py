"""Images that are read where somebody looks, and never held whole.

`images.opening.open_image` gives a `LargeImage` where an image has more than `LARGE_PIXELS`, and
the pixels themselves of all others. Whoever wants part of a large image reads a window of it.
"""

from __future__ import annotations

import logging
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from napari_sam_tune.core.errors import ImageError, StorageError
from napari_sam_tune.core.geometry.windows import clipped, resized_shape, shape_of
from napari_sam_tune.core.images.blocks import DIGITS, blocks_of, name_of_blocks, sample_of
from napari_sam_tune.core.images.files import content_hash, hash_of_bands, to_rgb8, value_range
from napari_sam_tune.core.images.large_level import Form, Level
from napari_sam_tune.core.images.large_source import HeldSource, Source
from napari_sam_tune.core.images.overview import Overview, averaged
from napari_sam_tune.core.images.picture import MOST_BYTES
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.images.picture import Pixels

_log = logging.getLogger(__name__)

LARGE_PIXELS: Final = 64_000_000
"""An image of more is read in parts."""

MOST_SIDE: Final = 300_000
"""Px of the longest side of an image."""
_OVERVIEW_BYTES: Final = 64 << 20
_OVERVIEW_SIDE: Final = 2048
"""Copies are made smaller until the longest side is no longer than this."""
_FIRST_SECONDS, _SECONDS = 0.5, 0.1
"""What is spent on filling the overview before it is shown: at first, and whenever it is looked at
again."""
_ALMOST: Final = 1.02
"""A copy this much smaller than is wanted will do: sides of copies are rounded."""
_BAND_BYTES: Final = 64 << 20


class LargeImage:
    """An image too large to be held: `read` and `rgb` give windows of it.

    Safe to be read from several threads at once.

    Args:
        source: its pixels.
        called: what it is called in errors.

    Attributes:
        shape: (H, W) or (H, W, C).
        dtype: of the pixels.

    """

    def __init__(self, source: Source, called: str) -> None:
        self._source, self._called = source, called
        height, width = source.shapes[0]
        if max(height, width) > MOST_SIDE or 0 in (height, width, *source.channels):
            raise ImageError(
                tr(
                    "{called} claims {width:,} × {height:,} pixels, and {most:,} a side are the "
                    "most that is read. Cut it into tiles.",
                    called=called,
                    width=width,
                    height=height,
                    most=MOST_SIDE,
                )
            )
        self.shape: tuple[int, ...] = (height, width, *source.channels)
        self.dtype = source.dtype
        self._to_keep: Path | None = None  # the file of the overview, once that is whole

    @property
    def ndim(self) -> int:
        """2, or 3 with colours."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def unit(self) -> tuple[int, int]:
        """(h, w) of what is unpacked at once."""
        return self._source.units[0]

    @property
    def held(self) -> Pixels | None:
        """All its pixels, where they are in memory; else None."""
        return self._source.pixels if isinstance(self._source, HeldSource) else None

    @property
    def nbytes(self) -> int:
        """What its pixels would take in memory."""
        return self.size * self.dtype.itemsize

    def __array__(self, *_: object, **__: object) -> NDArray[Any]:
        """Refuse to be held whole: whoever wants that has forgotten to ask for a window."""
        raise TypeError(f"{self._called} is read in parts: ask for a window of it")

    # ------------------------------------------------------------------ pixels

    def read(self, window: Window, step: int = 1) -> Pixels:
        """Return a window's pixels.

        Args:
            window: (y0, x0, y1, x1); what lies outside the image is left out.
            step: take every so many-th row and column from y0 and x0 on. Where the file has
                smaller copies of the image they come from the smallest that has as many.

        Returns:
            (h, w) or (h, w, C) of the image's type, as `images.files.read_image` gives them where
            the step is 1.

        Raises:
            ImageError: part of the file is damaged, or it is gone.

        """
        y0, x0, y1, x1 = clipped(window, self.shape)
        fits = [n for n, _ in enumerate(self._source.shapes) if max(self._factor(n)) <= step]
        level = max(fits, default=0)
        if level == 0:
            return np.ascontiguousarray(self._source.read(0, (y0, x0, y1, x1))[::step, ::step])
        down, across = self._factor(level)
        shape = self._source.shapes[level]
        rows = np.minimum((np.arange(y0, y1, step) / down).astype(int), shape[0] - 1)
        columns = np.minimum((np.arange(x0, x1, step) / across).astype(int), shape[1] - 1)
        if not len(rows) or not len(columns):
            return np.zeros((len(rows), len(columns), *self.shape[2:]), self.dtype)
        part = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
        found = self._source.read(level, part)
        return found[np.ix_(rows - rows[0], columns - columns[0])]

    def whole(self) -> Pixels:
        """Return all its pixels.

        Raises:
            ImageError: they are more than may be held, or as `read`.

        """
        if self.nbytes > MOST_BYTES:
            raise ImageError(
                tr(
                    "{called} holds {gigabytes:.1f} GB of pixels, and {most:.1f} GB are the most "
                    "that is read at once.",
                    called=self._called,
                    gigabytes=self.nbytes / 1e9,
                    most=MOST_BYTES / 1e9,
                )
            )
        return self.read((0, 0, self.shape[0], self.shape[1]))

    def rgb(self, window: Window, side: int | None = None) -> NDArray[np.uint8]:
        """Return what the encoder wants of a window: 8-bit RGB, see `images.files.to_rgb8`.

        Values of other types are stretched by the range of the image, not of the window, so that a
        pixel looks the same in every window.

        Args:
            window: (y0, x0, y1, x1); what lies outside the image is left out.
            side: the longest side is made no longer than this, by averaging; None keeps it. A much
                larger window is averaged from copies of the image, and waits until they are read.

        Returns:
            (h, w, 3) uint8.

        Raises:
            ImageError: as `read`; or nothing of the window lies inside.

        """
        window = clipped(window, self.shape)
        shape = shape_of(window)
        if min(shape) < 1:
            raise ImageError(tr("Nothing of the window {window} lies inside.", window=window))
        if side is None or max(shape) <= side:
            return self.rgb8(self._source.read(0, window))
        wanted = resized_shape(shape, side)
        least = min(shape[0] / wanted[0], shape[1] / wanted[1])
        found, number = (0.0, 0.0), 0
        for n, level in enumerate(self._levels):
            if max(level.factor) <= _ALMOST * least and level.factor > found:
                found, number = level.factor, n
        level = self._levels[number]
        y0, x0, y1, x1 = (edge / level.factor[n % 2] for n, edge in enumerate(window))
        outer = clipped((int(y0), int(x0), int(np.ceil(y1)), int(np.ceil(x1))), level.shape)
        pixels = self.rgb8(level.whole_window(outer))
        box = [x0 - outer[1], y0 - outer[0], x1 - outer[1], y1 - outer[0]]
        box[2], box[3] = min(box[2], pixels.shape[1]), min(box[3], pixels.shape[0])
        size = wanted[1], wanted[0]
        small = Image.fromarray(pixels).resize(size, Image.Resampling.BOX, tuple(box))  # type: ignore[arg-type]
        return np.asarray(small)

    @cached_property
    def limits(self) -> tuple[float, float]:
        """What values are stretched from: (low, high), see `images.files.to_rgb8`.

        Percentiles of the blocks that name the image; where those are all one value, the least and
        the largest of all.
        """
        low, high = value_range(sample_of(self._blocks))
        if low < high or self.dtype in (np.uint8, np.bool_):
            return low, high
        smallest = self._levels[-1]
        pixels = smallest.whole_window((0, 0, smallest.shape[0], smallest.shape[1]))
        return value_range(pixels[..., None] if pixels.ndim == 2 else pixels)

    # ------------------------------------------------------------------- names

    @cached_property
    def content_hash(self) -> str:
        """What an image is known by: 40 hex digits of the SHA-256 of shape, type and some pixels.

        Those of 16 × 16 blocks of 64 × 64 px on a regular grid over all of the image, edges
        included. The same pixels have the same name whatever file they are in; a change that lies
        between the blocks is not seen. Names that `images.files.content_hash` gives are shorter.
        """
        return name_of_blocks(self._blocks, self.shape, self.dtype)

    def name_among(self, names: Collection[str | None]) -> str:
        """Return what it is called among names that images have: its `content_hash` or another.

        Early releases held large images whole, and named them by all pixels. To find out whether
        one of these names is meant, all pixels are read.

        Raises:
            ImageError: as `read`.

        """
        is_early = any(name is not None and len(name) < DIGITS for name in names)
        if self.content_hash in names or not is_early or self.nbytes > MOST_BYTES:
            return self.content_hash
        return self._early_name if self._early_name in names else self.content_hash

    @cached_property
    def _early_name(self) -> str:
        """What `images.files.content_hash` calls it."""
        rows = max(1, _BAND_BYTES // (self.nbytes // self.shape[0]))
        height, width = self.shape[:2]
        bands = (self.read((y, 0, y + rows, width)) for y in range(0, height, rows))
        return hash_of_bands(self.shape, self.dtype, bands)

    @cached_property
    def _blocks(self) -> list[Pixels]:
        return blocks_of(self._source)

    # ------------------------------------------------------------------ levels

    @property
    def levels(self) -> list[Level]:
        """The image in several sizes for a viewer, finest first: arrays that are read by slicing.

        Grey and 8-bit RGB(A) as they are, the rest as 8-bit RGB.
        """
        return self._levels

    @cached_property
    def _levels(self) -> list[Level]:
        last = len(self._source.shapes) - 1
        kinds: list[tuple[int, int, Pixels | None]] = [(n, 1, None) for n in range(last + 1)]
        overview = self._overview
        if overview is not None:
            by = 2
            while by < overview.factors[0]:
                kinds.append((last, by, None))
                by *= 2
            copies = zip(overview.factors, overview.copies, strict=True)
            kinds += [(last, factor, copy) for factor, copy in copies]
        found = []
        for stored, by, copy in kinds:
            (height, width), (down, across) = self._source.shapes[stored], self._factor(stored)
            form = Form((-(-height // by), -(-width // by)), self.shape[2:], self.dtype)
            factor = down * by, across * by
            part = partial(self._part_of_level, stored, by, copy)
            found.append(Level(form, factor, part, self.rgb8))
        return found

    @cached_property
    def _overview(self) -> Overview | None:
        """Copies made smaller, where the file has none that are small enough."""
        last = len(self._source.shapes) - 1
        shape, factor = self._source.shapes[last], 2
        if max(shape) <= _OVERVIEW_SIDE:
            return None
        each = self.dtype.itemsize * int(np.prod(self._source.channels, dtype=int))
        while shape[0] * shape[1] * each / factor**2 > _OVERVIEW_BYTES:
            factor *= 2
        return Overview(
            lambda window: self._source.read(last, window),
            shape,
            self._source.units[last],
            factor,
            self._source.channels,
            self.dtype,
        )

    def fill(self, seconds: float) -> bool:
        """Go on reading what is seen from afar, for about so long; returns whether all is read.

        Raises:
            ImageError: part of the file is damaged.

        """
        overview = self._overview
        if overview is None:
            return True
        is_whole = overview.fill(seconds=seconds)
        if is_whole and self._to_keep is not None:
            file, self._to_keep = self._to_keep, None
            try:
                overview.keep(file)
            except StorageError as error:
                _log.warning("What %s looks like could not be kept: %s", self._called, error)
        return is_whole

    def keep_in(self, folder: Path) -> None:
        """Keep in a project's folder what it looks like from afar, or have it from there.

        Without smaller copies in its file all of it must be read for that. To be called before it
        is looked at.
        """
        overview = self._overview
        if overview is None or overview.is_done:
            return
        file = folder / self.content_hash
        if not overview.restore(file):
            self._to_keep = file

    def _factor(self, level: int) -> tuple[float, float]:
        """Return px of the image to a px of a stored level, (down, across)."""
        (height, width), (h, w) = self._source.shapes[0], self._source.shapes[level]
        return height / h, width / w

    def _part_of_level(
        self, stored: int, by: int, copy: Pixels | None, window: Window, *, wait: bool
    ) -> Pixels:
        """Return a window of a level; of an overview all of it, or what was read so far."""
        if by == 1:
            return self._source.read(stored, window)
        y0, x0, y1, x1 = window
        below = (y0 * by, x0 * by, y1 * by, x1 * by)
        outer = clipped(below, self._source.shapes[stored])
        if copy is None:
            return averaged(self._source.read(stored, outer), by)
        overview = self._overview
        if overview is not None:
            seconds = _SECONDS if overview.is_begun else _FIRST_SECONDS
            overview.fill(outer, None if wait else seconds)
        return copy[y0:y1, x0:x1]

    def glance(self, side: int) -> NDArray[np.uint8]:
        """Return all of it as 8-bit RGB of about so many px at most, as far as it was read.

        Of what nobody has looked at yet, a part is read in half a second.
        """
        level = next((one for one in reversed(self._levels) if max(one.shape[:2]) >= side), None)
        found = (level or self._levels[0])[...]
        step = max(1, max(found.shape[:2]) // side)
        return self.rgb8(found[::step, ::step])

    def rgb8(self, pixels: Pixels) -> NDArray[np.uint8]:
        """Return pixels of the image, (h, w[, C]), as 8-bit RGB by the range of all of it."""
        return to_rgb8(pixels, self.limits)


def name_of_image(image: ArrayLike | LargeImage, among: Collection[str | None] = ()) -> str:
    """Return what an image is known by, whether it is large or not.

    Args:
        image: the array as given or as `read_image` returns it, or an image that is read in parts.
        among: names that images have already; see `content_hash` and `LargeImage.name_among`.

    """
    large = image if isinstance(image, LargeImage) else as_large(np.asarray(image))
    return content_hash(image, among) if large is None else large.name_among(among)


def as_large(pixels: Pixels) -> LargeImage | None:
    """Return an array as a `LargeImage` over it; None where it is none, or none that large."""
    is_image = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[-1] <= 4)
    if not is_image or pixels.shape[0] * pixels.shape[1] <= LARGE_PIXELS:
        return None
    return LargeImage(HeldSource(pixels), tr("The image"))
