"""What a training learns from, step by step, and what it is judged on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.errors import ImageError, ProjectError, TrainingError
from napari_sam_tune.core.images.surfaces import FamiliarSurfaces, describe
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.core.training.examples import Example, draw_schedule, weigh
from napari_sam_tune.core.training.job import Progress
from napari_sam_tune.core.training.judge import choose_judges

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.images.surfaces import Description
    from napari_sam_tune.core.project.project import Annotation
    from napari_sam_tune.core.training.embedded_images import EmbeddedImages, Seen
    from napari_sam_tune.core.training.setup import Setup


_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Syllabus:
    """What a training learns from and is judged on.

    Attributes:
        config: the job's, with no more steps than so few masks are good for.
        masks: how many accepted masks it learns from.
        schedule: by step, the calls of the decoder, each a few objects of one view.
        judging: held-out objects, as a person sees them.
        of_familiar: those of them that the weights in use answer.
        of_others: the rest, which the base model answers.
        surfaces: of the images it learns from and is judged on.

    """

    config: TrainConfig
    masks: int
    schedule: Sequence[Sequence[Sequence[Example]]]
    judging: Sequence[Example]
    of_familiar: Sequence[Example]
    of_others: Sequence[Example]
    surfaces: FamiliarSurfaces

    @property
    def looked_at(self) -> Sequence[Example]:
        """The few held-out objects that are looked at while it learns."""
        return self.judging[: self.config.look_objects]

    def missing(self, setup: Setup) -> tuple[list[Seen], list[Seen]]:
        """Return what is to be encoded beforehand: with the weights in use, and with the base's."""
        # an encoder that learns looks at the images themselves
        calls = [] if setup.trains_encoder else [call for step in self.schedule for call in step]
        embedded = [*(call[0] for call in calls), *self.of_familiar]
        return (
            setup.images.missing([example.seen for example in embedded]),
            setup.images_of_base.missing([example.seen for example in self.of_others]),
        )


def draw_up(setup: Setup) -> Generator[Progress, None, Syllabus]:
    """Choose what is learnt from and judged on, and draw the steps.

    Yields:
        Progress, for each image whose surface is described.

    Raises:
        TrainingError: nothing is left to learn from.

    """
    job, project, images = setup.job, setup.project, setup.images
    # what was deleted or set aside since the job was made is left out
    living = {annotation.id: annotation for annotation in project.counting()}
    learn_from = [living[i] for i in job.train_ids if i in living]
    if not learn_from:
        raise TrainingError(tr("All masks to learn from have been deleted or set aside meanwhile."))
    config = job.config.shortened(len(learn_from))
    judges = choose_judges([living[i] for i in job.judge_ids if i in living], config)
    judging = _examples(judges, images, [1.0] * len(judges))
    if config.zoom_share > 0:
        judging = [_as_a_person_sees(example) for example in judging]
    schedule = draw_schedule(
        _examples(learn_from, images, weigh(learn_from, config)),
        config,
        np.random.default_rng(config.seed),
        # where images are encoded in every step anyway, no window need come twice
        encodes=setup.trains_encoder and setup.halves is None,
    )
    shown = {a.image_id: project.image(a.image_id).content_hash for a in [*learn_from, *judges]}
    described = yield from _describe(setup, shown)
    familiar = {e for e in judging if _is_familiar(e, setup, described.get(e.annotation.image_id))}
    return Syllabus(
        config=config,
        masks=len(learn_from),
        schedule=schedule,
        judging=judging,
        of_familiar=[example for example in judging if example in familiar],
        of_others=[example for example in judging if example not in familiar],
        surfaces=FamiliarSurfaces({shown[image_id]: d for image_id, d in described.items()}),
    )


def _examples(
    annotations: Sequence[Annotation], images: EmbeddedImages, weights: Sequence[float]
) -> list[Example]:
    return [
        Example(annotation, images.frame(annotation), weight)
        for annotation, weight in zip(annotations, weights, strict=True)
    ]


def _as_a_person_sees(example: Example) -> Example:
    """Return a small object in the window around it."""
    window = example.from_close_by()
    return example if window is None else example.closer(window)


def _describe(
    setup: Setup, shown: Mapping[str, str]
) -> Generator[Progress, None, dict[str, Description]]:
    """Describe the surfaces of images, given by id with their content hashes; by id.

    What weights files say of an image is taken from there; one that cannot be read is left out.
    """
    known = dict(setup.project.labelled_surfaces().descriptions)
    if setup.familiar is not None:
        known |= setup.familiar.descriptions
    fresh = [image_id for image_id, content in shown.items() if content not in known]
    began = monotonic()
    for done, image_id in enumerate(fresh, start=1):
        setup.checkpoint()
        try:
            known[shown[image_id]] = describe(setup.images.pixels(image_id))
        except (ImageError, ProjectError) as error:
            _log.warning("%s is no familiar surface from now on: %s", image_id, error)
        yield Progress.encoded(done, len(fresh), began)
    return {image_id: known[content] for image_id, content in shown.items() if content in known}


def _is_familiar(example: Example, setup: Setup, described: Description | None) -> bool:
    """Whether the weights in use answer on the object's image, and not the base model."""
    if setup.familiar is None:
        return True
    annotation = example.annotation
    # what they answered is theirs; what was painted or adopted nobody answered
    if annotation.weights_version == setup.job.parent and any(p.asks for p in annotation.prompts):
        return True
    return described is not None and setup.familiar.include(described)
