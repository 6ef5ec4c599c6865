"""How well a promptless head draws: on images, and tiles of large ones, that training never saw.

There is no base model to set it against, which draws nothing without a prompt.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from napari_sam_tune.core.answers.caching import open_cache
from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.evaluation.charts import draw_losses
from napari_sam_tune.core.evaluation.pictures import overlay
from napari_sam_tune.core.evaluation.report import METRICS_FILE
from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.promptless.fit import drawn_labels, measure
from napari_sam_tune.core.promptless.head import load_head
from napari_sam_tune.core.promptless.labelled import labelled_images, parts_of
from napari_sam_tune.core.storage.durable import replacing_file
from napari_sam_tune.core.texts.plain_text import in_markdown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.answers.tuned import TunedWeights
    from napari_sam_tune.core.evaluation.evaluation import EvaluatedSplit
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.promptless.fit import HeadScores
    from napari_sam_tune.core.promptless.head import PromptlessModel
    from napari_sam_tune.core.promptless.labelled import Part

_PICTURES: Final = 8
_GAP: Final = 8
"""Px between the panels of a picture."""


def evaluate_head(
    project: Project,
    predictor: Predictor,
    head: TunedWeights,
    out: Path,
    split: EvaluatedSplit = "test",
) -> HeadScores:
    """Compare what a head draws with the accepted masks of a project's labelled images.

    Args:
        project: whose images are drawn on.
        predictor: of the head's base model.
        head: its weights.
        out: receives `metrics.json`, `report.md`, `loss.png` and `pictures/*.png`: image, accepted
            masks and what the head draws, side by side.
        split: "test" falls back on "held_out" where a project has no test set, and says so.

    Raises:
        ProjectError: there is no labelled image to evaluate on, or one was moved or changed.
        CheckpointError: the head is damaged, or of another model.
        StorageError: the disk is full or not writable.

    """
    parts, used = _parts(project, predictor.input_side, split)
    cache = open_cache(project)
    classes = _names_of_now(project, head)
    model = load_head(predictor, head.tensors, classes, version=head.version, cache=cache)
    scores = measure(model, project, parts)
    shown = parts[:: max(1, len(parts) // _PICTURES)][:_PICTURES]
    for number, part in enumerate(shown, start=1):
        picture = Image.fromarray(_picture(model, project, part))
        with replacing_file(out / "pictures" / f"{number}.png") as file:
            picture.save(file, format="PNG")
    draw_losses([float(loss) for loss in head.info["losses"]], out / "loss.png")
    with replacing_file(out / "report.md") as file:
        file.write(_report(scores, used, head, [part.called for part in shown]).encode())
    document = {"version": head.version, "split": used, "mean": scores.mean} | asdict(scores)
    with replacing_file(out / METRICS_FILE) as file:
        file.write(json.dumps(document, indent=1).encode())
    return scores


def _names_of_now(project: Project, head: TunedWeights) -> list[str]:
    """Return the head's classes as they are called now; as they were if some are one by now."""
    trained, since = list(head.info["classes"]), float(head.info.get("created", 0))
    named = [project.class_now(name, since) for name in trained]
    return named if len(set(named)) == len(named) else trained


def score_rows(scores: HeadScores) -> list[tuple[str, str]]:
    """Return what people read: each class's IoU, the mean over images, clean images kept clean."""
    rows = [(f"IoU of {name}", value) for name, value in scores.iou.items()]
    rows += [
        ("IoU, mean over images, all classes as one", scores.image_iou),
        ("share of images without a defect left clean", scores.clean),
    ]
    return [(name, "–" if value is None else f"{value:.3f}") for name, value in rows]


def _parts(project: Project, side: int, split: EvaluatedSplit) -> tuple[list[Part], EvaluatedSplit]:
    labelled = parts_of(project, labelled_images(project), side)
    order: tuple[EvaluatedSplit, ...] = ("test", "held_out") if split == "test" else (split,)
    for used in order:
        parts = [part for part in labelled if part.split == used]
        if parts:
            return parts, used
    raise ProjectError(
        f"The project {project.path} has nothing to evaluate on: all of its labelled images are "
        "for training. Label more images, a fifth of which are held out."
    )


def _picture(
    model: PromptlessModel, project: Project, part: Part
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return image, accepted masks and the head's, (H, 3 · W + 2 gaps, 3) uint8."""
    image = part.pixels(project)
    rgb = to_rgb8(image)
    true = part.label_map(project, model.classes)
    drawn = drawn_labels(model.predict(image, part.name))
    panels = [rgb, *(overlay(rgb, _by_class(labels, model.classes)) for labels in (true, drawn))]
    gap = np.full((rgb.shape[0], _GAP, 3), 255, np.uint8)
    return np.hstack([panels[0], gap, panels[1], gap, panels[2]])


def _by_class(
    labels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], classes: Sequence[str]
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    return [labels == number for number in range(1, len(classes) + 1)]


def _report(
    scores: HeadScores, split: EvaluatedSplit, head: TunedWeights, shown: Sequence[str]
) -> str:
    lines = [
        "# Promptless head",
        "",
        f"Version {head.version}, learnt from {head.info['images']} images; measured on "
        f"{scores.images} labelled images of the split `{split}`.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {in_markdown(name)} | {value} |" for name, value in score_rows(scores)),
        "",
        "![Loss of each step](loss.png)",
        "",
        "Image, accepted masks, what the head draws:",
    ]
    for number, name in enumerate(shown, start=1):
        said = in_markdown(name)
        lines += ["", f"### {said}", "", f"![{said}](pictures/{number}.png)"]
    return "\n".join(lines) + "\n"
