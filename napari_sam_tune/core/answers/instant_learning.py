"""Learning at every accept: what is known of each image, the classifier, its weight in answers.

Nothing here changes the model: the classifier is solved anew from sums, forgets nothing, and its
weight in answers is 0 wherever leaving images out does not show that it helps. So it needs no gate.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.answers.first_clicks import MOST_CLICKS, FirstClicks, choose_mixture
from napari_sam_tune.core.answers.known_images import Known, known_images
from napari_sam_tune.core.errors import ImageError, ProjectError, SamTuneError, StorageError
from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.pixel_classifier.cells import coverage
from napari_sam_tune.core.pixel_classifier.classifier import PixelClassifier
from napari_sam_tune.core.pixel_classifier.features import KEY, FeatureExtractor, PixelFeatures
from napari_sam_tune.core.pixel_classifier.finder import Snapshot
from napari_sam_tune.core.pixel_classifier.learnt import LEAST_IMAGES, Learnt
from napari_sam_tune.core.pixel_classifier.prior import Mixture, PixelPrior

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

    from napari_sam_tune.core.answers.encoding import OpenImage
    from napari_sam_tune.core.answers.known_images import Refused
    from napari_sam_tune.core.answers.links import Refiner
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.pixel_classifier.finder import ClassMaps
    from napari_sam_tune.core.pixel_classifier.statistics import Contribution
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import ImageRecord, Project
    from napari_sam_tune.core.prompts import Prompt, Proposal
    from napari_sam_tune.core.storage.embeddings import EmbeddingCache

_log = logging.getLogger(__name__)

_KEPT: Final = 40
"""Images whose part in the sums is kept; of others it is computed anew to be taken out."""
_AT_ONCE: Final = 20
"""Images learnt in one go; of a project just opened the others come the next times."""


class InstantLearning:
    """Learns from a project's accepted masks, and says what it makes of the open image.

    To be used by the thread that owns the predictor.

    Args:
        project: whose masks are learnt from; those accepted meanwhile, and by others, too.
        cache: where features are kept.
        device: where features are computed.
        side: of the predictor's padded input, in px.
        rejected: what a person said no to, by image id.
        resumed: what was chosen when the project was last open; it stands until half as many
            first clicks are answered again.

    Attributes:
        extractor: of the features.
        clicks: first clicks, by which its weight in answers is chosen.

    """

    def __init__(
        self,
        project: Project,
        cache: EmbeddingCache,
        device: torch.device,
        side: int,
        rejected: Callable[[], Mapping[str, tuple[Refused, ...]]] = dict,
        resumed: Learnt | None = None,
    ) -> None:
        self._project, self._cache = project, cache
        self._rejected = rejected
        self.extractor = FeatureExtractor(device)
        self.clicks = FirstClicks(project, side)
        self._classifier = PixelClassifier()
        self._known: dict[str, Known] = {}
        self._moves_seen = set(project.class_moves())
        self._unreadable: set[str] = set()
        self._contributions: OrderedDict[str, Contribution] = OrderedDict()
        self._open: tuple[ImageRecord, PixelFeatures] | None = None
        self._snapshot: Snapshot | None = None
        self._maps: ClassMaps | None = None  # of the open image
        self._learnt = resumed or Learnt()
        self._fewest_clicks = min(self._learnt.judged, MOST_CLICKS) // 2
        self._is_settled = True

    # ------------------------------------------------------------- the image

    def look(self, opened: OpenImage, record: ImageRecord) -> None:
        """Make an image the open one; its features come from the cache or go there.

        Args:
            opened: the image; what the model's own trunk saw in it need not be looked for again.
            record: of it.

        Raises:
            StorageError: they could not be kept; the image is open all the same.

        """
        self.clicks.forget_asked()
        self._maps = None
        if opened.is_large:
            return
        known = self._cached(record)
        self._open = record, known or self.extractor.extract(opened.rgb, opened.view.stages)
        if known is None:
            self._cache.put(KEY, record.content_hash, self._open[1].packed())

    def forget(self) -> None:
        """Have no image open."""
        self._open = self._maps = None
        self.clicks.forget_asked()

    @property
    def _open_id(self) -> str | None:
        return None if self._open is None else self._open[0].id

    def _cached(self, record: ImageRecord) -> PixelFeatures | None:
        embedding = self._cache.get(KEY, record.content_hash)
        return None if embedding is None else PixelFeatures.unpacked(embedding)

    def _features(self, record: ImageRecord) -> PixelFeatures | None:
        """Features of any image; None where it cannot be read."""
        if self._open is not None and self._open[0].id == record.id:
            return self._open[1]
        known = self._cached(record)
        if known is not None:
            return known
        try:
            features = self.extractor.extract(to_rgb8(self._project.read_image(record.id)))
        except (ProjectError, ImageError) as error:
            _log.warning("Nothing is learnt from %s: %s", record.id, error)
            return None
        try:
            self._cache.put(KEY, record.content_hash, features.packed())
        except StorageError as error:
            _log.warning("The features of %s could not be kept: %s", record.id, error)
        return features

    # ------------------------------------------------------------- learning

    def follow(self, checkpoint: Callable[[], None] = lambda: None) -> None:
        """Learn what was accepted, edited or taken back since the last time.

        Args:
            checkpoint: called between two images; may raise, and the rest is learnt the next time.

        """
        self._follow_classes()
        changed, now = self._changed()
        changed.sort(key=lambda image_id: image_id != self._open_id)
        for image_id in changed[:_AT_ONCE]:
            if image_id != self._open_id:  # what was just accepted is learnt at once
                checkpoint()
            try:
                self._replace(image_id, self._known.get(image_id), now.get(image_id))
            except SamTuneError as error:  # one damaged mask must not keep the others from counting
                _log.warning("Nothing more is learnt from %s: %s", image_id, error)
                self._unreadable.add(image_id)
            self._snapshot, self._maps, self._is_settled = None, None, False
        if changed:
            here = self._known.get(self._open_id or "", Known())
            self.clicks.follow(self._learnt_masks(), here.annotations)

    def _follow_classes(self) -> None:
        """Call classes in the sums as they are called now; nothing need be learnt anew for that."""
        moves = self._project.class_moves()
        for key, (old, new) in moves.items():
            if key in self._moves_seen or old == new:
                continue
            self._classifier.rename_class(old, new)
            for image_id, known in self._known.items():
                self._known[image_id] = known.renamed(old, new)
            for image_id, contribution in self._contributions.items():
                self._contributions[image_id] = contribution.renamed(old, new)
            self._snapshot = self._maps = None
        self._moves_seen = set(moves)

    def _changed(self) -> tuple[list[str], dict[str, Known]]:
        """Images of which something else is known than was learnt, and what is known of all."""
        now = known_images(self._project, self._rejected())
        changed = [
            image_id
            for image_id in {**self._known, **now}
            if self._known.get(image_id) != now.get(image_id) and image_id not in self._unreadable
        ]
        return changed, now

    def _replace(self, image_id: str, before: Known | None, now: Known | None) -> None:
        """Take out of the sums what was known of an image, and put in what is known now."""
        record = self._project.image(image_id)
        features = self._features(record)
        if features is None:
            self._unreadable.add(image_id)
            return
        old, contribution = self._contributions.get(image_id), None
        if before is not None and old is None:
            old = before.contribution(self._project, record, features)
        if now is not None:
            contribution = now.contribution(self._project, record, features)
        # from here on nothing can fail
        if old is not None:
            self._classifier.subtract(image_id, old)
            self._contributions.pop(image_id, None)
            del self._known[image_id]
        if now is not None and contribution is not None:
            self._classifier.add(image_id, contribution)
            self._contributions[image_id] = contribution
            while len(self._contributions) > _KEPT:
                self._contributions.popitem(last=False)
            self._known[image_id] = now

    # ------------------------------------------------------------ first clicks

    def unanswered(self, weights: str) -> list[Annotation]:
        """Return accepted objects whose first click the weights loaded have yet to answer.

        See `FirstClicks.unanswered`.
        """
        return self.clicks.unanswered(self._learnt_masks(), weights)

    def note_answered(self, annotation: Annotation, proposal: Proposal, weights: str) -> None:
        """Take the model's own answer to the first click on an accepted object.

        Args:
            annotation: of `unanswered`.
            proposal: made without priors.
            weights: the version loaded.

        """
        self.clicks.add(annotation, proposal, weights)
        self._is_settled = False

    def _learnt_masks(self) -> list[str]:
        return [name for known in self._known.values() for name in known.annotations]

    # -------------------------------------------------------------- settling

    @property
    def is_up_to_date(self) -> bool:
        """Whether all that was accepted so far has been learnt."""
        return self._moves_seen == set(self._project.class_moves()) and not self._changed()[0]

    def settle(
        self, refiners: Sequence[Refiner], checkpoint: Callable[[], None] = lambda: None
    ) -> None:
        """Calibrate, and choose weight and lift in answers by leaving images out; for idle moments.

        Args:
            refiners: what answers keep to.
            checkpoint: called between two images; may raise to make room for a click.

        """
        if self._is_settled:
            return
        self._classifier.calibrate()
        self._snapshot = self._maps = None
        if len(self.clicks) < self._fewest_clicks:
            return
        self._fewest_clicks = 0
        images = {click.image_id for click in self.clicks}
        if self._classifier.images < LEAST_IMAGES or len(images) < LEAST_IMAGES:
            images = set()
        left_out = {}
        for image_id in images:
            checkpoint()
            left_out[image_id] = self._left_out(image_id)
        clicks = [
            (click, prior)
            for click in self.clicks
            if (prior := left_out.get(click.image_id)) is not None
        ]
        choice = choose_mixture(clicks, self._mixture, refiners, checkpoint)
        self._learnt = Learnt(
            masks=len(self._learnt_masks()),
            images=self._classifier.images,
            judged=choice.judged,
            without=choice.without,
            with_it=choice.with_it,
            weight=choice.mixture.weight,
            lift=choice.mixture.lift,
            precision=self._classifier.calibration.precision,
        )
        self._is_settled = True

    def _left_out(self, image_id: str) -> PixelPrior | None:
        """What the classifier would say of an image whose fold it had not seen."""
        features = self._features(self._project.image(image_id))
        if features is None:
            return None
        solution = self._classifier.solve(without=self._classifier.fold_of(image_id))
        scores = features.scores(solution)[..., 0]
        return PixelPrior(self._classifier.calibration.logits(scores), features.window)

    # --------------------------------------------------------------- answers

    @property
    def learnt(self) -> Learnt:
        """What it is worth, as far as that can be told."""
        return self._learnt

    def prior(self, prompt: Prompt) -> PixelPrior | None:
        """What was learnt, about the open image; None where it has no say.

        Args:
            prompt: what is asked. A box says itself how far the object reaches, so that what was
                learnt bears on it by half, and how far is not learnt.

        """
        mixture = self._mixture
        if prompt.box is not None:
            mixture = Mixture(mixture.weight / 2)
        maps = None if mixture.is_none else self.class_maps()
        return None if maps is None else PixelPrior(maps.logits, maps.window, mixture)

    def prior_on(self, rgb: NDArray[np.uint8], record: ImageRecord) -> PixelPrior | None:
        """What was learnt, about an image that is not open; None where it has no say.

        Args:
            rgb: (H, W, 3) uint8, the image.
            record: of it.

        """
        snapshot = None if self._mixture.is_none else self.snapshot()
        if snapshot is None:
            return None
        maps = snapshot.maps(self._cached(record) or self.extractor.extract(rgb))
        return PixelPrior(maps.logits, maps.window, self._mixture)

    @property
    def _mixture(self) -> Mixture:
        return Mixture(self._learnt.weight, self._learnt.lift)

    def snapshot(self) -> Snapshot | None:
        """The classifier as it is now, for any image; None before it has a say."""
        if self._classifier.images < LEAST_IMAGES:
            return None
        if self._snapshot is None:
            classes = tuple(self._classifier.classes)
            solution = self._classifier.solve(classes)
            images = frozenset(self._known)
            self._snapshot = Snapshot(solution, classes, self._classifier.calibration, images)
        return self._snapshot

    def class_maps(self) -> ClassMaps | None:
        """What the classifier makes of the open image, class by class; None before it can."""
        snapshot = self.snapshot()
        if self._open is None or snapshot is None:
            return None
        if self._maps is None:
            self._maps = snapshot.maps(self._open[1])
        return self._maps

    def leading_class(self, mask: PlacedMask) -> tuple[str, float] | None:
        """Return the class of a mask on the open image and its lead; None before two are known."""
        maps = self.class_maps()
        if maps is None or self._open is None or len(maps.classes) < 2 or mask.bbox is None:
            return None
        features = self._open[1]
        cells = coverage(mask.cropped, mask.bbox, features.cell_size, features.cells)
        return maps.lead_in(cells)
