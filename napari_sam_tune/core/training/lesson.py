"""One training step's forward and backward: prompts are drawn, answered and marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from napari_sam_tune.core.errors import OutOfMemory
from napari_sam_tune.core.training.decoder import answer
from napari_sam_tune.core.training.loss import prompt_loss
from napari_sam_tune.core.training.prompting import draw_prompts, with_corrections

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_sam_tune.core.training.config import TrainConfig
    from napari_sam_tune.core.training.decoder import Tokens
    from napari_sam_tune.core.training.examples import EmbeddedImages, Example
    from napari_sam_tune.core.training.prompting import DrawnPrompt


class Marks(NamedTuple):
    """How a step went.

    Attributes:
        loss: mean over its prompts.
        real: how many of the prompts a person gave.

    """

    loss: float
    real: int


@dataclass(eq=False)
class Lesson:
    """Turns objects into gradients of the model's trainable parameters.

    Attributes:
        sam: the model.
        images: the embeddings.
        device: where the decoder runs.
        config: how prompts are drawn.
        positions: (1, C, h, w), `prompt_encoder.get_dense_pe()`, the same all through a round.
        checkpoint: called between forward and backward.
        at_once: prompts in a call of the decoder; halved for good when memory runs out.

    """

    sam: Sam
    images: EmbeddedImages
    device: torch.device
    config: TrainConfig
    positions: Tensor
    checkpoint: Callable[[], None]
    at_once: int

    def gradients(self, calls: Sequence[Sequence[Example]], step: int) -> Marks:
        """Leave the gradients of a step's loss in the parameters.

        Args:
            calls: objects by image.
            step: counts from 0; with the seed it decides which prompts are drawn.

        Raises:
            OutOfMemory: the device cannot train even one prompt at a time.

        """
        while True:
            self.sam.zero_grad()
            # drawn anew from the same seed if memory ran out half-way
            rng = np.random.default_rng([self.config.seed, step])
            try:
                marks = [self._call(call, rng) for call in calls]
            except RuntimeError as error:
                self._halve(error)
                continue
            return Marks(sum(mark.loss for mark in marks), sum(mark.real for mark in marks))

    def _call(self, examples: Sequence[Example], rng: np.random.Generator) -> Marks:
        """Teach a few objects of one image."""
        prompts, corrections = draw_prompts(examples, self.config, rng)
        features = self.images.features(examples[0].annotation.image_id, self.device)
        loss = 0.0
        for first in range(0, len(examples), self.at_once):
            some = slice(first, first + self.at_once)
            graded = self._forward(features, examples[some], prompts[some], corrections, rng)
            self.checkpoint()
            graded.backward()  # type: ignore[no-untyped-call]
            self.checkpoint()
            loss += graded.item()
        return Marks(loss, sum(prompt.real for prompt in prompts))

    def _forward(
        self,
        features: Tensor,
        examples: Sequence[Example],
        prompts: Sequence[DrawnPrompt],
        corrections: int,
        rng: np.random.Generator,
    ) -> Tensor:
        """Return these prompts' share of the step's loss."""
        tokens = [prompt.tokens for prompt in prompts]
        mask_inputs = has_mask = None
        # bf16 halves memory on CUDA; elsewhere it is slower than float32 or missing
        cuda = self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=cuda):
            if corrections:
                mask_inputs = self._first_answers(features, prompts)
                tokens = _corrected(mask_inputs, examples, prompts, corrections, rng)
                given = rng.random(len(prompts)) < self.config.mask_input_share
                has_mask = torch.from_numpy(given).to(self.device)
            answered = answer(self.sam, features, self.positions, tokens, mask_inputs, has_mask)
        # padding is not part of the image: what is drawn there is nobody's loss
        rows, columns = examples[0].frame.valid
        targets = torch.from_numpy(np.stack([e.target for e in examples])).to(self.device)
        loss = prompt_loss(
            answered.logits[..., :rows, :columns],
            answered.ious,
            targets.float(),
            answered.ambiguous,
        )
        return loss.sum() / self.config.batch_size

    @torch.no_grad()
    def _first_answers(self, features: Tensor, prompts: Sequence[DrawnPrompt]) -> Tensor:
        """Answer first points and boxes alone: (N, 1, grid, grid) float32 logits."""
        starts = [prompt.tokens.start for prompt in prompts]
        return answer(self.sam, features, self.positions, starts).chosen()[:, None].float()

    def _halve(self, error: RuntimeError) -> None:
        """Train half as many prompts at once, if the error says that memory ran out."""
        said = str(error).lower()
        # CUDA has a type of its own; MPS and the CPU's allocator only say so
        if not (
            isinstance(error, torch.cuda.OutOfMemoryError)
            or "out of memory" in said
            or "allocate memory" in said
        ):
            raise error
        if self.at_once == 1:
            raise OutOfMemory(
                "The device has too little memory to train on even one prompt at a time. Close "
                "other programs that use it, or train on the CPU (device “cpu”)."
            ) from error
        self.at_once //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _corrected(
    first_answers: Tensor,
    examples: Sequence[Example],
    prompts: Sequence[DrawnPrompt],
    corrections: int,
    rng: np.random.Generator,
) -> list[Tokens]:
    """Give simulated prompts clicks on the errors of the first answers; real ones are whole."""
    rows, columns = examples[0].frame.valid
    drawn = (first_answers[:, 0, :rows, :columns] > 0).cpu().numpy()
    return [
        p.tokens if p.real else with_corrections(p.tokens, mask, e, corrections, rng)
        for p, mask, e in zip(prompts, drawn, examples, strict=True)
    ]
