"""The arrays of an image in OME-Zarr: where they lie in a group, and in the world."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from napari_sam_tune.core.documents import check_bounds
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.images.names import inside
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Level:
    """One array of a multiscale image.

    Attributes:
        path: its folder.
        axes: their letters, such as "cyx"; "" where they are not told.
        scale: (y, x), the length of a pixel's sides in the world.
        start: (y, x), where its first pixel lies in the world.

    """

    path: Path
    axes: str
    scale: tuple[float, float] = (1.0, 1.0)
    start: tuple[float, float] = (0.0, 0.0)


def described(path: Path) -> Mapping[str, Any]:
    """Return what a group says of itself, without the version's wrapping.

    Raises:
        SamTuneError: it is none, or damaged.

    """
    try:
        attributes = dict(zarr.open_group(path, mode="r").attrs)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise SamTuneError(
            tr("{path} is no zarr group, or damaged: {error}.", path=path, error=error)
        ) from error
    check_bounds(attributes, path)
    said = attributes.get("ome", attributes)
    return said if isinstance(said, dict) else {}


def level_of(group: Path, said: Mapping[str, Any]) -> Level | None:
    """Return the finest array of a group; None where it is no image. See `levels_of`."""
    found = levels_of(group, said)
    return found[0] if found else None


def levels_of(group: Path, said: Mapping[str, Any]) -> tuple[Level, ...]:
    """Return the arrays of a group, finest first; none where it is no image.

    Args:
        group: its folder.
        said: see `described`.

    Raises:
        SamTuneError: what it says makes no sense, or leads out of the group.

    """
    if "multiscales" not in said:
        return ()
    try:
        image = said["multiscales"][0]
        axes = image.get("axes") or ()
        letters = "".join(a["name"] if isinstance(a, dict) else a for a in axes).lower()
        levels = [_level(group, image, letters, one) for one in image["datasets"]]
        return levels[0], *levels[1:]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SamTuneError(
            tr("{path} is no image of OME-Zarr 0.4 or 0.5: {error}.", path=group, error=repr(error))
        ) from error


def _level(group: Path, image: Mapping[str, Any], axes: str, said: Mapping[str, Any]) -> Level:
    moves = (*said.get("coordinateTransformations", ()), *_common(image))
    scale = math.prod(np.array([_plane(m, "scale", 1.0) for m in moves] or [(1.0, 1.0)]))
    start = sum(np.array([_plane(m, "translation", 0.0) for m in moves] or [(0.0, 0.0)]))
    if not (np.isfinite(scale).all() and (scale > 0).all() and np.isfinite(start).all()):
        raise ValueError(f"scale {scale}, translation {start}")
    return Level(inside(group, said["path"], str(group)), axes, tuple(scale), tuple(start))


def _common(image: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return what moves all levels of an image alike."""
    return tuple(image.get("coordinateTransformations") or ())


def _plane(move: Mapping[str, Any], kind: str, default: float) -> tuple[float, float]:
    """Return what a transformation says of rows and columns."""
    numbers = move.get(kind) or (default, default)
    return float(numbers[-2]), float(numbers[-1])
