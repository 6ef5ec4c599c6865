"""First clicks on accepted objects, by which is chosen how the classifier bears on answers."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from napari_sam_tune.core.answers.links import Asked
from napari_sam_tune.core.geometry.frame import Frame
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import whole
from napari_sam_tune.core.pixel_classifier.prior import Mixture
from napari_sam_tune.core.scoring import TOLERANCE, is_thin, score
from napari_sam_tune.core.storage.own_pages import in_own_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.answers.links import Refiner
    from napari_sam_tune.core.geometry.windows import BoundingBox
    from napari_sam_tune.core.pixel_classifier.prior import PixelPrior
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.prompts import Prompt, Proposal

WEIGHTS: Final = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
LIFTS: Final = (-4.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
MOST_CLICKS: Final = 40
"""First clicks that the weight is chosen by, the newest."""
_ASKED: Final = 16
"""Answers to first prompts that wait for their object to be accepted."""
_SWEEPS: Final = 2
"""Over weights and lifts in turn; a third has changed nothing."""
_DOUBT: Final = 0.5
"""Standard errors by which a gain must exceed nothing."""
_RELUCTANCE: Final = 0.1
"""Score of one click that a lift of 1 must gain besides: few clicks on one surface say little."""


@dataclass(frozen=True, eq=False)
class FirstClick:
    """An accepted object and what the model alone answered to the first click on it.

    Attributes:
        image_id: where it is.
        box: around it, (y0, x0, y1, x1) in px of the image.
        own: (h, h) float16 logits of the candidate shown, before priors and refiners; of a closer
            look those that the coarse answer, priors included, led to.
        frame: where the part of the image lies that they are of.
        asked: the click.
        truth: (h, h), the accepted mask on the same cells.
        weights: that were loaded when it was answered.
        is_thin: scored with tolerance.
        tolerance: `scoring.TOLERANCE`, in cells.

    """

    image_id: str
    box: BoundingBox
    own: NDArray[np.float16]
    frame: Frame
    asked: Asked
    truth: NDArray[np.bool_]
    weights: str
    is_thin: bool
    tolerance: float

    @classmethod
    def on(cls, annotation: Annotation, proposal: Proposal, weights: str, side: int) -> FirstClick:
        """Return the first click on an accepted object.

        Args:
            annotation: the object.
            proposal: the answer; its masks are not looked at.
            weights: that answered.
            side: of the predictor's padded input, in px.

        """
        said = proposal.logits if proposal.own_logits is None else proposal.own_logits
        own = in_own_pages(said[proposal.chosen].astype(np.float16))
        frame = Frame(proposal.window or whole(annotation.shape), side, own.shape[-1])
        middles = torch.from_numpy(frame.to_input(proposal.prompt.points))[None]
        middles = middles + middles.new_tensor(frame.half_pixel)
        truth = in_own_pages(frame.mask_to_logits(annotation.placed)[0] > 0)
        cells_a_pixel = max(frame.input) / max(frame.shape) * frame.grid / side
        return cls(
            annotation.image_id,
            annotation.bbox,
            own,
            frame,
            Asked(side, middles, torch.tensor([proposal.prompt.labels])),
            truth,
            weights,
            is_thin(annotation.cropped_mask),
            TOLERANCE * cells_a_pixel,
        )

    def scores(
        self, known: Tensor, mixtures: Sequence[Mixture], refiners: Sequence[Refiner]
    ) -> list[float]:
        """Return the answer's score with a classifier's logits mixed in, by mixture.

        Args:
            known: (1, 1, h, h), the classifier's.
            mixtures: all are refined in one go, as candidates are.
            refiners: what answers keep to.

        """
        own = torch.from_numpy(self.own.astype(np.float32))[None, None]
        logits = torch.cat([mixture.of(own, known) for mixture in mixtures], dim=1)
        for refiner in refiners:
            logits = refiner.refine(logits, self.asked)
        return [
            score(mask, self.truth, thin=self.is_thin, tolerance=self.tolerance)
            for mask in (logits[0] > 0).numpy()
        ]


def is_click(prompt: Prompt) -> bool:
    """Whether a prompt is a lone click on an object."""
    is_lone = tuple(prompt.labels) == (1,) and prompt.box is None
    return is_lone and prompt.mask is None and not prompt.strokes


class FirstClicks:
    """What the model alone answered to the newest first clicks on accepted objects.

    Args:
        project: whose objects.
        side: of the predictor's padded input, in px.

    """

    def __init__(self, project: Project, side: int) -> None:
        self._project, self._side = project, side
        self._asked: OrderedDict[Prompt, tuple[Proposal, str]] = OrderedDict()  # the open image's
        self._unasked: set[str] = set()  # annotations on the open image that none of them is of
        self._answered: dict[str, FirstClick] = {}  # by annotation
        self._unanswerable: set[str] = set()  # annotations
        self._began_with_click: dict[str, bool] = {}  # by annotation, as far as it was looked at

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._answered)

    def __iter__(self) -> Iterator[FirstClick]:
        """Go through them."""
        return iter(self._answered.values())

    def note(self, prompt: Prompt, proposal: Proposal, weights: str) -> None:
        """Remember the model's own answer to a first prompt, in case the object is accepted.

        Args:
            prompt: what was said.
            proposal: the answer.
            weights: the version loaded.

        """
        if is_click(prompt) and not proposal.recalled and proposal.own_logits is not None:
            self._asked[prompt] = _light(proposal), weights
            while len(self._asked) > _ASKED:
                self._asked.popitem(last=False)

    def note_closer(self, prompt: Prompt, closer: Proposal) -> None:
        """Let a closer answer take the place of the one remembered."""
        if prompt in self._asked:
            self._asked[prompt] = _light(closer), self._asked[prompt][1]

    def forget_asked(self) -> None:
        """Remember no answer that waits for its object: another image comes."""
        self._asked.clear()
        self._unasked.clear()

    def follow(self, living: Collection[str], on_open_image: Iterable[str]) -> None:
        """Keep those answers whose objects were accepted, and none whose objects are gone.

        Args:
            living: ids of the annotations there are.
            on_open_image: those of them on the open image.

        """
        for gone in [name for name in self._answered if name not in living]:
            del self._answered[gone]
        for name in on_open_image:
            if name in self._answered or name in self._unasked or not self._asked:
                continue
            annotation = self._project.annotation(name)
            answer = self._asked.get(annotation.prompts[0]) if annotation.prompts else None
            if answer is None:
                self._unasked.add(name)
            else:
                self._answered[name] = FirstClick.on(annotation, *answer, self._side)
        self._keep_newest()

    def unanswered(self, living: Iterable[str], weights: str) -> list[Annotation]:
        """Return accepted objects whose first click these weights have yet to answer.

        Those of earlier sessions, those other weights answered; the newest first, and no more than
        the weight is chosen by.

        Args:
            living: ids of the annotations there are.
            weights: the version loaded.

        """
        clicked = (one for one in self._clicked(living) if one.id not in self._unanswerable)
        return [
            annotation
            for annotation in islice(clicked, MOST_CLICKS)
            if annotation.id not in self._answered
            or self._answered[annotation.id].weights != weights
        ]

    def there_are(self, living: Iterable[str], most: int) -> int:
        """Return how many first clicks there are on accepted objects, answered or not.

        Args:
            living: ids of the annotations there are.
            most: so many are counted.

        """
        return sum(1 for _ in islice(self._clicked(living), most))

    def _clicked(self, living: Iterable[str]) -> Iterator[Annotation]:
        """Yield the objects that a click began, the newest first; no other is read twice."""
        for name in sorted(living, reverse=True):
            if self._began_with_click.get(name, True):
                annotation = self._project.annotation(name)
                prompts = annotation.prompts
                self._began_with_click[name] = bool(prompts) and is_click(prompts[0])
                if self._began_with_click[name]:
                    yield annotation

    def add(self, annotation: Annotation, proposal: Proposal, weights: str) -> None:
        """Take the model's own answer to the first click on an accepted object.

        Args:
            annotation: the object.
            proposal: made without priors.
            weights: the version loaded.

        """
        self._answered[annotation.id] = FirstClick.on(annotation, proposal, weights, self._side)
        self._keep_newest()

    def give_up(self, annotation: Annotation) -> None:
        """Do without an object whose first click cannot be answered."""
        self._unanswerable.add(annotation.id)

    def _keep_newest(self) -> None:
        for name in sorted(self._answered)[:-MOST_CLICKS]:  # ids sort by time
            del self._answered[name]


def _light(proposal: Proposal) -> Proposal:
    """Return a proposal without its masks, of which nothing is wanted."""
    own = proposal.own_logits
    return replace(
        proposal,
        placed=PlacedMask.empty(proposal.placed.shape),
        placed_candidates=(),
        logits=in_own_pages(proposal.logits) if own is None else proposal.logits[:0].copy(),
        own_logits=None if own is None else in_own_pages(own),
    )


@dataclass(frozen=True)
class Choice:
    """How the classifier bears on answers, and what that was worth on the clicks it is chosen by.

    Attributes:
        mixture: the choice.
        judged: how many clicks.
        without: mean score of the model's own answers, from 0 to 1.
        with_it: the same, mixed.

    """

    mixture: Mixture = field(default_factory=Mixture)
    judged: int = 0
    without: float = 0.0
    with_it: float = 0.0


def choose_mixture(
    clicks: Sequence[tuple[FirstClick, PixelPrior]],
    start: Mixture,
    refiners: Sequence[Refiner],
    checkpoint: Callable[[], None] = lambda: None,
    scored: dict[tuple[int, Mixture], float] | None = None,
) -> Choice:
    """Choose the mixture that scores best on first clicks, by turns its weight and its lift.

    Nothing is mixed in that does not clearly gain on the model's own answers.

    Args:
        clicks: each with what a classifier says that has not seen its image.
        start: where to begin.
        refiners: what answers keep to.
        checkpoint: called between two clicks; may raise.
        scored: what was found before that, by number of the click and mixture; it is filled, and
            given again with the same clicks it saves doing that twice.

    """
    if not clicks:
        return Choice()
    scores = {} if scored is None else scored
    known: dict[int, Tensor] = {}

    def best_of(mixtures: Sequence[Mixture]) -> Mixture:
        for number, (click, prior) in enumerate(clicks):
            fresh = [mixture for mixture in mixtures if (number, mixture) not in scores]
            if fresh:
                checkpoint()
                if number not in known:
                    known[number] = prior.known(click.frame)
                found = click.scores(known[number], fresh, refiners)
                scores.update({(number, m): score for m, score in zip(fresh, found, strict=True)})
        return max(mixtures, key=worth)

    def of(mixture: Mixture) -> NDArray[np.float64]:
        return np.array([scores[number, mixture] for number in range(len(clicks))])

    def worth(mixture: Mixture) -> float:
        gains = of(mixture) - of(none)
        doubt = _DOUBT * gains.std() / np.sqrt(len(gains))
        return float(gains.mean() - doubt - _RELUCTANCE * abs(mixture.lift) / len(gains))

    none = Mixture()
    best_of([none])
    best = start
    for _ in range(_SWEEPS):
        best = best_of([Mixture(weight, best.lift) for weight in WEIGHTS])
        best = best_of([Mixture(best.weight, lift) for lift in LIFTS])
    best = best_of([none, best])
    return Choice(best, len(clicks), float(of(none).mean()), float(of(best).mean()))
