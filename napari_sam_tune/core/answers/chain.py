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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from napari_sam_tune.core.answers.connected import KeepConnected, StayNear
from napari_sam_tune.core.answers.kriging import HeedClicks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.answers.instant_learning import InstantLearning
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.geometry.views import View
    from napari_sam_tune.core.prompts import Prompt, Proposal
    from napari_sam_tune.core.recall.recall import Recall
    from napari_sam_tune.core.storage.embeddings import Embedding


class Prior(Protocol):
    """What is known of an object before the model is asked.

    Attributes:
        annotations: ids of the accepted masks it brings back; an answer made with it then comes
            first and the model's own after it. Empty for what bears on every answer alike.

    """

    @property
    def annotations(self) -> tuple[str, ...]:
        """See the class."""

    def add(self, logits: Tensor, view: View, side: int) -> Tensor:
        """Return the model's logits and what is known, together.

        Args:
            logits: (1, K, h, h) float, the model's own.
            view: the part of the open image they are of.
            side: of the encoder's padded input, in px.

        """

    def guess(self, view: View, side: int, size: int) -> Tensor | None:
        """Return (1, 1, size, size) logits that may go in as the mask input; None: nothing does."""

    def guide(self, view: View, side: int, size: int) -> Tensor | None:
        """Return (1, 1, size, size) numbers that differ by less than 1 where places are alike.

        None: it has no idea.
        """


@dataclass(frozen=True, eq=False)
class Asked:
    """What refiners know of N prompts; the predictor asks one at a time, training several.

    Attributes:
        side: of the encoder's padded input, in px.
        clicks: (N, T, 2) middles (x, y) of the pixels clicked, in px of that input.
        labels: (N, T), 1 inside the object and 0 outside; any other value is no click.
        box: (N, 4) as (x0, y0, x1, y1) in px of that input, NaN where there is none; or None.
        painted: (N, 1, h, h) logits of masks all of whose parts are meant, or None: painted ones,
            those an object was begun with, those of other photographs.
        corrected: (N, 1, h, h) logits of the answers that the last clicks correct, or None.
        guide: (N, C, h, h) numbers that differ by less than 1 where places are alike, or None.

    """

    side: int
    clicks: Tensor
    labels: Tensor
    box: Tensor | None = None
    painted: Tensor | None = None
    corrected: Tensor | None = None
    guide: Tensor | None = None


class Refiner(Protocol):
    """What an answer must keep to."""

    def refine(self, logits: Tensor, asked: Asked) -> Tensor:
        """Return logits (N, K, h, h) that keep to it; they may be the ones given."""


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

    def answer(self, prompt: Prompt, previous: Proposal | None = None) -> Proposal:
        """Ask, and look closer where that is of use; see `Predictor.propose`."""
        proposal = self.ask(prompt, previous)
        return self.ask_closer(proposal) or proposal

    def ask(
        self,
        prompt: Prompt,
        previous: Proposal | None = None,
        *,
        prior: Prior | None = None,
        on_record: bool = False,
    ) -> Proposal:
        """Ask without looking closer; see `Predictor.propose`.

        Args:
            prompt: the whole prompt.
            previous: the proposal being corrected.
            prior: in place of those that are on.
            on_record: a person asks: should the object be accepted, what the model itself answered
                will tell how much the classifier helps.

        """
        priors = self._priors(prompt) if prior is None else [prior]
        proposal = self._predictor.propose(prompt, previous, priors=priors, refiners=self.refiners)
        if on_record and self.learns and previous is None:
            self._instant.note_first(prompt, proposal, self._predictor.loaded_version)
        return proposal

    def ask_closer(self, proposal: Proposal) -> Proposal | None:
        """Ask once more from close by; None where that is switched off or of no use."""
        if not self.looks_closer:
            return None
        prompt = proposal.prompt
        priors = [p for p in self._priors(prompt) if proposal.is_recalled or not p.annotations]
        closer = self._predictor.look_closer(proposal, priors=priors, refiners=self.refiners)
        if closer is not None and self.learns:
            self._instant.note_closer(prompt, closer)
        return closer

    def answer_alone(
        self, prompt: Prompt, image: NDArray[np.uint8], embedding: Embedding | None
    ) -> Proposal:
        """Answer a first prompt about any image without priors, closely where that is on.

        The open image stays open.

        Args:
            prompt: the whole prompt.
            image: (H, W, 3) uint8.
            embedding: of it, from the cache; else it is encoded.

        """
        refiners = self.refiners
        with self._predictor.aside(image, embedding):
            proposal = self._predictor.propose(prompt, refiners=refiners)
            closer = None
            if self.looks_closer:
                closer = self._predictor.look_closer(proposal, refiners=refiners)
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
