"""What a format's writer is, and what a person may say about an export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_sam_tune.core.exchange.outgoing import ImageOut


@dataclass(frozen=True)
class ExportOptions:
    """What a person may say about an export.

    Attributes:
        copy_images: put the images in, into formats that are folders with images.
        pixel_size: length of a pixel's side, in `unit`.
        unit: "pixel", or a unit of length such as "micrometer".

    Raises:
        SamTuneError: the pixel size is not above 0.

    """

    copy_images: bool = True
    pixel_size: float = 1.0
    unit: str = "pixel"

    def __post_init__(self) -> None:
        if not 0 < self.pixel_size < float("inf"):
            raise SamTuneError(
                tr(
                    "A pixel's side must be longer than 0, and {size:g} {unit} is not.",
                    size=self.pixel_size,
                    unit=self.unit,
                )
            )


class Writer(Protocol):
    """Writes images in one format, each image's masks in turn."""

    def __call__(
        self,
        images: Iterable[ImageOut],
        classes: Mapping[str, str],
        path: Path,
        options: ExportOptions,
    ) -> Mapping[str, int]:
        """Write.

        Args:
            images: taken one by one, once.
            classes: name to "#rrggbb", all that the images have.
            path: a file that is not there yet, or an empty folder.
            options: those the format has no use for are left alone.

        Returns:
            what the format could not hold, to how often ("hole filled in").

        Raises:
            SamTuneError: the format cannot hold something, and leaving it out would mislead.

        """
