"""What a picture is once its header was looked at, and how much one may claim."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.generic]

MOST_PIXELS: Final = 300_000_000
"""Of a PNG, JPEG, BMP or WebP; a TIFF may have more."""
MOST_BYTES: Final = 8 << 30
"""Of pixels, decoded, whatever the kind."""

# Zeros shrink a thousandfold at most: what claims more, and is large, is no photograph.
_LARGE_BYTES: Final = 1 << 30
_MOST_PACKED: Final = 200


class Picture(ABC):
    """A picture whose header was looked at and found fit to decode.

    Attributes:
        kind: "PNG", "JPEG", "BMP", "WebP" or "TIFF".
        orientation: as the camera noted it, see `geometry.turning`; 1 is upright.

    """

    kind: str
    orientation: int

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(H, W), or (H, W, C), of what `read` returns.

        Raises:
            ImageError: it is a stack of planes, and no image.

        """

    @property
    @abstractmethod
    def is_plain(self) -> bool:
        """Whether programs that ask for no tags see the same, so that a copy of the file will do.

        It is upright, and neither inverted, nor in numbered colours or inks, nor behind a
        thumbnail.
        """

    @abstractmethod
    def check_held(self) -> None:
        """Refuse a picture whose pixels take more memory than is given, see `check_claim`."""

    @abstractmethod
    def read(self, *, indices: bool = False) -> Pixels:
        """Decode the pixels as a viewer shows them: upright, 0 as black.

        Args:
            indices: give the numbers of a palette's colours, not the colours.

        Returns:
            (H, W) or (H, W, C) array; bool, uint8, uint16 or float as the file has it. Palettes and
            CMYK become RGB or RGBA.

        Raises:
            ImageError: it is a stack of planes, and no image.

        """

    @abstractmethod
    def read_as_stored(self) -> Pixels:
        """Decode the pixels as the first releases did: not turned, and a TIFF's bare numbers.

        The same where `is_plain`. By these, projects know the images that were added to them then.
        """


def check_claim(claimed: int, size: int, called: str) -> None:
    """Refuse what would fill the memory: so many bytes of pixels, in a file of so many bytes.

    Raises:
        ImageError: says how much it claims.

    """
    if claimed > _LARGE_BYTES and claimed > _MOST_PACKED * size:
        raise ImageError(
            tr(
                "{called} claims {gigabytes:.1f} GB of pixels in a file of {megabytes:.1f} MB. "
                "Export it again, or cut it into tiles.",
                called=called,
                gigabytes=claimed / 1e9,
                megabytes=size / 1e6,
            )
        )
    if claimed > MOST_BYTES:
        raise ImageError(
            tr(
                "{called} holds {gigabytes:.1f} GB of pixels, and {most:.1f} GB are the most that "
                "is read. Cut it into tiles.",
                called=called,
                gigabytes=claimed / 1e9,
                most=MOST_BYTES / 1e9,
            )
        )
