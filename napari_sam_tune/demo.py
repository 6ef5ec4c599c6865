"""`napari-sam-tune demo --headless`: the whole loop on sample images, driven by the robot.

The samples are labelled twice, in the order of the line: with everything that learns switched off,
and with it. What is said at the end is counted, not promised.
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.evaluation.robot import Robot
from napari_sam_tune.core.evaluation.simulate import SequenceResult, run_sequence
from napari_sam_tune.core.exchange.labelled_images import LabelledImage, read_pairs
from napari_sam_tune.core.exchange.outgoing import images_out, selection
from napari_sam_tune.core.models.catalogue import STARTER
from napari_sam_tune.core.models.checkpoints import save_sam_checkpoint
from napari_sam_tune.core.project.effort import RECALLED
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.rounds.report import Round
from napari_sam_tune.core.session.session import Session
from napari_sam_tune.core.storage.durable import make_folder
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import format_named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam_tune.core.evaluation.simulate import ObjectResult

SAMPLES = Path(str(files("napari_sam_tune"))) / "resources" / "samples"
_ROBOT = Robot(max_clicks=12, target=0.8, noise=0.2, seed=0)
# Fewer rounds than a session's, and fewer judges: somebody waits for the end of the demo.
_MASKS_BETWEEN_ROUNDS = 20
_CONFIG = TrainConfig(judge_objects=8, robot_clicks=4, look_objects=4)
_MASKS_IN_A_LINE = 5


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
    model: str = STARTER,
    parts: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Label the samples twice with the same robot, frozen and learning, and write what came out.

    Args:
        out: folder that receives `project/`, `images/`, `masks/*.png`, `coco.json`,
            `weights.pth`, `report.json` and `clicks.png`. Must not hold a project yet.
        model: base model.
        parts: label only so many of the parts on the line, spread along it. Rounds of training
            then come sooner and are shorter in proportion. None is all of them.
        say: called with a line of text every few masks, after each round and at the end.

    Returns:
        What `report.json` holds.

    Raises:
        FileExistsError: `out` already holds a project.
        SamTuneError: there are not so many parts.

    """
    if (out / "project").exists():
        raise FileExistsError(f"{out / 'project'} exists already: choose another --out folder.")
    by_part, share = _by_part(parts)
    groups = [_copied(pairs, out / "images") for pairs in by_part]
    say("A robot labels the samples, first with everything that learns switched off.")
    frozen = _label_frozen(groups, model, _Teller(say))
    frozen_clicks = [row.clicks for row in frozen.objects]
    say("Now the same again, learning from every mask it accepts.")
    project = Project.open(out / "project")
    with Session(
        project,
        Predictor.from_checkpoint(model),
        "process",
        config=_shortened(share),
        source="robot",
    ) as session:
        learning = _label_learning(groups, share, session, _Teller(say, frozen_clicks))
        save_sam_checkpoint(session.predictor.sam, out / "weights.pth")
        document = _report(frozen, learning, session)
    _export_masks(project, out)
    draw_clicks(frozen_clicks, [row.clicks for row in learning.objects], out / "clicks.png")
    _write_json(out / "report.json", document)
    for line in document["why"]:
        say(line)
    return document


def _label_frozen(
    groups: Sequence[Sequence[LabelledImage]], model: str, teller: _Teller
) -> SequenceResult:
    """Label in a project that is thrown away, with everything that learns switched off."""
    with (
        TemporaryDirectory() as scratch,
        Session(
            Project.open(Path(scratch) / "frozen"),
            Predictor.from_checkpoint(model),
            source="robot",
            recall=False,
            instant=False,
        ) as session,
    ):
        result = run_sequence(session, groups, _ROBOT, every=None, report=teller.tell)
    teller.finish()
    return result


def _label_learning(
    groups: Sequence[Sequence[LabelledImage]], share: float, session: Session, teller: _Teller
) -> SequenceResult:
    """Label with everything that learns, until all of it has learnt what there is."""
    every = math.ceil(_MASKS_BETWEEN_ROUNDS * share)
    result = run_sequence(session, groups, _ROBOT, every=every, report=teller.tell)
    teller.finish()
    session.answerer.apply_swap()
    while session.answerer.settle():  # what the last masks are worth is to be said too
        pass
    return result


