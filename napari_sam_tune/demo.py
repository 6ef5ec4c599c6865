"""`napari-sam-tune demo --headless`: the whole loop on sample images, driven by the robot."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.checkpoints import save_sam_checkpoint
from napari_sam_tune.core.exporting import images_out, selection
from napari_sam_tune.core.labelled_images import LabelledImage, read_pairs
from napari_sam_tune.core.predictor import Predictor
from napari_sam_tune.core.project import Project
from napari_sam_tune.core.session import Session
from napari_sam_tune.core.simulate import Robot, SequenceResult, order_groups, run_sequence
from napari_sam_tune.core.training.config import TrainConfig
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import format_named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam_tune.core.rounds import Round
    from napari_sam_tune.core.simulate import ObjectResult

SAMPLES = Path(__file__).parent / "resources" / "samples"
_ROBOT = Robot(max_clicks=12, target=0.8, noise=0.2, seed=0)
# Fewer rounds than a session's, and fewer judges: somebody waits for the end of the demo.
_MASKS_BETWEEN_ROUNDS = 20
_CONFIG = TrainConfig(judge_objects=12)


def sample_pairs() -> list[LabelledImage]:
    """Return the sample images that come with the package, with their true masks."""
    return read_pairs(
        SAMPLES / "images",
        SAMPLES / "masks",
        manifest=SAMPLES / "manifest.csv",
        class_column="class",
        group_column="group",
    )


def run_headless(
    out: Path,
    *,
    model: str = "starter",
    report: Callable[[str, ObjectResult | Round], None] = lambda *_: None,
) -> dict[str, Any]:
    """Label the samples twice with the same robot, frozen and learning, and write what came out.

    Args:
        out: folder that receives `project/`, `images/`, `masks/*.png`, `coco.json`,
            `weights.pth`, `report.json` and `clicks.png`. Must not hold a project yet.
        model: base model.
        report: called with "frozen" or "learning" and each object and round as they come.

    Returns:
        What `report.json` holds.

    Raises:
        FileExistsError: `out` already holds a project.

    """
    if (out / "project").exists():
        raise FileExistsError(f"{out / 'project'} exists already: choose another --out folder.")
    groups = _copied(order_groups(sample_pairs(), seed=_ROBOT.seed), out / "images")
    with TemporaryDirectory() as scratch:
        frozen_session = Session(
            Project.open(Path(scratch) / "frozen"),
            Predictor.from_checkpoint(model),
            source="robot",
            recall=False,
        )
        with frozen_session:
            frozen = run_sequence(
                frozen_session, groups, _ROBOT, every=None, report=lambda r: report("frozen", r)
            )
    project = Project.open(out / "project")
    with Session(
        project, Predictor.from_checkpoint(model), "process", config=_CONFIG, source="robot"
    ) as session:
        learning = run_sequence(
            session,
            groups,
            _ROBOT,
            every=_MASKS_BETWEEN_ROUNDS,
            report=lambda r: report("learning", r),
        )
        session.apply_swap()
        save_sam_checkpoint(session.predictor.sam, out / "weights.pth")
        document = _report(frozen, learning, session)
    _export_masks(project, out)
    draw_clicks(
        [row.clicks for row in frozen.objects],
        [row.clicks for row in learning.objects],
        out / "clicks.png",
    )
    _write_json(out / "report.json", document)
    return document


def _copied(groups: Sequence[Sequence[LabelledImage]], folder: Path) -> list[list[LabelledImage]]:
    """Copy the images beside the project, so that the folder can be moved as a whole."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        [
            LabelledImage(
                pair.stem,
                Path(shutil.copyfile(pair.image, folder / pair.image.name)),
                pair.mask,
                pair.label,
                pair.group,
            )
            for pair in group
        ]
        for group in groups
    ]


def _report(frozen: SequenceResult, learning: SequenceResult, session: Session) -> dict[str, Any]:
    return {
        "weights_version": session.weights_version,
        "effort_by_version": [asdict(row) for row in session.effort()],
        "rounds": [finished.to_json() for finished in learning.rounds],
        "frozen": frozen.to_json()["summary"],
        "learning": learning.to_json()["summary"],
        "objects": learning.to_json()["objects"],
    }


def _export_masks(project: Project, out: Path) -> None:
    classes = selection(project).classes
    for form, path in (("labels", out / "masks"), ("coco", out / "coco.json")):
        export(format_named(form), images_out(project), classes, path, overwrite=True)


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def draw_clicks(frozen: Sequence[int], learning: Sequence[int], path: Path) -> None:
    """Draw clicks per mask, frozen against learning, as a PNG.

    Args:
        frozen: clicks for each object in order, weights never changed.
        learning: the same objects in the same order, with rounds in between.
        path: where the picture goes.

    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    window = max(1, min(10, len(frozen) // 3))
    for clicks, name, colour in ((frozen, "frozen", "#888888"), (learning, "learning", "#d1495b")):
        smooth = np.convolve(clicks, np.ones(window) / window, mode="valid")
        total = sum(clicks)
        axes.plot(
            np.arange(window, len(clicks) + 1),
            smooth,
            color=colour,
            lw=2,
            label=f"{name}: {total} clicks in all",
        )
    axes.set_xlabel("accepted masks")
    axes.set_ylabel(f"clicks per mask (mean of {window})")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
