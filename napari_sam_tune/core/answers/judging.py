"""What learning at every accept is worth, found out in pieces between a person's clicks.

To judge takes seconds and a person clicks every other second, so what is begun is not begun anew:
it keeps the classifier as it was then, goes on where a click came in between, and says of how many
masks it speaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_tune.core.answers.first_clicks import choose_mixture
from napari_sam_tune.core.pixel_classifier.learnt import LEAST_IMAGES, Learnt
from napari_sam_tune.core.pixel_classifier.prior import PixelPrior

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_sam_tune.core.answers.first_clicks import FirstClick
    from napari_sam_tune.core.answers.links import Refiner
    from napari_sam_tune.core.answers.scenes import Scene, SceneFeatures
    from napari_sam_tune.core.pixel_classifier.classifier import PixelClassifier
    from napari_sam_tune.core.pixel_classifier.prior import Mixture


class Judging:
    """One judgement: of the masks that were learnt when it was begun.

    Args:
        masks: how many those are.
        classifier: that learnt from them.
        features: of their images.
        clicks: first clicks, with where the object that was clicked was learnt from.
        start: the mixture in use.
        refiners: what answers keep to.

    """

    def __init__(
        self,
        masks: int,
        classifier: PixelClassifier,
        features: SceneFeatures,
        clicks: Mapping[FirstClick, Scene],
        start: Mixture,
        refiners: Sequence[Refiner],
    ) -> None:
        self._masks, self._images = masks, classifier.images
        self._features, self._clicks = features, dict(clicks)
        self._start, self._refiners = start, refiners
        self._calibration = classifier.calibration
        scenes = dict.fromkeys(self._clicks.values())
        if self._images < LEAST_IMAGES or len(scenes) < LEAST_IMAGES:
            scenes = {}
        # what the classifier would be without the fold of each, as it is now
        folds = {scene: classifier.fold_of(scene.name) for scene in scenes}
        solved = {fold: classifier.solve(without=fold) for fold in set(folds.values())}
        self._unseen = {scene: solved[fold] for scene, fold in folds.items()}
        self._priors: dict[Scene, PixelPrior | None] = {}
        self._scored: dict[tuple[int, Mixture], float] = {}

    def go_on(self, checkpoint: Callable[[], None]) -> Learnt:
        """Judge, or go on where that ended.

        Args:
            checkpoint: called between two images or clicks; may raise to make room for a click.

        """
        for scene in self._unseen:
            if scene not in self._priors:
                checkpoint()
                self._priors[scene] = self._left_out(scene)
        clicks = [
            (click, prior)
            for click, scene in self._clicks.items()
            if (prior := self._priors.get(scene)) is not None
        ]
        choice = choose_mixture(clicks, self._start, self._refiners, checkpoint, self._scored)
        return Learnt(
            masks=self._masks,
            images=self._images,
            judged=choice.judged,
            without=choice.without,
            with_it=choice.with_it,
            weight=choice.mixture.weight,
            lift=choice.mixture.lift,
            precision=self._calibration.precision,
        )

    def _left_out(self, scene: Scene) -> PixelPrior | None:
        """What the classifier would say of a scene whose fold it had not seen."""
        features = self._features.of(scene)
        if features is None:
            return None
        scores = features.scores(self._unseen[scene])[..., 0]
        return PixelPrior(self._calibration.logits(scores), features.window_from(scene.window))