class _Teller:
    """Says every few masks what one of them took.

    Args:
        say: is called with a line of text.
        frozen: clicks the same objects took before, which are said beside.

    Attributes:
        clicks: so far, by object.

    """

    def __init__(self, say: Callable[[str], None], frozen: Sequence[int] = ()) -> None:
        self._say, self._frozen = say, frozen
        self.clicks: list[int] = []

    def tell(self, event: ObjectResult | Round) -> None:
        """Take note of an object or a round as `run_sequence` reports it."""
        if isinstance(event, Round):
            self._say(f"  round of training, {event.seconds:.0f} s: {event.report}")
            return
        self.clicks.append(event.clicks)
        if len(self.clicks) % _MASKS_IN_A_LINE == 0:
            self._tell_newest(_MASKS_IN_A_LINE)

    def finish(self) -> None:
        """Say what is left to say."""
        if left := len(self.clicks) % _MASKS_IN_A_LINE:
            self._tell_newest(left)

    def _tell_newest(self, count: int) -> None:
        last = len(self.clicks)
        first = last - count
        mean = fmean(self.clicks[first:])
        line = f"  masks {first + 1:>2} to {last:>2}: {mean:.1f} clicks a mask"
        if self._frozen:
            line += f" (frozen {fmean(self._frozen[first:last]):.1f})"
        self._say(line)


def _by_part(parts: int | None) -> tuple[list[list[LabelledImage]], float]:
    """Return the samples by part, of so many parts spread along the line, and their share."""
    groups: dict[str, list[LabelledImage]] = {}
    for pair in sample_pairs():
        groups.setdefault(pair.group, []).append(pair)
    every = list(groups.values())
    if parts is None:
        return every, 1.0
    if not 1 <= parts <= len(every):
        raise SamTuneError(f"There are {len(every)} parts on the line: choose 1 to {len(every)}.")
    spread = [every[int((place + 0.5) * len(every) / parts)] for place in range(parts)]
    return spread, parts / len(every)


def _copied(pairs: Sequence[LabelledImage], folder: Path) -> list[LabelledImage]:
    """Copy the images beside the project, so that the folder can be moved as a whole."""
    make_folder(folder, "The demo")
    return [
        replace(pair, image=Path(shutil.copyfile(pair.image, folder / pair.image.name)))
        for pair in pairs
    ]


def _shortened(share: float) -> TrainConfig:
    """Return how rounds train on a share of the parts, judged by as many as can promote."""
    judges = max(_CONFIG.gate.fewest_objects, round(_CONFIG.judge_objects * share))
    changes = {"steps": math.ceil(_CONFIG.steps * share), "judge_objects": judges}
    return _CONFIG.model_copy(update=changes)


def _report(frozen: SequenceResult, learning: SequenceResult, session: Session) -> dict[str, Any]:
    learnt = session.state.learnt
    document = {
        "weights_version": session.weights_version,
        "effort_by_version": [asdict(row) for row in session.effort()],
        "learnt": None if learnt is None else asdict(learnt),
        "rounds": [finished.to_json() for finished in learning.rounds],
        "frozen": frozen.to_json()["summary"],
        "learning": learning.to_json()["summary"],
        "objects": learning.to_json()["objects"],
    }
    return document | {"why": explain(document, frozen, learning)}


def explain(
    document: dict[str, Any], frozen: SequenceResult, learning: SequenceResult
) -> list[str]:
    """Return what learning was worth and why, a sentence or two each.

    Args:
        document: `effort_by_version`, `learnt` and `rounds` as in `report.json`.
        frozen: what labelling took with everything that learns switched off.
        learning: what the same objects took, in the same order, with it.

    """
    clicks = [[row.clicks for row in result.objects] for result in (frozen, learning)]
    third = max(1, len(clicks[0]) // 3)
    begun = [fmean(column[:third]) for column in clicks]
    ended = [fmean(column[-third:]) for column in clicks]
    said = [
        f"{len(clicks[1])} masks: {sum(clicks[1])} clicks while learning, {sum(clicks[0])} frozen. "
        f"Over the first {third} masks {begun[1]:.1f} clicks each (frozen {begun[0]:.1f}), over "
        f"the last {third} {ended[1]:.1f} (frozen {ended[0]:.1f}). Why:"
    ]
    if document["learnt"] is not None:
        said.append(_worth_of_accepting(document["learnt"]))
    for number, finished in enumerate(document["rounds"], start=1):
        outcome = "its weights are in use" if finished["promoted"] else "its weights are not used"
        said.append(
            f"- Round {number} of training: {outcome}. The judge says: "
            f"“{finished['report']['sentence']}”"
        )
    said.extend(
        f"- Recall: one part was photographed twice, and {row['masks']} of its masks came back on "
        f"the second picture, for {row['clicks']:.1f} clicks each."
        for row in document["effort_by_version"]
        if row["version"] == RECALLED
    )
    return said


def _worth_of_accepting(learnt: dict[str, Any]) -> str:
    if learnt["weight"] == 0:
        return (
            "- Learning at every accept did not help here, judged by leaving images out, and kept "
            "out of the answers."
        )
    return (
        "- Learning at every accept: all these parts come from one line, so what their defects "
        f"look like is learnt from the first and used on the next. Asked again for the "
        f"{learnt['judged']} masks, each without what its own image taught, a first click scores "
        f"{learnt['with_it']:.2f} with what was learnt, {learnt['without']:.2f} without."
    )


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
    # some kinds of defects take more clicks than others: a window holds some of each
    window = max(1, min(15, len(frozen) // 3))
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
