"""One training step's forward and backward: prompts are drawn, answered and marked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from napari_sam_tune.core.errors import OutOfMemory, is_out_of_memory
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.core.training.decoder import answer
from napari_sam_tune.core.training.loss import prompt_loss
from napari_sam_tune.core.training.prompting import draw_prompts, with_correction
from napari_sam_tune.core.training.targets import at_points, on_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.models.network import Network
    from napari_sam_tune.core.training.embedded_images import EmbeddedImages
    from napari_sam_tune.core.training.examples import Example
    from napari_sam_tune.core.training.placement import Mapped
    from napari_sam_tune.core.training.prompting import DrawnPrompt
    from napari_sam_tune.core.training.world import World


_FLIPPED = 0.5
"""Share of images seen upside down, and mirrored, where encoding them anew costs little."""


class Marks(NamedTuple):
    """How a step went.

    Attributes:
        loss: mean over its prompts.
        real: how many of the prompts a person gave.

    """

    loss: float
    real: int


class _Gradients:
    """Adds up the gradients of one call, apart from those of a call beside it.

    Attributes:
        wanted: what gradients are of.
        sums: theirs, None where nothing depended on it.

    """

    def __init__(self, wanted: Sequence[Tensor]) -> None:
        self.wanted = wanted
        self.sums: list[Tensor | None] = [None] * len(wanted)

    def add(self, answer: Tensor, given: Tensor | None = None) -> None:
        """Add the gradients of an answer, whose own is `given`."""
        found = torch.autograd.grad(answer, self.wanted, given, allow_unused=True)
        self.sums = [_sum(*pair) for pair in zip(self.sums, found, strict=True)]


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a + b


@dataclass(kw_only=True, eq=False)
class Lesson:
    """Turns objects into gradients of the model's trainable parameters.

    Attributes:
        network: the model.
        images: the embeddings.
        device: where the decoder runs.
        config: how prompts are drawn.
        positions: (1, C, h, w), `Network.positions`, the same all through a round.
        checkpoint: called between forward and backward.
        encodes: the encoder learns too: images are encoded anew.
        at_once: prompts in a call of the decoder; halved for good when memory runs out.
        flips: images that are encoded anew are flipped at random.
        world: the processes that share a step's calls.
        mapped: does a step's calls, as many at once as it likes.

    """

    network: Network
    images: EmbeddedImages
    device: torch.device
    config: TrainConfig
    positions: Tensor
    checkpoint: Callable[[], None]
    encodes: bool
    at_once: int
    flips: bool
    world: World
    mapped: Mapped

    def gradients(self, calls: Sequence[Sequence[Example]], step: int) -> Marks:
        """Leave the gradients of a step's loss in the parameters.

        Args:
            calls: objects by image.
            step: counts from 0; with the seed it decides which prompts are drawn.

        Raises:
            OutOfMemory: the device cannot train even one prompt at a time.

        """
        learning = [p for p in self.network.sam.parameters() if p.requires_grad]

        def taught(share: tuple[int, Sequence[Example]]) -> tuple[Marks, _Gradients]:
            # a call's prompts depend on nothing but its place: whoever does it draws the same,
            # and so does a step begun anew because memory ran out
            place, call = share
            rng = np.random.default_rng([self.config.seed, step, place])
            return self._call(call, rng, learning)

        while True:
            self.network.sam.zero_grad()
            loss, real = 0.0, 0
            try:
                # in the calls' order, whichever ends first: sums of floats depend on it
                for marks, gradients in self.mapped(taught, self.world.share(calls)):
                    loss, real = loss + marks.loss, real + marks.real
                    # beyond the parameters' there may be the features'
                    for parameter, gradient in zip(learning, gradients.sums, strict=False):
                        parameter.grad = _sum(parameter.grad, gradient)
            except RuntimeError as error:
                self._halve(error)
            else:
                return Marks(loss, real)

    def _call(
        self, examples: Sequence[Example], rng: np.random.Generator, learning: Sequence[Tensor]
    ) -> tuple[Marks, _Gradients]:
        """Teach a few objects of one view."""
        seen = examples[0].seen
        if self.encodes:
            share = _FLIPPED if self.flips else 0.0
            flips = (bool(rng.random() < share), bool(rng.random() < share))
            examples = [replace(example, flips=flips) for example in examples]
            encoded = self.images.encode(seen, self.device, flips)
            # the decoder's many passes leave their gradients here, the encoder runs back once
            features = encoded.detach().requires_grad_()
            gradients = _Gradients([*learning, features])
        else:
            features = self.images.features(seen, self.device)
            gradients = _Gradients(learning)
        prompts, corrections = draw_prompts(examples, self.config, rng)
        loss = 0.0
        for first in range(0, len(examples), self.at_once):
            some = slice(first, first + self.at_once)
            drawn = prompts[some]
            loss += self._rounds(features, examples[some], drawn, corrections, rng, gradients)
        if self.encodes:
            self.checkpoint()
            gradients.add(encoded, gradients.sums[-1])
            self.checkpoint()
        return Marks(loss, sum(prompt.real for prompt in prompts)), gradients

    def _rounds(
        self,
        features: Tensor,
        examples: Sequence[Example],
        prompts: Sequence[DrawnPrompt],
        corrections: int,
        rng: np.random.Generator,
        gradients: _Gradients,
    ) -> float:
        """Answer, correct, answer again …; return these prompts' share of the step's loss."""
        targets = on_cells(examples, self.device)
        frame = examples[0].frame
        rows, columns = frame.valid
        between = int(rng.integers(1, corrections + 1)) if corrections else 0
        taught = {0, between, corrections}
        tokens = [prompt.tokens.start for prompt in prompts]
        logits: Tensor | None = None
        loss = 0.0
        for turn in range(corrections + 1):
            if logits is not None:
                drawn = (logits[:, 0, :rows, :columns] > 0).cpu().numpy()
                tokens = [
                    p.tokens.up_to(turn) if p.real else with_correction(before, mask, e, rng)
                    for p, before, mask, e in zip(prompts, tokens, drawn, examples, strict=True)
                ]
            given = torch.from_numpy(rng.random(len(prompts)) < self.config.mask_input_share)
            # bf16 halves memory on CUDA; a decoder on a CPU is slower with it
            cuda = self.device.type == "cuda"
            with (
                torch.set_grad_enabled(turn in taught),
                torch.autocast(self.device.type, torch.bfloat16, enabled=cuda),
            ):
                asked = self.positions, frame, tokens, logits, given.to(self.device)
                answered = answer(self.network, features, *asked)
            logits = answered.chosen()[:, None].detach().float()
            if turn not in taught:
                continue
            # padding is not part of the image: what is drawn there is nobody's loss
            drawn_at, wanted = answered.logits[..., :rows, :columns], targets
            if self.config.loss_points:
                drawn_at, wanted = at_points(
                    answered.logits, examples, self.config.loss_points, rng
                )
            graded = prompt_loss(
                drawn_at, answered.ious, wanted, answered.ambiguous, self.config.loss_terms
            )
            share = graded.sum() / (self.config.batch_size * len(taught))
            self.checkpoint()
            gradients.add(share)
            self.checkpoint()
            loss += share.item()
        return loss

    def _halve(self, error: RuntimeError) -> None:
        """Train half as many prompts at once, if the error says that memory ran out."""
        if not is_out_of_memory(error):
            raise error
        if self.at_once == 1:
            raise OutOfMemory(
                tr(
                    "The device has too little memory to train on even one prompt at a time. Close "
                    "other programs that use it, or train on the CPU (device “cpu”)."
                )
            ) from error
        self.at_once //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
