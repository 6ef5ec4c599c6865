"""Every number a round depends on, documented and checked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_sam_tune.core.texts.plain_text import is_text

if TYPE_CHECKING:
    from collections.abc import Mapping

LossName = Literal["dice_focal_iou", "dice_ce", "bce", "mse"]
Term = Literal["focal", "dice", "cross_entropy", "squared", "iou"]
LOSSES: Final[Mapping[LossName, Mapping[Term, float]]] = {
    "dice_focal_iou": {"focal": 20.0, "dice": 1.0, "iou": 1.0},
    "dice_ce": {"dice": 1.0, "cross_entropy": 1.0, "iou": 1.0},
    "bce": {"cross_entropy": 1.0, "iou": 1.0},
    "mse": {"squared": 1.0, "iou": 1.0},
}
"""Terms of each loss and their weights; `loss.py` says what they are. All have the predicted IoU in
them: a head left stale misleads."""
Projection = Literal["q", "k", "v", "mlp", "decoder"]


_LARGEST: Final = {int: 2.0**53, float: 1e100}
"""What can still be counted with: times any number of masks, a float must stay finite."""


class _Setting(BaseModel):
    """Settings whose numbers a computer can count with."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_validator(mode="after")
    def _within_reach(self) -> Self:
        for name, value in self:
            several = value.values() if isinstance(value, dict) else (value,)
            if any(type(v) in _LARGEST and abs(v) > _LARGEST[type(v)] for v in several):
                raise ValueError(f"{name} is larger than any number there is room for.")
        return self


class GateConfig(_Setting):
    """What a candidate must show on held-out objects to replace the weights in use.

    Scores are IoU or tolerant F1, from 0 to 1. The error rates these defaults lead to are asked
    by simulation in `tests/core/test_gate.py`.
    """

    confidence: float = Field(default=0.92, gt=0.5, lt=1)
    """One-sided bootstrap confidence that the gain is above `smallest_gain`."""
    smallest_gain: float = Field(default=0.0, ge=0, lt=1)
    """A gain must be above this to count; 0 takes any gain that is sure."""
    fewest_objects: int = Field(default=4, ge=1)
    """With fewer held-out objects no candidate is promoted."""
    class_loss: float = Field(default=0.05, ge=0, le=1)
    """A class whose mean score falls by more than this, surely, stops the promotion."""
    class_objects: int = Field(default=3, ge=1)
    """A class needs this many held-out objects to be able to stop a promotion."""
    resamples: int = Field(default=2000, ge=100)
    """Bootstrap resamples."""


class LoraConfig(_Setting):
    """Low-rank adapters (Hu et al. 2021) where `parts` names "lora"; see `core/models/lora.py`."""

    rank: int = Field(default=8, ge=1)
    """Rank of each delta; from half the width of a layer on, the full matrix is smaller."""
    learning_rate: float = Field(default=5e-3, gt=0)
    """Of the adapters at its peak, which begin at nothing: with a rate for weights that have been
    trained they stay there. 5e-3 is SAMed's (Zhang and Liu 2023)."""
    alpha: float | None = Field(default=None, gt=0)
    """The delta is scaled by alpha / rank; none means alpha = rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of a layer's inputs hidden from its delta while training."""
    targets: tuple[Projection, ...] = Field(default=("q", "v"), min_length=1)
    """Which projections: q, k and v of the encoder's attention, mlp for both layers of its
    perceptrons, decoder for all projections of the mask decoder's attention."""
    blocks: int | None = Field(default=None, ge=1)
    """Only the encoder's last so many blocks (late LoRA): what comes before runs once an image.
    None means all."""


class HeadConfig(_Setting):
    """The head that needs no prompt, where `parts` is "promptless"; see `core/promptless`."""

    learning_rate: float = Field(default=1e-2, gt=0)
    """Of the head at its peak: it begins with nothing."""
    neck_rate: float = Field(default=1e-3, gt=0)
    """Of the encoder's neck, which begins with weights worth keeping."""
    weight_decay: float = Field(default=1e-2, ge=0)
    """Of both."""
    flips: bool = True
    """Each image is also seen upside down and mirrored, which is encoded and kept as well."""
    single_class: bool = False
    """All classes are one: "defect"."""


class PartConfig(_Setting):
    """What one part does otherwise than the rest."""

    learning_rate: float | None = Field(default=None, gt=0)
    """At its peak; none is that of the whole training."""
    weight_decay: float | None = Field(default=None, ge=0)
    """None is that of the whole training."""


