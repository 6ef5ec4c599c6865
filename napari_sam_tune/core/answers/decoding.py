"""From a question about a view to logits: the model's decoder, priors and refiners."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from napari_sam_tune.core.answers.links import Asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from napari_sam_tune.core.answers.encoding import View
    from napari_sam_tune.core.answers.links import Prior, Refiner
    from napari_sam_tune.core.models.network import Network
    from napari_sam_tune.core.prompts import Prompt, Proposal


@dataclass(frozen=True, eq=False)
class Question:
    """What the decoder is asked about a view.

    Attributes:
        prompt: what was said, clipped to the image; its mask is in `mask_input`.
        priors: what is known beforehand.
        refiners: what the answer must keep to, in this order.
        mask_input: (1, 1, h, h) logits that go in with the prompt, or None.
        painted: those of a mask all of whose parts are meant, or None; see `Asked`.
        corrected: those of the answer that the last click corrects, or None.

    """

    prompt: Prompt
    priors: Sequence[Prior]
    refiners: Sequence[Refiner]
    mask_input: Tensor | None = None
    painted: Tensor | None = None
    corrected: Tensor | None = None

    @property
    def is_ambiguous(self) -> bool:
        """Whether it is a single point, alone."""
        prompt = self.prompt
        return len(prompt.points) == 1 and prompt.box is None and self.mask_input is None

    @property
    def brought(self) -> Prior | None:
        """The prior that brings back accepted masks, if any does."""
        return next((prior for prior in self.priors if prior.annotations), None)


class Decoded(NamedTuple):
    """K answers of the decoder to one question.

    Attributes:
        logits: (1, K, h, h), with priors, and refined.
        own: (1, K, h, h), the model's own.
        ious: (1, K), predicted.

    """

    logits: Tensor
    own: Tensor
    ious: Tensor


class Decoder:
    """The model's decoder, with the weights that are in them when called.

    Args:
        network: the model.

    """

    def __init__(self, network: Network) -> None:
        self._network = network

    def candidates(self, view: View, positions: Tensor, question: Question) -> Decoded:
        """Answer a question, best first.

        A single point, alone, is ambiguous: SAM's three candidates come back. Anything more gets
        one. What a prior brings back comes before either.

        Args:
            view: what it is about.
            positions: (1, C, rows, columns), see `WeightsInUse.positions`.
            question: see there.

        """
        found = []
        brought, ambiguous = question.brought, question.is_ambiguous
        if brought is not None:
            guess = question.mask_input
            if guess is None and (known := brought.guess(view.frame)) is not None:
                guess = known.to(view.features.device)
            back = replace(question, priors=[brought], mask_input=guess, painted=guess)
            found.append(self.answer(view, positions, back))
        if brought is None or ambiguous:
            general = [prior for prior in question.priors if not prior.annotations]
            answered = self.answer(view, positions, replace(question, priors=general), ambiguous)
            # the sort is stable, so ties keep SAM's order
            order = torch.argsort(answered.ious[0], descending=True, stable=True)
            found.append(Decoded(*(part[:, order] for part in answered)))
        return Decoded(*(torch.cat(parts, dim=1) for parts in zip(*found, strict=True)))

    def answer(
        self, view: View, positions: Tensor, question: Question, ambiguous: bool = False
    ) -> Decoded:
        """Call the decoder once: for three answers where the prompt is ambiguous, else for one.

        They come in SAM's order; other arguments as of `candidates`.
        """
        points, box = _points(view, question.prompt), _box(view, question.prompt)
        own, ious = self._network.decode(
            view.features, positions, points, box, question.mask_input, several=ambiguous
        )
        logits = own
        for prior in question.priors:
            logits = prior.add(logits, view.frame)
        if question.refiners:
            asked = _asked(view, question, points, box)
            for refiner in question.refiners:
                logits = refiner.refine(logits, asked)
        return Decoded(logits, own, ious)


def _points(view: View, prompt: Prompt) -> tuple[Tensor, Tensor] | None:
    """Return positions (1, T, 2) in the encoder's input and labels (1, T), as SAM takes them."""
    if not prompt.points:
        return None
    device = view.features.device
    labels = torch.tensor([prompt.labels], dtype=torch.int, device=device)
    return torch.from_numpy(view.frame.to_input(prompt.points)).to(device)[None], labels


def _box(view: View, prompt: Prompt) -> Tensor | None:
    """Return (1, 4), (x0, y0, x1, y1) in the encoder's input."""
    if prompt.box is None:
        return None
    corners = view.frame.to_input(np.reshape(prompt.box, (2, 2)))
    return torch.from_numpy(corners).to(view.features.device).reshape(1, 4)


def _asked(
    view: View, question: Question, points: tuple[Tensor, Tensor] | None, box: Tensor | None
) -> Asked:
    """Return what refiners are told."""
    device = view.features.device
    nowhere = torch.zeros(1, 0, 2, device=device), torch.zeros(1, 0, device=device)
    coords, labels = points or nowhere
    known = (prior.guide(view.frame) for prior in question.priors)
    guides = [view.shades, *(guide.to(device) for guide in known if guide is not None)]
    return Asked(
        side=view.frame.side,
        clicks=coords + coords.new_tensor(view.frame.half_pixel),
        labels=labels,
        box=box,
        painted=question.painted,
        corrected=question.corrected,
        guide=torch.cat(guides, dim=1),
    )


def about_a_mask(
    question: Question, mask_input: Tensor, previous: Proposal | None, prompt: Prompt
) -> Question:
    """Return a question with logits that go in, and what they are: a painted mask, an answer."""
    is_new = question.prompt.mask is not None
    # a click may confirm what was shown; a box that is new asks for something else
    has_new_box = previous is not None and previous.prompt.box != prompt.box
    from_mask = is_new or (previous is not None and previous.from_mask)
    return replace(
        question,
        mask_input=mask_input,
        painted=mask_input if from_mask else None,
        corrected=None if is_new or has_new_box else mask_input,
    )
