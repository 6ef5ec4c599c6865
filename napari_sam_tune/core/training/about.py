"""What a weights file says about itself, so that it can be used without its project."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.training.job import mean_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_tune.core.models.checkpoints import LoadedModel
    from napari_sam_tune.core.training.course import Course
    from napari_sam_tune.core.training.job import ObjectScore, TrainingJob


def about(
    job: TrainingJob,
    course: Course,
    model: LoadedModel,
    names: Sequence[str],
    scores: Sequence[ObjectScore],
    masks: int,
) -> dict[str, Any]:
    """Return the base, the config, how it went and, where it was judged, how good it is.

    Args:
        job: the training.
        course: how it went.
        model: the base model.
        names: of the parameters that learnt.
        scores: of held-out objects, or none yet.
        masks: learnt from.

    """
    config = course.config
    current, candidate = mean_scores(scores)
    return {
        "base": asdict(job.base),
        "architecture": model.architecture,
        "parts": list(config.parts or dict.fromkeys(name.partition(".")[0] for name in names)),
        "parent": job.parent,
        "went_on_from": job.go_on_from or job.parent,
        **model.network.input_format,
        "config": config.model_dump(mode="json"),
        "losses": [round(loss, 5) for loss in course.losses],
        "masks": masks,
        "prompts": {
            "real": course.real_prompts,
            "simulated": course.steps * config.batch_size - course.real_prompts,
        },
        "scores": {
            "objects": len({score.annotation_id for score in scores}),
            "current": current,
            "candidate": candidate,
        },
    }
