"""The chain of answers: from a prompt to the mask a person sees, each link switched in one place.

    choice of weights → priors → model → refiners → closer look

- The *choice of weights* is the predictor's: tuned weights answer on the surfaces they know.
- A *prior* is what is known before the model is asked: masks of another photograph of the part
  (`recall`), what was learnt at every accept (`pixel_classifier`). It adds to the model's logits.
- A *refiner* is what an answer must keep to: what is clicked is in the mask (`kriging`), nothing is
  shown that nobody pointed at (`connected`).
- The *closer look* asks once more from a crop around a small object (`zoom`).

People, the robot and whoever proposes objects all ask through here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.answers.border import first_at_border, is_line, move_border
from napari_sam_tune.core.answers.connected import KeepConnected, StayNear
from napari_sam_tune.core.answers.kriging import HeedClicks
from napari_sam_tune.core.answers.nearby import (
    changed_near,
    clicks_to_heed,
    corrects_a_stroke,
    said_within,
    window_near,
)
from napari_sam_tune.core.answers.zoom import first_window, window_around
from napari_sam_tune.core.geometry.given_masks import place_mask
from napari_sam_tune.core.geometry.windows import grown, whole
from napari_sam_tune.core.prompts import Prompt, Proposal
from napari_sam_tune.core.recall.recalled import Carried

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_sam_tune.core.answers.instant_learning import InstantLearning
    from napari_sam_tune.core.answers.links import Prior, Refiner
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.images.rgb_source import RgbSource
    from napari_sam_tune.core.recall.recall import Recall
    from napari_sam_tune.core.recall.recalled import Recalled
    from napari_sam_tune.core.storage.embeddings import Embedding


_LATE: Final = 5
"""From so many clicks on a mask is taken for nearly right: those beside its border move that. Of
lines it is not: where a crack goes on or ends the model knows better."""
_BESIDE: Final = 0.35
"""How far from the border of a mask that was carried or accepted a click is beside it; see
`first_at_border`."""
_BESIDE_LATE: Final = 0.12
"""The same of one that several clicks were spent on: it may still be wrong altogether."""
_AROUND: Final = 2
"""Px that the box around what is expected leaves it to grow."""
HEEDING: Final[tuple[Refiner, ...]] = (HeedClicks(),)
CONNECTING: Final[tuple[Refiner, ...]] = (StayNear(), KeepConnected())
REFINERS: Final = HEEDING + CONNECTING
"""All of them, in their order."""
UNGUIDED: Final[tuple[Refiner, ...]] = (HeedClicks(is_guided=False), *CONNECTING)
"""The same, but for what only the open image can tell: rounds train and are judged with embeddings
alone."""


class AnswerChain:
    """All links, and which of them are on. To be used by the thread that owns the predictor.

    Args:
        predictor: the live model.
        recall: masks of other photographs of the open image's part.
        instant: what was learnt at every accept.
        heeds, connects, recalls, learns, looks_closer: which links are on.

    """

    def __init__(
        self,
        predictor: Predictor,
        recall: Recall,
        instant: InstantLearning,
        *,
        heeds: bool = True,
        connects: bool = True,
        recalls: bool = True,
        learns: bool = True,
        looks_closer: bool = True,
    ) -> None:
        self._predictor, self._recall, self._instant = predictor, recall, instant
        self.heeds, self.connects, self.recalls = heeds, connects, recalls
        self.learns, self.looks_closer = learns, looks_closer

    def answer(
        self,
        prompt: Prompt,
        previous: Proposal | None = None,
        *,
        seen: Window | None = None,
        is_nearly_right: bool = False,
    ) -> Proposal:
        """Ask, and look closer where that is of use; see `ask`."""
        proposal = self.ask(prompt, previous, seen=seen, is_nearly_right=is_nearly_right)
        return self.ask_closer(proposal) or proposal

    def ask(
        self,
        prompt: Prompt,
        previous: Proposal | None = None,
        *,
        prior: Prior | None = None,
        seen: Window | None = None,
        window: Window | None = None,
        on_record: bool = False,
        is_nearly_right: bool = False,
    ) -> Proposal:
        """Ask without looking closer; see `Predictor.propose`.

        Args:
            prompt: the whole prompt.
            previous: the proposal being corrected.
            prior: in place of those that are on.
            seen: the part of the image on the screen.
            window: where to look, see `Predictor.propose`.
            on_record: a person asks: should the object be accepted, what the model itself answered
                will tell how much the classifier helps.
            is_nearly_right: what is shown was carried or accepted before. Clicks close to its
                border move that, and no model is asked, see `answers.border`; others have it drawn
                anew. After some clicks the same holds of any answer, where clicks are heeded.

        """
        priors = self._priors(prompt) if prior is None else [prior]
        is_late = self.heeds and len(prompt.points) >= _LATE
        if (is_nearly_right or is_late) and not prompt.strokes:
            corrected = self._correct(prompt, previous, seen, is_nearly_right=is_nearly_right)
            if corrected is not None:
                return corrected
        if prompt.mask is not None and corrects_a_stroke(prompt):
            mask = place_mask(prompt.mask, self._predictor.image_shape)
            return self._ask_nearby(prompt, mask, priors)
        proposal = self._predictor.propose(
            prompt, previous, priors=priors, refiners=self.refiners, seen=seen, window=window
        )
        if on_record and self.learns and previous is None:
            self._instant.clicks.note(prompt, proposal, self._predictor.weights.loaded_version)
        return proposal

    def _ask_nearby(self, prompt: Prompt, mask: PlacedMask, priors: Sequence[Prior]) -> Proposal:
        """Ask what clicks mean on what was drawn, which changes near them."""
        shape, side = self._predictor.image_shape, self._predictor.input_side
        for click, adds in clicks_to_heed(mask, prompt):
            window = window_near(click, shape, side) if self.looks_closer else None
            points, labels = said_within(prompt, window or whole(shape))
            answer = self._predictor.propose(
                replace(prompt, points=points, labels=labels, mask=mask),
                priors=priors,
                refiners=self.refiners,
                window=window,
            )
            mask = changed_near(mask, answer.placed, click, adds=adds)
        return replace(
            answer,
            placed=mask,
            placed_candidates=((mask, answer.iou),),
            prompt=prompt,
            logits=answer.logits[:0],  # they are not this mask's
            own_logits=None,
            window=None,
        )

    def _correct(
        self,
        prompt: Prompt,
        previous: Proposal | None,
        seen: Window | None,
        *,
        is_nearly_right: bool,
    ) -> Proposal | None:
        """Answer clicks by what is shown, corrected; None where something else is asked."""
        shape = self._predictor.image_shape
        if prompt.mask is not None:
            previous, shown = None, place_mask(prompt.mask, shape)
        elif previous is not None:
            shown = previous.placed
        else:
            return None
        has_new_box = prompt.box != (None if previous is None else previous.prompt.box)
        if has_new_box or not prompt.points or not shown.any():
            return None
        first = first_at_border(shown, prompt, _BESIDE if is_nearly_right else _BESIDE_LATE)
        if first is None or (is_line(shown) and not is_nearly_right):
            return None
        start, since = shown, first
        if previous is not None and previous.moved_from is not None:
            start, since = previous.moved_from, previous.moved_since
        mask = move_border(start, prompt, since, near_alone=not is_nearly_right)
        if previous is None:
            side = self._predictor.input_side
            window = first_window(replace(prompt, mask=mask), shape, side, seen=seen)
        else:
            window = previous.window or whole(shape)
        iou = 1.0 if previous is None else previous.iou
        return Proposal(
            placed=mask,
            iou=iou,
            placed_candidates=((mask, iou),),
            prompt=prompt,
            logits=self._predictor.encoder.frame(window).mask_to_logits(mask),
            weights_version=self._predictor.weights.version,
            window=None if window == whole(shape) else window,
            recalled=() if previous is None else previous.recalled,
            from_mask=True,
            moved_from=start,
            moved_since=since,
        )

    def ask_closer(self, proposal: Proposal) -> Proposal | None:
        """Ask once more from close by; None where that is switched off or of no use.

        In a large image, also from farther off where the answer runs against its window's border.
        """
        prompt = proposal.prompt
        if corrects_a_stroke(prompt) or proposal.moved_from is not None:
            return None
        priors = [p for p in self._priors(prompt) if proposal.is_recalled or not p.annotations]
        look = self._predictor.look_closer if self.looks_closer else self._predictor.look_wider
        closer = look(proposal, priors=priors, refiners=self.refiners)
        if closer is not None and self.learns:
            self._instant.clicks.note_closer(prompt, closer)
        return closer

    def carry(self, expected: Recalled, learnt: Prior | None) -> Proposal:
        """Say what is seen where an object of another plane is expected, from close by.

        The logits are the model's and the classifier's; what is expected is not in them.

        Args:
            expected: where; its box is the prompt, and its logits go in as the mask.
            learnt: what the classifier makes of the open image.

        """
        shape = self._predictor.image_shape
        box = expected.box(shape)
        y0, x0, y1, x1 = grown(box, _AROUND)
        window = window_around(box, shape, self._predictor.input_side)
        priors = [Carried(expected, learnt if self.learns else None)]
        prompt = Prompt(box=(x0, y0, x1 - 1, y1 - 1))
        return self._predictor.propose(
            prompt, priors=priors, window=window if self.looks_closer else None
        )

    def answer_alone(
        self, prompt: Prompt, image: NDArray[np.uint8] | RgbSource, embedding: Embedding | None
    ) -> Proposal:
        """Answer a first prompt about any image without priors, closely where that is on.

        The open image stays open.

        Args:
            prompt: the whole prompt.
            image: (H, W, 3) uint8, or an image that is read in windows.
            embedding: of it, from the cache; else it is encoded.

        """
        refiners = self.refiners
        with self._predictor.aside(image, embedding):
            proposal = self._predictor.propose(prompt, refiners=refiners)
            look = self._predictor.look_closer if self.looks_closer else self._predictor.look_wider
            closer = look(proposal, refiners=refiners)
        return closer or proposal

    def _priors(self, prompt: Prompt) -> list[Prior]:
        found: list[Prior] = []
        recalled = self._recall.ask(prompt) if self.recalls else None
        if recalled is not None:
            found.append(recalled)
        learnt = self._instant.prior(prompt) if self.learns else None
        if learnt is not None:
            found.append(learnt)
        return found

    @property
    def refiners(self) -> list[Refiner]:
        """What answers keep to, as far as that is switched on."""
        return [*(HEEDING if self.heeds else ()), *(CONNECTING if self.connects else ())]
