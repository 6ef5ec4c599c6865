"""Every number a round depends on, documented and checked."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field, model_validator


class GateConfig(BaseModel):
    """What a candidate must show on held-out objects to replace the weights in use.

    Scores are IoU or tolerant F1, from 0 to 1. The error rates these defaults lead to are asked
    by simulation in `tests/core/test_gate.py`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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


class TrainConfig(BaseModel):
    """How one round of fine-tuning is run.

    The defaults suit rounds of well under a minute on two CPU cores while a person goes on
    labelling; sources of the recipe are in `loss.py` and `prompting.py`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: tuple[str, ...] = ()
    """Prefixes of the parameter names to train, e.g. ("mask_decoder", "image_encoder.neck"). None
    at all means the whole model where its encoder is light enough to be run anew in every step, as
    the starter's is, and the mask decoder on cached embeddings where it is not, as in the official
    models. The mask decoder includes the head that predicts IoU, which must never be left stale."""
    steps: int = Field(default=24, ge=1)
    """Optimiser steps in a round, at most."""
    prompts_per_mask: float = Field(default=6.0, gt=0)
    """At most so many prompts of a round for each mask to learn from: with a handful of masks a
    round is short, lest it learn them by heart."""
    batch_size: int = Field(default=4, ge=1)
    """Prompts in a step; an object may be prompted more than once."""
    prompts_per_image: int = Field(default=2, ge=1)
    """At most so many of them come from one image, in one call of the decoder."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """AdamW's learning rate at its peak."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises; then it falls along a cosine."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's decay towards zero; 0 because `base_share` keeps near something better."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    base_share: float = Field(default=0.4, ge=0, lt=1)
    """Share of the base weights in the average with which a round ends (WiSE-FT, Wortsman et al.
    2022): what was learnt holds on surfaces never seen, and many rounds do not drift away."""
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
    draws: int = Field(default=3, ge=3)
    """How often each held-out object is judged with another point, box and robot."""
    robot_clicks: int = Field(default=3, ge=2)
    """Clicks of the judging robot."""
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

    def shortened(self, masks: int) -> TrainConfig:
        """Return how a round on so many masks is run: with no more steps than they are good for."""
        most = math.ceil(self.prompts_per_mask * masks / self.batch_size)
        return self.model_copy(update={"steps": min(self.steps, most)})

    @model_validator(mode="after")
    def _no_part_within_another(self) -> TrainConfig:
        """Refuse parts that name the same parameters twice."""
        for part in self.parts:
            if any(other != part and part.startswith(f"{other}.") for other in self.parts):
                raise ValueError(f"The part {part!r} lies within another of {self.parts}.")
        if len(set(self.parts)) != len(self.parts):
            raise ValueError(f"A part is named twice in {self.parts}.")
        return self
