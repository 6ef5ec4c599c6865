"""What looks for objects in a tile of a large image, and which tiles; see `scan.TileScan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_tune.core.answers.zoom import DEFAULT_LEVEL
from napari_sam_tune.core.images.rgb_source import shape_of_image
from napari_sam_tune.core.suggestions.scan import moved_from, tiles_in, whole_objects
from napari_sam_tune.core.suggestions.sources import suggest_everything, suggest_with_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.images.rgb_source import RgbSource
    from napari_sam_tune.core.promptless.head import PromptlessModel
    from napari_sam_tune.core.prompts import Prompt, Proposal
    from napari_sam_tune.core.suggestions.suggestion import Suggestion

    LookAtTile = Callable[[Window], list[Suggestion]]


def everything_in_tiles(
    predictor: Predictor,
    answer: Callable[[Prompt, Window], Proposal],
    *,
    points_per_side: int | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> tuple[LookAtTile, list[Window]]:
    """Return what asks SAM at a grid of points in each tile of the predictor's open image.

    Args:
        predictor: see above.
        answer: answers about an object that a tile cuts, a part of the image as large as that.
        points_per_side: of a tile, see `suggest_everything`.
        checkpoint: called every few points; may raise.

    """
    shape = predictor.image_shape

    def look(tile: Window) -> list[Suggestion]:
        embedding = predictor.opened.view_of(tile).embedding
        drawn = suggest_everything(
            predictor, embedding, points_per_side=points_per_side, checkpoint=checkpoint
        )
        return whole_objects(drawn, tile, answer, shape)

    return look, tiles_in(shape, predictor.input_side << DEFAULT_LEVEL)


def head_in_tiles(
    model: PromptlessModel, source: RgbSource, side: int
) -> tuple[LookAtTile, list[Window]]:
    """Return what draws with a head in each tile of an image; tiles overlap.

    Args:
        model: the trained head.
        source: the image.
        side: of the encoder's input, in px.

    """
    shape = shape_of_image(source)

    def look(tile: Window) -> list[Suggestion]:
        return moved_from(suggest_with_head(model, source.rgb(tile)), tile, shape)

    return look, tiles_in(shape, side << DEFAULT_LEVEL, overlapping=True)
