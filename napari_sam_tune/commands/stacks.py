"""How verbs are told what the axes of stacks are, and which channels make a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.core.errors import ImageError

if TYPE_CHECKING:
    from napari_sam_tune.core.images.planes import Reading

StackAxes = Annotated[
    str | None,
    typer.Option(
        "--axes",
        metavar="LETTERS",
        help="Axes of stacks that do not say them, as TZCYX: T moments, Z slices, C channels, "
        "S colours, Q images by themselves.",
    ),
]
Channels = Annotated[
    str | None,
    typer.Option(
        metavar="0,1,2",
        help="Channels that make the picture: one grey, or two or three as red, green, blue.",
    ),
]


def reading_of(axes: str | None, channels: str | None) -> Reading:
    """Return how stacks are read.

    Raises:
        ImageError: the letters name no axes, or the channels are no numbers.

    """
    from napari_sam_tune.core.images.axes import letters_named
    from napari_sam_tune.core.images.planes import Reading

    if axes is not None:
        letters_named(axes)  # said at once, though no file may turn out to need them
    if channels is None:
        return Reading(axes)
    try:
        numbers = tuple(int(part) for part in channels.split(","))
    except ValueError as error:
        raise ImageError(
            f"{channels!r} names no channels: give their numbers from 0, as in --channels 0,1."
        ) from error
    return Reading(axes, numbers)
