"""From a whole prompt to a mask, on the thread that owns the model.

A person says one thing after the other, and each answer begins from the one before. A client sends
all that was said each time, so that nothing is lost with a server. What an answer begins from is
looked up among the answers kept; where it is not (any more), it is made again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from napari_sam_tune.core.answers.chain import REFINERS
from napari_sam_tune.core.answers.encoding import KEPT_VIEWS
from napari_sam_tune.core.errors import PromptError
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.session.packing import size_of, with_own_pages
from napari_sam_tune.service.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_sam_tune.core.answers.encoding import OpenImage
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.prompts import Proposal
    from napari_sam_tune.service.kept_images import KeptImage
    from napari_sam_tune.service.limits import Limits
    from napari_sam_tune.service.served_weights import ServedWeights

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Asked:
    """A question.

    Attributes:
        image: about which.
        prompt: all that was said, in its order; the box, if there is one, was first.
        candidate: which of the three answers to a single first point is meant.
        since: when it came (s, monotonic).

    """

    image: KeptImage
    prompt: Prompt
    candidate: int = 0
    since: float = field(default_factory=monotonic)

    def steps(self) -> Iterator[Prompt]:
        """Give what had been said after each thing said."""
        prompt = self.prompt
        if prompt.box is not None:
            yield Prompt(box=prompt.box)
        for said in range(1, len(prompt.points) + 1):
            yield Prompt(prompt.points[:said], prompt.labels[:said], prompt.box)


class _Kept(Generic[T]):
    """What can be made again: so many bytes of it, the least recently used going first."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._held: OrderedDict[tuple[object, ...], tuple[T, int]] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> T | None:
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        return self._held[key][0]

    def put(self, key: tuple[object, ...], made: T, size: int) -> None:
        self._held[key] = made, size
        self._left -= size
        while self._left < 0 and len(self._held) > 1:
            _, (_, dropped) = self._held.popitem(last=False)
            self._left += dropped


class Answering:
    """Answers questions about the images kept, with the weights in use or a client's.

    Args:
        predictor: the model.
        limits: how much is kept, and how long an answer may take.

    """

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        self.predictor = predictor
        self._seconds = limits.answer_seconds
        self._opened: _Kept[OpenImage] = _Kept(limits.kept_bytes)
        self._answers: _Kept[Proposal] = _Kept(limits.answers_bytes)
        self._used: str | None = None  # key of the weights in the model

    def use(self, weights: ServedWeights) -> None:
        """Have these weights answer.

        Raises:
            CheckpointError: they do not fit the model.

        """
        in_use = self.predictor.weights
        if self._used == weights.key:
            return
        if weights.tensors is None:
            in_use.load_base()
        else:
            in_use.load(weights.tensors, weights.version, weights.surfaces)
        self._used = weights.key

    def open(self, image: KeptImage) -> None:
        """Make an image the model's open one, encoded once for each encoder."""
        key = image.id, self.predictor.weights.encoder_key_for(image.rgb)
        found = self._opened.get(key)
        if found is not None:
            self.predictor.reopen(found)
            return
        self.predictor.set_image(image.rgb)
        opened = self.predictor.opened
        # and of a few windows of it
        encoded = (1 + KEPT_VIEWS) * opened.view.features.nbytes
        self._opened.put(key, opened, image.rgb.nbytes + encoded)

    def embed(self, rgb: NDArray[np.uint8], weights: ServedWeights) -> NDArray[np.float16]:
        """Encode (H, W, 3) pixels with weights, of whatever surface; returns (C, rows, columns)."""
        self.use(replace(weights, surfaces=None))
        # safetensors writes an array as it lies in memory, however its axes are turned
        return np.ascontiguousarray(self.predictor.encode(rgb).embedding.features)

    def answer(self, asked: Asked, weights: ServedWeights) -> Proposal:
        """Answer a question as the dock does, but for what a project's masks have taught.

        Raises:
            PromptError: nothing of the prompt lies in the image.
            Fault: there is no such candidate, or it takes too long.

        """
        asked.prompt.clipped(asked.image.shape)
        self.use(weights)
        self.open(asked.image)
        proposal: Proposal | None = None
        for prompt in asked.steps():
            key = (asked.image.id, weights.key, prompt, asked.candidate)
            found = self._answers.get(key)
            if found is None:
                if monotonic() - asked.since > self._seconds:
                    raise Fault(504, "too_slow", "The answer took too long; ask again.")
                found = with_own_pages(self._asked(prompt, proposal, asked.candidate))
                self._answers.put(key, found, size_of(found))
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
