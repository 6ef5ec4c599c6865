"""Pairs of images and true masks, each mask turned as its image is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.labelled_images import mask_objects, require_shape
from napari_sam_tune.core.exchange.large_labels import labels_shape
from napari_sam_tune.core.exchange.left_out import IMAGE
from napari_sam_tune.core.exchange.which_way import check_drawn_on, decided, fitted

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

    from napari_sam_tune.core.exchange.labelled_images import LabelledImage
    from napari_sam_tune.core.exchange.left_out import LeftOut


@dataclass(frozen=True, kw_only=True)
class _PairedImage(SourceImage):
    """The image of a pair, as an import would take it."""

    is_painted: bool = True

    pair: LabelledImage

    def check(self, shape: tuple[int, int]) -> None:
        """Compare the sizes in the files' headers."""
        require_shape(self.pair.mask, labels_shape(self.pair.mask), shape)

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Give the objects of the mask."""
        for found in mask_objects(self.pair.mask, shape):
            yield SourceObject(str(found.number), found.placed, self.pair.label)


def upright_pairs(
    pairs: Sequence[LabelledImage], left_out: LeftOut, drawn_on: str | None = None
) -> tuple[list[LabelledImage], Counter[str]]:
    """Return pairs that know which way up their masks lie, see `which_way`.

    Args:
        pairs: see `read_pairs`.
        left_out: told of pairs whose sizes differ, or of which nothing tells.
        drawn_on: what a person said.

    Returns:
        The pairs, and what was found out, in words, to how many.

    Raises:
        SamTuneError: no pair can be taken, or `drawn_on` is no answer.

    """
    check_drawn_on(drawn_on)
    images = [_PairedImage(path=pair.image, name=pair.image.name, pair=pair) for pair in pairs]
    dataset = Dataset("pairs", images, left_out)
    every = left_out.take(IMAGE, images, lambda image: fitted(image, drawn_on))
    turns = {way.image.name: way.image.turn for way in decided(dataset, every)}
    upright = (pair for pair in pairs if pair.image.name in turns)
    return [replace(pair, turn=turns[pair.image.name]) for pair in upright], dataset.remarks
