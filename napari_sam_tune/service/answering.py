"""From a whole prompt to a mask, on the thread that owns the model.

A person says one thing after the other, and each answer begins from the one before. A client sends
all that was said each time, so that nothing is lost with a server. What an answer begins from is
looked up among the answers kept; where it is not (any more), it is made again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_tune.core.answers.chain import REFINERS
from napari_sam_tune.core.errors import PromptError
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.service.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.prompts import Proposal
    from napari_sam_tune.service.kept_images import KeptImage
    from napari_sam_tune.service.served_weights import ServedWeights


@dataclass(frozen=True, eq=False)
class Asked:
    """A question.

    Attributes:
        image: about which.
        prompt: all that was said, in its order; the box, if there is one, was first.
        candidate: which of the three answers to a single first point is meant.

    """

    image: KeptImage
    prompt: Prompt
    candidate: int = 0

    def steps(self) -> Iterator[Prompt]:
        """Give what had been said after each thing said."""
        prompt = self.prompt
        if prompt.box is not None:
            yield Prompt(box=prompt.box)
        for said in range(1, len(prompt.points) + 1):
            yield Prompt(prompt.points[:said], prompt.labels[:said], prompt.box)


class Answering:
    """Answers questions about the images kept, with the weights in use or a client's.

    Args:
        predictor: the model.
        kept_bytes: of answers that may be corrected.

    """

    def __init__(self, predictor: Predictor, kept_bytes: int) -> None:
        self.predictor = predictor
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[tuple[object, ...], Proposal] = OrderedDict()
        self._size = 0

    def use(self, weights: ServedWeights) -> None:
        """Have these weights answer.

        Raises:
            CheckpointError: they do not fit the model.

        """
        in_use = self.predictor.weights
        if in_use.loaded_version == weights.version:
            return
        if weights.tensors is None:
            in_use.load_base()
        else:
            in_use.load(weights.tensors, weights.version, weights.surfaces)

    def open(self, image: KeptImage) -> None:
        """Make an image the model's open one, encoded once for each encoder."""
        key = self.predictor.weights.encoder_key_for(image.rgb)
        if key in image.opened:
            self.predictor.reopen(image.opened[key])
            return
        self.predictor.set_image(image.rgb)
        image.opened[key] = self.predictor.opened

    def embed(self, rgb: NDArray[np.uint8], weights: ServedWeights) -> NDArray[np.float16]:
        """Encode (H, W, 3) pixels with weights; returns (C, rows, columns)."""
        self.use(weights)
        return self.predictor.encode(rgb).embedding.features

    def answer(self, asked: Asked, weights: ServedWeights) -> Proposal:
        """Answer a question as the dock does, but for what a project's masks have taught.

        Raises:
            PromptError: nothing of the prompt lies in the image.
            Fault: there is no such candidate.

        """
        asked.prompt.clipped(asked.image.shape)
        self.use(weights)
        self.open(asked.image)
        proposal: Proposal | None = None
        for prompt in asked.steps():
            key = (asked.image.id, weights.version, prompt, asked.candidate)
            found = self._kept.get(key)
            if found is None:
                found = self._asked(prompt, proposal, asked.candidate)
                self._keep(key, found)
            else:
                self._kept.move_to_end(key)
            proposal = found
        if proposal is None:
            raise PromptError("Only clicks and a box can be asked about here.")
        return proposal

    def _asked(self, prompt: Prompt, previous: Proposal | None, candidate: int) -> Proposal:
        proposal = self.predictor.propose(prompt, previous, refiners=REFINERS)
        if previous is None and candidate:
            if candidate >= len(proposal.candidates):
                raise Fault(
                    422,
                    "no_such_candidate",
                    f"There are {len(proposal.candidates)} candidates, counted from 0; "
                    f"{candidate} is none of them.",
                )
            proposal = proposal.choose(candidate)
        if not self.predictor.encodes_fast:
            return proposal
        return self.predictor.look_closer(proposal, refiners=REFINERS) or proposal

    def _keep(self, key: tuple[object, ...], proposal: Proposal) -> None:
        self._kept[key] = proposal
        self._size += _bytes_of(proposal)
        while self._size > self._kept_bytes and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._size -= _bytes_of(dropped)


def _bytes_of(proposal: Proposal) -> int:
    return sum(mask.nbytes for mask, _ in proposal.candidates) + 2 * proposal.logits.nbytes
