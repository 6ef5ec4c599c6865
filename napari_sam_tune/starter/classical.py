"""What a person would click with where there is no neural model, for comparison.

Random walker (Grady 2006) and flood fill by scikit-image, GrabCut (Rother et al. 2004) by OpenCV.
Each is given what favours it: flood fill the tolerance that happens to suit the object best, random
walker and GrabCut an image border that counts as background until a click says where that is.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import segmentation

from napari_sam_tune.core import scoring
from napari_sam_tune.core.errors import SamTuneError

if TYPE_CHECKING:
    from collections.abc import Callable

Mask = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8]
Clicks = list[tuple[float, float, int]]
"""(x, y, label) of each click, label 1 on the object and 0 outside."""

SEED_RADIUS: Final = 2
"""A click marks a disc of this radius, px: one noisy px is no sample of a texture."""
TOLERANCES: Final = (3, 6, 10, 15, 22, 32, 48)
"""Grey levels that a flood may differ from where it was clicked."""
GUESS: Final = 0.06
"""GrabCut's first guess of the object, as a share of the image's shorter side around a click."""


def _near(shape: tuple[int, int], clicks: Clicks, label: int, radius: float) -> Mask:
    """The px within `radius` of the clicks of one label, (H, W)."""
    far = np.ones(shape, dtype=np.bool_)
    for x, y, own in clicks:
        if own == label:
            far[round(y), round(x)] = False
    if far.all():
        return ~far
    near: Mask = ndimage.distance_transform_edt(far) <= radius
    return near


def _holding(mask: Mask, clicks: Clicks) -> Mask:
    """The connected parts of `mask` that were clicked on."""
    labelled, _ = ndimage.label(mask)
    wanted = {int(labelled[round(y), round(x)]) for x, y, own in clicks if own == 1} - {0}
    return np.isin(labelled, list(wanted))


def _border(shape: tuple[int, int]) -> Mask:
    border = np.ones(shape, dtype=np.bool_)
    border[1:-1, 1:-1] = False
    return border


def random_walker(image: Image, clicks: Clicks) -> Mask:
    """The px from which a random walk meets a click on the object first.

    image (H, W, 3); returns (H, W).
    """
    shape = (image.shape[0], image.shape[1])
    seeds = np.zeros(shape, dtype=np.int32)
    outside = _near(shape, clicks, 0, SEED_RADIUS)
    seeds[outside if outside.any() else _border(shape)] = 2
    seeds[_near(shape, clicks, 1, SEED_RADIUS)] = 1
    with warnings.catch_warnings():
        # scikit-image's word on seeds enclosed by other seeds; there is nothing to be decided there
        warnings.simplefilter("ignore", UserWarning)
        walked = segmentation.random_walker(image, seeds, mode="bf", channel_axis=-1)
    return np.asarray(walked == 1)


def flood_fill(image: Image, clicks: Clicks, tolerance: int) -> Mask:
    """What flows together with the clicks on the object, less what flows from those outside."""
    grey = ndimage.gaussian_filter(image.mean(axis=2), 1.0)

    def flooded(label: int, reach: float) -> Mask:
        result = np.zeros(grey.shape, dtype=np.bool_)
        for x, y, own in clicks:
            if own == label:
                result |= segmentation.flood(  # type: ignore[no-untyped-call]
                    grey, (round(y), round(x)), tolerance=reach
                )
        return result

    return flooded(1, tolerance) & ~flooded(0, tolerance / 2)


def grab_cut(image: Image, clicks: Clicks) -> Mask:
    """GrabCut from a disc around every click, five rounds.

    Raises:
        SamTuneError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise SamTuneError(
            "Comparing with GrabCut needs OpenCV: pip install opencv-python-headless"
        ) from error
    shape = (image.shape[0], image.shape[1])
    marks = np.full(shape, cv2.GC_PR_BGD, dtype=np.uint8)
    marks[_near(shape, clicks, 1, GUESS * min(shape))] = cv2.GC_PR_FGD
    outside = _near(shape, clicks, 0, SEED_RADIUS)
    marks[outside if outside.any() else _border(shape)] = cv2.GC_BGD
    marks[_near(shape, clicks, 1, SEED_RADIUS)] = cv2.GC_FGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(np.ascontiguousarray(image), marks, (0, 0, 1, 1), *models, 5, cv2.GC_INIT_WITH_MASK)
    return _holding((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD), clicks)


def _clicks_to(truth: Mask, target: float, cap: int, answer: Callable[[Clicks], Mask]) -> int:
    """How many clicks of the robot bring `answer` to the target score; the cap where none does."""
    thin, clicks = scoring.is_thin(truth), Clicks()
    shown: Mask | None = None
    while len(clicks) < cap:
        clicks.append(scoring.next_click(shown, truth))
        shown = answer(clicks)
        if scoring.score(shown, truth, thin=thin) >= target:
            return len(clicks)
    return cap


def clicks_without_a_model(image: Image, truth: Mask, target: float, cap: int) -> dict[str, int]:
    """Clicks to the target score by each method, for one object; at most `cap`.

    image (H, W, 3) and truth (H, W). Flood fill counts with the best of `TOLERANCES`.
    """
    floods = [
        _clicks_to(truth, target, cap, lambda clicks, t=t: flood_fill(image, clicks, t))  # type: ignore[misc]
        for t in TOLERANCES
    ]
    return {
        "random walker": _clicks_to(truth, target, cap, lambda c: random_walker(image, c)),
        "flood fill": min(floods),
        "GrabCut": _clicks_to(truth, target, cap, lambda c: grab_cut(image, c)),
    }