class TrainConfig(_Setting):
    """How a training is run: a round behind the person's back, or a run from the command line.

    The defaults suit rounds of well under a minute on two CPU cores while a person goes on
    labelling; sources of the recipe are in `loss.py` and `prompting.py`. `for_a_run` returns those
    of a run.
    """

    parts: tuple[str, ...] = ()
    """What is trained: decoder, decoder_without_iou, prompt_encoder, neck, norms, whole, lora,
    promptless (a head that needs no prompt), or prefixes of parameter names such as
    mask_decoder.transformer. None at all means the whole model where its encoder is light enough to
    be run anew in every step, as the starter's is, and the decoder on cached embeddings where it is
    not, as in the official models. The decoder includes the head that predicts IoU, which is better
    not left stale."""
    lora: LoraConfig = LoraConfig()
    """The adapters, where parts names lora."""
    head: HeadConfig = HeadConfig()
    """The head, where parts is promptless; a batch is then one of images."""
    part_settings: dict[str, PartConfig] = Field(default_factory=dict)
    """Learning rate and weight decay by part, named as in `parts`, such as
    {neck: {learning_rate: 1.0e-5}}."""
    loss: LossName = "dice_focal_iou"
    """What is asked of a mask; see `loss.py`."""
    loss_weights: dict[Term, float] = Field(default_factory=dict)
    """Weights of the loss's terms other than its own."""
    loss_points: int = Field(default=0, ge=0)
    """Pixels of the image itself, half of them about the object, on which the loss is taken
    (PointRend, Kirillov et al. 2020): for objects thinner than a cell of the logits. 0 takes all
    cells of the low-resolution logits."""
    steps: int = Field(default=12, ge=1)
    """Optimiser steps in a round, at most."""
    prompts_per_mask: float = Field(default=6.0, gt=0)
    """At most so many prompts of a round for each mask to learn from: with a handful of masks a
    round is short, lest it learn them by heart."""
    batch_size: int = Field(default=4, ge=1)
    """Prompts in a step, whose gradients add up call by call; an object may be prompted twice."""
    prompts_per_image: int = Field(default=2, ge=1)
    """At most so many of them come from one image, in one call of the decoder: what memory holds at
    once, whatever the batch."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """The learning rate at its peak."""
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    """SGD has a momentum of .9."""
    schedule: Literal["cosine", "constant", "step", "plateau"] = "constant"
    """How the learning rate falls: along half a cosine; not; to a tenth after two thirds of the
    steps; to a half whenever `plateau_looks` looks at held-out objects in a row saw no gain."""
    plateau_looks: int = Field(default=3, ge=1)
    """See `schedule`."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises first."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decay towards zero; 0 because `base_share` keeps near something better."""
    patience: int | None = Field(default=None, ge=1)
    """Training ends after so many looks in a row without a gain; None never."""
    keep_best: bool = False
    """End with the weights of the best look, not the last. Never in a round: those that look are
    those that judge, and choosing by them would flatter the candidate."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    base_share: float = Field(default=0.2, ge=0, lt=1)
    """Share of the base weights in the average with which a round ends (WiSE-FT, Wortsman et al.
    2022), so that many rounds do not drift away. More of it forgets less on surfaces never seen,
    but there the base answers anyway, see `images.surfaces`."""
    recent: int = Field(default=20, ge=1)
    """How many of the newest masks count as recent; all older ones are replayed beside them."""
    recent_weight: float = Field(default=2.0, ge=1)
    """How much oftener a recent mask is drawn than an older one."""
    real_prompt_share: float = Field(default=0.5, ge=0, le=1)
    """How often an object is prompted as the person really did, where that is recorded."""
    box_share: float = Field(default=0.4, ge=0, le=1)
    """Share of simulated prompts that start with a box; the others start with a point."""
    correction_share: float = Field(default=0.8, ge=0, le=1)
    """Share of calls in which simulated prompts go on with clicks on the model's errors."""
    corrections: int = Field(default=6, ge=1)
    """At most so many correction clicks; small numbers are drawn oftener. The first answer, the
    last and one in between are taught; the others only lead to the next click."""
    mask_input_share: float = Field(default=0.8, ge=0, le=1)
    """How often an answer to a correction also sees the logits of the answer before it."""
    zoom_share: float = Field(default=0.5, ge=0, le=1)
    """How often a small object is looked at in a crop around it; where it is above 0 small objects
    are judged so too. A session that does not look closer sets it to 0."""
    draws: int = Field(default=1, ge=1)
    """How often each held-out object is judged with another point and box, half of them careless; a
    robot goes on from the first point. Objects differ more than prompts for one of them do."""
    robot_clicks: int = Field(default=6, ge=2)
    """Clicks of the judging robot, whose mean score from the second on counts: weights that start
    well and are hard to correct cost clicks."""
    judge_objects: int = Field(default=24, ge=1)
    """At most so many held-out objects judge a candidate, spread over images and classes."""
    look_every: int = Field(default=12, ge=1)
    """Steps between two quick looks at held-out objects, for the live curve."""
    look_objects: int = Field(default=6, ge=0)
    """Held-out objects in a quick look."""
    memory: int = Field(default=1 << 30, ge=0)
    """Bytes of embeddings (fp16) kept in memory; the rest is read again when it is drawn."""
    seed: int = Field(default=0, ge=0)
    """The same seed and job give the same weights on a CPU with the same number of threads."""
    gate: GateConfig = GateConfig()
    """What the candidate must show to be promoted."""

    @property
    def loss_terms(self) -> dict[Term, float]:
        """The loss's terms and their weights, those set by hand included."""
        return {**LOSSES[self.loss], **self.loss_weights}

    def shortened(self, masks: int) -> TrainConfig:
        """Return how a round on so many masks is run: with no more steps than they are good for."""
        most = math.ceil(self.prompts_per_mask * masks / self.batch_size)
        return self.model_copy(update={"steps": min(self.steps, most)})

    @classmethod
    def for_a_run(cls) -> TrainConfig:
        """Return the defaults of a run: long, with every mask as good as the next, best kept."""
        return cls(
            steps=400,
            schedule="cosine",
            prompts_per_mask=1e6,
            recent_weight=1.0,
            base_share=0.0,
            look_every=40,
            look_objects=24,
            judge_objects=60,
            keep_best=True,
            patience=5,
        )

    @model_validator(mode="after")
    def _no_part_within_another(self) -> TrainConfig:
        """Refuse parts that name the same parameters twice."""
        for part in self.parts:
            if any(other != part and part.startswith(f"{other}.") for other in self.parts):
                raise ValueError(f"The part {part!r} lies within another of {self.parts}.")
        if not all(map(is_text, self.parts)):
            raise ValueError("A part is named by a text in Unicode.")
        if len(set(self.parts)) != len(self.parts):
            raise ValueError(f"A part is named twice in {self.parts}.")
        return self
