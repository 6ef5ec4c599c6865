"""A plain SAM with an open image: encodes it, answers prompts, looks closer at small objects.

On a fresh embedding the masks, IoU estimates and logits equal `segment_anything.SamPredictor`'s
bit for bit; embeddings from the cache are fp16 (largest relative error 2⁻¹¹ per feature), which
moves logits by about 0.01 and so flips only mask pixels whose logit is that close to zero. Tuned
weights (`weights_in_use`) may come and go while it is in use. What goes beyond segment-anything is
all only when asked for: priors add what is known to the model's logits, refiners make answers keep
to what was said, `look_closer` answers from a crop around a small object (`zoom`). `answers.chain`
says which of them there are, and puts them together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import torch

from napari_sam_tune.core.answers.decoding import Decoder, Question, about_a_mask
from napari_sam_tune.core.answers.old_keywords import with_old_keywords
from napari_sam_tune.core.answers.opening import Opening
from napari_sam_tune.core.answers.zoom import (
    first_window,
    holds,
    is_one_click,
    runs_over,
    wider_window,
    window_for,
)
from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.geometry.windows import shape_of, whole
from napari_sam_tune.core.models.checkpoints import (
    LoadedModel,
    load_model,
    resolve_device,
)
from napari_sam_tune.core.prompts import Prompt, Proposal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_sam_tune.core.answers.encoding import View
    from napari_sam_tune.core.answers.links import Prior, Refiner
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.recall.recalled import Recalled

_LOST: Final = 0.4
"""IoU expected of an answer below which the model has not found the object; on a line scan it was
up to .23 deep inside objects larger than the window, and .6 to 1 of those of 14 to 900 px."""

_FARTHEST: Final = 32
"""Sides of the encoder's input that such a click is looked at from, at most: to make more of an
image smaller, where its file has no copies, takes longer than a person waits for a click."""


class Predictor(Opening):
    """A SAM, and the image that is open in it.

    Not thread-safe: one thread owns it.

    Args:
        model: what `load_model` returned.

    Attributes:
        sam: the model, with the weights in use in it.
        network: the same, as it is asked and called.
        ref: names its base.
        weights: those in use, and how others are loaded.
        encoder: turns pixels into what the decoder looks at; another one may take its place.

    """

    def __init__(self, model: LoadedModel) -> None:
        super().__init__(model)
        self.sam: Sam = model.sam
        self.ref: BaseRef = model.ref
        self._decoder = Decoder(self.network)

    @classmethod
    def from_checkpoint(
        cls,
        name_or_path: str | Path,
        device: str | torch.device = "auto",
        *,
        download: bool = False,
    ) -> Predictor:
        """Load a base model by name ("starter", "vit_b", …) or path; see `load_model`."""
        return cls(load_model(name_or_path, resolve_device(device), download=download))

    def propose(
        self,
        prompt: Prompt,
        previous: Proposal | None = None,
        *,
        priors: Sequence[Prior] = (),
        refiners: Sequence[Refiner] = (),
        window: Window | None = None,
        seen: Window | None = None,
        heed: bool | None = None,
        recalled: Recalled | None = None,
    ) -> Proposal:
        """Answer a prompt about the open image.

        A single point, alone, is ambiguous: SAM's three candidates come back, best first.
        Anything more gets one. A mask in the prompt is the mask input (`Frame.mask_to_logits`),
        and goes before the previous proposal's logits. A proposal that looked closer is corrected
        where it looked, as long as all that was said lies there. Of a large image a window around
        what was said is looked at, see `zoom.first_window`.

        Args:
            prompt: the whole prompt; what lies over the image's edge is clipped.
            previous: the proposal being corrected; its chosen candidate's logits are fed back.
            priors: what is known beforehand, see `answers.chain`. An answer made with one that
                brings back accepted masks comes first; SAM's own three, of a single point, come
                after it, and once one of them was chosen no correction goes back to those masks.
            refiners: what the answer must keep to, in this order. With none, and no priors, the
                answer is SAM's own.
            window: where to look, if all that was said lies there; None: at all of the image, or
                where the previous proposal looked.
            seen: the part of a large image on the screen: what is meant is about so large. Without
                it a lone click that shows nothing is asked about in wider windows, too.
            heed: deprecated, `refiners=[HeedClicks()]` says the same.
            recalled: deprecated, `priors=[recalled]` says the same.

        Raises:
            SamTuneError: no image is open.
            PromptError: nothing of the prompt lies in the image.
            MaskError: the prompt's mask is not of the image's shape.

        """
        priors, refiners = with_old_keywords(priors, refiners, heed, recalled)
        asked = prompt.clipped(self.image_shape)
        if previous is not None and not previous.is_recalled:
            priors = [prior for prior in priors if not prior.annotations]
        elif previous is not None and not any(prior.annotations for prior in priors):
            previous = None  # its logits speak of masks that are not meant after all
        if window is None and previous is not None and asked.mask is None:
            window = previous.window
        if is_unplaced := window is None or not holds(window, asked):
            drawn = None if previous is None else previous.placed
            window = first_window(asked, self.image_shape, self.input_side, drawn, seen)
        is_lone = is_unplaced and previous is None and seen is None and is_one_click(asked)
        view = self._open.view_of(window)
        question = Question(asked, priors, refiners)
        mask_input = self._mask_input(asked, previous, view)
        if mask_input is not None:
            question = about_a_mask(question, mask_input, previous, prompt)
        answer = self._answered(view, question, prompt)
        return self._from_farther_off(answer, priors, refiners) if is_lone else answer

    def _from_farther_off(
        self, answer: Proposal, priors: Sequence[Prior], refiners: Sequence[Refiner]
    ) -> Proposal:
        """Ask in wider windows about a click of which nothing says how large a thing it means.

        Deep inside an object that fills the window the model finds no border, draws a spot, and
        says itself that it is worth little.
        """
        best = current = answer
        while best.iou < _LOST and current.window is not None:
            (x, y), *_ = current.prompt.clipped(self.image_shape).points
            place = int(y), int(x), int(y) + 1, int(x) + 1
            window = wider_window(place, current.window, self.image_shape, self.input_side)
            if max(shape_of(window)) > _FARTHEST * self.input_side:
                break
            current = self.propose(answer.prompt, priors=priors, refiners=refiners, window=window)
            best = max(best, current, key=lambda one: one.iou)
        return best

    def _answered(self, view: View, question: Question, prompt: Prompt) -> Proposal:
        """Ask the decoder, and draw what it says."""
        with torch.inference_mode():
            decoded = self._decoder.candidates(view, self.weights.positions, question)
            count = decoded.logits.shape[1]
            masks = [self._drawn(view, decoded.logits[:, i : i + 1]) for i in range(count)]
            scores = decoded.ious[0].tolist()
        return Proposal(
            placed=masks[0],
            iou=scores[0],
            placed_candidates=tuple(zip(masks, scores, strict=True)),
            prompt=prompt,
            logits=decoded.logits[0].cpu().numpy(),
            weights_version=self.weights.version,
            window=self._part(view),
            recalled=() if question.brought is None else question.brought.annotations,
            own_logits=decoded.own[0].to("cpu", torch.float16).numpy(),
            from_mask=question.painted is not None,
        )

    def look_closer(
        self,
        proposal: Proposal,
        *,
        priors: Sequence[Prior] = (),
        refiners: Sequence[Refiner] = (),
        heed: bool | None = None,
        recalled: Recalled | None = None,
    ) -> Proposal | None:
        """Answer a proposal's prompt once more, from a crop around the object if it is small.

        The proposal's logits go along as the mask input. Other candidates stay as they are. Where
        the answer runs against the border of a window of a large image it is asked for anew from a
        wider one first, see `look_wider`.

        Args:
            proposal: about the open image, from the weights in use.
            priors: those the proposal was made with.
            refiners: as in `propose`.
            heed: deprecated, as in `propose`.
            recalled: deprecated, as in `propose`.

        Returns:
            The closer answer, or None where the proposal has looked closely enough.

        Raises:
            SamTuneError: no image is open.

        """
        priors, refiners = with_old_keywords(priors, refiners, heed, recalled)
        wider = self.look_wider(proposal, priors=priors, refiners=refiners)
        proposal = wider or proposal
        current = proposal.window or whole(self.image_shape)
        asked = proposal.prompt.clipped(self.image_shape)
        window = window_for(proposal.placed, asked, self.input_side, current)
        if window == current:
            return wider
        brought = [p for p in priors if p.annotations and proposal.is_recalled]
        general = [prior for prior in priors if not prior.annotations]
        question = Question(asked, brought or general, refiners)
        return self._closer(proposal, self._open.view_of(window), question)

    def look_wider(
        self,
        proposal: Proposal,
        *,
        priors: Sequence[Prior] = (),
        refiners: Sequence[Refiner] = (),
    ) -> Proposal | None:
        """Answer a proposal's prompt anew where it runs against its window's border.

        In wider and wider windows, all of the image in the end. What the model saw of the object so
        far says nothing of where it ends, so that no logits go along.

        Args:
            proposal: about the open image, from the weights in use.
            priors: those the proposal was made with.
            refiners: as in `propose`.

        Returns:
            The wider answer, or None where the proposal lies within its window.

        Raises:
            SamTuneError: no image is open.

        """
        shape, wider, current = self.image_shape, None, proposal
        while self._open.is_large and current.window is not None:
            if not runs_over(current.placed, current.window):
                break
            content = current.placed.bbox or current.window
            window = wider_window(content, current.window, shape, self.input_side)
            wider = current = self.propose(
                proposal.prompt, priors=priors, refiners=refiners, window=window
            )
        return wider

    def _closer(self, proposal: Proposal, view: View, question: Question) -> Proposal:
        """Put another answer, from another view, in the place of a proposal's chosen one."""
        chosen, own_logits = proposal.chosen, None
        with torch.inference_mode():
            logits = self._redrawn(proposal, proposal.logits, view)
            coarse = logits[None, chosen : chosen + 1]
            meant = proposal.from_mask or question.brought is not None
            question = replace(question, mask_input=coarse, painted=coarse if meant else None)
            decoded = self._decoder.answer(view, self.weights.positions, question)
            mask, iou = self._drawn(view, decoded.logits), float(decoded.ious[0, 0])
            logits[chosen] = decoded.logits[0, 0]
            if proposal.own_logits is not None:
                own = self._redrawn(proposal, proposal.own_logits, view)
                own[chosen] = decoded.own[0, 0]
                own_logits = own.to("cpu", torch.float16).numpy()
        candidates = list(proposal.placed_candidates)
        candidates[chosen] = (mask, iou)
        return replace(
            proposal,
            placed=mask,
            iou=iou,
            placed_candidates=tuple(candidates),
            logits=logits.cpu().numpy(),
            weights_version=self.weights.version,
            window=self._part(view),
            own_logits=own_logits,
        )

    # --------------------------------------------------- from logits, and to them

    def _mask_input(self, prompt: Prompt, previous: Proposal | None, view: View) -> Tensor | None:
        """Return the logits (1, 1, h, h) that go in with a prompt, or None."""
        if prompt.mask is not None:
            logits = view.frame.mask_to_logits(prompt.mask)
        elif previous is not None:
            chosen, grid = previous.chosen, view.frame.grid
            logits = previous.logits[chosen][None]
            if logits.shape != (1, grid, grid):
                raise CheckpointError(
                    f"The previous proposal's logits are {logits.shape[1:]}, made by another model "
                    f"than this one ({grid}, {grid}); propose without it."
                )
            if (previous.window or whole(self.image_shape)) != view.frame.window:
                return self._redrawn(previous, previous.logits, view)[None, chosen : chosen + 1]
        else:
            return None
        return torch.from_numpy(logits).to(self.device)[None]

    def _redrawn(self, proposal: Proposal, logits: NDArray[np.floating[Any]], view: View) -> Tensor:
        """Return a proposal's logits (K, h, h) as they would be in another view."""
        source = self.encoder.frame(proposal.window or whole(self.image_shape))
        return view.frame.redraw(torch.from_numpy(logits).to(self.device), source)

    def _part(self, view: View) -> Window | None:
        """Return the window of a view; None where that is all of the image."""
        window = view.frame.window
        return None if window == whole(self.image_shape) else window

    def _drawn(self, view: View, logits: Tensor) -> PlacedMask:
        """Return the mask of the open image that logits (1, 1, h, h) make."""
        return view.frame.draw(logits, self.image_shape, self.network.mask_threshold)
