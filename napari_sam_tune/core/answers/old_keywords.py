"""Keywords of `Predictor` that went before priors and refiners; they go with the next release."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from napari_sam_tune.core.answers.kriging import HeedClicks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_tune.core.answers.links import Prior, Refiner
    from napari_sam_tune.core.recall.recalled import Recalled


def with_old_keywords(
    priors: Sequence[Prior],
    refiners: Sequence[Refiner],
    heed: bool | None,
    recalled: Recalled | None,
) -> tuple[Sequence[Prior], Sequence[Refiner]]:
    """Return priors and refiners, with `heed` and `recalled` among them, and warn of those."""
    if heed is None and recalled is None:
        return priors, refiners
    warnings.warn(
        "Predictor: heed= and recalled= go with the next release; say refiners=[HeedClicks()] and "
        "priors=[recalled].",
        DeprecationWarning,
        stacklevel=3,
    )
    brought = [] if recalled is None else [recalled]
    return [*brought, *priors], [*([HeedClicks()] if heed else []), *refiners]
