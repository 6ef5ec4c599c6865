"""`napari-sam-tune simulate`: labelled images, labelled once more by a robot."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.import_data import DrawnOn, say_remarks
from napari_sam_tune.commands.left_out import say_left_out
from napari_sam_tune.commands.terminal import Device, Model, progress_bar, say, strong
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.models.catalogue import STARTER
from napari_sam_tune.core.rounds.plan import MASKS_BETWEEN_ROUNDS
from napari_sam_tune.core.storage.durable import replacing_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_tune.commands.terminal import Progress
    from napari_sam_tune.core.evaluation.simulate import ObjectResult, SequenceResult
    from napari_sam_tune.core.exchange.labelled_images import LabelledImage
    from napari_sam_tune.core.rounds.report import Round

Images = Annotated[Path, typer.Option(help="Folder of images.")]
Masks = Annotated[Path, typer.Option(help="Folder of true masks, paired by stem.")]
Report = Annotated[Path, typer.Option(help="JSON file for the report.")]
Learn = Annotated[
    bool, typer.Option("--learn/--frozen", help="Fine-tune between images, or never.")
]
KeptProject = Annotated[
    Path | None, typer.Option(help="Keep the project here, in a new folder; else it goes.")
]
Every = Annotated[int, typer.Option(min=1, help="Accepted masks between rounds.")]
MaxClicks = Annotated[int, typer.Option(min=1, help="The robot gives up after so many.")]
Target = Annotated[float, typer.Option(min=0, max=1, help="Score it is content with.")]
Noise = Annotated[
    float, typer.Option(min=0, max=1, help="0 clicks the centre of the error, 1 anywhere.")
]
Seed = Annotated[int, typer.Option(help="Of the order of groups and the noise.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first N groups.")]
Manifest = Annotated[Path | None, typer.Option(help="CSV with a row per stem.")]
ClassColumn = Annotated[str | None, typer.Option(help="Its column of classes.")]
GroupColumn = Annotated[str | None, typer.Option(help="Its column of groups.")]
Zoom = Annotated[
    bool | None,
    typer.Option(
        "--zoom/--no-zoom",
        help="Answer small objects from a crop around them; by itself where that is fast.",
    ),
]
RecallOthers = Annotated[
    bool | None,
    typer.Option(
        "--recall/--no-recall",
        help="Bring in masks of other photographs of the same part; by itself with --learn.",
    ),
]
Instant = Annotated[
    bool,
    typer.Option("--instant/--no-instant", help="Learn at every accept, with or without rounds."),
]
Similar = Annotated[
    bool,
    typer.Option("--similar", help="Ask for all like what was accepted before clicking."),
]
Strokes = Annotated[
    bool,
    typer.Option("--stroke", help="Draw once along an elongated object before clicking."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace a report that is there already.")
]
MostObjects = Annotated[int | None, typer.Option(min=1, help="Stop after so many objects.")]


def simulate(
    images: Images,
    masks: Masks,
    out: Report,
    learn: Learn = True,
    model: Model = STARTER,
    project: KeptProject = None,
    every: Every = MASKS_BETWEEN_ROUNDS,
    max_clicks: MaxClicks = 20,
    target: Target = 0.85,
    noise: Noise = 0.0,
    seed: Seed = 0,
    limit: Limit = None,
    manifest: Manifest = None,
    class_column: ClassColumn = None,
    group_column: GroupColumn = None,
    zoom: Zoom = None,
    recall: RecallOthers = None,
    instant: Instant = True,
    similar: Similar = False,
    stroke: Strokes = False,
    objects: MostObjects = None,
    drawn_on: DrawnOn = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Find out how many clicks learning would save on images you have labelled already."""
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.evaluation.robot import Robot
    from napari_sam_tune.core.evaluation.simulate import order_groups, run_sequence
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.session.session import Session
    from napari_sam_tune.core.storage.durable import make_folder

    _check_places(out, project, overwrite=overwrite)
    make_folder(out.parent, "The report")
    pairs = _read(images, masks, manifest, class_column, group_column, drawn_on)
    groups = order_groups(pairs, seed, limit)
    robot = Robot(max_clicks, target, noise, seed, finds_similar=similar, strokes=stroke)
    with TemporaryDirectory() as scratch, progress_bar() as bar:
        follower = _Follower(bar, groups)
        with Session(
            Project.open(project or Path(scratch) / "project"),
            Predictor.from_checkpoint(model, device=device),
            source="robot",
            zoom=zoom,
            recall=learn if recall is None else recall,
            instant=instant,
        ) as session:
            rounds = every if learn else None
            result = run_sequence(
                session, groups, robot, every=rounds, objects=objects, report=follower.tell
            )
        follower.finish()
    _write(result, out)


def _check_places(out: Path, project: Path | None, *, overwrite: bool) -> None:
    """Say before the work what would be said after it, or would be mourned.

    Raises:
        FileExistsError: the report would replace something.
        SamTuneError: it cannot be written, or the robot would work in somebody's project.

    """
    if out.is_dir():
        raise SamTuneError(f"{out} is a folder, and the report is a file: name one by --out.")
    if out.exists() and not overwrite:
        raise FileExistsError(f"{out} exists already: choose another --out or --overwrite.")
    if project is not None and project.is_dir() and any(project.iterdir()):
        raise SamTuneError(
            f"{project} is there already, and what the robot accepts would go into it. Name a new "
            "folder by --project."
        )


def _read(
    images: Path,
    masks: Path,
    manifest: Path | None,
    class_column: str | None,
    group_column: str | None,
    drawn_on: str | None,
) -> list[LabelledImage]:
    """Return the pairs that can be taken, with upright masks, and say what was left out."""
    from napari_sam_tune.core.exchange.labelled_images import read_pairs
    from napari_sam_tune.core.exchange.left_out import LeftOut
    from napari_sam_tune.core.exchange.true_pairs import upright_pairs

    left_out = LeftOut()
    found = read_pairs(
        images,
        masks,
        manifest=manifest,
        class_column=class_column,
        group_column=group_column,
        left_out=left_out,
    )
    pairs, remarks = upright_pairs(found, left_out, drawn_on)
    say_remarks(remarks)
    say_left_out(left_out, strict=False)
    return pairs


class _Follower:
    """Shows in a bar how many images are labelled, and above it what came of a round."""

    def __init__(self, bar: Progress, groups: Sequence[Sequence[LabelledImage]]) -> None:
        self._bar = bar
        self._total = sum(len(group) for group in groups)
        self._task = bar.add_task("Labelling", total=self._total)
        self._stems: set[str] = set()

    def tell(self, event: ObjectResult | Round) -> None:
        """Take note of an object or a round as `run_sequence` reports it."""
        from napari_sam_tune.core.rounds.report import Round

        if isinstance(event, Round):
            say(strong("   round"), f"  {_outcome(event)}")
        else:
            self._stems.add(event.stem)
            self._bar.update(self._task, completed=len(self._stems))

    def finish(self) -> None:
        """Show that all are done, those too that hold no object."""
        self._bar.update(self._task, completed=self._total)


def _outcome(finished: Round) -> str:
    outcome = "new weights in use" if finished.promoted else "weights kept"
    return f"{outcome}: {finished.report} ({finished.seconds:.0f} s)"


def _write(result: SequenceResult, out: Path) -> None:
    document = result.to_json()
    with replacing_file(out) as file:
        file.write(json.dumps(document, indent=1).encode())
    summary = document["summary"]
    say(
        f"{summary['objects']} objects, {summary['cumulative_clicks']} clicks, "
        f"{summary['actions']} actions; report in {out}"
    )
